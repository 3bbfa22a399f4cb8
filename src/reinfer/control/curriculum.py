"""What makes commands learnable that cost a fall at first: slow before fast, and starts in the middle of a run.

A body that stands at rest meets a dilemma: the first attempts to run end in falls, which cost all later reward, so
that standing still is a local optimum. Speeds that grow keep the next gait close to the last one; bodies that
already move at a reset must either learn to keep going or to brake; commands under which they fall come more often.
All functions take NumPy and JAX arrays; ``rng`` is a NumPy generator, or ``runs.random.Draws`` of a JAX key.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from reinfer.bodies import CommandRange
from reinfer.control.commands import Commands, largest_target
from reinfer.tasks import GOAL, STAND, VELOCITY

#: Share of the largest speed that is asked for at the start of a ramp.
FIRST_SHARE = 0.25

#: How far goals may be, in units of the largest distance that a policy can see.
FARTHEST = 6.0

#: Into how many bins speeds are sorted, either way; upper edges of those of distances of goals, as shares of the
#: largest that a policy can see; what is kept of counts from one iteration to the next; and the steps and falls that
#: are taken for granted.
SPEED_BINS, GOAL_EDGES, KEPT, PRIOR_STEPS, PRIOR_FALLS = 6, (1.0 / 3.0, 1.0, FARTHEST), 0.98, 500.0, 0.5
_GOAL_BINS = len(GOAL_EDGES)

#: Random pushes per second while learning, where there are any.
PUSH_HZ = 0.5

#: Kinds of command that are practised, each with the first of its bins and how many it has either way.
PRACTISED = {VELOCITY: (0, SPEED_BINS), GOAL: (2 * SPEED_BINS, _GOAL_BINS)}
BINS = 2 * (SPEED_BINS + _GOAL_BINS)


class Practice(NamedTuple):
    """What came of commands, recent iterations counting most: ``steps`` and ``falls`` (BINS,): speeds, then goals,
    either with backward ones first, small ones first."""

    steps: np.ndarray
    falls: np.ndarray


def no_practice() -> Practice:
    """Nothing tried yet."""
    return Practice(np.zeros(BINS), np.zeros(BINS))


def command_bin(kind, relative, ranges: CommandRange) -> np.ndarray:
    """Bins (N,) of commands of ``kind`` (N,): speeds in m/s, goals ``relative`` (N,) to where the body was, in m. Other
    kinds have -1."""
    xp = relative.__array_namespace__()
    found = xp.full(len(kind), -1)
    for known, (first, count) in PRACTISED.items():
        share = xp.abs(relative) / largest_target(known, ranges)
        size = xp.searchsorted(xp.asarray(_upper_edges(known)[:-1]), share, side="right")
        found = xp.where(kind == known, first + xp.where(relative > 0, count, 0) + size, found)
    return found


def practised(practice: Practice, tried: Practice) -> Practice:
    """``practice`` after an iteration in which ``tried`` was counted."""
    return Practice(*(KEPT * old + new for old, new in zip(practice, tried, strict=True)))


def hard_targets(rng, practice: Practice, kind: int, count: int, ranges: CommandRange, highest: float) -> np.ndarray:
    """Speeds, or goals relative to the body, (count,), bins of ``kind`` drawn in proportion to the falls per step.

    Args:
        ranges: commands of the whole run, which bins divide.
        highest: limits speeds, m/s. Those that a body cannot do at all must not use up all practice.
    """
    first, bins = PRACTISED[kind]
    here = slice(first, first + 2 * bins)
    rate = (practice.falls[here] + PRIOR_FALLS) / (practice.steps[here] + PRIOR_STEPS)
    drawn = rng.choice(2 * bins, count, p=rate / rate.sum())
    xp, upper = drawn.__array_namespace__(), _upper_edges(kind)
    low, high = (xp.asarray(edges)[drawn % bins] for edges in (np.concatenate([[0.0], upper[:-1]]), upper))
    size = (low + (high - low) * rng.random(count)) * largest_target(kind, ranges)
    if kind == VELOCITY:
        size = xp.minimum(size, highest)
    return xp.where(drawn < bins, -1.0, 1.0) * size


def _upper_edges(kind: int) -> np.ndarray:
    """Of the bins of ``kind``, as shares of the largest target."""
    return np.array(GOAL_EDGES) if kind == GOAL else np.arange(1, SPEED_BINS + 1) / SPEED_BINS


def ramped(ranges: CommandRange, progress: float, ramp: float) -> CommandRange:
    """``ranges`` with the largest speed asked for after ``progress`` of a run, in [0, 1].

    It grows linearly from ``FIRST_SHARE`` of the whole to the whole at ``progress == ramp``; with ``ramp`` 0 it is
    the whole all along.
    """
    if progress >= ramp:
        return ranges
    low, high = ranges.speed_mps
    share = FIRST_SHARE + (1.0 - FIRST_SHARE) * progress / ramp
    return replace(ranges, speed_mps=(min(low, share * high), share * high))


def starting_pitch(rng, commands: Commands, share: float):
    """Which bodies (N,) begin at a pitch, a ``share`` of those that shall hold one, and at which (N,), rad: near it,
    since none that must first get there learns how to stay."""
    count = len(commands.target)
    xp = commands.target.__array_namespace__()
    posed = (rng.random(count) < share) & (commands.kind == STAND)
    near = commands.target + 0.2 * rng.standard_normal(count)
    return posed, xp.clip(near, -np.pi / 2, np.pi / 2)


def starting_speed(rng, commands: Commands, ranges: CommandRange, share: float) -> np.ndarray:
    """Speeds (m/s) to be added to bodies at rest, shape (N,): a ``share`` of them moves, the others get zero.

    Under a velocity command they move at half of what is commanded to half as fast again: a gait that has run away
    must be caught, too. Under others they move at up to 0.6 of the largest speed, either way.
    """
    count, limit = len(commands.target), 0.6 * ranges.speed_mps[1]
    xp = commands.target.__array_namespace__()
    commanded = commands.target * rng.uniform(0.5, 1.5, count)
    any_speed = rng.uniform(-limit, limit, count)
    moving = xp.where(commands.kind == VELOCITY, commanded, any_speed)
    return xp.where(rng.random(count) < share, moving, 0.0)


def random_pushes(rng, count: int, std_mps: float, dt_s: float) -> np.ndarray:
    """Speeds (m/s) to be added before a control step of ``dt_s``, shape (count,), mostly zero: a gait at its limits
    stumbles once in a while, and what never stumbles never learns to catch itself."""
    due = rng.random(count) < PUSH_HZ * dt_s
    return due.__array_namespace__().where(due, std_mps * rng.standard_normal(count), 0.0)
