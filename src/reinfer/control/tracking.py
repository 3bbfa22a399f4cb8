"""What it means to follow a command well: the low-level reward, and the commands drawn in training.

Rewards are sums of kernels of the tracking error, sharp ones for accuracy and wide ones for direction.
Speed is judged both at once and averaged over a gait cycle (an exponential average of the error), since a
running body's speed oscillates within a step and what is asked for is its mean. All functions take NumPy and JAX
arrays; ``rng`` is a NumPy generator, or ``runs.random.Draws`` of a JAX key.
"""

import numpy as np

from reinfer.bodies import CommandRange
from reinfer.control.commands import Commands, largest_target, trained_kinds
from reinfer.tasks import GOAL, JUMP, STAND, VELOCITY, commanded_value

#: Time constant of the averaged error, about a gait cycle; and how long after a command averaging begins.
AVERAGING_S, SETTLING_S = 0.5, 1.0

#: Window over which the highest |vz| of a jumping body is sought: it holds a flight, take-off and landing.
PEAK_S = 1.0


def no_recent(count: int, control_dt_s: float) -> np.ndarray:
    """The last ``PEAK_S`` of |vz| of bodies that stood still, sampled once per control step, (count, steps)."""
    return np.zeros((count, round(PEAK_S / control_dt_s)))


def with_newest(recent, values):
    """``recent`` (N, steps), oldest first, after ``values`` (N,), none of them negative."""
    return recent.__array_namespace__().concatenate([recent[:, 1:], values[:, None]], axis=1)


def tracking_error(before, after, commands: Commands, control_dt_s: float) -> np.ndarray:
    """Controlled value minus target over one control step, in the channel's unit, shape (N,).

    Args:
        before, after: task-space states (N, 6). Speed is distance over time: the velocity at the end of a
            control step is a biased sample of a gait that keeps in phase with the control.
    """
    mean_speed = (after[:, 0] - before[:, 0]) / control_dt_s
    at_once = commanded_value(commands.kind, after)
    return after.__array_namespace__().where(commands.kind == VELOCITY, mean_speed, at_once) - commands.target


def averaged_error(average, error, age_s, control_dt_s: float) -> np.ndarray:
    """One step of the exponential average of ``error``, shape (N,); zero while the command is young.

    Were the error of the change-over averaged too, running too fast would pay until it is made up for, and a
    policy without memory would then always run too fast.
    """
    moved = average + (error - average) * (1.0 - np.exp(-control_dt_s / AVERAGING_S))
    return moved.__array_namespace__().where(age_s > SETTLING_S, moved, 0.0)


def velocity_reward(error, average, age_s, target, relative: bool = False) -> np.ndarray:
    """In [0, 1], shape (N,): tracking at once (half) and, once settled, on average (half, sharp).

    The wide part of tracking at once decays over 1 m/s, or, if ``relative``, falls linearly to zero at standing
    still: then the first bit of speed pays as much as the last, however fast the target.
    """
    xp = error.__array_namespace__()
    if relative:
        distance = xp.abs(error) / xp.maximum(xp.abs(target), 0.5)
        at_once = 0.35 * xp.maximum(1.0 - distance, 0.0) + 0.15 * xp.exp(-xp.square(error / 0.3))
    else:
        at_once = 0.25 * xp.exp(-xp.abs(error)) + 0.25 * xp.exp(-xp.square(error / 0.3))
    scale = 0.01 + 0.03 * xp.abs(target)
    on_average = 0.25 * xp.exp(-xp.square(average / 0.2)) + 0.25 * xp.exp(-xp.abs(average) / scale)
    return at_once + xp.where(age_s > SETTLING_S, on_average, 0.0)


def goal_reward(error, speed, highest_speed: float) -> np.ndarray:
    """In [0, 1], shape (N,): being there (0.7), and approaching at 2 x distance per second, at most at
    ``highest_speed`` (0.3)."""
    xp = error.__array_namespace__()
    distance = xp.abs(error)
    wanted_speed = xp.clip(-2.0 * error, -highest_speed, highest_speed)
    there = 0.25 * xp.exp(-xp.square(distance / 0.1)) + 0.25 * xp.exp(-distance / 0.03)
    return there + 0.2 * xp.exp(-distance) + 0.3 * xp.exp(-xp.square((speed - wanted_speed) / 0.5))


