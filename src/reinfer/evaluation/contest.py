"""The contest: which tasks, for how long, and what is measured of each episode.

Time is simulated seconds throughout. Position errors are in metres. Speeds are windowed, distance over time,
since a gait makes the instantaneous speed of any runner swing; velocity errors are in m/s, or relative to
the target where so named.
"""

from typing import NamedTuple

import numpy as np

from reinfer.bodies import Body
from reinfer.runs import random
from reinfer.tasks import FAMILIES, GOAL, Tasks, make_tasks
from reinfer.tasks.families import FAMILY_KIND
from reinfer.transfer.record import RolloutRecord

#: Length of an episode, and moments at which errors are noted.
EPISODE_S = 24.0
MOMENTS_S = (1, 2, 5, 10, 24)

#: Share of the episode, at its end, over which settling is judged.
TAIL = 0.25

#: A task counts as settled if the tail's mean distance is at most this many metres, or the tail's mean speed
#: is at most this far from the target, relative to it.
SETTLED_M, SETTLED_RELATIVE = 0.25, 0.10

#: Window for speeds at a moment, seconds.
SPEED_WINDOW_S = 1.0

#: Numbers of context rows at which beliefs are judged.
ROWS = (1, 2, 5, 10, 32)

#: Standard targets as fractions of the body's range, as published.
_FRACTIONS = {"goal": (0.9, 0.5, 0.3), "velocity": (0.9, 0.5, 0.1)}

#: Held-out tasks: how many, and the seed of the only stream they come from.
HELDOUT_COUNT, _HELDOUT_SEED = 120, 0


class Scores(NamedTuple):
    """Measures of one record, leaves (K,) per task unless said otherwise.

    ``settled_error``: m, or m/s of the windowed speed, over the tail; ``relative_error``: the same over
    |target|; ``settled`` bool; ``settling_time_s``: since when the error has stayed within the tolerance,
    infinite unless all through the tail; ``integrated_error_s``: integral of |error| / |target| dt,
    instantaneous, as rewarded; ``overshoot_m``: how far beyond a goal, 0 for speeds; ``fallen`` bool;
    ``error_at`` (K, moments); ``mean_stride`` in control steps; ``right_class``, ``target_error`` (K, rows):
    of the belief with that many context rows, NaN where an episode had fewer.
    """

    settled_error: np.ndarray
    relative_error: np.ndarray
    settled: np.ndarray
    settling_time_s: np.ndarray
    integrated_error_s: np.ndarray
    overshoot_m: np.ndarray
    fallen: np.ndarray
    error_at: np.ndarray
    mean_stride: np.ndarray
    right_class: np.ndarray
    target_error: np.ndarray


def standard_tasks(body: Body) -> Tasks:
    """Twelve tasks: three sizes of goal and of velocity, either way; +-9.02 m, ... on the half-cheetah."""
    pairs = []
    for name, low, high in body.tasks.only(tuple(_FRACTIONS)).ranges:
        family = next(family for family in FAMILIES if family.name == name)
        for fraction in _FRACTIONS[family.kind]:
            pairs.append((name, family.sign * (low + fraction * (high - low))))
    return make_tasks(pairs)


def heldout_tasks(body: Body, count: int = HELDOUT_COUNT) -> Tasks:
    """``count`` random goals and velocities over the body's ranges; no training draws from their stream."""
    key = random.key(_HELDOUT_SEED, "contest held-out tasks")
    return Tasks(*map(np.asarray, body.tasks.only(tuple(_FRACTIONS)).sample(key, (count,))))


#: Task sets by the name that the command line knows.
TASK_SETS = {"standard": standard_tasks, "heldout": heldout_tasks}


def is_goal(tasks: Tasks) -> np.ndarray:
    """Which tasks are positions to reach, (K,) bool; the others are speeds to keep."""
    return FAMILY_KIND[tasks.family] == GOAL


def windowed_speed(record: RolloutRecord, window_s: float = SPEED_WINDOW_S) -> np.ndarray:
    """Mean velocity over the ``window_s`` before each state (less at the start; 0 at first), (T+1, K)."""
    x = record.task_state[..., 0]
    window = round(window_s / record.control_dt_s)
    end = np.arange(len(x))
    start = np.maximum(end - window, 0)
    return (x - x[start]) / (np.maximum(end - start, 1) * record.control_dt_s)[:, None]


def tracking_error(record: RolloutRecord) -> np.ndarray:
    """|x - target| in m, or |windowed speed - target| in m/s, before every control step and at the end:
    (T+1, K)."""
    value = np.where(is_goal(record.tasks), record.task_state[..., 0], windowed_speed(record))
    return np.abs(value - record.tasks.target)


def measure(record: RolloutRecord) -> Scores:
    """All measures of one episode of every task."""
    tasks, dt = record.tasks, record.control_dt_s
    goal, size = is_goal(tasks), np.abs(tasks.target)
    x, error = record.task_state[..., 0], tracking_error(record)
    tail = round(TAIL * record.steps)
    tail_speed = (x[-1] - x[-1 - tail]) / (tail * dt)
    settled_error = np.where(goal, error[-tail:].mean(0), np.abs(tail_speed - tasks.target))
    tolerance = np.where(goal, SETTLED_M, SETTLED_RELATIVE * size)
    moments = np.minimum(np.rint(np.array(MOMENTS_S) / dt).astype(int), record.steps)
    decisions = record.is_decision.sum(0)
    lived = (~record.fallen[:-1]).sum(0)
    beliefs = [_belief_at(record, rows) for rows in ROWS]
    return Scores(
        settled_error=settled_error,
        relative_error=settled_error / size,
        settled=(settled_error <= tolerance) & ~record.fallen[-1],
        settling_time_s=_settling_time(error <= tolerance, dt, tail),
        integrated_error_s=-record.reward.sum(0) * dt,
        overshoot_m=np.where(goal, np.maximum((x * np.sign(tasks.target)).max(0) - size, 0.0), 0.0),
        fallen=record.fallen[-1],
        error_at=error[moments].T,
        mean_stride=lived / np.maximum(decisions, 1),
        right_class=np.stack([right for right, _ in beliefs], axis=-1),
        target_error=np.stack([error for _, error in beliefs], axis=-1),
    )


def _settling_time(within, dt, tail: int) -> np.ndarray:
    """Time of the first of the states that are all ``within`` (T+1, K) up to the end, at least ``tail`` of
    them; infinite if there are none."""
    kept = np.logical_and.accumulate(within[::-1], axis=0).sum(0)
    return np.where(kept >= tail, (len(within) - kept) * dt, np.inf)


def _belief_at(record: RolloutRecord, rows: int):
    """Of the decision with ``rows`` rows of context: whether its family is right, relative target error."""
    here = record.is_decision & (record.rows == rows)
    step, reached = here.argmax(0), here.any(0)
    task = np.arange(record.simulations)
    family = record.family_probability[step, task].argmax(-1)
    error = np.abs(record.target_estimate[step, task] - record.tasks.target) / np.abs(record.tasks.target)
    return (
        np.where(reached, family == record.tasks.family, np.nan),
        np.where(reached, error, np.nan),
    )
