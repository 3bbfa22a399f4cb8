"""Stage "scratch", algorithms ``pearl`` and ``sac-told``: off-policy meta-training on the robot itself.

PEARL (Rakelly et al. 2019, algorithm 1). Objective: soft actor-critic on observation and a latent task z, where q(z |
context) is a product of Gaussians (``inference.adaptive.pearl``) whose encoder learns from the critics' loss plus beta
KL(q || N(0, I)); the policy sees z without a gradient. An iteration is one episode of every simulation, each with one
training task: in the first of a trial z is drawn from the prior, in the others from the posterior after what was seen
in it so far. Contexts are drawn from the newest trial, that is from data of nearly the present policy, while actor and
critics learn from all that is stored.

``sac-told`` is the same without an encoder: family and target are told in place of z. An oracle, not a contestant.

Unlike the published program all training tasks are played at once, so physics is cheap and gradient steps are few;
networks are small, critics normalised, observations normalised, and the temperature is tuned.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from reinfer.bodies import ALLOWED
from reinfer.control.normalisation import Moments, init_moments, update_moments
from reinfer.control.sac import (
    Batch,
    Hyperparameters,
    SacState,
    adam_step,
    critic_loss,
    init_sac,
    sample_action,
    soft_targets,
    step_with,
)
from reinfer.control.task_replay import TaskReplay, TaskTransitions, add_steps, empty_task_replay, sample_steps
from reinfer.inference.adaptive.agent import ScratchAgent
from reinfer.inference.adaptive.algorithm import normalised_rows, policy_inputs
from reinfer.inference.adaptive.pearl import PearlAgent, gather_evidence, init_pearl, posterior_of
from reinfer.inference.adaptive.told import TOLD_FEATURES, ToldAgent, told_features
from reinfer.inference.combination import ProductMode
from reinfer.inference.melts_networks import sample_latent
from reinfer.inference.mixture.kl import kl_to_standard_normal
from reinfer.runs import random
from reinfer.runs.config import seed_setting, setting, validate
from reinfer.runs.errors import ConfigError
from reinfer.stages.scratch import PROTOCOL_NAMES, Ground, ScratchStage


@dataclass(frozen=True, slots=True)
class PearlConfig:
    """Everything a run of PEARL, or of its oracle, depends on."""

    algo: str = setting(
        "pearl",
        "pearl, or its oracle sac-told; rl2 and melts have settings of their own",
        choices=("pearl", "sac-told"),
    )
    body: str = setting("half_cheetah", f"robot that learns: {ALLOWED}")
    tasks: str = setting("standard", "benchmark", choices=PROTOCOL_NAMES)
    seed: int = seed_setting("seed of all randomness")
    robot_steps: int = setting(6_000_000, "control steps of the robot", low=1)
    simulations: int = setting(100, "copies of the body, which take the training tasks in turn", low=1)
    trial: int = setting(2, "episodes of a trial, after which everything seen is forgotten", low=1)
    warm_up: int = setting(1, "first episodes with random actions", low=1)
    latent: int = setting(5, "latent variables of a task", low=1)
    encoder_hidden: tuple[int, ...] = setting((96, 96), "widths of the encoder", low=1, fewest=1)
    context: int = setting(64, "transitions of a context in training", low=1)
    divergence_weight: float = setting(0.05, "beta, weight of the KL to the prior", low=0.0)
    hidden: tuple[int, ...] = setting((128, 128), "widths of policy and critics", low=1, fewest=1)
    tasks_per_step: int = setting(16, "simulations whose data a gradient step sees", low=1)
    batch: int = setting(512, "transitions of a gradient step; a multiple of tasks_per_step", low=1)
    updates: int = setting(400, "gradient steps per episode", low=1)
    capacity: int = setting(20, "newest episodes that are kept of each simulation", low=1)
    learning_rate: float = setting(5e-4, "of everything (Adam)", low=1e-8)
    temperature: float = setting(0.1, "weight of the entropy at the start; it is tuned", low=1e-8)
    discount: float = setting(0.99, "per control step", low=0.0, high=0.9999)
    target_rate: float = setting(0.01, "share of the critics that their targets take on", low=0.0, high=1.0)
    evaluation_interval: int = setting(10, "episodes between evaluations on held-out tasks", low=1)
    threads: int = setting(0, "physics threads; 0 uses every core", low=0)


_QUICK = PearlConfig(robot_steps=600_000, updates=200)
PRESETS = {
    "default": PearlConfig(),
    "quick": _QUICK,
    "pearl": PearlConfig(),
    "pearl-quick": _QUICK,
    "sac-told": PearlConfig(algo="sac-told"),
    "sac-told-quick": replace(_QUICK, algo="sac-told"),
}


class PearlState(NamedTuple):
    """All that changes. The oracle has an encoder too, which nothing reads."""

    sac: SacState
    encoder: ProductMode
    encoder_adam: optax.OptState
    moments: Moments
    replay: TaskReplay


# ---- learning


class Sizes(NamedTuple):
    """Of a gradient step, and how often it is taken: static."""

    tasks: int
    each: int
    context: int
    steps: int


def learn(key, state: PearlState, told, newest, hyper: Hyperparameters, sizes: Sizes, divergence_weight: float):
    """``sizes.steps`` gradient steps: (state, metrics averaged over them).

    Args:
        told: features (M, F) of the tasks of all simulations if these are told, else None.
        newest: how many of the newest steps contexts are drawn from.
    """
    learner = (state.sac, state.encoder, state.encoder_adam)
    replay = jax.tree.map(jnp.asarray, state.replay)
    given = (learner, state.moments, replay, told, state.replay.stored, newest)
    learner, metrics = _learn(key, *given, hyper, sizes, divergence_weight)
    sac, encoder, encoder_adam = learner
    return state._replace(sac=sac, encoder=encoder, encoder_adam=encoder_adam), metrics


@partial(jax.jit, static_argnames=("hyper", "sizes", "divergence_weight"))
def _learn(key, learner, moments, replay, told, stored, newest, hyper, sizes: Sizes, divergence_weight):
    def step(learner, key):
        return update(key, learner, moments, replay, told, stored, newest, hyper, sizes, divergence_weight)

    learner, metrics = jax.lax.scan(step, learner, jax.random.split(key, sizes.steps))
    return learner, jax.tree.map(jnp.mean, metrics)


def update(key, learner, moments, replay, told, stored, newest, hyper, sizes: Sizes, divergence_weight):
    """One gradient step of critics and encoder together, of the policy, and of the temperature."""
    sac, encoder, encoder_adam = learner
    keys = jax.random.split(key, 6)
    tasks = jax.random.choice(keys[0], replay.transitions.reward.shape[1], (sizes.tasks,), replace=False)
    drawn = sample_steps(keys[1], replay, tasks, sizes.each, stored)
    context = sample_steps(keys[2], replay, tasks, sizes.context, newest)

    def objective(critics, encoder):
        """Loss of critics and encoder; what the policy is to see, and metrics."""
        if told is None:
            posterior = posterior_of(encoder, gather_evidence(encoder, normalised_rows(moments, *context)))
            latent, divergence = sample_latent(keys[3], posterior), kl_to_standard_normal(*posterior).mean()
        else:
            latent, divergence = told[tasks], jnp.float32(0.0)
        batch = to_batch(drawn, moments, latent)
        targets = jax.lax.stop_gradient(soft_targets(keys[4], sac, batch, hyper))
        error = critic_loss(critics, batch, targets, hyper)
        metrics = {"critic_loss": error, "divergence": divergence, "target_value": targets.mean()}
        return error + divergence_weight * divergence, (batch.inputs, metrics)

    gradients, (inputs, metrics) = jax.grad(objective, argnums=(0, 1), has_aux=True)(sac.critics, encoder)
    sac, found = step_with(gradients[0], keys[5], sac, jax.lax.stop_gradient(inputs), hyper)
    encoder, encoder_adam = adam_step(encoder, gradients[1], encoder_adam, hyper.learning_rate)
    return (sac, encoder, encoder_adam), metrics | found


def to_batch(drawn: TaskTransitions, moments: Moments, latent) -> Batch:
    """Flat transitions (B,) of ``drawn`` (tasks, each), with the latent (tasks, D) of each task before and after."""
    spread = jnp.broadcast_to(latent[:, None], (*drawn.reward.shape, latent.shape[-1]))
    inputs, following = (policy_inputs(moments, rows, spread) for rows in (drawn.observation, drawn.next_observation))
    flat = [leaf.reshape(-1, *leaf.shape[2:]) for leaf in (inputs, drawn.action, drawn.reward, following)]
    return Batch(*flat, terminal=jnp.zeros_like(flat[2]))


# ---- acting


@jax.jit
def explore(key, policy, moments: Moments, observation, latent):
    """Drawn actions (N, A)."""
    return sample_action(key, policy, policy_inputs(moments, observation, latent))[0]


@partial(jax.jit, static_argnames=("count",))
def believe(key, encoder: ProductMode, moments: Moments, replay: TaskReplay, newest, count: int):
    """Draws (M, D) of the latent of every task, from ``count`` of the ``newest`` steps."""
    draw_key, sample_key = jax.random.split(key)
    tasks = jnp.arange(replay.transitions.reward.shape[1])
    drawn = sample_steps(draw_key, replay, tasks, count, newest)
    evidence = gather_evidence(encoder, normalised_rows(moments, *drawn))
    return sample_latent(sample_key, posterior_of(encoder, evidence))


# ---- the stage


class PearlStage(ScratchStage):
    """Implements ``runs.Stage``: PEARL, or the oracle."""

    def __init__(self, config: PearlConfig):
        self.config = validate(config)
        if config.batch % config.tasks_per_step:
            raise ConfigError(
                f"batch: {config.batch} is not allowed; it must be a multiple of tasks_per_step = "
                f"{config.tasks_per_step}"
            )
        if config.tasks_per_step > config.simulations:
            raise ConfigError(
                f"tasks_per_step: {config.tasks_per_step} is not allowed; there are {config.simulations} simulations"
            )
        if config.capacity < config.trial:
            raise ConfigError(
                f"capacity: {config.capacity} is not allowed; it must be at least trial = {config.trial} episodes"
            )
        self.ground = Ground(config)
        self.steps_per_iteration = self.ground.steps * config.simulations
        self.iterations = self.ground.iterations(config.robot_steps)
        self.told = jnp.asarray(told_features(self.ground.tasks)) if config.algo == "sac-told" else None
        self.latent = config.latent if self.told is None else TOLD_FEATURES
        self.hyper = Hyperparameters(
            config.discount,
            config.target_rate,
            config.learning_rate,
            target_entropy=-float(self.ground.actions),
            normalised_critics=True,
        )
        each = config.batch // config.tasks_per_step
        self.sizes = Sizes(config.tasks_per_step, each, config.context, config.updates)

    # ---- state

    def init(self) -> PearlState:
        """Fresh networks, an empty replay."""
        config, ground = self.config, self.ground
        sac_key, encoder_key = jax.random.split(random.key(config.seed, "networks"))
        inputs = ground.observation + self.latent
        encoder = init_pearl(encoder_key, ground.observation, ground.actions, config.encoder_hidden, config.latent)
        return PearlState(
            init_sac(sac_key, inputs, ground.actions, config.hidden, config.temperature),
            encoder,
            optax.scale_by_adam().init(encoder),
            init_moments(ground.observation),
            empty_task_replay(config.capacity * ground.steps, config.simulations, ground.observation, ground.actions),
        )

    def begin(self, iteration: int) -> None:
        """Nothing: each iteration resets its physics itself."""

    # ---- one iteration: an episode, then learning

    def iterate(self, state: PearlState, iteration: int):
        """One episode of all simulations, then ``updates`` gradient steps."""
        config, ground = self.config, self.ground
        latent = self._latent(state, iteration)
        transitions, returns = self._collect(state, iteration, latent)
        moments = update_moments(state.moments, transitions.observation.reshape(-1, ground.observation))
        state = state._replace(moments=moments, replay=add_steps(state.replay, transitions))
        newest = ground.steps * min(iteration + 1, config.trial)
        key = random.key(config.seed, "update", iteration)
        state, learning = learn(key, state, self.told, newest, self.hyper, self.sizes, config.divergence_weight)
        metrics = {name: float(value) for name, value in learning.items()} | {"return": float(returns.mean())}
        if (iteration + 1) % config.evaluation_interval == 0 or iteration + 1 == self.iterations:
            metrics |= ground.judge(self.agent(state), config.trial + 1, config.seed, iteration)
        return state, metrics

    def _latent(self, state: PearlState, iteration: int):
        """What every simulation takes its task to be, for an episode: (M, D)."""
        if self.told is not None:
            return self.told
        seen = self.ground.steps * (iteration % self.config.trial)
        key = random.key(self.config.seed, "belief", iteration)
        if not seen:
            return jax.random.normal(key, (self.config.simulations, self.config.latent))
        replay = jax.tree.map(jnp.asarray, state.replay)
        return believe(key, state.encoder, state.moments, replay, seen, self.config.context)

    def _collect(self, state: PearlState, iteration: int, latent):
        """One episode with drawn actions: its transitions (T, M), returns (M,)."""
        config, ground = self.config, self.ground
        rng = random.generator(config.seed, "episode", iteration)
        keys = jax.random.split(random.key(config.seed, "actions", iteration), ground.steps)
        random_actions = iteration < config.warm_up

        def choose(step, observation):
            if random_actions:
                return rng.uniform(-1.0, 1.0, (config.simulations, ground.actions))
            return explore(keys[step], state.sac.policy, state.moments, observation, latent)

        return ground.play(rng, choose)

    # ---- result

    def agent(self, state: PearlState) -> ScratchAgent:
        """The agent in ``state``, which acts without noise."""
        config = self.config
        sizes = {"observation": self.ground.observation, "actions": self.ground.actions, "hidden": list(config.hidden)}
        if self.told is not None:
            return self.ground.agent("sac-told", ToldAgent(state.sac.policy, state.moments), sizes)
        sizes |= {"latent": config.latent, "encoder_hidden": list(config.encoder_hidden)}
        return self.ground.agent("pearl", PearlAgent(state.encoder, state.sac.policy, state.moments), sizes)
