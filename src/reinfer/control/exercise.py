"""Copies of one body under commands that change: what each is asked for and for how long, how well it does, its falls.

Commands change mid-episode at random moments. Everything here is live: it starts over at ``begin`` and no checkpoint
holds it.
"""

from typing import NamedTuple

import numpy as np

from reinfer.bodies import CommandRange
from reinfer.control.commands import Commands, command_features
from reinfer.control.curriculum import (
    FARTHEST,
    PRACTISED,
    Practice,
    command_bin,
    hard_targets,
    no_practice,
    starting_speed,
)
from reinfer.control.tracking import (
    SETTLING_S,
    RecentPeak,
    averaged_error,
    draw_commands,
    tracking_error,
    tracking_reward,
)
from reinfer.simulation import BatchSimulation
from reinfer.tasks import GOAL, JUMP

#: Input columns that the value estimate has beyond those of the policy: the averaged error, the age of the command.
CRITIC_INPUTS = 2


#: Command changes per second of restless episodes.
RESTLESS_HZ = 16.0

#: Speed at which goals are approached from afar, as a share of the highest promised.
GOAL_SHARE = 0.8


class Terms(NamedTuple):
    """How episodes go and what they earn: time limit (s); share of episodes that begin at speed; whether speeds are
    judged relative to the target; share of goals that lie farther than a policy can see, so that bodies run at full
    speed for long; share of episodes in which commands change all the time."""

    episode_s: float
    moving_starts: float
    relative_speed: bool
    far_goals: float
    restless: float


class Demand(NamedTuple):
    """What is asked for at present: commands out of ``ranges``, of which a ``hard_share`` as ``practice`` has it, up to
    the speed ``promised`` (m/s); and what a fall costs."""

    ranges: CommandRange
    promised: float
    hard_share: float
    practice: Practice
    fall_cost: float


