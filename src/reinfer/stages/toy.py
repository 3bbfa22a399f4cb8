"""Stage "toy": meta-train task inference and a policy on a toy body.

Objective. Inference minimises ``inference.loss`` over episodes of random behaviours and of the agent itself, all with
freshly drawn tasks; the policy minimises ``control.short_horizon`` on the states its own episodes visit. The prior, by
default a Dirichlet-process mixture, is refitted to latents after every iteration for the next. Everything between two
fits is one compiled program. Encoder and prior are chosen by name; ``equivariant`` ties the weights of encoder, heads
and policy to the mirror x -> -x (``control.equivariance``).
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib

from reinfer.bodies import TOYS, ToyBody
from reinfer.control.belief_policy import BeliefPolicy, init_policy, policy_mirrors
from reinfer.control.bouncing import bounce_values
from reinfer.control.equivariance import tie, tie_fresh
from reinfer.control.short_horizon import control_cost
from reinfer.inference.agent import BeliefAgent, ToyAgent
from reinfer.inference.belief import Inference
from reinfer.inference.context import WINDOW, RowLayout
from reinfer.inference.decoder import TargetScale, init_decoder, target_scale
from reinfer.inference.encoder import check_encoder, encode_prefixes, init_encoder
from reinfer.inference.loss import Episodes, Weights, inference_loss
from reinfer.inference.mixture import (
    MixtureConfig,
    MixturePrior,
    MixtureState,
    check_prior,
    init_state,
    refit,
    standard_normal_prior,
)
from reinfer.inference.pcgrad import project_conflicts
from reinfer.inference.relabelling import relabel
from reinfer.runs import random
from reinfer.runs.compilation import TrainingProgram
from reinfer.runs.config import to_dict, validate
from reinfer.runs.errors import ConfigError
from reinfer.stages.schedules import warmed_up
from reinfer.stages.seeds import SeedStage
from reinfer.stages.toy_contexts import TaskDraw, behaviour_episodes, policy_episodes, training_tasks
from reinfer.stages.toy_settings import PRESETS, ToyConfig
from reinfer.tasks import JUMP, Tasks

#: Of a stage module one may ask its presets.
__all__ = ["PRESETS", "ToyConfig", "ToyStage"]

#: How many windows are cut of an episode of the agent that inference learns from.
OWN_STRETCHES = 2


class Learned(NamedTuple):
    """Networks and their optimisers, on the device."""

    inference: Inference
    policy: BeliefPolicy
    inference_optimiser: Any
    policy_optimiser: Any


class ToyState(NamedTuple):
    """Everything that is learned; the mixture lives on the host, the prior made of it on the device."""

    learned: Learned
    prior: MixturePrior
    mixture: MixtureState


class Optimisers(NamedTuple):
    """Of inference and of the policy."""

    inference: optax.GradientTransformation
    policy: optax.GradientTransformation


def make_optimisers(config: ToyConfig) -> Optimisers:
    """Muon for inference (about twice as fast as Adam here), Adam for the policy; warm-up, then cosine decay."""
    steps = config.iterations * config.updates
    rate = warmed_up(config.inference_learning_rate, 0.005, steps)
    # A policy annealed as far keeps what it learned of beliefs that were not yet exact: speeds 0.08 m/s off, at worst.
    return Optimisers(
        optax.contrib.muon(rate, adam_learning_rate=rate),
        optax.chain(optax.clip_by_global_norm(0.5), optax.adam(warmed_up(config.policy_learning_rate, 0.1, steps))),
    )


_compiled = partial(TrainingProgram, static_argnames="config")


@_compiled
def init_networks(key, bounce, config: ToyConfig) -> Learned:
    """Fresh networks and optimisers; ``bounce`` as in ``BeliefPolicy``."""
    keys = jax.random.split(key, 3)
    body = TOYS[config.body]()
    layout = RowLayout.of(body.tasks)
    inference = Inference(
        init_encoder(keys[0], config.hidden, config.latent, layout, config.encoder, config.context_mode),
        init_decoder(keys[1], config.decoder_hidden, config.latent, layout, body.action_size),
    )
    policy = init_policy(keys[2], config.policy_hidden, body)
    if config.equivariant:
        inference = tie_fresh(inference, inference.mirrors(body.action_mirror))
        policy = tie_fresh(policy, policy_mirrors(policy, body))
    policy = policy._replace(bounce=bounce)
    optimisers = make_optimisers(config)
    return Learned(inference, policy, optimisers.inference.init(inference), optimisers.policy.init(policy))


# ---- one update


def update(learned: Learned, index, key, config: ToyConfig, prior: MixturePrior, scale: TargetScale):
    """Gradient step number ``index``: inference always, acting once that is worth it."""
    weights = Weights(
        family=config.family_weight,
        target=config.target_weight,
        decoding=config.decoding_weight,
        divergence=config.divergence_weight,
        tolerance=config.target_tolerance,
        last=config.last_weight,
        drift=config.drift_weight,
    )
    keys = jax.random.split(key, 3)
    toy = training_toy(config, config.behaviour_time_step_spread)
    others = behaviour_episodes(keys[0], toy, task_draw(config), config.behaviour_episodes, config.behaviour_length)
    gradient, parts = inference_gradient(learned.inference, others, prior, keys[1], weights, scale, config)
    acting = index >= config.policy_from * config.iterations * config.updates
    own_gradient, policy, policy_optimiser, cost = jax.lax.cond(
        acting,
        partial(act_and_learn, config=config, prior=prior, scale=scale, weights=weights),
        lambda learned, key: (
            jax.tree.map(jnp.zeros_like, gradient),
            learned.policy,
            learned.policy_optimiser,
            0.0,
        ),
        learned,
        keys[2],
    )
    gradient = jax.tree.map(jnp.add, gradient, own_gradient)
    if config.pcgrad:
        gradient = project_conflicts(gradient, jax.random.fold_in(key, 1))
    if config.equivariant:
        gradient = tie(gradient, learned.inference.mirrors(toy.action_mirror))
    step, optimiser = make_optimisers(config).inference.update(gradient, learned.inference_optimiser, learned.inference)
    inference = optax.apply_updates(learned.inference, step)
    if config.equivariant:
        inference = tie(inference, inference.mirrors(toy.action_mirror))
    return Learned(inference, policy, optimiser, policy_optimiser), parts | {"control_cost": cost}


def inference_gradient(
    inference: Inference, episodes: Episodes, prior, key, weights: Weights, scale, config: ToyConfig, stretches: int = 1
):
    """Gradient of the loss on ``episodes`` and its parts; with PCGrad a gradient per family, of shares of the loss.

    The latter are stacked and sum to the gradient of the mean over families.
    """
    slope = jax.grad(partial(inference_loss, stretches=stretches), has_aux=True)
    if not config.pcgrad:
        return slope(inference, episodes, prior, key, weights, scale)
    # A balanced draw puts the families in turn.
    count = task_draw(config).families
    by_family = jax.tree.map(lambda leaf: leaf.reshape(-1, count, *leaf.shape[1:]).swapaxes(0, 1), episodes)
    gradient, parts = jax.vmap(slope, in_axes=(None, 0, None, 0, None, None))(
        inference, by_family, prior, jax.random.split(key, count), weights, scale
    )
    return jax.tree.map(lambda leaf: leaf / count, gradient), jax.tree.map(jnp.mean, parts)


def act_and_learn(learned: Learned, key, *, config: ToyConfig, prior, scale: TargetScale, weights: Weights):
    """Episodes of the agent: inference's gradient on their rows, and one policy step from the states they visit."""
    keys = jax.random.split(key, 3)
    inference, policy = learned.inference, learned.policy
    episodes, visited = policy_episodes(
        keys[0],
        training_toy(config, config.time_step_spread),
        task_draw(config),
        inference,
        policy,
        scale,
        config.policy_episodes,
        config.policy_length,
    )
    tasks, starts = choose_starts(keys[1], episodes.tasks, visited, config.policy_starts)
    cost, gradient = jax.value_and_grad(control_cost)(
        policy, inference, scale, TOYS[config.body](), tasks, *starts, config.horizon
    )
    if config.equivariant:
        gradient = tie(gradient, policy_mirrors(policy, TOYS[config.body]()))
    step, optimiser = make_optimisers(config).policy.update(gradient, learned.policy_optimiser, policy)
    policy = optax.apply_updates(policy, step)
    if config.equivariant:
        policy = tie(policy, policy_mirrors(policy, TOYS[config.body]()))
    rows_key, loss_key = jax.random.split(keys[2])
    windows = cut_windows(rows_key, episodes)
    if config.relabelled:
        windows = under_other_tasks(jax.random.fold_in(rows_key, 1), windows, inference.encoder.layout, config)
    gradient, _ = inference_gradient(inference, windows, prior, loss_key, weights, scale, config, OWN_STRETCHES)
    return gradient, policy, optimiser, cost


