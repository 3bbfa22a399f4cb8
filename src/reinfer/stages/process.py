"""Stage "process": task inference for one family whose parameter varies, by a Neural Process, and a policy above it.

Objective. A GRU over five rows and a decoder maximise a bound on the likelihood of transitions from elsewhere in the
same task (``inference.process_loss``); contexts are of random walks and of the agent itself, targets of random walks.
The policy, given the latent's mean and variance, minimises the distance to the goal over a short horizon
(``control.short_horizon``). Both learn in one compiled program, from rewards ``-|x - g|`` on toy1d, g in (0, 10] m.
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from reinfer.bodies import Toy1d
from reinfer.control.networks import Layer
from reinfer.control.short_horizon import cost_ahead
from reinfer.inference.agent import ToyAgent
from reinfer.inference.context import ContextWindow, append
from reinfer.inference.process_loss import BOUNDS, PRIORS, Objective, process_bound
from reinfer.inference.process_networks import (
    GOALS,
    ProcessAgent,
    ProcessNetworks,
    ProcessPolicy,
    encode,
    init_process,
    init_process_policy,
    process_action,
    project,
)
from reinfer.runs import random
from reinfer.runs.compilation import TrainingProgram
from reinfer.runs.config import seed_setting, setting, to_dict, validate
from reinfer.runs.errors import ConfigError
from reinfer.stages.process_contexts import (
    WALK_STEPS,
    WALKS,
    make_batch,
    own_contexts,
    own_episodes,
    random_walks,
    targets,
    walk_contexts,
)
from reinfer.stages.schedules import warmed_up
from reinfer.stages.seeds import SeedStage
from reinfer.tasks import GOAL, Tasks, distance_reward

#: Tasks from which the line from latent to goal is fitted.
_LINE_TASKS = 2048


@dataclass(frozen=True, slots=True)
class ProcessConfig:
    """Everything a run of this stage depends on."""

    seed: int = seed_setting("seed of all randomness")
    prior: str = setting(
        "context", "prior of the latent: what the context alone says (Neural Process), or N(0, I)", choices=PRIORS
    )
    bound: str = setting("elbo", "bound on the likelihood: evidence or importance-weighted (IWAE)", choices=BOUNDS)
    latent: int = setting(1, "size of the latent task", low=1, high=2)
    iterations: int = setting(20, "logged rows", low=1)
    updates: int = setting(100, "gradient steps per iteration", low=1)
    tasks: int = setting(128, "tasks per update, each with a context of random walks", low=1)
    own_tasks: int = setting(32, "of these, tasks that the agent plays too", low=1)
    own_length: int = setting(24, "length of its episodes in steps", low=5)
    targets: int = setting(5, "targets per context", low=1)
    samples: int = setting(4, "draws of the latent per context", low=1)
    beta: float = setting(1.0, "weight of the divergence", low=0.0)
    deviation: float = setting(0.1, "standard deviation of decoded rewards and positions (m)", low=1e-3)
    hidden: int = setting(32, "width of the encoder", low=4)
    decoder_hidden: int = setting(32, "width of the decoder", low=4)
    policy_hidden: int = setting(32, "width of the policy", low=4)
    horizon: int = setting(3, "steps over which the policy is improved", low=1)
    starts: int = setting(3, "visited states per episode from which the policy is improved", low=1)
    process_noise: float = setting(0.05, "noise of the toy on x (m) and vx (m/s) in own episodes", low=0.0)
    time_step_spread: float = setting(3.0, "spread of the distance per step in own episodes", low=0.0)
    inference_learning_rate: float = setting(5e-3, "peak learning rate of inference (Adam)", low=1e-8)
    policy_learning_rate: float = setting(2e-3, "peak learning rate of the policy (Adam)", low=1e-8)


class ProcessState(NamedTuple):
    """Networks and their optimisers, on the device."""

    inference: ProcessNetworks
    policy: ProcessPolicy
    inference_optimiser: Any
    policy_optimiser: Any


class Optimisers(NamedTuple):
    """Of inference and of the policy."""

    inference: optax.GradientTransformation
    policy: optax.GradientTransformation


def make_optimisers(config: ProcessConfig) -> Optimisers:
    """Adam with clipped gradients; warm-up, then cosine decay."""
    steps = config.iterations * config.updates

    def optimiser(peak, norm):
        return optax.chain(optax.clip_by_global_norm(norm), optax.adam(warmed_up(peak, 0.005, steps)))

    return Optimisers(optimiser(config.inference_learning_rate, 10.0), optimiser(config.policy_learning_rate, 0.5))


_compiled = partial(TrainingProgram, static_argnames="config")


@_compiled
def init_networks(key, config: ProcessConfig) -> ProcessState:
    """Fresh networks and optimisers."""
    keys = jax.random.split(key)
    inference = init_process(keys[0], config.hidden, config.decoder_hidden, config.latent)
    policy = init_process_policy(keys[1], config.policy_hidden, config.latent)
    optimisers = make_optimisers(config)
    return ProcessState(inference, policy, optimisers.inference.init(inference), optimisers.policy.init(policy))


# ---- one update


def update(state: ProcessState, key, config: ProcessConfig):
    """One gradient step of inference and one of the policy."""
    keys = jax.random.split(key, 5)
    tasks = GOALS.sample(keys[0], (config.tasks,))
    own = tasks[: config.own_tasks]
    toy = Toy1d(config.process_noise, config.time_step_spread)
    episodes = own_episodes(keys[1], toy, own, state.inference.encoder, state.policy, config.own_length)
    batch = draw_batch(keys[2], tasks, episodes, config)
    slope = jax.grad(inference_loss, has_aux=True)
    gradient, parts = slope(state.inference, batch, keys[3], config)
    cost, policy_gradient = jax.value_and_grad(policy_cost)(
        state.policy, state.inference, *choose_starts(keys[4], own, episodes, config.starts), config.horizon
    )
    optimisers = make_optimisers(config)
    step, inference_optimiser = optimisers.inference.update(gradient, state.inference_optimiser)
    policy_step, policy_optimiser = optimisers.policy.update(policy_gradient, state.policy_optimiser)
    state = ProcessState(
        optax.apply_updates(state.inference, step),
        optax.apply_updates(state.policy, policy_step),
        inference_optimiser,
        policy_optimiser,
    )
    return state, parts | {"control_cost": cost}


def draw_batch(key, tasks: Tasks, episodes, config: ProcessConfig):
    """Contexts of random walks in ``tasks``, then of the agent's ``episodes`` in the first of these, with targets."""
    keys = jax.random.split(key, 4)
    walks = random_walks(keys[0], tasks, published=False)
    parts = zip(walk_contexts(keys[1], walks, tasks, published=False), own_contexts(keys[2], episodes), strict=True)
    rows, count = (jnp.concatenate(pair) for pair in parts)
    every = Tasks(*(jnp.concatenate([leaf, leaf[: config.own_tasks]]) for leaf in tasks))
    walks = jax.tree.map(lambda leaf: jnp.concatenate([leaf, leaf[: config.own_tasks]]), walks)
    return make_batch(rows, count, *targets(keys[3], walks, every, config.targets))


