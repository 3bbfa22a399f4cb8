"""Stage "high": a high level for one robot, learned on it by soft actor-critic above the frozen toy encoder.

Objective: the discounted sum of the task's own rewards, hence the integrated error. Rewards are all that training sees
of a task, as rows of the context and as what is learned from; no label and no target. Encoder, toy policy and low
level are frozen. What is learned corrects the toy policy's sub-goals (``transfer.relearned``), because little can be
learned in 200 000 control steps and the toy's policy is good already. After the mistakes of the published relearning
the replay keeps the actions that were taken, training explores, every reward of a stride counts and not its last alone,
nothing but the task's reward enters the context, and falls are ends while time limits are not.

Only critics learn at first: a policy that follows critics that know nothing runs to extreme corrections at once and
hardly comes back. The last ``judging`` episodes only judge: pairs of simulations play the same tasks with and without
the correction. If it did not lower the integrated error there, the exported model is the toy's policy. All steps count
against the budget.
"""

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.bodies import ALLOWED
from reinfer.control.normalisation import Moments, init_moments, normalise, update_moments
from reinfer.control.sac import Hyperparameters, SacState, init_sac, update
from reinfer.control.transitions import Transitions, add_transitions, empty_transitions, sample_transitions
from reinfer.runs import random, trees
from reinfer.runs.config import seed_setting, setting, to_dict, validate
from reinfer.runs.errors import ConfigError, RunError
from reinfer.simulation.device_batch import batch_on
from reinfer.stages.parents import load_foundation
from reinfer.tasks import Tasks, reward
from reinfer.transfer.experience import ExploringAgent, Play, Recorder, correlated_noise
from reinfer.transfer.hierarchy import Hierarchy
from reinfer.transfer.relearned import ACTIONS, Correction, RelearnedAgent, feature_size
from reinfer.transfer.strides import MAX_STRIDE, SimulationStrides

#: About so many episodes are played where nothing is said of the copies: learning needs many, however short the control
#: steps of a robot are.
EPISODES = 26


@dataclass(frozen=True, slots=True)
class HighConfig:
    """Everything a run of the high-level stage depends on."""

    body: str = setting("half_cheetah", f"robot on which the high level is learned: {ALLOWED}")
    toy: str = setting("shipped:toy/seed0", "toy agent: a run, a model folder or shipped:NAME")
    low: str | None = setting(None, "low-level policy: a run, a model folder or shipped:NAME; None: shipped:BODY/low")
    toy_steps: int = setting(6, "toy steps ahead that a sub-goal lies", low=1, high=20)
    strides: tuple[int, ...] = setting(
        (1, 2, 5),
        "strides that simulations take in turn, so that what is learned serves all",
        low=1,
        high=MAX_STRIDE,
        fewest=1,
    )
    seed: int = seed_setting("seed of all randomness")
    robot_steps: int = setting(200_000, "control steps of the robot, judging included", low=1)
    simulations: int | None = setting(
        None,
        f"copies of the body stepped at once, even; None: as many as make about {EPISODES} episodes",
        low=2,
    )
    episode_s: float = setting(12.0, "length of an episode, simulated seconds", low=0.1)
    judging: int = setting(4, "last episodes, in which the correction is judged against the toy's policy", low=1)
    exploration: float = setting(0.3, "standard deviation that the policy starts from and tends to", low=0.01, high=1.0)
    noise_s: float = setting(0.5, "time in which exploration noise forgets, simulated seconds", low=0.0)
    hidden: tuple[int, ...] = setting((128, 128), "widths of policy and critics", low=1, fewest=1)
    temperature: float = setting(1e-3, "weight of the entropy at the start; tuned to the exploration", low=1e-8)
    horizon_s: float = setting(1.64, "time in which the weight of a reward falls to 1/e, simulated seconds", low=0.01)
    learning_rate: float = setting(5e-4, "of critics and temperature (Adam)", low=1e-8)
    policy_rate: float = setting(0.3, "learning rate of the policy relative to that", low=0.0)
    warm_up: int = setting(5, "first episodes, in which only critics learn", low=0)
    target_rate: float = setting(0.02, "share of the critics that their targets take on", low=0.0, high=1.0)
    batch: int = setting(256, "transitions per gradient step", low=1)
    updates: int = setting(600, "gradient steps per episode", low=1)
    device: str = setting("cpu", "where physics runs: in C threads, or by MJX", choices=("cpu", "gpu"))
    threads: int = setting(0, "physics threads; 0 uses every core", low=0)