def cut_windows(key, episodes: Episodes) -> Episodes:
    """Of half of the episodes as many steps as a window holds, from their start, and again from a random moment.

    Only the latter show what an agent sees most of its life: that it has long been where it wants to be. Both together
    tell that the task is still the same.
    """
    count, length = episodes.rows.shape[0] // OWN_STRETCHES, episodes.rows.shape[1]
    offset = jax.random.randint(key, (count,), 0, length - WINDOW + 1)
    offset = jnp.concatenate([jnp.zeros_like(offset), offset])
    steps = (offset[:, None] + jnp.arange(WINDOW))[..., None]
    tasks, *leaves = jax.tree.map(lambda leaf: jnp.concatenate([leaf[:count]] * OWN_STRETCHES), episodes)
    return Episodes(tasks, *(jnp.take_along_axis(leaf, steps, axis=1) for leaf in leaves))


def under_other_tasks(key, windows: Episodes, layout: RowLayout, config: ToyConfig) -> Episodes:
    """What ``cut_windows`` gave, a share of it under fresh tasks; all that is of one episode stays of one task."""
    count = windows.rows.shape[0] // OWN_STRETCHES
    task_key, where_key = jax.random.split(key)
    fresh = training_tasks(task_key, task_draw(config), count)
    where = jax.random.bernoulli(where_key, config.relabelled, (count,))
    fresh, where = jax.tree.map(lambda leaf: jnp.tile(leaf, OWN_STRETCHES), (fresh, where))
    return relabel(windows, fresh, where, layout)


