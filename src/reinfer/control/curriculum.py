"""What makes commands learnable that cost a fall at first: slow before fast, and starts in the middle of a run.

A body that stands at rest meets a dilemma: the first attempts to run end in falls, which cost all later reward, so
that standing still is a local optimum. Speeds that grow keep the next gait close to the last one; bodies that
already move at a reset must either learn to keep going or to brake.
"""

from dataclasses import replace

import numpy as np

from reinfer.bodies import CommandRange
from reinfer.control.commands import Commands
from reinfer.tasks import VELOCITY

#: Share of the largest speed that is asked for at the start of a ramp.
FIRST_SHARE = 0.25


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
