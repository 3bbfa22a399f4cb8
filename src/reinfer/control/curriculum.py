"""What makes commands learnable that cost a fall at first: slow before fast, and starts in the middle of a run.

A body that stands at rest meets a dilemma: the first attempts to run end in falls, which cost all later reward, so
that standing still is a local optimum. Speeds that grow keep the next gait close to the last one; bodies that
already move at a reset must either learn to keep going or to brake; speeds at which they fall are asked for more often.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from reinfer.bodies import CommandRange
from reinfer.control.commands import Commands
from reinfer.tasks import VELOCITY

#: Share of the largest speed that is asked for at the start of a ramp.
FIRST_SHARE = 0.25

#: Into how many bins speeds are sorted, either way; what is kept of their counts from one iteration to the next; and
#: the steps and falls that are taken for granted.
SPEED_BINS, KEPT, PRIOR_STEPS, PRIOR_FALLS = 6, 0.98, 500.0, 0.5


class Practice(NamedTuple):
    """What came of speeds asked for, recent iterations counting most: ``steps`` and ``falls`` (2 * SPEED_BINS,),
    backward speeds first, slow ones first."""

    steps: np.ndarray
    falls: np.ndarray


def no_practice() -> Practice:
    """Nothing tried yet."""
    return Practice(np.zeros(2 * SPEED_BINS), np.zeros(2 * SPEED_BINS))


def speed_bin(speed, ranges: CommandRange) -> np.ndarray:
    """Bins (N,) of speeds (N,) in m/s."""
    share = np.minimum(np.abs(speed) / ranges.speed_mps[1], 1.0 - 1e-9)
    return np.where(speed > 0, SPEED_BINS, 0) + (share * SPEED_BINS).astype(int)


def practised(practice: Practice, tried: Practice) -> Practice:
    """``practice`` after an iteration in which ``tried`` was counted."""
    return Practice(*(KEPT * old + new for old, new in zip(practice, tried, strict=True)))


def hard_speeds(rng: np.random.Generator, practice: Practice, count: int, ranges, asked) -> np.ndarray:
    """Speeds (count,) in m/s, bins drawn in proportion to the falls per step in them.

    Args:
        ranges, asked: commands of the whole run, which bins divide, and those asked for now, which limit speeds.
    """
    rate = (practice.falls + PRIOR_FALLS) / (practice.steps + PRIOR_STEPS)
    drawn = rng.choice(2 * SPEED_BINS, count, p=rate / rate.sum())
    speed = (drawn % SPEED_BINS + rng.random(count)) / SPEED_BINS * ranges.speed_mps[1]
    return np.where(drawn < SPEED_BINS, -1.0, 1.0) * np.minimum(speed, asked.speed_mps[1])


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


def starting_speed(rng: np.random.Generator, commands: Commands, ranges: CommandRange, share: float) -> np.ndarray:
    """Speeds (m/s) to be added to bodies at rest, shape (N,): a ``share`` of them moves, the others get zero.

    Under a velocity command they move at half to all of what is commanded; under others at up to 0.6 of the largest
    speed, either way.
    """
    count, limit = len(commands.target), 0.6 * ranges.speed_mps[1]
    commanded = commands.target * rng.uniform(0.5, 1.0, count)
    any_speed = rng.uniform(-limit, limit, count)
    moving = np.where(commands.kind == VELOCITY, commanded, any_speed)
    return np.where(rng.random(count) < share, moving, 0.0)
