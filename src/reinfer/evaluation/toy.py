"""How well an agent solves the toy's held-out tasks, and how soon it knows which task it is in."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.bodies.toy import HORIZON
from reinfer.inference.agent import ToyAgent
from reinfer.inference.belief import Belief
from reinfer.inference.context import append, empty_window
from reinfer.inference.mixture import MixturePrior, agreement, responsibilities
from reinfer.runs import random
from reinfer.tasks import FAMILY_NAMES, Tasks, reward

#: Numbers of context rows at which beliefs are judged.
ROWS = (1, 2, 5, 10, 32)
#: Seed of the published grid split that held-out tasks come from; training never draws from it.
SPLIT_SEED = 0


class ToyEpisodes(NamedTuple):
    """Episodes of N tasks over T steps; ``belief`` is the one acted on, so that it has seen t rows at step t.

    ``state`` (T, N, 6) before each step, ``action`` (T, N, A), ``reward`` (T, N), ``belief`` leaves (T, N, ...),
    ``latent`` (T, N, D) from all of the window, whatever the agent forgets of it.
    """

    state: jax.Array
    action: jax.Array
    reward: jax.Array
    belief: Belief
    latent: jax.Array


def play_toy(agent: ToyAgent, tasks: Tasks, key, steps: int = HORIZON) -> ToyEpisodes:
    """One deterministic episode of each task (N,) on the agent's own toy, nominal; ``key`` draws the starts."""
    toy, layout = agent.body, agent.layout
    count = tasks.count
    tasks = Tasks(*map(jnp.asarray, tasks))

    @partial(jax.jit, static_argnums=1)
    def play(start, steps):
        def step(carry, _):
            state, window = carry
            belief = agent.infer(window)
            action = agent.act(state, belief)
            reached = toy.step(state, action)
            gained = reward(tasks, reached)
            carry = (reached, append(window, state, gained, reached, layout=layout))
            return carry, ToyEpisodes(state, action, gained, belief, agent.infer(window, forget=False).latent)

        return jax.lax.scan(step, (start, empty_window(count, agent.width, layout)), length=steps)[1]

    return play(toy.reset(key, (count,)), steps)


def evaluate_toy(agent: ToyAgent, seed: int = 0) -> dict:
    """Returns and inference quality on the held-out tasks of the published grid of the agent's toy.

    Returns a dict: ``return_mean`` and ``return_by_family`` (undiscounted, 200 steps, identification included),
    ``class_accuracy_by_rows`` and ``target_error_by_rows`` (mean relative error of the target under the true family)
    against context rows, ``purity``, ``nmi``, ``ari``, ``components``, ``effective_components`` and
    ``merged_components`` of the mixture prior against families (null without components), ``body``, ``n_tasks``,
    ``seed``.
    """
    _, tasks = agent.body.tasks.grid_split(SPLIT_SEED)
    episodes = jax.tree.map(np.asarray, play_toy(agent, tasks, random.key(seed, "evaluation")))
    returns = episodes.reward.sum(axis=0)
    probability, target = episodes.belief.family_probability, episodes.belief.target
    found = probability.argmax(axis=-1) == tasks.family
    of_true_family = np.take_along_axis(target, tasks.family[None, :, None], axis=-1)[..., 0]
    error = np.abs(of_true_family / tasks.target - 1.0)
    families = np.unique(tasks.family)
    return {
        "return_mean": float(returns.mean()),
        "return_by_family": {FAMILY_NAMES[f]: float(returns[tasks.family == f].mean()) for f in families},
        "class_accuracy_by_rows": {str(rows): float(found[rows].mean()) for rows in ROWS},
        "target_error_by_rows": {str(rows): float(error[rows].mean()) for rows in ROWS},
        **_mixture_report(agent, episodes.latent, tasks),
        "body": agent.body.name,
        "n_tasks": tasks.count,
        "seed": seed,
    }


def _mixture_report(agent: ToyAgent, latent, tasks: Tasks) -> dict:
    """Agreement of the agent's mixture prior with families, on latents (T, N, D) of at least five rows."""
    keys = ("purity", "nmi", "ari", "components", "effective_components", "merged_components")
    prior: MixturePrior | None = getattr(agent.params, "prior", None)
    active = np.zeros(0) if prior is None else np.asarray(prior.uid) >= 0
    if not active.any():
        return dict.fromkeys(keys)
    share = np.asarray(responsibilities(jnp.asarray(latent[5:].reshape(-1, latent.shape[-1])), prior))[:, active]
    share = share / np.maximum(share.sum(axis=-1, keepdims=True), 1e-30)
    return agreement(share, np.tile(tasks.family, len(latent) - 5))