PRESETS = {
    "default": HighConfig(),
    "quick": HighConfig(robot_steps=60_000, judging=2, updates=150),
}


class HighState(NamedTuple):
    """What is learned, what it is learned from, and summed integrated errors while judging: (corrected, toy's own)."""

    sac: SacState
    moments: Moments
    replay: Transitions
    judged: np.ndarray


# ---- learning


@partial(jax.jit, static_argnames=("hyper", "size", "count"))
def learn(key, sac: SacState, moments: Moments, replay: Transitions, stored, hyper: Hyperparameters, size, count):
    """``count`` updates on batches of ``size`` of the ``stored`` transitions: (state, metrics averaged over them)."""

    def step(sac, step_key):
        batch_key, update_key = jax.random.split(step_key)
        batch = sample_transitions(batch_key, replay, stored, size)
        inputs, following = (normalise(moments, rows) for rows in (batch.inputs, batch.next_inputs))
        return update(update_key, sac, batch._replace(inputs=inputs, next_inputs=following), hyper)

    sac, metrics = jax.lax.scan(step, sac, jax.random.split(key, count))
    return sac, jax.tree.map(jnp.mean, metrics)


# ---- the stage


class HighStage:
    """Implements ``runs.Stage``; an iteration starts its own physics, so every iteration is a boundary."""

    name = "high"
    score_key = "error_s"
    sync_interval = 1

    def __init__(self, config: HighConfig):
        self.config = validate(config)
        if config.simulations is not None and config.simulations % 2:
            raise ConfigError(f"simulations: {config.simulations} is not allowed; pairs are judged, it must be even")
        self.body, self.toy, self.low_level, self._parents = load_foundation(config.body, config.toy, config.low)
        simulation = batch_on(config.device, self.body, self._copies(), config.threads)
        self._plan(simulation, self.body.observation_size(simulation.model))

    def _copies(self) -> int:
        """How many simulations there are, an even number; a pair for every stride at least, unless it was said."""
        config = self.config
        if config.simulations is not None:
            return config.simulations
        steps = EPISODES * round(config.episode_s / self.body.control_dt_s)
        return 2 * max(len(config.strides), config.robot_steps // (2 * steps))

    def _plan(self, simulation, observation: int) -> None:
        """Fix sizes and budget for ``simulation`` with body observations of length ``observation``."""
        config = self.config
        self.control_dt_s = simulation.control_dt_s
        self.simulations = simulation.num_simulations
        self.steps = round(config.episode_s / self.control_dt_s)
        self.steps_per_iteration = self.steps * self.simulations
        self.iterations = config.robot_steps // self.steps_per_iteration
        if self.iterations <= config.judging:
            raise ConfigError(
                f"robot_steps: {config.robot_steps} is not allowed; an episode of {self.simulations} simulations takes"
                f" {self.steps_per_iteration} and there must be more than judging = {config.judging} of them"
            )
        self.features = feature_size(observation)
        # Of a normal action with the wished standard deviation, less what squashing takes of it (to second order).
        normal = 0.5 * math.log(2.0 * math.pi * math.e) + math.log(config.exploration)
        entropy = ACTIONS * (normal - config.exploration**2)
        discount = math.exp(-self.control_dt_s / config.horizon_s)
        self.hyper = Hyperparameters(
            discount, config.target_rate, config.learning_rate, entropy, normalised_critics=True
        )
        agent = ExploringAgent(self.toy, config.toy_steps, self.body.id, self.low_level.ranges, None)
        self.hierarchy = Hierarchy(simulation, self.low_level, agent, self._strides())
        self._frozen = trees.digest(self.toy.params)

    def _strides(self) -> SimulationStrides:
        """A pair (one of either half of the simulations) has one stride."""
        own = np.resize(self.config.strides, self.simulations // 2)
        return SimulationStrides(np.tile(own, 2))

    # ---- state

    def init(self) -> HighState:
        """Corrections near zero and an empty replay."""
        config = self.config
        sac = init_sac(
            random.key(config.seed, "networks"),
            self.features,
            ACTIONS,
            config.hidden,
            config.temperature,
            std=config.exploration,
            critic_scale=0.01,
        )
        # A stride cut by the end of an episode, or by a fall, makes one transition more.
        shortest = self.steps // np.array(self._strides().lengths) + 1
        capacity = int(shortest.sum()) * (self.iterations - config.judging)
        replay = empty_transitions(capacity, self.features, ACTIONS)
        return HighState(sac, init_moments(self.features), replay, np.zeros(2))

    def begin(self, iteration: int) -> None:
        """Nothing: each iteration resets its physics itself."""

    # ---- one iteration: an episode, then learning or judging

    def iterate(self, state: HighState, iteration: int):
        """One episode of all simulations on fresh tasks, then ``updates`` gradient steps; or a judgement."""
        if iteration >= self.iterations - self.config.judging:
            return self._judge(state, iteration)
        config = self.config
        explores = np.ones(self.simulations, bool)
        transitions, error, metrics = self._collect(state, iteration, self.training_tasks(iteration), explores)
        moments = update_moments(state.moments, jnp.asarray(transitions.inputs))
        replay = add_transitions(state.replay, transitions)
        key = random.key(config.seed, "update", iteration)
        hyper = self.hyper._replace(policy_rate=config.policy_rate if iteration >= config.warm_up else 0.0)
        sac, learning = learn(key, state.sac, moments, replay, replay.stored, hyper, config.batch, config.updates)
        metrics |= {name: float(value) for name, value in learning.items()}
        return HighState(sac, moments, replay, state.judged), metrics | {"error_s": float(error.mean())}

    def _judge(self, state: HighState, iteration: int):
        """Both halves of the simulations play the same tasks, the second one without correction."""
        half = self.simulations // 2
        tasks = self.training_tasks(iteration)[np.tile(np.arange(half), 2)]
        _, error, metrics = self._collect(state, iteration, tasks, np.zeros(2 * half, bool))
        corrected, toy = error[:half].sum(), error[half:].sum()
        metrics |= {"error_s": float(corrected / half), "toy_error_s": float(toy / half)}
        return state._replace(judged=state.judged + np.array([corrected, toy])), metrics

    def training_tasks(self, iteration: int) -> Tasks:
        """Tasks of one iteration from the body's own distribution; their stream is used nowhere else."""
        key = random.key(self.config.seed, "high-level training tasks", iteration)
        tasks = self.body.tasks.only(("goal", "velocity")).sample(key, (self.simulations,))
        return Tasks(*map(np.asarray, tasks))

    def _collect(self, state: HighState, iteration: int, tasks: Tasks, explores):
        """One episode: (transitions, integrated error of each simulation in s, metrics)."""
        config, hierarchy = self.config, self.hierarchy
        count = self.simulations
        rng = random.generator(config.seed, "episode", iteration)
        correlation = math.exp(-self.control_dt_s / config.noise_s) if config.noise_s else 0.0
        noise = correlated_noise(rng, self.steps + 1, count, correlation)
        play = Play(noise, explores, np.arange(count) < count // 2)
        hierarchy.agent.parameters = (self.toy, _correction(state), play)
        recorder = Recorder(count, self.hyper.discount)
        error, size, decided = np.zeros(count), 0.0, 0
        hierarchy.start(rng)
        for _ in range(self.steps):
            due = hierarchy.choose()
            if due.any():
                recorder.decided(due, hierarchy.decision.memo)
                size += float(np.abs(hierarchy.decision.memo[1][due]).mean())
                decided += 1
            standing = ~hierarchy.fallen
            hierarchy.advance(lambda reached: reward(tasks, reached))
            recorder.earned(hierarchy.reward, standing & hierarchy.fallen)
            error -= hierarchy.reward
        hierarchy.choose(always=True)
        recorder.end(~hierarchy.fallen, hierarchy.decision.memo[0])
        metrics = {"falls": float(hierarchy.fallen.sum()), "correction": size / max(1, decided)}
        return recorder.batch(), error * self.control_dt_s, metrics

    # ---- result

    def parents(self) -> list[dict]:
        """The frozen toy agent, the low-level policy, and the files of a robot of a user's own."""
        return self._parents

    def agent(self, state: HighState) -> RelearnedAgent:
        """The deterministic agent in ``state``."""
        trusted = jnp.float32(state.judged[0] <= state.judged[1])
        correction = jax.device_get(_correction(state)._replace(trusted=trusted))
        return RelearnedAgent(self.toy, self.config.toy_steps, self.body.id, self.low_level.ranges, correction)

    def export(self, state: HighState, folder: Path, provenance: dict) -> None:
        """Write the high level as a model folder. Raises RunError if the toy agent in memory changed."""
        if trees.digest(self.toy.params) != self._frozen:
            raise RunError("the frozen toy agent changed during training; nothing was exported")
        self.agent(state).save(folder, config=to_dict(self.config), metrics={}, provenance=provenance)


def _correction(state: HighState) -> Correction:
    """What was learned so far, whatever a judgement may say."""
    return Correction(state.sac.policy, state.sac.critics, state.moments, jnp.float32(1.0))
