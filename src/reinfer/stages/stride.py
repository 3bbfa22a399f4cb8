"""Stage "stride": how long to pursue each sub-goal before inferring again, learned on the robot.

Everything else is frozen: the toy agent, its policy, the low level. Objective: the integrated error
``sum |error| / |target|`` of the task, which is the discounted sum of the very rewards that the agent sees;
no label and no target is used. Every iteration is one episode of all simulations on fresh tasks, then double
Q-learning (``transfer.stride_learning``). In the first iterations every simulation keeps one stride, on the same tasks
for each: the best of these constants is the baseline from which later choices depart only where they surely gain.
Thereafter some simulations explore and the others show how good the present policy is.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from reinfer.bodies import ALLOWED
from reinfer.runs import random, trees
from reinfer.runs.config import seed_setting, setting, to_dict, validate
from reinfer.runs.errors import RunError
from reinfer.simulation.device_batch import batch_on
from reinfer.stages.parents import load_foundation
from reinfer.tasks import KINDS, Tasks, reward
from reinfer.transfer.agents import ToyPolicyAgent
from reinfer.transfer.experience import Gains
from reinfer.transfer.hierarchy import Hierarchy
from reinfer.transfer.stride_learning import (
    Episodes,
    Hyperparameters,
    StrideLearner,
    empty_episodes,
    init_learner,
    learn,
    observe,
    seen,
)
from reinfer.transfer.strides import (
    MAX_STRIDE,
    NODES,
    LearnedStride,
    SimulationStrides,
    StrideInputs,
    feature_size,
    greedy_stride,
    stride_features,
)

#: Mean length of a spell of one stride in exploration, decisions.
SPELL = 16


@dataclass(frozen=True, slots=True)
class StrideConfig:
    """Everything a run of the stride stage depends on."""

    body: str = setting("half_cheetah", f"robot on which strides are learned: {ALLOWED}")
    toy: str = setting("shipped:toy/seed0", "toy agent: a run, a model folder or shipped:NAME")
    low: str | None = setting(None, "low-level policy: a run, a model folder or shipped:NAME; None: shipped:BODY/low")
    toy_steps: int = setting(6, "toy steps ahead that a sub-goal lies", low=1, high=20)
    seed: int = seed_setting("seed of all randomness")
    iterations: int = setting(14, "episodes of all simulations", low=1)
    simulations: int = setting(64, "copies of the body stepped at once", low=len(NODES))
    episode_s: float = setting(12.0, "length of an episode, simulated seconds", low=0.1)
    constant: int = setting(3, "iterations of constant strides, which find the best of them", low=1)
    greedy: float = setting(0.25, "fraction of the simulations that do not explore", low=0.01, high=1.0)
    first_exploration: float = setting(
        1.0, "chance per decision that a spell of one stride begins, at the start", low=0.0, high=1.0
    )
    last_exploration: float = setting(0.02, "the same from half of the run on", low=0.0, high=1.0)
    hidden: int = setting(64, "width of the two hidden layers", low=1)
    discount: float = setting(0.99, "per control step", low=0.0, high=0.9999)
    learning_rate: float = setting(1e-3, "of the gradient steps", low=1e-8)
    batch: int = setting(512, "transitions per gradient step", low=1)
    updates: int = setting(400, "gradient steps per episode", low=1)
    target_rate: float = setting(0.01, "share of the network that enters the target per step", low=0.0, high=1.0)
    replay: int = setting(12, "episodes that are kept to learn from", low=1)
    device: str = setting("cpu", "where physics runs: in C threads, or by MJX", choices=("cpu", "gpu"))
    threads: int = setting(0, "physics threads; 0 uses every core", low=0)


PRESETS = {
    "default": StrideConfig(),
    "quick": StrideConfig(iterations=8, simulations=32, updates=200),
}


class StrideState(NamedTuple):
    """What is learned and what it is learned from; ``constant_error`` (nodes,): summed error of each constant."""

    learner: StrideLearner
    episodes: Episodes
    constant_error: np.ndarray

    @property
    def baseline(self) -> int:
        """The best constant stride so far."""
        return NODES[int(np.argmin(self.constant_error))]


class _Constant(SimulationStrides):
    """Each simulation keeps one stride of ``NODES``; neighbours differ. Keeps ``features`` as ``_Exploring`` does."""

    def __init__(self, ranges, count: int):
        self.ranges = ranges
        self.node = np.arange(count) % len(NODES)
        super().__init__(np.array(NODES)[self.node])

    def choose(self, inputs: StrideInputs) -> np.ndarray:
        self.features = np.nan_to_num(stride_features(inputs, self.ranges))
        return super().choose(inputs)

    def decided(self, due) -> None:
        """Nothing changes."""


class _Exploring:
    """Greedy strides, save that the simulations after the first ``greedy`` have spells of one stride.

    A spell begins with probability ``chance`` per decision outside of spells, is of a stride drawn
    log-uniformly, and goes on with probability ``1 - 1 / SPELL``. What a stride is worth shows only once
    most rows of the window were made by it, so single random strides would teach little. Keeps the
    ``features`` it was shown last, for learning.
    """

    def __init__(self, state: StrideState, ranges, chance: float, explores, rng: np.random.Generator):
        self.learner, self.baseline = state.learner, state.baseline
        self.ranges, self.chance, self.explores, self.rng = ranges, chance, explores, rng
        self.spell = np.zeros(len(explores), int)

    def choose(self, inputs: StrideInputs) -> np.ndarray:
        self.features = np.nan_to_num(stride_features(inputs, self.ranges))
        learner = self.learner
        best = np.asarray(greedy_stride(learner.moments, learner.network, self.features, self.baseline))
        return np.where(self.spell > 0, self.spell, best)

    def decided(self, due) -> None:
        """End and begin spells of the simulations that have just decided, for their next decision."""
        count = len(due)
        drawn = np.floor(np.exp(self.rng.uniform(0.0, np.log(MAX_STRIDE + 1), count))).astype(int)
        ends = due & (self.rng.random(count) < 1.0 / SPELL)
        self.spell = np.where(ends, 0, self.spell)
        begins = due & (self.spell == 0) & self.explores & (self.rng.random(count) < self.chance)
        self.spell = np.where(begins, np.clip(drawn, 1, MAX_STRIDE), self.spell)


class StrideStage:
    """Implements ``runs.Stage``; an iteration starts its own physics, so every iteration is a boundary."""

    name = "stride"
    score_key = "greedy_error_s"
    sync_interval = 1

    def __init__(self, config: StrideConfig):
        self.config = validate(config)
        self.body, self.toy, self.low_level, self._parents = load_foundation(config.body, config.toy, config.low)
        self.iterations = config.iterations
        simulation = batch_on(config.device, self.body, config.simulations, config.threads)
        self.steps = round(config.episode_s / simulation.control_dt_s)
        self.steps_per_iteration = self.steps * config.simulations
        self.hyper = Hyperparameters(
            config.discount, config.learning_rate, config.batch, config.updates, config.target_rate
        )
        agent = ToyPolicyAgent(self.toy, config.toy_steps)
        self.hierarchy = Hierarchy(simulation, self.low_level, agent, strides=None)

        observation = self.body.observation_size(simulation.model)
        self.features = feature_size(observation, self.low_level.ranges, len(self.toy.layout.families))
        self._frozen = trees.digest(self.toy.params)

    # ---- state

    def init(self) -> StrideState:
        """A fresh network and no episodes."""
        config = self.config
        key = random.key(config.seed, "networks")
        return StrideState(
            init_learner(key, self.features, config.hidden, self.hyper),
            empty_episodes(config.replay, self.steps, config.simulations, self.features),
            np.zeros(len(NODES)),
        )

    def begin(self, iteration: int) -> None:
        """Nothing: each iteration resets its physics itself."""

    # ---- one iteration: an episode, then learning

    def iterate(self, state: StrideState, iteration: int):
        """One episode of all simulations on fresh tasks, then ``updates`` gradient steps."""
        config = self.config
        rng = random.generator(config.seed, "episode", iteration)
        if iteration < config.constant:
            chooser = _Constant(self.low_level.ranges, config.simulations)
            tasks = self.training_tasks(iteration)[np.arange(config.simulations) // len(NODES)]
        else:
            explores = np.arange(config.simulations) >= self._greedy_count
            chooser = _Exploring(state, self.low_level.ranges, self._exploration(iteration), explores, rng)
            chooser.decided(explores)
            tasks = self.training_tasks(iteration)
        self.hierarchy.strides = chooser
        episodes, error, metrics = self._collect(state.episodes, iteration, tasks, rng)
        constant_error = state.constant_error
        if iteration < config.constant:
            whole = config.simulations // len(NODES) * len(NODES)
            constant_error = constant_error + error[:whole].reshape(-1, len(NODES)).sum(0)
            greedy = chooser.node == np.argmin(constant_error)
        else:
            greedy = ~chooser.explores
        metrics["greedy_error_s"] = float(error[greedy].mean())
        learner = observe(state.learner, seen(episodes, iteration % config.replay))
        key = random.key(config.seed, "update", iteration)
        learner, learning = learn(key, learner, episodes, self.hyper)
        metrics |= {name: float(value) for name, value in learning.items()}
        state = StrideState(learner, episodes, constant_error)
        return state, metrics | {"baseline": float(state.baseline)}

    def training_tasks(self, iteration: int) -> Tasks:
        """Tasks of one iteration from the body's own distribution, of kinds the toy knows; a stream of their own."""
        key = random.key(self.config.seed, "stride training tasks", iteration)
        tasks = self.body.tasks.only([KINDS[kind] for kind in self.toy.body.reach]).sample(
            key, (self.config.simulations,)
        )
        return Tasks(*map(np.asarray, tasks))

    def _exploration(self, iteration: int) -> float:
        first, last = self.config.first_exploration, self.config.last_exploration
        return first + (last - first) * min(1.0, 2.0 * iteration / self.iterations)

    @property
    def _greedy_count(self) -> int:
        """Simulations that never explore: they show how good the present policy is."""
        return max(1, round(self.config.greedy * self.config.simulations))

    def _collect(self, episodes: Episodes, iteration: int, tasks: Tasks, rng: np.random.Generator):
        """Write one episode over the oldest: (episodes, integrated error of each simulation in s, metrics)."""
        hierarchy = self.hierarchy
        slot = iteration % self.config.replay
        count = self.config.simulations
        start, strides, decisions = np.zeros(count, np.int32), np.zeros(count), 0
        gains, error = Gains(count, self.config.discount), np.zeros(count)
        hierarchy.start(rng)
        for step in range(self.steps):
            due = hierarchy.choose(always=True)
            hierarchy.strides.decided(due)
            episodes.features[slot, step] = hierarchy.strides.features
            start[due] = step
            gains.begin(due)
            strides += due * hierarchy.stride
            decisions += due.sum()
            standing = ~hierarchy.fallen
            hierarchy.advance(lambda state: reward(tasks, state))
            fell = standing & hierarchy.fallen
            gains.earned(hierarchy.reward, fell)
            error -= hierarchy.reward
            episodes.start[slot, step], episodes.gain[slot, step] = start, gains.gain
            episodes.terminal[slot, step], episodes.valid[slot, step] = fell, standing
        hierarchy.choose(always=True)
        episodes.features[slot, self.steps] = hierarchy.strides.features
        filled = np.asarray(min(iteration + 1, self.config.replay), np.int32)
        error *= hierarchy.simulation.control_dt_s
        metrics = {
            "error_s": float(error.mean()),
            "mean_stride": float(strides.sum() / decisions),
            "falls": float(hierarchy.fallen.sum()),
        }
        return episodes._replace(count=filled), error, metrics

    # ---- result

    def parents(self) -> list[dict]:
        """The frozen toy agent, the low-level policy, and the files of a robot of a user's own."""
        return self._parents

    def export(self, state: StrideState, folder: Path, provenance: dict) -> None:
        """Write the stride policy as a model folder. Raises RunError if the toy agent in memory changed."""
        if trees.digest(self.toy.params) != self._frozen:
            raise RunError("the frozen toy agent changed during training; nothing was exported")
        learner = jax.device_get(state.learner)
        ranges = self.low_level.ranges
        learned = LearnedStride(self.body.id, ranges, learner.moments, learner.network, state.baseline)
        learned.save(folder, config=to_dict(self.config), metrics={}, provenance=provenance)
