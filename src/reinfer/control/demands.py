"""What copies of a body are asked for in training, and how well they do it: pure functions.

One set for both ways of stepping physics (``exercise``, ``device_exercise``): arrays are NumPy's or JAX's, ``rng`` is a
NumPy generator or ``runs.random.Draws`` of a JAX key.
"""

from typing import NamedTuple

import numpy as np

from reinfer.bodies import CommandRange
from reinfer.control.commands import Commands, feature_mirror, trained_features, trained_kinds
from reinfer.control.curriculum import FARTHEST, PRACTISED, Practice, command_bin, hard_targets
from reinfer.control.tracking import (
    SETTLING_S,
    averaged_error,
    draw_commands,
    no_recent,
    tracking_error,
    tracking_reward,
    with_newest,
)
from reinfer.tasks import GOAL, JUMP
from reinfer.tasks.mirror import Mirror, joined, signed

#: Input columns that the value estimate has beyond those of the policy: the averaged error, the age of the command.
CRITIC_INPUTS = 2

#: Command changes per second of restless episodes.
RESTLESS_HZ = 16.0

#: How long an episode is young: about as long as a higher level takes to find out what its task is.
YOUNG_S = 0.1


class Terms(NamedTuple):
    """How episodes go and what they earn: time limit (s); share of episodes that begin at speed; whether speeds are
    judged relative to the target; share of goals that lie farther than a policy can see, so that bodies run at full
    speed for long; share of episodes in which commands change all the time; at which share of the highest promised
    speed goals are approached from afar; share of episodes of a pitch to hold that begin near it; standard deviation of
    random pushes (m/s); what effort costs, as ``effort_price`` of ``tracking_reward``."""

    episode_s: float
    moving_starts: float
    relative_speed: bool
    far_goals: float
    restless: float
    goal_share: float
    posed_starts: float
    pushes_mps: float
    effort_price: float


class Demand(NamedTuple):
    """What is asked for at present: commands out of ``ranges``, of which a ``hard_share`` (None: none at all) as
    ``practice`` has it, up to the speed ``promised`` (m/s); what a fall costs; and at least how many commands change
    per second while an episode is young."""

    ranges: CommandRange
    promised: float
    hard_share: float | None
    practice: Practice
    fall_cost: float
    first_changes_hz: float


class Progress(NamedTuple):
    """How N commands go: ``average`` (N,) of the tracking error, ``age_s`` (N,) of the command, and the ``recent``
    |vz| of the body (N, steps)."""

    average: np.ndarray
    age_s: np.ndarray
    recent: np.ndarray


def no_progress(count: int, control_dt_s: float) -> Progress:
    """Of ``count`` commands just given."""
    return Progress(np.zeros(count), np.zeros(count), no_recent(count, control_dt_s))


def forgotten(progress: Progress, fresh) -> Progress:
    """``progress``, from nothing where a command is ``fresh`` (N,) bool."""
    xp = fresh.__array_namespace__()
    rows = xp.where(fresh[:, None], 0.0, progress.recent)
    return Progress(xp.where(fresh, 0.0, progress.average), xp.where(fresh, 0.0, progress.age_s), rows)


def fresh_commands(rng, x, demand: Demand, ranges: CommandRange, terms: Terms) -> tuple[Commands, np.ndarray]:
    """Commands for bodies at ``x`` (N,), and their bins (N,) of ``curriculum.command_bin``.

    Args:
        ranges: commands of the whole run, of which ``demand`` asks for a part at present.
    """
    count, xp = len(x), x.__array_namespace__()
    kind, target = draw_commands(rng, x, demand.ranges)
    relative = xp.where(kind == GOAL, target - x, target)
    if terms.far_goals:
        far = (kind == GOAL) & (rng.random(count) < terms.far_goals)
        distance = rng.uniform(1.0, FARTHEST, count) * ranges.goal_m
        relative = xp.where(far, xp.where(relative > 0, distance, -distance), relative)
    if demand.hard_share is not None:
        hard = rng.random(count) < demand.hard_share
        for known in PRACTISED:
            targets = hard_targets(rng, demand.practice, known, count, ranges, demand.promised)
            relative = xp.where(hard & (kind == known), targets, relative)
    bins = command_bin(kind, relative, ranges)
    return Commands(kind, xp.where(kind == GOAL, x + relative, relative)), bins


def change_rates(rng, count: int, terms: Terms):
    """Command changes per second (count,): mostly one in 4 s, sometimes as fast as a higher level may be."""
    rate = rng.choice([0.25, 1.0, 4.0], count, p=[0.6, 0.25, 0.15])
    if terms.restless:
        rate = rate.__array_namespace__().where(rng.random(count) < terms.restless, RESTLESS_HZ, rate)
    return rate


def changing(rng, rate, age_s, demand: Demand, dt_s: float):
    """Which commands change within ``dt_s``, (N,) bool, at ``rate`` (N,) per second in episodes of ``age_s`` (N,)."""
    xp = age_s.__array_namespace__()
    # Half a step more, lest rounding decides.
    rate = xp.where(age_s < YOUNG_S + 0.5 * dt_s, xp.maximum(rate, demand.first_changes_hz), rate)
    return rng.random(len(age_s)) < rate * dt_s


def network_inputs(task_state, observation, commands: Commands, progress: Progress, ranges: CommandRange):
    """Rows for the networks (N, D), float32: body observation, command features; averaged error, command age."""
    xp = task_state.__array_namespace__()
    features = trained_features(task_state, commands, ranges)
    average = xp.clip(progress.average / 0.2, -3.0, 3.0)
    age = xp.minimum(progress.age_s / SETTLING_S, 2.0)
    rows = xp.concatenate([observation, features, average[:, None], age[:, None]], axis=-1).astype(xp.float32)
    # Physics that went non-finite counts as a fall; its last row must not poison the value estimate.
    return xp.nan_to_num(rows)


def input_mirror(of_observation: Mirror, ranges: CommandRange) -> Mirror:
    """How the mirror x -> -x acts on rows of ``network_inputs``, given how it does on the body's observation.

    Raises ValueError where ``ranges`` has jumps: the averaged error of a jump keeps its sign, that of others does not.
    """
    if JUMP in trained_kinds(ranges):
        raise ValueError("equivariant: is not allowed with jumps, whose averaged error has no side")
    return joined(of_observation, feature_mirror(ranges), signed([-1.0, 1.0]))


def judged(before, reached, action, commands: Commands, progress: Progress, demand: Demand, terms: Terms, dt_s: float):
    """Score one control step of ``dt_s`` from task-space states ``before`` to ``reached``, (N, 6): rewards (N,), and
    ``progress`` after it."""
    xp = reached.__array_namespace__()
    age_s, recent = progress.age_s + dt_s, with_newest(progress.recent, xp.abs(reached[:, 4]))
    error = tracking_error(before, reached, commands, dt_s)
    average = averaged_error(progress.average, error, age_s, dt_s)
    average = xp.where(commands.kind == JUMP, recent.max(1) - commands.target, average)
    scored = (error, average, age_s, reached[:, 3], commands, action)
    reward = tracking_reward(*scored, terms.goal_share * demand.promised, terms.effort_price, terms.relative_speed)
    return reward, Progress(average, age_s, recent)
