"""How well an agent solves the toy's held-out tasks, and how soon it knows which task it is in."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.bodies.toy import HORIZON, ToyBody, Variation
from reinfer.inference.agent import ToyAgent
from reinfer.inference.belief import Belief
from reinfer.inference.context import RowLayout, append, empty_window
from reinfer.inference.mixture import MixturePrior, agreement, responsibilities
from reinfer.runs import random
from reinfer.tasks import CHANNELS, FAMILY_NAMES, Tasks, reward

#: Numbers of context rows at which beliefs are judged.
ROWS = (1, 2, 5, 10, 32)
#: Fresh tasks on which the mixture is judged, and for how many steps: ten targets per family leave gaps between which
#: two components of one family never meet.
MIXTURE_TASKS, MIXTURE_STEPS, MIXTURE_ROWS = 600, 64, 5
#: Seed of the published grid split that held-out tasks come from. Training draws from the same ranges, continuously.
SPLIT_SEED = 0


class ToyEpisodes(NamedTuple):
    """Episodes of N tasks over T steps; ``belief`` is the one acted on, so that it has seen t rows at step t.

    ``state`` (T, N, C) before each step, ``action`` (T, N, A), ``reward`` (T, N), ``belief`` leaves (T, N, ...),
    ``latent`` (T, N, D) from all of the window, whatever the agent forgets of it.
    """

    state: jax.Array
    action: jax.Array
    reward: jax.Array
    belief: Belief
    latent: jax.Array


class Shift(NamedTuple):
    """How episodes differ from the nominal toy, leaves (N,): factor on the distance per step, and standard deviations.

    ``process_noise`` is added to what a step reaches, ``observation_noise`` to what the agent is shown of it (m, m/s or
    rad), ``reward_noise`` to the rewards it is shown.
    """

    travel: jax.Array
    process_noise: jax.Array
    observation_noise: jax.Array
    reward_noise: jax.Array


def play_toy(
    agent: ToyAgent,
    tasks: Tasks,
    key,
    steps: int = HORIZON,
    shift: Shift | None = None,
    reward: Callable = reward,
) -> ToyEpisodes:
    """One deterministic episode of each task (N,) on the agent's own toy, nominal unless ``shift`` says otherwise.

    ``key`` draws the starts, and the noise. States and rewards returned are the true ones; ``reward`` is that of
    ``tasks`` or another of its kind.
    """
    tasks = Tasks(*map(jnp.asarray, tasks))
    keys = None if shift is None else jax.random.split(jax.random.fold_in(key, 1), steps)
    return _play(agent, tasks, agent.body.reset(key, (tasks.count,)), keys, shift, steps, reward)


@partial(jax.jit, static_argnames=("steps", "reward"))
def _play(agent: ToyAgent, tasks: Tasks, start, keys, shift: Shift | None, steps: int, reward: Callable):
    """The episodes of ``play_toy`` from states ``start`` (N, C)."""
    toy, layout = agent.body, agent.layout

    def step(carry, key):
        state, seen, window = carry
        belief = agent.infer(window)
        action = agent.act(seen, belief)
        if shift is None:
            reached = toy.step(state, action)
            shown, gained = reached, reward(tasks, reached)
            told = gained
        else:
            of_process, of_sight, of_reward = jax.random.split(key, 3)
            reached = toy.step(state, action, of_process, Variation(shift.travel, shift.process_noise))
            gained = reward(tasks, reached)
            shown = _blurred(reached, shift.observation_noise, of_sight, toy.channels)
            told = gained + shift.reward_noise * jax.random.normal(of_reward, gained.shape)
        carry = (reached, shown, append(window, seen, told, shown, layout=layout))
        latent = agent.infer(window, forget=False).latent if agent.forget else belief.latent
        return carry, ToyEpisodes(state, action, gained, belief, latent)

    begin = (start, start, empty_window(len(start), agent.width, layout))
    return jax.lax.scan(step, begin, keys, length=steps)[1]


def _blurred(state, deviation, key, channels):
    """States (N, C) with noise of standard ``deviation`` (N,) on the ``channels`` that the toy has."""
    noise = deviation[:, None] * jax.random.normal(key, (len(state), len(channels)))
    return state.at[:, np.array([CHANNELS.index(name) for name in channels])].add(noise)


class ToyScores(NamedTuple):
    """Of N episodes of T steps: undiscounted ``returns`` (N,); ``found`` (T, N), whether the family believed in after t
    rows is right; ``target_error`` (T, N), relative, of the target under the true family."""

    returns: np.ndarray
    found: np.ndarray
    target_error: np.ndarray


def score_toy(episodes: ToyEpisodes, tasks: Tasks, layout: RowLayout) -> ToyScores:
    """Scores of ``episodes`` of ``tasks`` (N,); ``layout`` that of the agent."""
    returns = np.asarray(episodes.reward).sum(axis=0)
    probability, target = np.asarray(episodes.belief.family_probability), np.asarray(episodes.belief.target)
    place = layout.place(tasks.family)
    of_true_family = np.take_along_axis(target, place[None, :, None], axis=-1)[..., 0]
    return ToyScores(returns, probability.argmax(axis=-1) == place, np.abs(of_true_family / tasks.target - 1.0))


def heldout_tasks(toy: ToyBody) -> Tasks:
    """The held-out tasks of the published grid of ``toy``; training draws none of the grid but by chance."""
    return toy.tasks.grid_split(SPLIT_SEED)[1]


def evaluate_toy(agent: ToyAgent, seed: int = 0, mixture: bool = True) -> dict:
    """Returns and inference quality on the held-out tasks of the published grid of the agent's toy.

    Returns a dict: ``return_mean`` and ``return_by_family`` (undiscounted, 200 steps, identification included),
    ``class_accuracy_by_rows`` and ``target_error_by_rows`` (mean relative error of the target under the true family)
    against context rows, ``purity``, ``nmi``, ``ari``, ``components``, ``effective_components`` and
    ``merged_components`` of the mixture prior against families, on fresh tasks over all of their ranges (null without
    components, or unless ``mixture``), ``body``, ``n_tasks``, ``seed``.

    Examples:
        >>> import reinfer
        >>> agent = reinfer.load("shipped:toy/seed0").remember(forget=False)
        >>> found = reinfer.evaluate_toy(agent, mixture=False)
        >>> found["n_tasks"], found["return_mean"] > -10, found["class_accuracy_by_rows"]["5"] > 0.95
        (40, True, True)
    """
    tasks = heldout_tasks(agent.body)
    episodes = jax.tree.map(np.asarray, play_toy(agent, tasks, random.key(seed, "evaluation")))
    returns, found, error = score_toy(episodes, tasks, agent.layout)
    families = np.unique(tasks.family)
    return {
        "return_mean": float(returns.mean()),
        "return_by_family": {FAMILY_NAMES[f]: float(returns[tasks.family == f].mean()) for f in families},
        "class_accuracy_by_rows": {str(rows): float(found[rows].mean()) for rows in ROWS},
        "target_error_by_rows": {str(rows): float(error[rows].mean()) for rows in ROWS},
        **_mixture_report(agent, seed, mixture),
        "body": agent.body.name,
        "n_tasks": tasks.count,
        "seed": seed,
    }


def _mixture_report(agent: ToyAgent, seed: int, wanted: bool) -> dict:
    """Agreement of the agent's mixture prior with families, on latents of at least ``MIXTURE_ROWS`` rows."""
    keys = ("purity", "nmi", "ari", "components", "effective_components", "merged_components")
    prior: MixturePrior | None = getattr(agent.params, "prior", None)
    active = np.zeros(0) if prior is None else np.asarray(prior.uid) >= 0
    if not (wanted and active.any()):
        return dict.fromkeys(keys)
    tasks = Tasks(*map(np.asarray, agent.body.tasks.sample(random.key(seed, "mixture tasks"), (MIXTURE_TASKS,))))
    episodes = play_toy(agent.keeping(), tasks, random.key(seed, "mixture"), MIXTURE_STEPS)
    latent = episodes.latent[MIXTURE_ROWS:]
    share = np.asarray(jax.jit(responsibilities)(latent.reshape(-1, latent.shape[-1]), prior))[:, active]
    share = share / np.maximum(share.sum(axis=-1, keepdims=True), 1e-30)
    return agreement(share, np.tile(tasks.family, len(latent)))
