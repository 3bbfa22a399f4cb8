"""Preset "reference" of stage "toy": the published method (MELTS) as it was, without its accidents.

An epoch visits every training task once with a sampled latent and the stochastic policy, trains inference on
whole episodes (``inference.melts_loss``), refits a Dirichlet-process mixture to the latents of the last of
these steps (the prior of the next epoch), and trains soft actor-critic on latents that are inferred anew from
stored windows; no gradient of it reaches the encoder. Unlike the published program: one seed decides
everything, everything is checkpointed, the mixture's prior has one scale in all fits, target critics start
as copies, and the replay is kept small enough to be part of every checkpoint.
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from reinfer.bodies import Toy1d
from reinfer.control.equivariance import tie, tie_fresh
from reinfer.control.replay import (
    Episodes,
    Replay,
    add_episodes,
    init_replay,
    sample_anchors,
    steps_at,
    steps_before,
    whole_episodes,
)
from reinfer.control.sac import Batch, Hyperparameters, SacState, init_sac, mean_action, sample_action, update
from reinfer.inference.agent import ToyAgent
from reinfer.inference.context import LINE_ROWS, WINDOW, append, empty_window, make_rows
from reinfer.inference.melts_loss import Anchored, Weights, inference_gradient
from reinfer.inference.melts_networks import (
    MeltsAgent,
    MeltsNetworks,
    critic_mirrors,
    decode_family,
    encode,
    init_melts,
    melts_mirrors,
    policy_inputs,
    policy_mirrors,
    sample_latent,
)
from reinfer.inference.mixture import (
    PRIORS,
    MixtureConfig,
    MixturePrior,
    MixtureState,
    assign_components,
    check_prior,
    init_state,
    purity,
    refit,
    standard_normal_prior,
)
from reinfer.runs import random
from reinfer.runs.config import seed_setting, setting, to_dict, validate
from reinfer.runs.errors import ConfigError
from reinfer.tasks import Tasks, reward

#: As published where it can be: diagonal components, concentration 5, at least 64 points each, only the
#: previous posterior remembered, no component for unseen families.
PUBLISHED_MIXTURE = MixtureConfig(
    covariance="diagonal", min_count=64, max_components=100, dormant_memory=0.0, new_component=False
)

#: One split of the grid for every seed: tasks held out from one agent were never seen by any.
SPLIT_SEED = 0


@dataclass(frozen=True, slots=True)
class MeltsConfig:
    """Everything a run of the published method depends on; one iteration is one epoch."""

    seed: int = seed_setting("seed of all randomness")
    iterations: int = setting(1000, "epochs", low=1)
    train_tasks: int = setting(20, "training tasks per family", low=1)
    held_out_tasks: int = setting(10, "held-out tasks per family", low=1)
    horizon: int = setting(200, "steps of an episode", low=3)
    process_noise: float = setting(0.0, "noise of the toy on x (m) and vx (m/s)", low=0.0)
    capacity: int = setting(
        2000, "episodes in the replay and in every checkpoint, about 6.5 kB each; published: 50000", low=1
    )
    evaluation_interval: int = setting(1, "epochs between evaluations", low=1)
    latent: int = setting(4, "size of the latent task", low=1)
    inference_steps: int = setting(128, "gradient steps of inference per epoch", low=1)
    inference_batch: int = setting(4096, "anchors per step, each with its whole episode", low=1)
    inference_learning_rate: float = setting(3e-4, "learning rate of inference (Adam)", low=1e-8)
    state_weight: float = setting(1.0 / 3.0, "weight of state decoding", low=0.0)
    reward_weight: float = setting(1.0 / 3.0, "weight of reward decoding", low=0.0)
    family_weight: float = setting(0.05, "weight of the classification of the family", low=0.0)
    divergence_weight: float = setting(1e-3, "weight of the KL to the prior", low=0.0)
    prior: str = setting("dpmm", "prior over the latent task", choices=PRIORS)
    equivariant: bool = setting(False, "tie encoder, decoders, policy and critics to the mirror x -> -x")
    divergence: str = setting("soft", "form of the KL to a mixture", choices=("soft", "hard", "gap", "upper"))
    policy_steps: int = setting(512, "gradient steps of soft actor-critic per epoch", low=1)
    policy_batch: int = setting(256, "transitions per step", low=1)
    policy_hidden: tuple[int, ...] = setting((300, 300, 300), "widths of policy and critics", low=1, fewest=1)
    policy_learning_rate: float = setting(3e-4, "learning rate of soft actor-critic (Adam)", low=1e-8)
    temperature: float = setting(0.2, "weight of the entropy", low=1e-6)
    discount: float = setting(0.99, "per step", low=0.0, high=1.0)
    target_rate: float = setting(0.005, "share of the critics that their targets take on", low=0.0, high=1.0)
    mixture: MixtureConfig = PUBLISHED_MIXTURE


class MeltsState(NamedTuple):
    """All that changes: networks, optimisers and replay on the device, the mixture on the host."""

    inference: MeltsNetworks
    inference_adam: optax.OptState
    sac: SacState
    replay: Replay
    prior: MixturePrior
    mixture: MixtureState


# ---- acting


@partial(jax.jit, static_argnames="config")
def rollout(key, inference: MeltsNetworks, policy, tasks: Tasks, noise, config: MeltsConfig):
    """One episode per task; a window slides along and the latent is inferred anew at every step.

    Args:
        tasks: leaves (N,).
        noise: ``(latent, action)``, each (N,) bool: draw it rather than take its mean.
    Returns: the episodes, and the family that was most probable before each step, (H, N).
    """
    body = Toy1d(process_noise=config.process_noise)
    reset_key, steps_key = jax.random.split(key)
    count = tasks.family.shape[0]
    start = body.reset(reset_key, (count,))
    noisy_latent, noisy_action = (jnp.asarray(which)[:, None] for which in noise)

    def step(carry, step_key):
        state, window = carry
        latent_key, action_key, noise_key = jax.random.split(step_key, 3)
        posterior = encode(inference.encoder, window.rows)
        latent = jnp.where(noisy_latent, sample_latent(latent_key, posterior), posterior.mean)
        family = jnp.argmax(decode_family(inference.decoder, jnp.zeros_like(state), latent), axis=-1)
        inputs = policy_inputs(state, latent)
        action = jnp.where(noisy_action, sample_action(action_key, policy, inputs)[0], mean_action(policy, inputs))
        next_state = body.step(state, action, noise_key)
        earned = reward(tasks, next_state)
        carry = (next_state, append(window, state, earned, next_state))
        return carry, (next_state, action, earned, family)

    keys = jax.random.split(steps_key, config.horizon)
    _, (states, actions, rewards, family) = jax.lax.scan(step, (start, empty_window(count)), keys)
    episodes = Episodes(
        tasks=tasks,
        state=jnp.concatenate([start[None], states]).swapaxes(0, 1),
        action=actions.swapaxes(0, 1),
        reward=rewards.T,
        length=jnp.full(count, config.horizon, jnp.int32),
        terminated=jnp.zeros(count, bool),
    )
    return episodes, family


# ---- learning


def context_rows(replay: Replay, anchors) -> jax.Array:
    """The rows (B, W, 5) that the agent had seen before each of ``anchors``."""
    before = steps_before(replay, anchors, WINDOW)
    return make_rows(before.state, before.reward, before.next_state)


@partial(jax.jit, static_argnames="config")
def train_inference(key, inference, adam, replay: Replay, prior: MixturePrior, config: MeltsConfig):
    """An epoch of inference: (networks, optimiser state, (latents, families) of the last step, mean metrics).

    The loss is summed over anchors; Adam is all but indifferent to that.
    """
    weights = Weights(config.state_weight, config.reward_weight, config.family_weight, config.divergence_weight)
    optimiser = optax.adam(config.inference_learning_rate)

    def step(carry, step_key):
        inference, adam = carry
        anchor_key, latent_key = jax.random.split(step_key)
        anchors = sample_anchors(anchor_key, replay, config.inference_batch, "linear")
        family = replay.episodes.tasks.family[anchors.slot]
        anchored = Anchored(context_rows(replay, anchors), anchors.slot, family)
        episodes = partial(whole_episodes, replay)
        gradient, latent, terms = inference_gradient(
            latent_key, inference, anchored, episodes, prior, weights, config.divergence
        )
        if config.equivariant:
            gradient = tie(gradient, melts_mirrors(inference))
        change, adam = optimiser.update(gradient, adam)
        inference = optax.apply_updates(inference, change)
        if config.equivariant:
            inference = tie(inference, melts_mirrors(inference))
        return (inference, adam), (latent, family, terms)

    keys = jax.random.split(key, config.inference_steps)
    (inference, adam), (latents, families, terms) = jax.lax.scan(step, (inference, adam), keys)
    return inference, adam, (latents[-1], families[-1]), jax.tree.map(jnp.mean, terms)


def policy_batch(key, inference: MeltsNetworks, replay: Replay, config: MeltsConfig) -> Batch:
    """Transitions for soft actor-critic, each with a draw of the latent that its window gives now.

    The same draw serves both states, and passes no gradient.
    """
    anchor_key, latent_key = jax.random.split(key)
    anchors = sample_anchors(anchor_key, replay, config.policy_batch, "uniform")
    latent = sample_latent(latent_key, encode(inference.encoder, context_rows(replay, anchors)))
    latent = jax.lax.stop_gradient(latent)
    steps = steps_at(replay, anchors)
    return Batch(
        inputs=policy_inputs(steps.state, latent),
        actions=steps.action,
        rewards=steps.reward,
        next_inputs=policy_inputs(steps.next_state, latent),
        terminal=steps.terminal.astype(jnp.float32),
    )


def tied_sac(sac: SacState, config: MeltsConfig, tie=tie) -> SacState:
    """The equivariant part of policy, critics and their targets: means odd, standard deviations and values even."""
    critics = critic_mirrors(sac.critics, config.latent)
    return sac._replace(
        policy=tie(sac.policy, policy_mirrors(sac.policy, config.latent)),
        critics=tie(sac.critics, critics),
        targets=tie(sac.targets, critics),
    )


@partial(jax.jit, static_argnames="config")
def train_policy(key, sac: SacState, inference: MeltsNetworks, replay: Replay, config: MeltsConfig):
    """An epoch of soft actor-critic: (state, metrics averaged over its steps)."""
    hyper = Hyperparameters(config.discount, config.target_rate, config.policy_learning_rate)

    def step(sac, step_key):
        batch_key, update_key = jax.random.split(step_key)
        sac, metrics = update(update_key, sac, policy_batch(batch_key, inference, replay, config), hyper)
        return (tied_sac(sac, config) if config.equivariant else sac), metrics

    sac, metrics = jax.lax.scan(step, sac, jax.random.split(key, config.policy_steps))
    return sac, jax.tree.map(jnp.mean, metrics)


# ---- the stage


class MeltsStage:
    """Implements ``runs.Stage``; it holds nothing live."""

    name = "toy"
    sync_interval = 1
    score_key = "return_held_out"

    def __init__(self, config: MeltsConfig):
        self.config = validate(config)
        check_prior(config.prior, config.mixture, len(Toy1d.tasks.ranges), config.inference_batch, "inference_batch")
        tasks = Toy1d.tasks.grid_split(SPLIT_SEED, config.train_tasks + config.held_out_tasks, config.train_tasks)
        self.train_tasks, self.held_out_tasks = (Tasks(*map(jnp.asarray, part)) for part in tasks)
        if config.capacity < self.train_tasks.count:
            raise ConfigError(
                f"capacity: {config.capacity} is not allowed; an epoch has {self.train_tasks.count} episodes"
            )
        # What no compiled program depends on is left out, so that such runs share the programs.
        self.compiled = replace(
            config, seed=0, iterations=1, evaluation_interval=1, prior="dpmm", mixture=PUBLISHED_MIXTURE
        )
        self.iterations = config.iterations
        self.steps_per_iteration = self.train_tasks.count * config.horizon

    def init(self) -> MeltsState:
        """Fresh networks, an empty replay, a standard normal prior, a mixture without components."""
        config = self.config
        inference_key, policy_key = jax.random.split(random.key(config.seed, "networks"))
        inference = init_melts(inference_key, config.latent)
        inputs = len(LINE_ROWS.channels) + config.latent
        sac = init_sac(policy_key, inputs, Toy1d.action_size, config.policy_hidden, config.temperature)
        if config.equivariant:
            inference, sac = tie_fresh(inference, melts_mirrors(inference)), tied_sac(sac, config, tie_fresh)
        components = config.mixture.max_components
        return MeltsState(
            inference,
            optax.adam(config.inference_learning_rate).init(inference),
            sac,
            init_replay(config.capacity, config.horizon, Toy1d.action_size),
            standard_normal_prior(config.latent, components),
            init_state(config.latent, components),
        )

    def begin(self, iteration: int) -> None:
        """Nothing to reset."""

    def iterate(self, state: MeltsState, iteration: int):
        """One epoch: collect, train inference, refit the mixture, train the policy, evaluate.

        Before the first epoch every task is visited once more, so that there are always two episodes of each.
        """
        config = self.config
        replay = self._collect(state, "first visit", 0) if iteration == 0 else state.replay
        replay = self._collect(state._replace(replay=replay), "collect", iteration)
        inference, adam, latents, metrics = train_inference(
            random.key(config.seed, "inference", iteration),
            state.inference,
            state.inference_adam,
            replay,
            state.prior,
            self.compiled,
        )
        mixture, prior, found = self._refit(state, latents, iteration)
        sac, learning = train_policy(
            random.key(config.seed, "policy", iteration), state.sac, inference, replay, self.compiled
        )
        metrics = metrics | learning
        if (iteration + 1) % config.evaluation_interval == 0 or iteration + 1 == self.iterations:
            metrics |= self.evaluate(inference, sac, random.key(config.seed, "evaluation", iteration))
        collected = float(replay.added) * config.horizon
        metrics = {name: float(value) for name, value in (metrics | found).items()}
        return MeltsState(inference, adam, sac, replay, prior, mixture), metrics | {"collected_steps": collected}

    def _collect(self, state: MeltsState, stream: str, iteration: int) -> Replay:
        everywhere = np.ones(self.train_tasks.count, bool)
        key = random.key(self.config.seed, stream, iteration)
        episodes, _ = rollout(
            key, state.inference, state.sac.policy, self.train_tasks, (everywhere, everywhere), self.compiled
        )
        return add_episodes(state.replay, episodes)

    def _refit(self, state: MeltsState, latents, iteration: int):
        """The mixture fitted to the last (latents, families), its prior, and how well it tells families."""
        config = self.config
        if config.prior == "normal":
            return state.mixture, state.prior, {}
        points, families = map(np.asarray, latents)
        rng = random.generator(config.seed, "mixture", iteration)
        mixture, prior = refit(config.prior, state.mixture, points, families, config.mixture, rng)
        clusters = assign_components(points, mixture, config.mixture)
        return mixture, prior, {"components": mixture.active.sum(), "purity": purity(families, clusters)}

    def evaluate(self, inference: MeltsNetworks, sac: SacState, key) -> dict:
        """Mean undiscounted returns of one episode per task, identification included.

        Training tasks, and held-out ones: with the mean action, with drawn actions, and with the mean of the
        latent as well (elsewhere it is drawn, as published); class accuracy after 5 rows on held-out tasks.
        """
        groups = {
            "return_train": (self.train_tasks, True, False),
            "return_held_out": (self.held_out_tasks, True, False),
            "return_held_out_drawn_action": (self.held_out_tasks, True, True),
            "return_held_out_mean_latent": (self.held_out_tasks, False, False),
        }
        tasks = Tasks(*(jnp.concatenate(leaves) for leaves in zip(*(g[0] for g in groups.values()), strict=True)))
        sizes = [group[0].count for group in groups.values()]
        noise = tuple(np.repeat([group[i] for group in groups.values()], sizes) for i in (1, 2))
        episodes, family = rollout(key, inference, sac.policy, tasks, noise, self.compiled)
        returns, right = np.asarray(episodes.reward).sum(1), np.asarray(family == tasks.family)
        parts = dict(zip(groups, np.split(np.arange(len(returns)), np.cumsum(sizes)[:-1]), strict=True))
        rows = min(5, self.config.horizon - 1)
        found = {name: returns[part].mean() for name, part in parts.items()}
        return found | {f"class_accuracy_after_{rows}": right[rows, parts["return_held_out"]].mean()}

    def parents(self) -> list[dict]:
        """Built from no other model."""
        return []

    def agent(self, state: MeltsState) -> ToyAgent:
        """The agent in ``state``; it acts on the mean of the latent."""
        sizes = {
            "latent": self.config.latent,
            "policy": list(self.config.policy_hidden),
            "max_components": self.config.mixture.max_components,
        }
        return ToyAgent("melts", MeltsAgent(state.inference, state.sac.policy, state.prior), sizes)

    def export(self, state: MeltsState, folder: Path, provenance: dict) -> None:
        """Write the agent as a model folder."""
        self.agent(state).save(folder, config=to_dict(self.config), metrics={}, provenance=provenance)


REFERENCE = MeltsConfig()
PRESETS = {"reference": REFERENCE}