def choose_starts(key, tasks: Tasks, visited, count: int):
    """The first three steps of every episode, where beliefs change most, and ``count`` random ones."""
    length = visited.state.shape[1]
    chosen = jnp.concatenate([jnp.arange(3), jax.random.randint(key, (count,), 0, length)])
    starts = jax.tree.map(lambda leaf: leaf[:, chosen].reshape(-1, *leaf.shape[2:]), visited)
    return Tasks(*(jnp.repeat(leaf, count + 3) for leaf in tasks)), starts


def task_draw(config: ToyConfig) -> TaskDraw:
    """How training draws its tasks."""
    return TaskDraw(TOYS[config.body], config.directions, balanced=config.pcgrad)


def training_toy(config: ToyConfig, time_step_spread: float) -> ToyBody:
    """The toy with the noise of training."""
    return TOYS[config.body](process_noise=config.process_noise, time_step_spread=time_step_spread)


def train(carried: tuple[Learned, MixturePrior], seed, iteration, config: ToyConfig):
    """The updates of an iteration in one program: what is carried on, and mean metrics."""
    learned, prior = carried
    first = iteration * config.updates
    key = random.key(seed, "update", iteration)
    scale = target_scale(TOYS[config.body].tasks)
    numbered = (first + jnp.arange(config.updates), jax.random.split(key, config.updates))
    learned, parts = jax.lax.scan(lambda c, x: update(c, *x, config, prior, scale), learned, numbered)
    return (learned, prior), jax.tree.map(jnp.mean, parts)


