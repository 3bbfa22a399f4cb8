"""Copies of one body under commands that change, on an accelerator: a whole rollout is one compiled program.

The same exercise as ``exercise``, out of the same functions, with masks in place of ids: everything is drawn for every
copy at every step, and taken where it is due. Everything live starts over at ``begin``; no checkpoint holds it.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.bodies import CommandRange
from reinfer.control.commands import Commands
from reinfer.control.curriculum import BINS, Practice, no_practice, random_pushes, starting_pitch, starting_speed
from reinfer.control.demands import (
    Demand,
    Progress,
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
from reinfer.runs.compilation import TrainingProgram
from reinfer.runs.random import Draws
from reinfer.simulation.device import DeviceSimulation, DeviceState


class Live(NamedTuple):
    """N copies and what they are at; leaves (N, ...). ``age``: control steps since the reset."""

    physics: DeviceState
    age: jax.Array
    commands: Commands
    bins: jax.Array
    change_rate: jax.Array
    progress: Progress


class DeviceExercise:
    """``count`` copies in ``simulation`` at their commands.

    Args:
        ranges: all that is ever asked for.
        terms: see there.
    """

    def __init__(self, simulation: DeviceSimulation, count: int, ranges: CommandRange, terms: Terms):
        self.simulation, self.ranges, self.terms = simulation, ranges, terms
        self.num_simulations = count
        self.episode_steps = round(terms.episode_s / simulation.control_dt_s)
        self._begin = TrainingProgram(self._start)
        self._collect = TrainingProgram(self._roll_out, static_argnames="horizon")

    def ask(self, demand: Demand) -> None:
        """From here on fresh commands are as ``demand`` says; those given before stay."""
        self.demand = demand

    def begin(self, seed: int, iteration: int) -> None:
        """Reset every copy, at a random point of its time limit, with a fresh command."""
        self.live = self._begin(random.key(seed, "physics", iteration), self.demand)
        self._tried = no_practice()

    def collect(self, learner: LearnerState, horizon: int, seed: int, iteration: int) -> tuple[Rollout, dict]:
        """``horizon`` control steps under the policy of ``learner`` with its noise, and metrics of them."""
        key = random.key(seed, "rollout", iteration)
        self.live, rollout, tried, metrics = self._collect(learner, self.live, self.demand, key, horizon=horizon)
        self._tried = Practice(*(np.asarray(counts, np.float64) for counts in tried))
        return rollout, {name: float(value) for name, value in metrics.items()}

    def count(self) -> Practice:
        """What came of commands since the last call."""
        tried, self._tried = self._tried, no_practice()
        return tried

    # ---- compiled

    def _start(self, key, demand: Demand) -> Live:
        rng, count = Draws(key), self.num_simulations
        physics = self.simulation.reset(rng, count)
        age = rng.integers(0, self.episode_steps, count)
        commands, bins = self._command(rng, physics, demand)
        physics = self._start_moving(rng, physics, commands, demand)
        progress = jax.tree.map(jnp.float32, no_progress(count, self.simulation.control_dt_s))
        return Live(physics, age, commands, bins, change_rates(rng, count, self.terms), progress)

    def _roll_out(self, learner: LearnerState, live: Live, demand: Demand, key, horizon: int):
        """``live`` after ``horizon`` steps, the rollout, what came of commands, metrics."""

        def step(live, key):
            rng, present = Draws(key), self._inputs(live)
            mean = mean_action(learner.networks, learner.moments, present)
            action = mean + jnp.exp(learner.networks.log_std) * rng.standard_normal(mean.shape)
            live = live._replace(physics=self._push(rng, live.physics))
            live, reward, fallen, tried = self._step(live, jnp.clip(action, -1.0, 1.0), demand)
            next_inputs = self._inputs(live)
            live, cut = self._renewed(rng, live, fallen, demand)
            flags = (jnp.float32(fallen), jnp.float32(cut))
            return live, (Rollout(present, next_inputs, action, reward, *flags), tried)

        live, (rollout, tried) = jax.lax.scan(step, live, jax.random.split(key, horizon))
        metrics = {"reward": rollout.rewards.mean(), "falls": rollout.terminal.sum()}
        return live, rollout, jax.tree.map(lambda counts: counts.sum(0), tried), metrics

    def _inputs(self, live: Live) -> jax.Array:
        state, observation = self.simulation.task_state(live.physics), self.simulation.observation(live.physics)
        return network_inputs(state, observation, live.commands, live.progress, self.ranges)

    def _step(self, live: Live, action, demand: Demand):
        """One control step of ``action`` (N, A): live, rewards (minus its cost for a fall), falls, (N,), and counts."""
        before = self.simulation.task_state(live.physics)
        physics = self.simulation.step(live.physics, action)
        fallen, reached = self.simulation.fallen(physics), self.simulation.task_state(physics)
        asked = (live.commands, live.progress, demand, self.terms, self.simulation.control_dt_s)
        earned, progress = judged(before, reached, action, *asked)
        in_bin = jnp.float32(live.bins[:, None] == jnp.arange(BINS))
        tried = Practice(in_bin.sum(0), (in_bin * fallen[:, None]).sum(0))
        live = live._replace(physics=physics, age=live.age + 1, progress=progress)
        return live, jnp.where(fallen, -demand.fall_cost, earned), fallen, tried

    def _renewed(self, rng: Draws, live: Live, fallen, demand: Demand):
        """``live`` with what fell or ran out of time reset, and with new commands; and which rows are cut (N,)."""
        over = fallen | (live.age >= self.episode_steps)
        dt_s = self.simulation.control_dt_s
        cut = over | changing(rng, live.change_rate, live.age * dt_s, demand, dt_s)
        physics = _where(over, self.simulation.reset(rng, len(over)), live.physics)
        rate = jnp.where(over, change_rates(rng, len(over), self.terms), live.change_rate)
        commands, bins = _where(cut, self._command(rng, physics, demand), (live.commands, live.bins))
        physics = _where(over, self._start_moving(rng, physics, commands, demand), physics)
        live = Live(physics, jnp.where(over, 0, live.age), commands, bins, rate, forgotten(live.progress, cut))
        return live, cut

    def _command(self, rng: Draws, physics: DeviceState, demand: Demand):
        """Fresh commands for all copies, and their bins."""
        return fresh_commands(rng, self.simulation.task_state(physics)[:, 0], demand, self.ranges, self.terms)

    def _push(self, rng: Draws, physics: DeviceState) -> DeviceState:
        """``physics`` with some of the copies pushed, at random."""
        if not self.terms.pushes_mps:
            return physics
        speed = random_pushes(rng, self.num_simulations, self.terms.pushes_mps, self.simulation.control_dt_s)
        return self.simulation.push(physics, speed)

    def _start_moving(self, rng: Draws, physics: DeviceState, commands: Commands, demand: Demand) -> DeviceState:
        """``physics`` with some of the copies at speed, or at a pitch."""
        if self.terms.moving_starts:
            speed = starting_speed(rng, commands, demand.ranges, self.terms.moving_starts)
            physics = self.simulation.push(physics, speed)
        if self.terms.posed_starts:
            physics = self.simulation.pose(physics, *starting_pitch(rng, commands, self.terms.posed_starts))
        return physics


def _where(mask, chosen, other):
    """Leaves (N, ...) of ``chosen`` where ``mask`` (N,), else those of ``other``."""
    return jax.tree.map(lambda a, b: jnp.where(mask.reshape(-1, *[1] * (a.ndim - 1)), a, b), chosen, other)