def inference_loss(inference: ProcessNetworks, batch, key, config: ProcessConfig):
    """Mean negative bound per decoded number, and its parts; ``elbo`` is the mean bound itself, in nats."""
    objective = Objective(config.prior, config.bound, config.samples, config.beta, config.deviation)
    bound, parts = process_bound(inference, batch, key, objective)
    return -bound.mean() / (2 * config.targets), parts | {"elbo": bound.mean()}


def policy_cost(policy: ProcessPolicy, inference: ProcessNetworks, tasks: Tasks, state, window, horizon: int):
    """Mean distance to the goal over the next steps, in units of what one action moves, through the belief."""

    def act(state, window: ContextWindow):
        return process_action(policy, state, encode(inference.encoder, project(window.rows), window.valid))

    def see(window, state, following):
        return append(window, state, distance_reward(tasks, following), following)

    def cost_of(following):
        return -distance_reward(tasks, following) / Toy1d.reach[GOAL]

    return cost_ahead(act, see, cost_of, Toy1d(), state, window, horizon)


def choose_starts(key, tasks: Tasks, episodes, count: int):
    """The first step of every episode and ``count`` random ones: tasks, states and windows."""
    chosen = jnp.concatenate([jnp.arange(1), jax.random.randint(key, (count,), 0, episodes.state.shape[1])])
    visited = (episodes.state, episodes.window)
    state, window = jax.tree.map(lambda leaf: leaf[:, chosen].reshape(-1, *leaf.shape[2:]), visited)
    return Tasks(*(jnp.repeat(leaf, count + 1) for leaf in tasks)), state, window