def sample_latents(carried: tuple[Learned, MixturePrior], seed, iteration, config: ToyConfig):
    """Posterior draws (mixture_points, D) for the prior and their families, from the second half of own episodes.

    Earlier beliefs often lie between families; components on them would join what is to be kept apart.
    """
    learned, _ = carried
    settled = WINDOW // 2
    count = -(-config.mixture_points // settled)
    keys = jax.random.split(random.key(seed, "latents", iteration))
    scale = target_scale(TOYS[config.body].tasks)
    toy = training_toy(config, config.time_step_spread)
    own, _ = policy_episodes(
        keys[0], toy, task_draw(config), learned.inference, learned.policy, scale, count, 2 * WINDOW
    )
    posterior = encode_prefixes(learned.inference.encoder, own.rows[:, -WINDOW:])
    mean, log_variance = (leaf[:, -settled:] for leaf in posterior)
    draws = mean + jnp.exp(0.5 * log_variance) * jax.random.normal(keys[1], mean.shape)
    families = jnp.repeat(own.tasks.family, settled)
    return draws.reshape(-1, draws.shape[-1])[: config.mixture_points], families[: config.mixture_points]


# ---- the stage


class ToyStage(SeedStage):
    """Implements ``runs.Stage``. An iteration trains under the present prior, which is then refitted to latents."""

    name = "toy"
    score_key = "target_error"
    advance, observe = staticmethod(train), staticmethod(sample_latents)
    # Not ``policy_from``: a condition on it would be computed both ways.
    numbers = (
        "process_noise",
        "time_step_spread",
        "behaviour_time_step_spread",
        "inference_learning_rate",
        "policy_learning_rate",
        "family_weight",
        "target_weight",
        "target_tolerance",
        "last_weight",
        "decoding_weight",
        "drift_weight",
        "divergence_weight",
    )
    hosted = ("prior",)

    def __init__(self, config: ToyConfig):
        self.config = validate(config)
        check_encoder(config.encoder, config.context_mode, config.hidden)
        draw = task_draw(config)
        check_prior(config.prior, config.mixture, len(draw.body.tasks.ranges), config.mixture_points, "mixture_points")
        shares = {"behaviour_episodes": draw.families, "policy_episodes": OWN_STRETCHES * draw.families}
        for name, share in shares.items() if config.pcgrad else ():
            if getattr(config, name) % share:
                raise ConfigError(
                    f"{name}: {getattr(config, name)} is not allowed with pcgrad; it must be a multiple of {share}, for"
                    f" {draw.families} families"
                )
        # What no compiled program depends on is left out, so that such runs share the programs.
        self.compiled = replace(config, seed=0, prior="dpmm", mixture=MixtureConfig())
        self.iterations = config.iterations
        behaviour = config.behaviour_episodes * config.behaviour_length
        self.steps_per_iteration = config.updates * (behaviour + config.policy_episodes * config.policy_length)

    def init(self) -> ToyState:
        """Fresh networks, a standard normal prior and a mixture without components."""
        config = self.config
        bounce = bounce_values() if JUMP in TOYS[config.body].reach else ()
        return ToyState(
            init_networks(random.key(config.seed, "networks"), bounce, self.structure()),
            standard_normal_prior(config.latent, config.mixture.max_components),
            init_state(config.latent, config.mixture.max_components),
        )

    def carried(self, state: ToyState) -> tuple[Learned, MixturePrior]:
        """What the device works on."""
        return state.learned, state.prior

    def conclude(self, state: ToyState, carried, metrics, latents, iteration: int):
        """The next state and metrics; the prior is refitted on the host."""
        config = self.config
        learned, _ = carried
        rng = random.generator(config.seed, "mixture", iteration)
        mixture, prior = refit(config.prior, state.mixture, *map(np.asarray, latents), config.mixture, rng)
        metrics = {name: float(value) for name, value in metrics.items()} | {"components": float(mixture.active.sum())}
        return ToyState(learned, jax.tree.map(jnp.asarray, prior), mixture), metrics

    def parents(self) -> list[dict]:
        """Built from no other model."""
        return []

    def agent(self, state: ToyState) -> ToyAgent:
        """The agent in ``state``."""
        config = self.config
        tasks = TOYS[config.body].tasks
        sizes = {
            "body": config.body,
            "hidden": config.hidden,
            "decoder_hidden": config.decoder_hidden,
            "policy_hidden": config.policy_hidden,
            "latent": config.latent,
            "encoder": config.encoder,
            "context_mode": config.context_mode,
            "max_components": config.mixture.max_components,
        }
        learned = state.learned
        params = BeliefAgent(learned.inference, learned.policy, target_scale(tasks), state.prior)
        return ToyAgent("belief", params, sizes)

    def export(self, state: ToyState, folder: Path, provenance: dict) -> None:
        """Write the agent as a model folder."""
        self.agent(state).save(folder, config=to_dict(self.config), metrics={}, provenance=provenance)
