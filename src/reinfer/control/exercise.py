"""Copies of one body under commands that change, on the CPU: physics in C threads, one control step after the other.

Commands change mid-episode at random moments. Everything here is live: it starts over at ``begin`` and no checkpoint
holds it. ``device_exercise`` is the same in one program on an accelerator.
"""

import numpy as np

from reinfer.bodies import CommandRange
from reinfer.control.commands import Commands
from reinfer.control.curriculum import Practice, no_practice, random_pushes, starting_pitch, starting_speed
from reinfer.control.demands import (
    Demand,
    Terms,
    change_rates,
    changing,
    forgotten,
    fresh_commands,
    judged,
    network_inputs,
    no_progress,
)
from reinfer.control.ppo import LearnerState, Rollout, mean_action
from reinfer.runs import random
from reinfer.simulation import BatchSimulation


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

    def begin(self, seed: int, iteration: int) -> None:
        """Reset every copy, at a random point of its time limit, with a fresh command."""
        rng, count = random.generator(seed, "physics", iteration), self.simulation.num_simulations
        self.simulation.reset(rng)
        self.age = rng.integers(0, self.episode_steps, count)
        self.commands = Commands(np.zeros(count, int), np.zeros(count))
        self.bins = np.zeros(count, int)
        self._command(rng, np.arange(count))
        self._start_moving(rng, np.arange(count))
        self.change_rate = change_rates(rng, count, self.terms)
        self.progress = no_progress(count, self.simulation.control_dt_s)
        self.tried = no_practice()

    def collect(self, learner: LearnerState, horizon: int, seed: int, iteration: int) -> tuple[Rollout, dict]:
        """``horizon`` control steps under the policy of ``learner`` with its noise, and metrics of them."""
        rng = random.generator(seed, "rollout", iteration)
        shape = (horizon, self.simulation.num_simulations)
        present = self.inputs()
        inputs = np.empty((*shape, present.shape[-1]), np.float32)
        next_inputs = np.empty_like(inputs)
        std = np.exp(np.asarray(learner.networks.log_std))
        actions = std * rng.standard_normal((*shape, self.simulation.action_size), np.float32)
        rewards, terminal, cut = (np.zeros(shape, np.float32) for _ in range(3))
        for step in range(horizon):
            inputs[step] = present
            actions[step] += np.asarray(mean_action(learner.networks, learner.moments, present))
            self._push(rng)
            rewards[step], terminal[step] = self.step(np.clip(actions[step], -1.0, 1.0))
            present = next_inputs[step] = self.inputs()
            cut[step], present = self.renew(rng, terminal[step] > 0, present)
        metrics = {"reward": float(rewards.mean()), "falls": float(terminal.sum())}
        return Rollout(inputs, next_inputs, actions, rewards, terminal, cut), metrics

    def inputs(self, ids=slice(None)) -> np.ndarray:
        """``network_inputs`` of the copies ``ids``."""
        commands, progress = (type(rows)(*(leaf[ids] for leaf in rows)) for rows in (self.commands, self.progress))
        states, observations = self.simulation.task_state()[ids], self.simulation.observation()[ids]
        return network_inputs(states, observations, commands, progress, self.ranges)

    def step(self, action) -> tuple[np.ndarray, np.ndarray]:
        """One control step of ``action`` (N, A) in [-1, 1]: rewards (minus its cost for a fall) and falls, (N,)."""
        before = self.simulation.task_state()
        self.simulation.step(action)
        self.age += 1
        fallen, reached = self.simulation.fallen(), self.simulation.task_state()
        asked = (self.commands, self.progress, self.demand, self.terms, self.simulation.control_dt_s)
        earned, self.progress = judged(before, reached, action, *asked)
        counts = self.bins >= 0
        np.add.at(self.tried.steps, self.bins[counts], 1.0)
        np.add.at(self.tried.falls, self.bins[counts], fallen[counts])
        return np.where(fallen, -self.demand.fall_cost, earned), fallen

    def renew(self, rng: np.random.Generator, fallen, present):
        """Reset what fell or ran out of time, hand out new commands.

        Returns which rows are cut (N,), and ``present`` (N, D), the inputs, as they are from here on.
        """
        over = fallen | (self.age >= self.episode_steps)
        dt_s = self.simulation.control_dt_s
        cut = over | changing(rng, self.change_rate, self.age * dt_s, self.demand, dt_s)
        ids = np.flatnonzero(cut)
        if len(ids):
            ended = np.flatnonzero(over)
            self.simulation.reset(rng, ended)
            self.age[ended] = 0
            self.change_rate[ended] = change_rates(rng, len(ended), self.terms)
            self._command(rng, ids)
            self._start_moving(rng, ended)
            self.progress = forgotten(self.progress, cut)
            present = present.copy()
            present[ids] = self.inputs(ids)
        return cut, present

    def count(self) -> Practice:
        """What came of commands since the last call."""
        tried, self.tried = self.tried, no_practice()
        return tried

    def _command(self, rng, ids) -> None:
        """Fresh commands for the copies ``ids``."""
        x = self.simulation.task_state()[ids, 0]
        commands, self.bins[ids] = fresh_commands(rng, x, self.demand, self.ranges, self.terms)
        self.commands.kind[ids], self.commands.target[ids] = commands

    def _push(self, rng) -> None:
        """Push some of the copies, at random."""
        if self.terms.pushes_mps:
            simulation = self.simulation
            speed = random_pushes(rng, simulation.num_simulations, self.terms.pushes_mps, simulation.control_dt_s)
            ids = np.flatnonzero(speed)
            simulation.push(ids, speed[ids])

    def _start_moving(self, rng, ids) -> None:
        """Let some of the copies ``ids`` begin at speed, or at a pitch."""
        if self.terms.moving_starts:
            commands = Commands(self.commands.kind[ids], self.commands.target[ids])
            self.simulation.push(ids, starting_speed(rng, commands, self.demand.ranges, self.terms.moving_starts))
        if self.terms.posed_starts:
            commands = Commands(self.commands.kind[ids], self.commands.target[ids])
            posed, pitch = starting_pitch(rng, commands, self.terms.posed_starts)
            self.simulation.pose(ids[posed], pitch[posed])
