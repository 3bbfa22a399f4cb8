"""Stage "low": one body learns to follow commands. No task inference here, no unknown task.

Objective: maximise the discounted tracking reward (``control.tracking``) by proximal policy optimisation
(``control.ppo``) on many simulations at once. Commands change mid-episode at random moments; a new command
and the time limit end a trajectory for the purpose of credit but not its value; a fall is the only true
end.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import jax
import numpy as np

from reinfer.bodies import ROBOTS, robot
from reinfer.control.commands import Commands, command_features, feature_size, restrict
from reinfer.control.curriculum import ramped, starting_speed
from reinfer.control.low_level_policy import LowLevelPolicy
from reinfer.control.normalisation import Moments
from reinfer.control.ppo import (
    Hyperparameters,
    LearnerState,
    Rollout,
    Schedule,
    init_actor_critic,
    init_learner,
    mean_action,
    update,
)
from reinfer.control.tracking import (
    SETTLING_S,
    RecentPeak,
    averaged_error,
    draw_commands,
    tracking_error,
    tracking_reward,
)
from reinfer.runs import random
from reinfer.runs.config import setting, to_dict, validate
from reinfer.runs.errors import ConfigError
from reinfer.simulation import BatchSimulation
from reinfer.tasks import JUMP, KINDS

#: Input columns that the value estimate has beyond those of the policy.
CRITIC_INPUTS = 2

#: Where annealing ends.
FINAL_STD, FINAL_LEARNING_RATE = 0.03, 2e-5


@dataclass(frozen=True, slots=True)
class LowLevelConfig:
    """Everything a run of the low-level stage depends on."""

    body: str = setting("half_cheetah", "robot that learns", choices=tuple(ROBOTS))
    timing: str | None = setting(None, "how physics is stepped: fast, stock, ...; None: the body's own")
    kinds: tuple[str, ...] = setting(("goal", "velocity"), "kinds of command to learn", choices=KINDS)
    seed: int = setting(0, "seed of all randomness", low=0)
    iterations: int = setting(1000, "updates in all", low=1)
    simulations: int = setting(256, "copies of the body stepped at once", low=1)
    horizon: int = setting(32, "control steps per simulation and update", low=2)
    hidden: int = setting(128, "width of the two hidden layers of policy and value", low=1)
    epochs: int = setting(4, "passes over each rollout", low=1)
    minibatches: int = setting(4, "gradient steps per pass; must divide simulations x horizon", low=1)
    discount: float = setting(0.98, "per control step", low=0.0, high=1.0)
    trace: float = setting(0.95, "lambda of the advantage estimate", low=0.0, high=1.0)
    target_kl: float = setting(0.01, "policy change aimed at per update, nats", low=1e-6)
    highest_learning_rate: float = setting(1e-3, "bound on the steered learning rate, until annealing", low=1e-8)
    entropy_weight: float = setting(0.002, "bonus on the log standard deviation, until annealing", low=0.0)
    anneal_from: float = setting(0.5, "fraction of the run after which exploration fades", low=0.0, high=1.0)
    relative_speed: bool = setting(False, "judge speeds relative to the target where far from it")
    speed_ramp: float = setting(0.0, "fraction of the run over which the speeds asked for grow", low=0.0, high=1.0)
    moving_starts: float = setting(0.0, "share of episodes that begin at some speed", low=0.0, high=1.0)
    episode_s: float = setting(12.0, "time limit of a training episode, simulated seconds", low=0.1)
    threads: int = setting(0, "physics threads; 0 uses every core", low=0)


#: What bodies that fall need: a longer view (2 s at 20 ms), speeds that grow, starts at speed.
_LEGGED = LowLevelConfig(
    discount=0.99, relative_speed=True, speed_ramp=0.4, moving_starts=0.5, target_kl=0.015, anneal_from=0.6
)

PRESETS = {
    "default": LowLevelConfig(),
    "quick": LowLevelConfig(iterations=250),
    "multi": LowLevelConfig(kinds=KINDS, iterations=2500),
    "walker2d": replace(_LEGGED, body="walker2d"),
    "hopper": replace(_LEGGED, body="hopper"),
}


class LowLevelStage:
    """Implements ``runs.Stage``; the simulations are live, everything learned is in ``LearnerState``."""

    name = "low"
    score_key = "reward"

    def __init__(self, config: LowLevelConfig):
        self.config = validate(config)
        if config.simulations * config.horizon % config.minibatches:
            raise ConfigError(
                f"minibatches: {config.minibatches} is not allowed; it must divide simulations x horizon"
                f" = {config.simulations * config.horizon}"
            )
        self.body = robot(config.body, config.timing)
        self.ranges = restrict(self.body.commands, config.kinds)
        self.iterations = config.iterations
        self.sync_interval = 25
        self.steps_per_iteration = config.simulations * config.horizon
        self.simulation = BatchSimulation(self.body, config.simulations, config.threads)
        self.episode_steps = round(config.episode_s / self.simulation.control_dt_s)
        self.policy_inputs = self.body.observation_size(self.simulation.model) + feature_size(self.ranges)
        self.hyper = Hyperparameters(
            policy_inputs=self.policy_inputs,
            epochs=config.epochs,
            minibatches=config.minibatches,
            discount=config.discount,
            trace=config.trace,
            clip=0.2,
            value_weight=0.5,
            max_gradient_norm=1.0,
            lowest_learning_rate=1e-5,
        )

    # ---- state

    def init(self) -> LearnerState:
        """Fresh networks; the critic alone sees the averaged error and the age of the command."""
        hidden = (self.config.hidden, self.config.hidden)
        inputs = self.policy_inputs + CRITIC_INPUTS
        networks = init_actor_critic(
            random.key(self.config.seed, "networks"),
            self.policy_inputs,
            inputs,
            self.simulation.action_size,
            hidden,
            std=0.6,
        )
        return init_learner(networks, inputs, learning_rate=5e-4)

    def begin(self, iteration: int) -> None:
        """Reset every simulation, at a random point of its time limit, with a fresh command."""
        rng = random.generator(self.config.seed, "physics", iteration)
        count = self.config.simulations
        self._ask(iteration)
        self.simulation.reset(rng)
        self.age = rng.integers(0, self.episode_steps, count)
        self.commands = draw_commands(rng, self.simulation.qpos[:, 0], self.asked)
        self._start_moving(rng, np.arange(count))
        self.change_rate = self._draw_change_rate(rng, count)
        self.average, self.command_age_s = np.zeros(count), np.zeros(count)
        self.peak = RecentPeak(count, self.simulation.control_dt_s)

    def _ask(self, iteration: int) -> None:
        """Set the commands that are asked for in ``iteration``."""
        self.asked = ramped(self.ranges, iteration / self.iterations, self.config.speed_ramp)

    def _start_moving(self, rng, ids) -> None:
        if self.config.moving_starts:
            commands = Commands(self.commands.kind[ids], self.commands.target[ids])
            self.simulation.push(ids, starting_speed(rng, commands, self.asked, self.config.moving_starts))

    @staticmethod
    def _draw_change_rate(rng, count):
        """Command changes per second: mostly one in 4 s, sometimes as fast as a higher level may be."""
        return rng.choice([0.25, 1.0, 4.0], count, p=[0.6, 0.25, 0.15])

    # ---- one iteration: collect, update

    def iterate(self, state: LearnerState, iteration: int):
        """Collect ``horizon`` steps with the present policy, then learn from them."""
        self._ask(iteration)
        rollout, metrics = self._collect(state, random.generator(self.config.seed, "rollout", iteration))
        key = random.key(self.config.seed, "update", iteration)
        state, learning = update(key, state, rollout, self._schedule(iteration), self.hyper)
        return state, metrics | {name: float(value) for name, value in learning.items()}

    def _schedule(self, iteration: int) -> Schedule:
        """Constant, then annealed: at the end no entropy bonus, a small learning rate, little noise.

        What counts is the policy without noise; with much noise a body runs at other speeds than without.
        """
        start = self.config.anneal_from * self.iterations
        left = 1.0 - max(0.0, iteration - start) / max(1.0, self.iterations - start)
        rate = FINAL_LEARNING_RATE + (self.config.highest_learning_rate - FINAL_LEARNING_RATE) * left
        return Schedule(
            target_kl=np.float32(self.config.target_kl),
            entropy_weight=np.float32(self.config.entropy_weight * left),
            highest_learning_rate=np.float32(rate),
            highest_std=np.float32(FINAL_STD ** (1.0 - left)),
        )

    def _inputs(self, ids=slice(None)) -> np.ndarray:
        """Rows for the networks: body observation, command features; averaged error, command age; float32."""
        state = self.simulation.task_state()[ids]
        commands = Commands(self.commands.kind[ids], self.commands.target[ids])
        features = command_features(state, commands, self.ranges)
        average = np.clip(self.average[ids] / 0.2, -3.0, 3.0)
        age = np.minimum(self.command_age_s[ids] / SETTLING_S, 2.0)
        parts = (self.simulation.observation()[ids], features, average[:, None], age[:, None])
        rows = np.concatenate(parts, axis=-1).astype(np.float32)
        # Physics that went non-finite counts as a fall; its last row must not poison the value estimate.
        return np.nan_to_num(rows)

    def _collect(self, state: LearnerState, rng: np.random.Generator):
        config, simulation = self.config, self.simulation
        shape = (config.horizon, config.simulations)
        inputs = np.empty((*shape, self.policy_inputs + CRITIC_INPUTS), np.float32)
        next_inputs = np.empty_like(inputs)
        std = np.exp(np.asarray(state.networks.log_std))
        actions = std * rng.standard_normal((*shape, simulation.action_size), np.float32)
        rewards, terminal, cut = (np.zeros(shape, np.float32) for _ in range(3))
        present = self._inputs()
        for step in range(config.horizon):
            inputs[step] = present
            actions[step] += np.asarray(mean_action(state.networks, state.moments, present))
            executed = np.clip(actions[step], -1.0, 1.0)
            before = simulation.task_state()
            simulation.step(executed)
            self.age += 1
            fallen, reached = simulation.fallen(), simulation.task_state()
            earned = self._reward(before, reached, executed)
            rewards[step] = np.where(fallen, 0.0, earned)
            terminal[step] = fallen
            present = next_inputs[step] = self._inputs()
            cut[step], present = self._renew(rng, fallen, present)
        metrics = {"reward": float(rewards.mean()), "falls": float(terminal.sum())}
        return Rollout(inputs, next_inputs, actions, rewards, terminal, cut), metrics

    def _reward(self, before, reached, executed):
        """Advance the averaged error by one control step and score the step, shape (N,)."""
        dt = self.simulation.control_dt_s
        self.command_age_s += dt
        error = tracking_error(before, reached, self.commands, dt)
        self.average = averaged_error(self.average, error, self.command_age_s, dt)
        jumps = self.commands.kind == JUMP
        peak = self.peak.push(np.abs(reached[:, 4]))
        self.average = np.where(jumps, peak - self.commands.target, self.average)
        return tracking_reward(
            error,
            self.average,
            self.command_age_s,
            reached[:, 3],
            self.commands,
            executed,
            self.asked,
            self.config.relative_speed,
        )

    def _renew(self, rng, fallen, present):
        """Reset what fell or ran out of time, hand out new commands: (rows cut, inputs from here on)."""
        over = fallen | (self.age >= self.episode_steps)
        changing = rng.random(len(over)) < self.change_rate * self.simulation.control_dt_s
        ids = np.flatnonzero(over | changing)
        if len(ids):
            ended = np.flatnonzero(over)
            self.simulation.reset(rng, ended)
            self.age[ended] = 0
            self.change_rate[ended] = self._draw_change_rate(rng, len(ended))
            fresh = draw_commands(rng, self.simulation.qpos[ids, 0], self.asked)
            self.commands.kind[ids], self.commands.target[ids] = fresh
            self._start_moving(rng, ended)
            self.average[ids], self.command_age_s[ids] = 0.0, 0.0
            self.peak.forget(ids)
            present = present.copy()
            present[ids] = self._inputs(ids)
        return over | changing, present

    # ---- result

    def parents(self) -> list[dict]:
        """Built from no other model."""
        return []

    def policy(self, state: LearnerState) -> LowLevelPolicy:
        """The deterministic policy in ``state``."""
        width = self.policy_inputs
        moments = Moments(state.moments.mean[:width], state.moments.variance[:width], state.moments.count)
        return LowLevelPolicy(self.body.name, self.ranges, moments, state.networks.policy, timing=self.body.timing)

    def export(self, state: LearnerState, folder: Path, provenance: dict) -> None:
        """Write the policy as a model folder."""
        policy = self.policy(jax.device_get(state))
        policy.save(folder, config=to_dict(self.config), metrics={}, provenance=provenance)
