"""Benchmark protocols as values: which tasks, how long an episode lasts, and how it is rewarded.

``standard`` is our own: the goals and velocities of a body under ``tasks.reward``. ``cheetah-vel`` and ``cheetah-dir``
are those of the meta-RL literature (Rakelly et al. 2019, PEARL; Zintgraf et al. 2020, VariBAD): 200 control steps of
0.05 s on the half-cheetah, rewarded by the speed over ground of each step less 0.05 |a|^2. So that published returns
can stand beside ours they keep their own forms of reward, which are defined here and nowhere else.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from reinfer.tasks.distribution import TaskDistribution, Tasks, make_tasks
from reinfer.tasks.families import CHANNELS
from reinfer.tasks.rewards import reward as reward_of_state

#: Length of an episode, simulated seconds, in all protocols.
EPISODE_S = 10.0

#: Weight of the squared action in the benchmarks.
CONTROL_COST = 0.05

#: Of standard tasks: an error three times the target. Rewards of small targets have no bound.
WORST_REWARD = -3.0

#: The benchmark tasks that PEARL drew: highest speed (m/s), how many in all and for evaluation, and the seed.
_HIGHEST_SPEED_MPS, _SPEEDS, _EVALUATED, _PUBLISHED_SEED = 3.0, 130, 30, 1337

#: The grid split of standard tasks is the same for every seed of training.
_SPLIT_SEED = 0

_SPEED_ERROR = "|v - g| + 0.05 |a|^2, m/s"

_X = CHANNELS.index("x")


@dataclass(frozen=True, slots=True)
class Step:
    """A control step of N simulations: ``state``, ``next_state`` (N, 6), ``action`` (N, A) in [-1, 1], ``dt_s``."""

    state: np.ndarray
    action: np.ndarray
    next_state: np.ndarray
    dt_s: float

    @property
    def speed_mps(self) -> np.ndarray:
        """Speed over ground, distance over time, (N,)."""
        return (self.next_state[..., _X] - self.state[..., _X]) / self.dt_s

    @property
    def control_cost(self) -> np.ndarray:
        """0.05 |a|^2, (N,)."""
        return CONTROL_COST * np.square(self.action).sum(-1)


@dataclass(frozen=True, slots=True)
class Protocol:
    """A benchmark.

    Args:
        name: as the command line knows it.
        train, held_out: tasks to learn from and to be judged by.
        reward: of tasks (N,) and a step of N simulations, (N,).
        channels: of the task-space state, shown to an agent beside the body's own observation (which has no x).
        falls: whether a fall ends what a body can do; where not, it may go on lying on its back.
        body: the only robot it is defined on, or None.
        worst_reward: what agents are shown of rewards, and learn from, is not below this; what is counted may be.
        error: what a reward falls short of zero by, in words; None where rewards are no errors.
    """

    name: str
    train: Tasks
    held_out: Tasks
    reward: Callable[[Tasks, Step], np.ndarray]
    channels: tuple[str, ...] = ()
    falls: bool = False
    body: str | None = None
    worst_reward: float = -np.inf
    error: str | None = None

    def steps(self, control_dt_s: float) -> int:
        """Control steps of an episode."""
        return round(EPISODE_S / control_dt_s)

    def shown(self, state) -> np.ndarray:
        """Columns (N, C) of task-space states (N, 6) that an agent is shown, in SI units."""
        return state[..., [CHANNELS.index(channel) for channel in self.channels]]


def speed_reward(tasks: Tasks, step: Step) -> np.ndarray:
    """Cheetah-Vel: -|v - g| - 0.05 |a|^2, (N,)."""
    return -np.abs(step.speed_mps - tasks.target) - step.control_cost


def direction_reward(tasks: Tasks, step: Step) -> np.ndarray:
    """Cheetah-Dir: v times the sign of the target, less 0.05 |a|^2, (N,)."""
    return np.sign(tasks.target) * step.speed_mps - step.control_cost


def standard_reward(tasks: Tasks, step: Step) -> np.ndarray:
    """The one reward of ours, (N,)."""
    return reward_of_state(tasks, step.next_state)


def _cheetah_vel(_) -> Protocol:
    """PEARL's 130 speeds, uniform in 0 to 3 m/s: 100 to train on, 30 to be judged by."""
    speeds = np.random.RandomState(_PUBLISHED_SEED).uniform(0.0, _HIGHEST_SPEED_MPS, _SPEEDS)
    tasks = make_tasks([("velocity_forward", speed) for speed in speeds])
    return Protocol(
        "cheetah-vel", tasks[:-_EVALUATED], tasks[-_EVALUATED:], speed_reward, body="half_cheetah", error=_SPEED_ERROR
    )


def _cheetah_dir(_) -> Protocol:
    """Forwards or backwards; as published, the same two tasks for training and evaluation.

    As tasks of ours these are the highest speeds of Cheetah-Vel, since the faster the better.
    """
    tasks = make_tasks([("velocity_forward", _HIGHEST_SPEED_MPS), ("velocity_backward", -_HIGHEST_SPEED_MPS)])
    return Protocol("cheetah-dir", tasks, tasks, direction_reward, body="half_cheetah")


def _standard(distribution: TaskDistribution) -> Protocol:
    """Goals and velocities of a body, 20 of each family to train on and 10 held out."""
    train, held_out = distribution.only(("goal", "velocity")).grid_split(_SPLIT_SEED)
    return Protocol(
        "standard",
        train,
        held_out,
        standard_reward,
        channels=("x",),
        falls=True,
        worst_reward=WORST_REWARD,
        error="|error| / |target|",
    )


#: Maker of each protocol, from the tasks of a body.
PROTOCOLS: dict[str, Callable[[TaskDistribution], Protocol]] = {
    "standard": _standard,
    "cheetah-vel": _cheetah_vel,
    "cheetah-dir": _cheetah_dir,
}


def protocol(name: str, body: str, distribution: TaskDistribution) -> Protocol:
    """The protocol called ``name`` on the robot ``body`` with tasks ``distribution``.

    Raises ValueError where there is none of that name, or it is defined on another robot.
    """
    if name not in PROTOCOLS:
        raise ValueError(f"tasks: {name!r} is not known; allowed: {', '.join(PROTOCOLS)}")
    found = PROTOCOLS[name](distribution)
    if found.body not in (None, body):
        raise ValueError(f"tasks: {name!r} is not defined on {body}; body must be {found.body}")
    return found
