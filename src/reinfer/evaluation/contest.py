"""The contest: which tasks, for how long, and what is measured of each episode.

Time is simulated seconds throughout. Position errors are in metres, those of stands in rad. Speeds are windowed,
distance over time, since a gait makes the instantaneous speed of any runner swing; velocity errors are in m/s, or
relative to the target where so named. Jumps are measured by the highest |vz| of the last second, likewise in m/s or
relative (``evaluation.jumps`` tells why).
"""

from typing import NamedTuple

import numpy as np

from reinfer.bodies import Body
from reinfer.evaluation.jumps import recent_peak
from reinfer.runs import random
from reinfer.tasks import CHANNELS, FAMILIES, GOAL, JUMP, STAND, VELOCITY, Tasks, make_tasks
from reinfer.tasks.families import FAMILY_KIND
from reinfer.transfer.record import RolloutRecord

#: Length of an episode, and moments at which errors are noted.
EPISODE_S = 24.0
MOMENTS_S = (1, 2, 5, 10, 24)

#: Share of the episode, at its end, over which settling is judged.
TAIL = 0.25

#: A task counts as settled if the tail's mean distance is at most this many metres, the tail's mean speed at most this
#: far from the target, relative to it, the mean pitch within so many rad, the mean peak of |vz| within this share.
SETTLED_M, SETTLED_RELATIVE, SETTLED_RAD, SETTLED_PEAK = 0.25, 0.10, 0.10, 0.15

#: Window for speeds at a moment, seconds.
SPEED_WINDOW_S = 1.0

#: Numbers of context rows at which beliefs are judged.
ROWS = (1, 2, 5, 10, 32)

#: Standard targets as fractions of the body's range, as published.
_FRACTIONS = {"goal": (0.9, 0.5, 0.3), "velocity": (0.9, 0.5, 0.1)}

#: Held-out tasks, of goals and velocities and of all families: how many, and the seed of the only streams they come
#: from.
HELDOUT_COUNT, MULTI_COUNT, _HELDOUT_SEED = 120, 140, 0

_X, _PITCH, _VX, _VZ = (CHANNELS.index(name) for name in ("x", "pitch", "vx", "vz"))


class Scores(NamedTuple):
    """Measures of one record, leaves (K,) per task unless said otherwise.

    ``settled_error``: m, m/s of the windowed speed or of the peak, or rad, over the tail; ``relative_error``: the same
    over |target|; ``settled`` bool; ``settling_time_s``: since when the error has stayed within the tolerance,
    infinite unless all through the tail; ``integrated_error_s``: integral of |error| / |target| dt,
    instantaneous, as rewarded; ``overshoot_m``: how far beyond a goal, 0 for speeds; ``fallen`` bool;
    ``error_at`` (K, moments), NaN where an episode is shorter; ``jump_ratio``: mean |vz| of the tail over the
    target, NaN unless that is a jump; ``instantaneous_error``, ``instantaneous_rms``: of vx against a target velocity
    at every control step of the tail, m/s, mean of |.| and root mean square, NaN for other tasks;
    ``mean_stride`` in control steps; ``right_class``, ``target_error`` (K, rows):
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
    jump_ratio: np.ndarray
    instantaneous_error: np.ndarray
    instantaneous_rms: np.ndarray
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


def multi_tasks(body: Body, count: int = MULTI_COUNT) -> Tasks:
    """``count`` random tasks of every family of the body; no training draws from their stream."""
    key = random.key(_HELDOUT_SEED, "contest tasks of all families")
    return Tasks(*map(np.asarray, body.tasks.sample(key, (count,))))


#: Task sets by the name that the command line knows, and which of them are random draws.
TASK_SETS = {"standard": standard_tasks, "heldout": heldout_tasks, "multi": multi_tasks}
RANDOM_SETS = ("heldout", "multi")


def is_goal(tasks: Tasks) -> np.ndarray:
    """Which tasks are positions to reach, (K,) bool."""
    return is_kind(tasks, GOAL)


def is_kind(tasks: Tasks, kind: int) -> np.ndarray:
    """Which tasks are of one kind (index into ``tasks.KINDS``), (K,) bool."""
    return FAMILY_KIND[tasks.family] == kind


def windowed_speed(record: RolloutRecord, window_s: float = SPEED_WINDOW_S) -> np.ndarray:
    """Mean velocity over the ``window_s`` before each state (less at the start; 0 at first), (T+1, K)."""
    x = record.task_state[..., _X]
    window = round(window_s / record.control_dt_s)
    end = np.arange(len(x))
    start = np.maximum(end - window, 0)
    return (x - x[start]) / (np.maximum(end - start, 1) * record.control_dt_s)[:, None]


def tracking_error(record: RolloutRecord) -> np.ndarray:
    """|value - target| before every control step and at the end, (T+1, K): of x in m, of the windowed speed or the
    recent peak of |vz| in m/s, or of pitch in rad."""
    state = record.task_state
    values = {
        GOAL: state[..., _X],
        VELOCITY: windowed_speed(record),
        STAND: state[..., _PITCH],
        JUMP: recent_peak(state[..., _VZ], record.control_dt_s),
    }
    return np.abs(_by_kind(record.tasks, values) - record.tasks.target)


def _by_kind(tasks: Tasks, values: dict) -> np.ndarray:
    """Of ``values``, by kind and broadcastable to (..., K), the one of each task's kind."""
    return np.select([is_kind(tasks, kind) for kind in values], list(values.values()))


def measure(record: RolloutRecord) -> Scores:
    """All measures of one episode of every task."""
    tasks, dt = record.tasks, record.control_dt_s
    goal, size = is_goal(tasks), np.abs(tasks.target)
    x, error = record.task_state[..., _X], tracking_error(record)
    tail = round(TAIL * record.steps)
    tail_speed = (x[-1] - x[-1 - tail]) / (tail * dt)
    velocity = is_kind(tasks, VELOCITY)
    settled_error = np.where(velocity, np.abs(tail_speed - tasks.target), error[-tail:].mean(0))
    tolerances = {GOAL: SETTLED_M, VELOCITY: SETTLED_RELATIVE * size, STAND: SETTLED_RAD, JUMP: SETTLED_PEAK * size}
    tolerance = _by_kind(tasks, tolerances)
    mean_jump = np.abs(record.task_state[-tail:, :, _VZ]).mean(0)
    swing = record.task_state[-tail:, :, _VX] - np.where(velocity, tasks.target, np.nan)
    moments = np.minimum(np.rint(np.array(MOMENTS_S) / dt).astype(int), record.steps)
    decisions = record.is_decision.sum(0)
    lived = (~record.fallen[:-1]).sum(0)
    beliefs = [_belief_at(record, rows) for rows in ROWS]
    return Scores(
        settled_error=settled_error,
        relative_error=settled_error / size,
        settled=(settled_error <= tolerance) & ~record.fallen[-1],
        settling_time_s=np.where(record.fallen[-1], np.inf, _settling_time(error <= tolerance, dt, tail)),
        integrated_error_s=-record.reward.sum(0) * dt,
        overshoot_m=np.where(goal, np.maximum((x * np.sign(tasks.target)).max(0) - size, 0.0), 0.0),
        fallen=record.fallen[-1],
        error_at=np.where(np.array(MOMENTS_S) <= record.steps * dt + 1e-9, error[moments].T, np.nan),
        jump_ratio=np.where(is_kind(tasks, JUMP), mean_jump / size, np.nan),
        instantaneous_error=np.abs(swing).mean(0),
        instantaneous_rms=np.sqrt(np.square(swing).mean(0)),
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
