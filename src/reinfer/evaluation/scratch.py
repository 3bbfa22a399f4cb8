"""How good agents are under a benchmark protocol: few-shot curves over the episodes of a trial."""

from dataclasses import dataclass, field

import numpy as np

from reinfer.bodies import Body
from reinfer.evaluation.contest import TAIL
from reinfer.evaluation.statistics import describe
from reinfer.inference.adaptive.agent import ScratchAgent
from reinfer.runs import random
from reinfer.simulation import BatchSimulation
from reinfer.simulation.tasks import TaskSimulation
from reinfer.tasks import FAMILY_NAMES, Tasks, controlled_value
from reinfer.tasks.protocols import Protocol
from reinfer.transfer.trials import Episode, play_reused, play_trials

#: Steps at the end of an episode over which AMAGO's benchmark takes the error of the speed.
FINAL_STEPS = 50

#: Control steps that a point of a few-shot curve is averaged over.
FEW_SHOT_STEPS = 10


@dataclass(slots=True)
class Bench:
    """One robot under one protocol, at its held-out tasks; starts depend on ``seed`` only.

    Args:
        episodes: of a trial; agents that know only shorter ones play fewer.
        threads: physics threads; 0 uses every core.
    """

    body: Body
    protocol: Protocol
    episodes: int = 3
    seed: int = 0
    threads: int = 0
    _simulations: dict = field(default_factory=dict)

    @property
    def tasks(self) -> Tasks:
        """What agents are judged by, (K,)."""
        return self.protocol.held_out

    def measured(self, trial: list[Episode]) -> "Measured":
        """Measures of a trial under this protocol."""
        return Measured(trial, shortfall=self.protocol.error is None)

    def _rng(self) -> np.random.Generator:
        return random.generator(self.seed, "trial starts")

    def play(self, agent: ScratchAgent) -> list[Episode]:
        """A trial of every task by an agent trained on the robot."""
        if "tasks" not in self._simulations:
            self._simulations["tasks"] = TaskSimulation(self.body, self.protocol, self.tasks.count, self.threads)
        key = random.key(self.seed, "trial draws")
        return play_trials(agent, self._simulations["tasks"], self.tasks, self.episodes, self._rng(), key)

    def play_reused(self, agent, strides, low_level) -> list[Episode]:
        """The same by an agent (``transfer.agents``) above a low level."""
        if "batch" not in self._simulations:
            self._simulations["batch"] = BatchSimulation(self.body, self.tasks.count, self.threads)
        simulation = self._simulations["batch"]
        rng = self._rng()
        return play_reused(agent, strides, low_level, simulation, self.protocol, self.tasks, self.episodes, rng)


class Measured:
    """Measures of one trial of K tasks, by episode: (E, K) each where nothing else is said.

    ``rewards`` (E, T, K) by control step; ``returns``; ``error``: mean distance of the controlled value from its target
    over the last quarter (m, m/s of the speed over ground, rad); ``final_error``: the same over the last 50 steps,
    instantaneous; ``fallen``; ``uncertainty`` (E, T, K), width of the belief before each control step, or None.

    Args:
        shortfall: whether errors are what is lacking to the target, below zero beyond it: where faster is better.
    """

    def __init__(self, trial: list[Episode], shortfall: bool = False):
        self.tasks = trial[0].record.tasks
        self.rewards = np.stack([episode.reward for episode in trial])
        self.returns = np.stack([episode.returns for episode in trial])
        values = [controlled_value(self.tasks.family, episode.record.task_state) for episode in trial]
        target = self.tasks.target
        errors = [np.sign(target) * (target - v) if shortfall else np.abs(v - target) for v in values]
        tail = max(1, round(TAIL * len(trial[0].reward)))
        self.error = np.stack([error[-tail:].mean(0) for error in errors])
        self.final_error = np.stack([error[-FINAL_STEPS:].mean(0) for error in errors])
        self.fallen = np.stack([episode.record.fallen[-1] for episode in trial])
        widths = [episode.uncertainty for episode in trial]
        self.uncertainty = None if widths[0] is None else np.stack(widths)


def summarise_trials(trials: list[Measured]) -> dict:
    """Plain numbers over S seeds x K tasks; the keys are told in ``cli.eval_scratch``."""
    tasks = trials[0].tasks
    returns = np.stack([trial.returns for trial in trials])
    error = np.stack([trial.error for trial in trials])
    final = np.stack([trial.final_error for trial in trials])
    fallen = np.stack([trial.fallen for trial in trials])
    families = np.unique(tasks.family)
    certain = [trial.uncertainty for trial in trials if trial.uncertainty is not None]
    return {
        "return_mean": float(returns[:, -1].mean()),
        "return_by_episode": _by_episode(returns),
        "return": describe(returns[:, -1], tasks.family, seed=0, resample_tasks=True),
        "return_by_family": {FAMILY_NAMES[f]: float(returns[:, -1, tasks.family == f].mean()) for f in families},
        "error_by_episode": {
            FAMILY_NAMES[f]: [float(v) for v in error[:, :, tasks.family == f].mean((0, 2))] for f in families
        },
        "final_error_by_family": {FAMILY_NAMES[f]: float(final[:, -1, tasks.family == f].mean()) for f in families},
        "belief_by_episode": _by_episode(np.stack(certain)[:, :, 0]) if certain else None,
        "few_shot": few_shot(trials),
        "fall_rate": float(fallen.mean()),
        "by_task": [
            {
                "family": FAMILY_NAMES[int(tasks.family[k])],
                "target": float(tasks.target[k]),
                "return_by_episode": [float(v) for v in returns[:, :, k].mean(0)],
                "error": float(error[:, -1, k].mean()),
            }
            for k in range(tasks.count)
        ],
    }


def few_shot(trials: list[Measured]) -> dict:
    """Curves through a trial, means over seeds and tasks: ``steps``, control steps there were before, ``reward`` per
    control step of the next ``FEW_SHOT_STEPS``, and ``belief`` before them, relative to the start, or None.

    Episodes of a trial follow one another.
    """
    rewards, widths = np.stack([t.rewards for t in trials]).mean((0, 3)), [t.uncertainty for t in trials]
    length = rewards.shape[1]
    starts = np.arange(0, length, FEW_SHOT_STEPS)
    spans = np.diff(np.append(starts, length))
    belief = None
    if widths[0] is not None:
        width = np.stack(widths).mean((0, 3))
        belief = [float(value) for value in (width[:, starts] / width[0, 0]).ravel()]
    return {
        "steps": [int(step) for step in (np.arange(len(rewards))[:, None] * length + starts).ravel()],
        "reward": [float(value) for value in (np.add.reduceat(rewards, starts, axis=1) / spans).ravel()],
        "belief": belief,
    }


def _by_episode(values) -> list[float]:
    """Means over seeds and tasks of (S, E, K)."""
    return [float(value) for value in values.mean((0, 2))]
