"""Stage "scratch", algorithm ``melts``: what preset ``reference`` of stage "toy" does, on the robot itself.

MELTS (Bing et al. 2024). Objective of inference: from a window of transitions (observation, action, reward, next
observation), z ~ q(z | window) explains steps of its *whole* task:

    w_s mean |o' - o'^|^2 + w_r (r - r^)^2 + w_c CE(family) + w_kl KL(q || mixture)

where the mixture is refitted to latents after every iteration. Soft actor-critic then learns on observation and a draw
of z, inferred anew from stored windows; no gradient of it reaches the encoder. Windows begin anew with every episode.
Family labels are read in training only.

What is explained are a few random steps of all that is stored of the task, not those of the same episode, as published:
within an episode a policy that does the same whatever z is earns the same too, so that z need not tell the task, and
the policy learns nothing from z. Both then stay as they are.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from reinfer.bodies import ALLOWED
from reinfer.control.networks import apply_mlp
from reinfer.control.normalisation import Moments, init_moments, normalise, update_moments
from reinfer.control.sac import Batch, Hyperparameters, SacState, init_sac, sample_action, update
from reinfer.control.task_replay import (
    TaskReplay,
    add_steps,
    empty_task_replay,
    sample_slots,
    steps_at,
    steps_before,
)
from reinfer.inference.adaptive.agent import ScratchAgent
from reinfer.inference.adaptive.algorithm import normalised_rows, policy_inputs
from reinfer.inference.adaptive.melts import (
    MeltsRobotAgent,
    melts_begin_episode,
    melts_observe,
    melts_posterior,
    melts_sizes,
)
from reinfer.inference.context import WINDOW
from reinfer.inference.melts_loss import Weights
from reinfer.inference.melts_networks import MeltsNetworks, decode_steps, encode, init_melts, sample_latent
from reinfer.inference.mixture import (
    MixtureConfig,
    MixturePrior,
    MixtureState,
    check_prior,
    init_state,
    kl_to_mixture,
    refit,
    standard_normal_prior,
)
from reinfer.runs import random
from reinfer.runs.config import seed_setting, setting, validate
from reinfer.stages.scratch import PROTOCOL_NAMES, Ground, ScratchStage
from reinfer.tasks import FAMILIES

#: Latents that the mixture is fitted to in an iteration.
FITTED = 2048


@dataclass(frozen=True, slots=True)
class MeltsRobotConfig:
    """Everything a run of MELTS on a robot depends on."""

    algo: str = setting("melts", "melts", choices=("melts",))
    body: str = setting("half_cheetah", f"robot that learns: {ALLOWED}")
    tasks: str = setting("standard", "benchmark", choices=PROTOCOL_NAMES)
    seed: int = seed_setting("seed of all randomness")
    robot_steps: int = setting(3_000_000, "control steps of the robot", low=1)
    simulations: int = setting(100, "copies of the body, which take the training tasks in turn", low=1)
    latent: int = setting(4, "latent variables of a task", low=1)
    encoder_hidden: int = setting(64, "size of the encoder's hidden state", low=1)
    decoder_hidden: int = setting(96, "width of the decoders", low=2)
    inference_steps: int = setting(60, "gradient steps of inference per episode", low=1)
    inference_batch: int = setting(256, "windows per step", low=1)
    decoded: int = setting(16, "steps of its task that a window has to explain", low=1)
    inference_learning_rate: float = setting(1e-3, "learning rate of inference (Adam)", low=1e-8)
    state_weight: float = setting(1.0 / 3.0, "weight of state decoding", low=0.0)
    reward_weight: float = setting(1.0 / 3.0, "weight of reward decoding", low=0.0)
    family_weight: float = setting(0.05, "weight of the classification of the family", low=0.0)
    divergence_weight: float = setting(1e-3, "weight of the KL to the prior", low=0.0)
    prior: str = setting("dpmm", "prior over the latent task", choices=("dpmm", "normal"))
    divergence: str = setting("soft", "form of the KL to a mixture", choices=("soft", "hard", "gap", "upper"))
    hidden: tuple[int, ...] = setting((128, 128), "widths of policy and critics", low=1, fewest=1)
    policy_steps: int = setting(300, "gradient steps of soft actor-critic per episode", low=1)
    policy_batch: int = setting(256, "transitions per step", low=1)
    capacity: int = setting(20, "newest episodes that are kept of each simulation", low=1)
    learning_rate: float = setting(5e-4, "learning rate of soft actor-critic (Adam)", low=1e-8)
    temperature: float = setting(0.1, "weight of the entropy at the start; it is tuned", low=1e-8)
    discount: float = setting(0.99, "per control step", low=0.0, high=0.9999)
    target_rate: float = setting(0.01, "share of the critics that their targets take on", low=0.0, high=1.0)
    evaluation_interval: int = setting(10, "episodes between evaluations on held-out tasks", low=1)
    threads: int = setting(0, "physics threads; 0 uses every core", low=0)
    mixture: MixtureConfig = MixtureConfig(
        covariance="diagonal", min_count=64, max_components=30, dormant_memory=0.0, new_component=False
    )


PRESETS = {
    "melts": MeltsRobotConfig(),
    "melts-quick": replace(MeltsRobotConfig(), robot_steps=600_000, inference_steps=30, policy_steps=150),
}


class MeltsRobotState(NamedTuple):
    """All that changes: networks, optimisers and replay, the prior for the learner, the mixture on the host."""

    inference: MeltsNetworks
    inference_adam: optax.OptState
    sac: SacState
    moments: Moments
    replay: TaskReplay
    prior: MixturePrior
    mixture: MixtureState


# ---- learning: everything below ``stored`` steps of ``replay`` in episodes of ``episode`` steps


class Stored(NamedTuple):
    """What is learned from: ``replay``, of which ``stored`` steps can be drawn; families (M,) of the tasks."""

    replay: TaskReplay
    stored: jax.Array
    moments: Moments
    family: jax.Array


def windows(data: Stored, slots, tasks, episode: int):
    """What an agent had seen before the steps in ``slots`` (B,) of ``tasks`` (B,): rows (B, W, R), zeros before."""
    before, valid = steps_before(data.replay, slots, tasks, WINDOW, episode)
    return jnp.where(valid[..., None], normalised_rows(data.moments, *before), 0.0)


def inference_loss(inference: MeltsNetworks, key, data: Stored, prior: MixturePrior, config, episode: int):
    """The objective at the top, a scalar; and (latents, families, metrics) of the batch."""
    task_key, slot_key, step_key, draw_key = jax.random.split(key, 4)
    count = config.inference_batch
    tasks = jax.random.randint(task_key, (count,), 0, data.family.shape[0])
    slots = sample_slots(slot_key, data.replay, (count,), data.stored)
    posterior = encode(inference.encoder, windows(data, slots, tasks, episode))
    latent = sample_latent(draw_key, posterior)
    steps = sample_slots(step_key, data.replay, (count, config.decoded), data.stored)
    shown = steps_at(data.replay, steps, tasks[:, None])
    observation, following = (normalise(data.moments, rows) for rows in (shown.observation, shown.next_observation))
    decoded, reward = decode_steps(inference.decoder, observation, shown.action, latent)
    logits = apply_mlp(inference.decoder.family, jnp.concatenate([observation[:, 0], latent], -1), jax.nn.relu)
    family = data.family[tasks]
    terms = {
        "state_error": jnp.square(decoded - following).mean(),
        "reward_error": jnp.square(reward - shown.reward).mean(),
        "family_loss": optax.softmax_cross_entropy_with_integer_labels(logits, family).mean(),
        "kl": kl_to_mixture(*posterior, prior, latent, config.divergence).mean(),
    }
    weights = Weights(config.state_weight, config.reward_weight, config.family_weight, config.divergence_weight)
    loss = sum(weight * term for weight, term in zip(weights, terms.values(), strict=True))
    return loss, (latent, family, terms | {"class_accuracy": (logits.argmax(-1) == family).mean()})


@partial(jax.jit, static_argnames=("config", "episode"))
def train_inference(key, inference, adam, data: Stored, prior: MixturePrior, config, episode: int):
    """``inference_steps`` steps: (networks, optimiser, (latents, families) of the last steps, mean metrics)."""
    optimiser = optax.adam(config.inference_learning_rate)

    def step(carry, step_key):
        inference, adam = carry
        gradient, (latent, family, terms) = jax.grad(inference_loss, has_aux=True)(
            inference, step_key, data, prior, config, episode
        )
        change, adam = optimiser.update(gradient, adam)
        return (optax.apply_updates(inference, change), adam), (latent, family, terms)

    keys = jax.random.split(key, config.inference_steps)
    (inference, adam), (latents, families, terms) = jax.lax.scan(step, (inference, adam), keys)
    latents, families = latents.reshape(-1, latents.shape[-1])[-FITTED:], families.ravel()[-FITTED:]
    return inference, adam, (latents, families), jax.tree.map(jnp.mean, terms)


@partial(jax.jit, static_argnames=("hyper", "config", "episode"))
def train_policy(key, sac: SacState, inference: MeltsNetworks, data: Stored, hyper, config, episode: int):
    """``policy_steps`` steps of soft actor-critic, one draw of the latent for both states: (state, mean metrics)."""

    def step(sac, step_key):
        task_key, slot_key, draw_key, update_key = jax.random.split(step_key, 4)
        tasks = jax.random.randint(task_key, (config.policy_batch,), 0, data.family.shape[0])
        slots = sample_slots(slot_key, data.replay, (config.policy_batch,), data.stored)
        latent = sample_latent(draw_key, encode(inference.encoder, windows(data, slots, tasks, episode)))
        taken = steps_at(data.replay, slots, tasks)
        inputs, following = (
            policy_inputs(data.moments, rows, latent) for rows in (taken.observation, taken.next_observation)
        )
        batch = Batch(inputs, taken.action, taken.reward, following, jnp.zeros_like(taken.reward))
        return update(update_key, sac, batch, hyper)

    sac, metrics = jax.lax.scan(step, sac, jax.random.split(key, config.policy_steps))
    return sac, jax.tree.map(jnp.mean, metrics)


@jax.jit
def explore(key, params: MeltsRobotAgent, memory, observation):
    """Actions (N, A) drawn at drawn latents."""
    latent_key, action_key = jax.random.split(key)
    latent = sample_latent(latent_key, melts_posterior(params, memory))
    return sample_action(action_key, params.policy, policy_inputs(params.moments, observation, latent))[0]


# ---- the stage


class MeltsRobotStage(ScratchStage):
    """Implements ``runs.Stage``: MELTS on the robot."""

    def __init__(self, config: MeltsRobotConfig):
        self.config = validate(config)
        fitted = min(FITTED, config.inference_batch * config.inference_steps)
        check_prior(config.prior, config.mixture, len(FAMILIES), fitted, "inference_batch x inference_steps")
        self.ground = Ground(config)
        self.steps_per_iteration = self.ground.steps * config.simulations
        self.iterations = self.ground.iterations(config.robot_steps)
        self.family = jnp.asarray(self.ground.tasks.family)
        self.hyper = Hyperparameters(
            config.discount,
            config.target_rate,
            config.learning_rate,
            target_entropy=-float(self.ground.actions),
            normalised_critics=True,
        )
        # What no compiled program depends on is left out, so that such runs share the programs.
        self.compiled = replace(config, seed=0, robot_steps=1, prior="dpmm", mixture=PRESETS["melts"].mixture)
        self.sizes = {
            "observation": self.ground.observation,
            "actions": self.ground.actions,
            "hidden": list(config.hidden),
            "latent": config.latent,
            "encoder_hidden": config.encoder_hidden,
            "decoder_hidden": config.decoder_hidden,
        }

    # ---- state

    def init(self) -> MeltsRobotState:
        """Fresh networks, an empty replay, a standard normal prior, a mixture without components."""
        config, ground = self.config, self.ground
        inference_key, policy_key = jax.random.split(random.key(config.seed, "networks"))
        inference = init_melts(inference_key, config.latent, melts_sizes(self.sizes))
        inputs, components = ground.observation + config.latent, config.mixture.max_components
        return MeltsRobotState(
            inference,
            optax.adam(config.inference_learning_rate).init(inference),
            init_sac(policy_key, inputs, ground.actions, config.hidden, config.temperature),
            init_moments(ground.observation),
            empty_task_replay(config.capacity * ground.steps, config.simulations, ground.observation, ground.actions),
            standard_normal_prior(config.latent, components),
            init_state(config.latent, components),
        )

    def begin(self, iteration: int) -> None:
        """Nothing: each iteration resets its physics itself."""

    # ---- one iteration: an episode, inference, the mixture, the policy

    def iterate(self, state: MeltsRobotState, iteration: int):
        """One episode of all simulations, then learning."""
        config, ground = self.config, self.ground
        transitions, returns = self._collect(state, iteration)
        moments = update_moments(state.moments, transitions.observation.reshape(-1, ground.observation))
        replay = add_steps(state.replay, transitions)
        data = Stored(jax.tree.map(jnp.asarray, replay), jnp.int32(replay.stored), moments, self.family)
        inference, adam, latents, metrics = train_inference(
            random.key(config.seed, "inference", iteration),
            state.inference,
            state.inference_adam,
            data,
            state.prior,
            self.compiled,
            ground.steps,
        )
        mixture, prior = state.mixture, state.prior
        if config.prior != "normal":
            rng = random.generator(config.seed, "mixture", iteration)
            mixture, prior = refit(config.prior, mixture, *map(np.asarray, latents), config.mixture, rng)
            metrics |= {"components": mixture.active.sum()}
        key = random.key(config.seed, "policy", iteration)
        sac, learning = train_policy(key, state.sac, inference, data, self.hyper, self.compiled, ground.steps)
        state = MeltsRobotState(inference, adam, sac, moments, replay, prior, mixture)
        metrics = {name: float(value) for name, value in (metrics | learning).items()}
        metrics |= {"return": float(returns.mean())}
        if (iteration + 1) % config.evaluation_interval == 0 or iteration + 1 == self.iterations:
            metrics |= ground.judge(self.agent(state), 1, config.seed, iteration)
        return state, metrics

    def _collect(self, state: MeltsRobotState, iteration: int):
        """One episode with drawn latents and actions: its transitions (T, M), returns (M,)."""
        config, ground = self.config, self.ground
        rng = random.generator(config.seed, "episode", iteration)
        keys = jax.random.split(random.key(config.seed, "actions", iteration), ground.steps)
        params = MeltsRobotAgent(state.inference, state.sac.policy, state.moments)
        memory = melts_begin_episode(params, jnp.zeros((config.simulations, WINDOW, self.row)))

        def choose(step, observation):
            return explore(keys[step], params, memory, observation)

        def observe(*step):
            nonlocal memory
            memory = melts_observe(params, memory, *step)

        return ground.play(rng, choose, observe)

    @property
    def row(self) -> int:
        """Width of a row of the context."""
        return melts_sizes(self.sizes).row

    # ---- result

    def agent(self, state: MeltsRobotState) -> ScratchAgent:
        """The agent in ``state``, which acts without noise at the mean of the latent."""
        params = MeltsRobotAgent(state.inference, state.sac.policy, state.moments)
        return self.ground.agent("melts", params, self.sizes)
