"""What to command a body so that it runs at a wanted speed: a policy's own bias, measured and taken out.

A policy without memory cannot know its mean speed over a gait, so that it keeps a bias of a few per cent, largest for
slow gaits. It is the same every time, so that a table of commands against speeds removes it.
"""

from typing import NamedTuple

import numpy as np

from reinfer.bodies import CommandRange
from reinfer.control.commands import Commands
from reinfer.control.following import follow
from reinfer.simulation import BatchSimulation
from reinfer.tasks import VELOCITY

#: Speeds in the table, either way; bodies that try each of them. Slow gaits change from one speed to the next: with 10
#: speeds in place of 30 a walker's were 4.2 in place of 2.1 % off below 0.6 m/s.
SPEEDS, COPIES = 30, 8

#: How long bodies run, and over how much of it, at the end, speed is measured.
RUN_S, WINDOW_S = 12.0, 6.0

#: Largest correction, as a share of the speed wanted: a gait farther off than that is not there.
LARGEST_CORRECTION = 0.2


class Calibration(NamedTuple):
    """Commands (K,) that give the speeds ``wanted`` (K,), both in m/s, signed, ascending, zero among them."""

    wanted: np.ndarray
    command: np.ndarray


def no_calibration(ranges: CommandRange) -> Calibration:
    """Every speed is its own command."""
    speeds = np.linspace(*ranges.speed_mps, SPEEDS)
    wanted = np.concatenate([-speeds[::-1], [0.0], speeds])
    return Calibration(wanted, wanted.copy())


def calibrated(calibration: Calibration, commands: Commands) -> Commands:
    """``commands`` with speeds as they must be asked for; beyond the table corrections are those at its ends."""
    correction = np.interp(commands.target, calibration.wanted, calibration.command - calibration.wanted)
    return commands._replace(target=np.where(commands.kind == VELOCITY, commands.target + correction, commands.target))


def calibrate(
    policy, body, rng: np.random.Generator, rounds: int, threads: int = 0, same_both_ways: bool = False
) -> Calibration:
    """Correct commands by the error of the speed they give, the median of all copies, ``rounds`` times over.

    Bodies that fall count for nothing; where all of them fall a command stays as it is. No command exceeds what the
    policy was trained on.

    Args:
        policy: as ``LowLevelPolicy``, itself without calibration.
        same_both_ways: what is measured forward and backward is the same, of a body and a policy that are.
    """
    calibration = no_calibration(policy.ranges)
    wanted = np.repeat(calibration.wanted, COPIES)
    simulation = BatchSimulation(body, len(wanted), threads)
    window = round(WINDOW_S / simulation.control_dt_s)
    limit, highest = LARGEST_CORRECTION * np.abs(calibration.wanted), policy.ranges.speed_mps[1]
    for _ in range(rounds):
        simulation.reset(rng)
        commands = calibrated(calibration, Commands(np.full(len(wanted), VELOCITY), wanted))
        states, fallen = follow(policy, simulation, commands, RUN_S)
        speed = (states[-1, :, 0] - states[-1 - window, :, 0]) / (window * simulation.control_dt_s)
        speed = np.where(fallen, np.nan, speed).reshape(-1, COPIES)
        ran = np.isfinite(speed).any(1) & (calibration.wanted != 0.0)
        error = np.where(ran, np.nanmedian(np.where(ran[:, None], speed, 0.0), axis=1) - calibration.wanted, 0.0)
        error = 0.5 * (error - error[::-1]) if same_both_ways else error
        correction = np.clip(calibration.command - error - calibration.wanted, -limit, limit)
        calibration = calibration._replace(command=np.clip(calibration.wanted + correction, -highest, highest))
    return calibration