def train(state: ProcessState, seed, iteration, config: ProcessConfig):
    """The updates of an iteration in one program: the new state and mean metrics."""
    keys = jax.random.split(random.key(seed, "update", iteration), config.updates)
    state, parts = jax.lax.scan(lambda c, k: update(c, k, config), state, keys)
    return state, jax.tree.map(jnp.mean, parts)


@_compiled
def line_points(inference: ProcessNetworks, key, config: ProcessConfig):
    """Latents (N, D) of full contexts of random walks, and their goals (N,)."""
    keys = jax.random.split(key, 3)
    tasks = GOALS.sample(keys[0], (_LINE_TASKS,))
    rows, count = walk_contexts(keys[1], random_walks(keys[2], tasks, published=True), tasks, published=True)
    batch = make_batch(rows, count, rows, count)
    return encode(inference.encoder, batch.rows, batch.valid).mean, tasks.target


# ---- the stage


class ProcessStage(SeedStage):
    """Implements ``runs.Stage``; all of a state is on the device."""

    name = "process"
    score_key = "elbo"
    advance = staticmethod(train)
    numbers = ("beta", "process_noise", "time_step_spread", "inference_learning_rate", "policy_learning_rate")

    def __init__(self, config: ProcessConfig):
        self.config = validate(config)
        if config.own_tasks > config.tasks:
            raise ConfigError(
                f"own_tasks: {config.own_tasks} is not allowed; it must be at most {config.tasks}, the value of tasks"
            )
        # What no compiled program depends on is left out, so that all seeds share the programs.
        self.compiled = replace(config, seed=0)
        self.iterations = config.iterations
        walked = config.tasks * WALKS * WALK_STEPS
        self.steps_per_iteration = config.updates * (walked + config.own_tasks * config.own_length)

    def init(self) -> ProcessState:
        """Fresh networks."""
        return init_networks(random.key(self.config.seed, "networks"), self.structure())

    def parents(self) -> list[dict]:
        """Built from no other model."""
        return []

    def agent(self, state: ProcessState) -> ToyAgent:
        """The agent in ``state``."""
        config = self.config
        latent, goal = map(np.asarray, line_points(state.inference, random.key(config.seed, "line"), self.compiled))
        inputs = np.column_stack([latent, np.ones(len(latent))])
        *weight, bias = np.linalg.lstsq(inputs, goal, rcond=None)[0].astype(np.float32)
        line = Layer(jnp.array(weight)[:, None], jnp.array([bias]))
        sizes = {
            "hidden": config.hidden,
            "decoder_hidden": config.decoder_hidden,
            "policy_hidden": config.policy_hidden,
            "latent": config.latent,
        }
        return ToyAgent("process", ProcessAgent(state.inference, state.policy, line), sizes)

    def export(self, state: ProcessState, folder: Path, provenance: dict) -> None:
        """Write the agent as a model folder."""
        self.agent(state).save(folder, config=to_dict(self.config), metrics={}, provenance=provenance)


PRESETS = {
    "default": ProcessConfig(),
    "quick": ProcessConfig(iterations=5),
}