def jump_reward(error, peak_error, age_s, target) -> np.ndarray:
    """In [0, 1], shape (N,): |vz| near its target now (0.4), and its highest of the last second just there (0.6).

    No body holds |vz|: in flight it falls to zero and rises again, so that half of a target on average is the most
    there is at the right peak. What can be exact is the speed of take-off and landing; the first term makes one flight
    follow the other.
    """
    xp = error.__array_namespace__()
    now = 0.4 * xp.maximum(1.0 - xp.abs(error) / xp.maximum(target, 0.5), 0.0)
    relative = xp.abs(peak_error) / xp.maximum(target, 0.5)
    peak = (
        0.2 * xp.maximum(1.0 - relative, 0.0)
        + 0.2 * xp.exp(-xp.square(relative / 0.2))
        + 0.2 * xp.exp(-relative / 0.04)
    )
    return now + xp.where(age_s > SETTLING_S, peak, 0.0)


def hold_reward(error, sharp) -> np.ndarray:
    """In [0, 1], shape (N,): holding a channel at a value, to a precision of about ``sharp``."""
    xp = error.__array_namespace__()
    wide = 0.4 * xp.exp(-xp.abs(error)) + 0.3 * xp.exp(-xp.square(error / 0.3))
    return wide + 0.3 * xp.exp(-xp.abs(error) / sharp)


def tracking_reward(
    error, average, age_s, speed, commands, action, goal_speed: float, effort_price: float, relative_speed: bool = False
) -> np.ndarray:
    """Reward of one control step, shape (N,).

    Args:
        error, average: tracking error of the step and its average, or for jumps that of the recent peak (N,).
        age_s: time since the command was given (N,).
        speed: vx reached, m/s (N,).
        action: executed actions (N, A) in [-1, 1].
        goal_speed: at which goals are approached from afar, m/s.
        effort_price: taken from the reward, times the sum of the squared actions.
        relative_speed: as ``relative`` of ``velocity_reward``.
    """
    by_kind = {
        GOAL: goal_reward(error, speed, goal_speed),
        VELOCITY: velocity_reward(error, average, age_s, commands.target, relative_speed),
        STAND: hold_reward(error, sharp=0.05),
        JUMP: jump_reward(error, average, age_s, commands.target),
    }
    xp = error.__array_namespace__()
    tracking = xp.select([commands.kind == kind for kind in by_kind], list(by_kind.values()))
    return tracking - effort_price * xp.square(action).sum(-1)


def draw_commands(rng, x, ranges: CommandRange) -> Commands:
    """Training commands for bodies at ``x`` (N,), every trained kind as often.

    Goals and velocities, both ways, mix a uniform law over the range (a third beyond it for goals, since
    far goals saturate), a log-uniform law down to small targets, where relative accuracy is hard, and exact
    zeros. Stands and jumps are uniform over their range.
    """
    count, xp = len(x), x.__array_namespace__()
    kinds = trained_kinds(ranges)
    kind = xp.asarray(kinds)[rng.integers(0, len(kinds), count)]
    limit = xp.select([kind == k for k in kinds], [largest_target(k, ranges) for k in kinds])
    uniform = rng.random(count)
    logarithmic = xp.exp(rng.uniform(np.log(0.02), 0.0, count))
    law = rng.random(count)
    reach = xp.where(kind == GOAL, 4.0 / 3.0, 1.0)
    magnitude = limit * xp.where(law < 0.6, reach * uniform, xp.where(law < 0.95, logarithmic, 0.0))
    for held, limits in ((STAND, ranges.stand_rad), (JUMP, ranges.jump_mps)):
        if limits is not None:
            magnitude = xp.where(kind == held, limits[0] + (limits[1] - limits[0]) * uniform, magnitude)
    target = magnitude * xp.where(kind == JUMP, 1.0, rng.choice([-1.0, 1.0], count))
    return Commands(kind, xp.where(kind == GOAL, x + target, target))
