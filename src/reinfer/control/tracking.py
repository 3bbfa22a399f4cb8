"""What it means to follow a command well: the low-level reward, and the commands drawn in training.

Rewards are sums of kernels of the tracking error, sharp ones for accuracy and wide ones for direction.
Speed is judged both at once and averaged over a gait cycle (an exponential average of the error), since a
running body's speed oscillates within a step and what is asked for is its mean.
"""

import numpy as np

from reinfer.bodies import CommandRange
from reinfer.control.commands import Commands, largest_target
from reinfer.tasks import GOAL, VELOCITY, commanded_value

#: Time constant of the averaged error, about a gait cycle.
AVERAGING_S = 0.5


def tracking_error(task_state, commands: Commands) -> np.ndarray:
    """Controlled value minus target, in the channel's unit, shape (N,)."""
    return commanded_value(commands.kind, task_state) - commands.target


def averaged_error(average, before, after, commands: Commands, control_dt_s: float) -> np.ndarray:
    """One step of the exponential average of the tracking error with time constant ``AVERAGING_S``, shape
    (N,).

    Speed counts as distance over time, from the task-space states ``before`` and ``after`` the step (N, 6):
    the velocity at the end of a control step is a biased sample of a gait that is in phase with the
    control.
    """
    mean_speed_error = (after[:, 0] - before[:, 0]) / control_dt_s - commands.target
    error = np.where(commands.kind == VELOCITY, mean_speed_error, tracking_error(after, commands))
    return average + (error - average) * (1.0 - np.exp(-control_dt_s / AVERAGING_S))


def velocity_reward(error, average, target) -> np.ndarray:
    """In [0, 1], shape (N,): tracking at once (half) and on average (half, sharp relative to the speed)."""
    at_once = 0.25 * np.exp(-np.abs(error)) + 0.25 * np.exp(-np.square(error / 0.3))
    scale = 0.01 + 0.03 * np.abs(target)
    on_average = 0.25 * np.exp(-np.square(average / 0.2)) + 0.25 * np.exp(-np.abs(average) / scale)
    return at_once + on_average


def goal_reward(error, speed, highest_speed: float) -> np.ndarray:
    """In [0, 1], shape (N,): being there (0.7), and approaching at 2 x distance per second, bounded (0.3)."""
    distance = np.abs(error)
    wanted_speed = np.clip(-2.0 * error, -0.8 * highest_speed, 0.8 * highest_speed)
    there = 0.25 * np.exp(-np.square(distance / 0.1)) + 0.25 * np.exp(-distance / 0.03)
    return there + 0.2 * np.exp(-distance) + 0.3 * np.exp(-np.square((speed - wanted_speed) / 0.5))


def tracking_reward(task_state, commands: Commands, average, action, ranges: CommandRange) -> np.ndarray:
    """Reward of one control step, shape (N,).

    Args:
        task_state: task-space states reached (N, 6).
        average: averaged tracking error after the step (N,).
        action: executed actions (N, A) in [-1, 1].
    """
    error = tracking_error(task_state, commands)
    goal = goal_reward(error, task_state[:, 3], ranges.speed_mps[1])
    tracking = np.where(commands.kind == GOAL, goal, velocity_reward(error, average, commands.target))
    return tracking - 0.01 * np.square(action).sum(-1)


def draw_commands(rng: np.random.Generator, x, ranges: CommandRange) -> Commands:
    """Training commands for bodies at ``x`` (N,): half goals, half velocities.

    Magnitudes mix a uniform law over the range (a third beyond it for goals, since far goals saturate), a
    log-uniform law down to small targets, where relative accuracy is hard, and exact zeros.
    """
    count = len(x)
    kind = np.where(rng.random(count) < 0.5, GOAL, VELOCITY)
    limit = np.where(kind == GOAL, largest_target(GOAL, ranges), largest_target(VELOCITY, ranges))
    uniform = rng.random(count) * np.where(kind == GOAL, 4.0 / 3.0, 1.0)
    logarithmic = np.exp(rng.uniform(np.log(0.02), 0.0, count))
    law = rng.random(count)
    magnitude = limit * np.where(law < 0.6, uniform, np.where(law < 0.95, logarithmic, 0.0))
    target = magnitude * rng.choice([-1.0, 1.0], count)
    return Commands(kind, np.where(kind == GOAL, x + target, target))
