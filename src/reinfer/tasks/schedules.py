"""Tasks that change while an agent is at them: a schedule is a value, as a task is."""

from typing import NamedTuple

import numpy as np

from reinfer.tasks.distribution import Tasks
from reinfer.tasks.families import CHANNELS

_X = CHANNELS.index("x")


class Schedule(NamedTuple):
    """The tasks of N episodes in their order, P each, and when one gives way to the next: whichever comes first.

    ``tasks`` leaves (P, N); ``steps`` (P, N): for how many steps each lasts at most; ``probability``: chance per step
    that it ends; ``beyond_m``: it ends once |x| is at least so much. The last task of an episode stays.
    """

    tasks: Tasks
    steps: np.ndarray
    probability: float = 0.0
    beyond_m: float = np.inf

    @property
    def phases(self) -> int:
        """Number P of tasks per episode."""
        return self.steps.shape[0]

    def at(self, phase) -> Tasks:
        """The tasks (N,) in force where episodes are in their ``phase`` (N,); NumPy or JAX."""
        return Tasks(*(_pick(leaf, phase) for leaf in self.tasks))

    def advance(self, phase, age, state, uniform):
        """The phase and its age, both (N,), after one more step.

        Args:
            phase, age: before it (N,); ``age`` counts the steps for which a task has lasted.
            state: task-space states (N, 6) reached.
            uniform: draws from [0, 1), (N,).
        """
        xp = state.__array_namespace__()
        age = age + 1
        over = (age >= _pick(self.steps, phase)) | (uniform < self.probability)
        over = (over | (xp.abs(state[..., _X]) >= self.beyond_m)) & (phase < self.phases - 1)
        return xp.where(over, phase + 1, phase), xp.where(over, 0, age)


def make_schedule(tasks: Tasks, steps, probability: float = 0.0, beyond_m: float = np.inf) -> Schedule:
    """A checked ``Schedule``; ``steps`` may be one number for all. Raises ValueError naming what does not fit."""
    shape = np.shape(tasks.family)
    if len(shape) != 2 or np.shape(tasks.target) != shape:
        raise ValueError(f"tasks: leaves of shape {shape} and {np.shape(tasks.target)} must be alike, (phases, N)")
    steps = np.broadcast_to(np.asarray(steps, np.int32), shape)
    if (steps < 1).any():
        raise ValueError(f"steps: {steps.min()} is not allowed; a task must last at least 1")
    if not 0.0 <= probability <= 1.0:
        raise ValueError(f"probability: {probability} is not allowed; it must be between 0 and 1")
    if not beyond_m > 0.0:
        raise ValueError(f"beyond_m: {beyond_m} is not allowed; it must be above 0")
    return Schedule(tasks, steps, probability, beyond_m)


def _pick(leaf, phase):
    """Entries (N,) of ``leaf`` (P, N) at ``phase`` (N,)."""
    xp = phase.__array_namespace__()
    return xp.take_along_axis(xp.asarray(leaf), phase[None], axis=0)[0]