class Exercise:
    """All copies in ``simulation`` at their commands.

    Args:
        ranges: all that is ever asked for.
        terms: see there.
    """

    def __init__(self, simulation: BatchSimulation, ranges: CommandRange, terms: Terms):
        self.simulation, self.ranges, self.terms = simulation, ranges, terms
        self.episode_steps = round(terms.episode_s / simulation.control_dt_s)

    def ask(self, demand: Demand) -> None:
        """From here on fresh commands are as ``demand`` says; those given before stay."""
        self.demand = demand

    def begin(self, rng: np.random.Generator) -> None:
        """Reset every simulation, at a random point of its time limit, with a fresh command."""
        count = self.simulation.num_simulations
        self.simulation.reset(rng)
        self.age = rng.integers(0, self.episode_steps, count)
        self.commands = Commands(np.zeros(count, int), np.zeros(count))
        self.bins = np.zeros(count, int)
        self._command(rng, np.arange(count))
        self._start_moving(rng, np.arange(count))
        self.change_rate = self._draw_change_rate(rng, count)
        self.average, self.command_age_s = np.zeros(count), np.zeros(count)
        self.peak = RecentPeak(count, self.simulation.control_dt_s)
        self.tried = no_practice()

    def inputs(self, ids=slice(None)) -> np.ndarray:
        """Rows for the networks, float32: body observation, command features; averaged error, command age."""
        state = self.simulation.task_state()[ids]
        commands = Commands(self.commands.kind[ids], self.commands.target[ids])
        features = command_features(state, commands, self.ranges)
        average = np.clip(self.average[ids] / 0.2, -3.0, 3.0)
        age = np.minimum(self.command_age_s[ids] / SETTLING_S, 2.0)
        parts = (self.simulation.observation()[ids], features, average[:, None], age[:, None])
        rows = np.concatenate(parts, axis=-1).astype(np.float32)
        # Physics that went non-finite counts as a fall; its last row must not poison the value estimate.
        return np.nan_to_num(rows)

    def step(self, action) -> tuple[np.ndarray, np.ndarray]:
        """One control step of ``action`` (N, A) in [-1, 1]: rewards (minus its cost for a fall) and falls, (N,)."""
        before = self.simulation.task_state()
        self.simulation.step(action)
        self.age += 1
        fallen = self.simulation.fallen()
        earned = self._reward(before, self.simulation.task_state(), action)
        counts = self.bins >= 0
        np.add.at(self.tried.steps, self.bins[counts], 1.0)
        np.add.at(self.tried.falls, self.bins[counts], fallen[counts])
        return np.where(fallen, -self.demand.fall_cost, earned), fallen

    def renew(self, rng: np.random.Generator, fallen, present):
        """Reset what fell or ran out of time, hand out new commands.

        Returns which rows are cut (N,), and ``present`` (N, D), the inputs, as they are from here on.
        """
        over = fallen | (self.age >= self.episode_steps)
        changing = rng.random(len(over)) < self.change_rate * self.simulation.control_dt_s
        ids = np.flatnonzero(over | changing)
        if len(ids):
            ended = np.flatnonzero(over)
            self.simulation.reset(rng, ended)
            self.age[ended] = 0
            self.change_rate[ended] = self._draw_change_rate(rng, len(ended))
            self._command(rng, ids)
            self._start_moving(rng, ended)
            self.average[ids], self.command_age_s[ids] = 0.0, 0.0
            self.peak.forget(ids)
            present = present.copy()
            present[ids] = self.inputs(ids)
        return over | changing, present

    def count(self) -> Practice:
        """What came of commands since the last call."""
        tried, self.tried = self.tried, no_practice()
        return tried

    def _command(self, rng, ids) -> None:
        """Fresh commands for the simulations ``ids``."""
        demand, x = self.demand, self.simulation.task_state()[ids, 0]
        kind, target = draw_commands(rng, x, demand.ranges)
        relative = np.where(kind == GOAL, target - x, target)
        if self.terms.far_goals:
            far = (kind == GOAL) & (rng.random(len(ids)) < self.terms.far_goals)
            distance = rng.uniform(1.0, FARTHEST, len(ids)) * self.ranges.goal_m
            relative = np.where(far, np.where(relative > 0, distance, -distance), relative)
        if demand.hard_share:
            hard = rng.random(len(ids)) < demand.hard_share
            for known in PRACTISED:
                targets = hard_targets(rng, demand.practice, known, len(ids), self.ranges, demand.promised)
                relative = np.where(hard & (kind == known), targets, relative)
        self.bins[ids] = command_bin(kind, relative, self.ranges)
        self.commands.kind[ids], self.commands.target[ids] = kind, np.where(kind == GOAL, x + relative, relative)

    def _start_moving(self, rng, ids) -> None:
        """Let some of the simulations ``ids`` begin at speed."""
        if self.terms.moving_starts:
            commands = Commands(self.commands.kind[ids], self.commands.target[ids])
            self.simulation.push(ids, starting_speed(rng, commands, self.demand.ranges, self.terms.moving_starts))

    def _draw_change_rate(self, rng, count):
        """Command changes per second: mostly one in 4 s, sometimes as fast as a higher level may be."""
        rate = rng.choice([0.25, 1.0, 4.0], count, p=[0.6, 0.25, 0.15])
        if self.terms.restless:
            rate = np.where(rng.random(count) < self.terms.restless, RESTLESS_HZ, rate)
        return rate

    def _reward(self, before, reached, action):
        """Advance the averaged error by one control step and score the step, shape (N,)."""
        dt = self.simulation.control_dt_s
        self.command_age_s += dt
        error = tracking_error(before, reached, self.commands, dt)
        self.average = averaged_error(self.average, error, self.command_age_s, dt)
        jumps = self.commands.kind == JUMP
        peak = self.peak.push(np.abs(reached[:, 4]))
        self.average = np.where(jumps, peak - self.commands.target, self.average)
        speed, relative = reached[:, 3], self.terms.relative_speed
        judged = (error, self.average, self.command_age_s, speed, self.commands, action)
        return tracking_reward(*judged, GOAL_SHARE * self.demand.promised, relative)
