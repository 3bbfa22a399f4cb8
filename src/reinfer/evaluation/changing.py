"""How soon an agent notices that its task has changed, and how well it then settles; on the toy and on robots."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.bodies.toy import TIME_STEP_S
from reinfer.evaluation.contest import TAIL, is_goal
from reinfer.inference.agent import ToyAgent
from reinfer.inference.belief import most_likely
from reinfer.inference.context import append, empty_window
from reinfer.runs import random
from reinfer.tasks import CHANNELS, Schedule, TaskDistribution, Tasks, make_schedule, reward
from reinfer.transfer import Hierarchy, rollout

_X = CHANNELS.index("x")

#: A task is identified when its family and, to this relative error, its target are believed for so many looks running.
IDENTIFIED_RELATIVE, IDENTIFIED_LOOKS = 0.05, 3


#: How long tasks last, in simulated seconds.
GOAL_S, VELOCITY_S = 30.0, 10.0


class Trace(NamedTuple):
    """N episodes of T steps with changing tasks, as arrays (T, N) unless said otherwise.

    ``phase`` before each step; ``x`` (T+1, N) in m; ``is_look``: whether the belief is new at this step, in which case
    it has seen all before; ``family`` and ``target`` most likely believed in; ``fallen`` (T+1, N) bool.
    """

    control_dt_s: float
    phase: np.ndarray
    x: np.ndarray
    is_look: np.ndarray
    family: np.ndarray
    target: np.ndarray
    fallen: np.ndarray


class ScheduledReward:
    """Rewards of a schedule, step by step: what a rollout is given in place of those of fixed tasks."""

    def __init__(self, schedule: Schedule, rng: np.random.Generator):
        self.schedule, self.rng = schedule, rng
        count = schedule.tasks.family.shape[1]
        self.phase, self.age = np.zeros(count, int), np.zeros(count, int)
        self.phases = []

    def __call__(self, state) -> np.ndarray:
        """Rewards (N,) of the task-space states (N, 6) reached, and on to the next step."""
        earned = reward(self.schedule.at(self.phase), state)
        self.phases.append(self.phase)
        uniform = self.rng.random(len(self.phase))
        self.phase, self.age = self.schedule.advance(self.phase, self.age, state, uniform)
        return earned


def trace_robot(hierarchy: Hierarchy, schedule: Schedule, seed: int) -> Trace:
    """One episode of every column of ``schedule`` on a robot, as long as the longest of them."""
    seconds = schedule.steps.sum(0).max() * hierarchy.simulation.control_dt_s
    rewards = ScheduledReward(schedule, random.generator(seed, "schedule"))
    first = Tasks(*(np.asarray(leaf)[0] for leaf in schedule.tasks))
    record = rollout(hierarchy, first, seconds, random.generator(seed, "contest start"), rewards)
    family = record.family_probability.argmax(-1)
    phase = np.stack(rewards.phases)
    x = record.task_state[..., _X]
    return Trace(record.control_dt_s, phase, x, record.is_decision, family, record.target_estimate, record.fallen)


def trace_toy(agent: ToyAgent, schedule: Schedule, seed: int) -> Trace:
    """One episode of every column of ``schedule`` on the agent's toy, as long as the longest of them."""
    toy, count = agent.body, schedule.tasks.family.shape[1]
    schedule = schedule._replace(tasks=Tasks(*map(jnp.asarray, schedule.tasks)))
    keys = jax.random.split(random.key(seed, "schedule"))

    @partial(jax.jit, static_argnames="steps")
    def play(start, steps):
        def step(carry, key):
            state, window, phase, age = carry
            belief = agent.infer(window)
            reached = toy.step(state, agent.act(state, belief))
            gained = reward(schedule.at(phase), reached)
            following = schedule.advance(phase, age, reached, jax.random.uniform(key, (count,)))
            carry = (reached, append(window, state, gained, reached, layout=agent.layout), *following)
            place, target = most_likely(belief)
            return carry, (phase, reached[..., _X], jnp.asarray(agent.layout.families)[place], target)

        nothing = jnp.zeros(count, int)
        begin = (start, empty_window(count, agent.width, agent.layout), nothing, nothing)
        return jax.lax.scan(step, begin, jax.random.split(keys[1], steps))[1]

    start = toy.reset(keys[0], (count,))
    phase, x, family, target = map(np.asarray, play(start, steps=int(schedule.steps.sum(0).max())))
    x = np.concatenate([np.asarray(start[None, :, _X]), x])
    return Trace(TIME_STEP_S, phase, x, np.ones_like(phase, bool), family, target, np.zeros_like(x, bool))


def draw_schedule(distribution: TaskDistribution, phases: int, count: int, control_dt_s: float, seed: int) -> Schedule:
    """``count`` episodes of ``phases`` random goals and velocities; no training draws from their stream.

    Velocities last ``VELOCITY_S`` and goals ``GOAL_S``: long enough to come back from where a velocity led.
    """
    key = random.key(seed, "changing tasks")
    tasks = Tasks(*map(np.asarray, distribution.only(("goal", "velocity")).sample(key, (phases, count))))
    seconds = np.where(is_goal(tasks), GOAL_S, VELOCITY_S)
    return make_schedule(tasks, np.rint(seconds / control_dt_s))


def measure_changes(traces: list[Trace], schedules: list[Schedule]) -> dict:
    """Figures over all episodes, for the ``first`` tasks and for those that came ``after_change``.

    ``fall_rate``: share of episodes with a fall; tasks that begin after it do not count, that of the fall does. Each
    part: ``episodes``; ``rows_to_identify`` mean and ``rows_to_identify_p95`` (context rows of the present task;
    all of its rows where it never was identified); ``identified_in_5_rows`` (share); ``position_error_m`` and
    ``velocity_error`` (relative), means over the last quarter of the task. ``settled_ratio``: those errors after a
    change over those of first tasks.
    """
    parts = {"first": [], "after_change": []}
    for trace, schedule in zip(traces, schedules, strict=True):
        for episode in range(trace.phase.shape[1]):
            begun = trace.phase[~trace.fallen[:-1, episode], episode].max()
            for phase in range(begun + 1):
                found = _measure_phase(trace, schedule, episode, phase)
                parts["first" if phase == 0 else "after_change"].append(found)
    report = {name: _summary(rows) for name, rows in parts.items() if rows}
    report["fall_rate"] = float(np.mean([fell for trace in traces for fell in trace.fallen[-1]]))
    if "after_change" in report:
        report["settled_ratio"] = {
            name: report["after_change"][name] / report["first"][name]
            for name in ("position_error_m", "velocity_error")
            if report["first"][name] and report["after_change"][name] is not None
        }
    return report


def _measure_phase(trace: Trace, schedule: Schedule, episode: int, phase: int):
    """Rows to identify one task of one episode and whether it was identified; position error in m or None, relative
    velocity error or None."""
    steps = np.flatnonzero(trace.phase[:, episode] == phase)
    first, last = steps[0], steps[-1] + 1
    tasks = Tasks(*(np.asarray(leaf)[phase, episode] for leaf in schedule.tasks))
    looks = first + np.flatnonzero(trace.is_look[first:last, episode])
    right = trace.family[looks, episode] == tasks.family
    right &= np.abs(trace.target[looks, episode] / tasks.target - 1.0) <= IDENTIFIED_RELATIVE
    running = np.convolve(right, np.ones(IDENTIFIED_LOOKS))[IDENTIFIED_LOOKS - 1 :] if len(looks) else right
    running = running == IDENTIFIED_LOOKS
    # A look at the very start of a task has no row of it yet, a later one has the row under way when it began.
    rows = (int(np.argmax(running)) if running.any() else len(looks)) + int(looks[:1].sum() > first)
    tail = max(1, round(TAIL * (last - first)))
    x = trace.x[last - tail : last + 1, episode]
    if is_goal(tasks):
        return rows, running.any(), float(np.abs(x[1:] - tasks.target).mean()), None
    return rows, running.any(), None, float(abs((x[-1] - x[0]) / (tail * trace.control_dt_s) / tasks.target - 1.0))


def _summary(rows) -> dict:
    count, identified, position, velocity = ([v for v in column if v is not None] for column in zip(*rows, strict=True))
    return {
        "episodes": len(rows),
        "rows_to_identify": float(np.mean(count)),
        "rows_to_identify_p95": float(np.percentile(count, 95)),
        "identified_in_5_rows": float(np.mean((np.array(count) <= 5) & np.array(identified))),
        "position_error_m": float(np.mean(position)) if position else None,
        "velocity_error": float(np.mean(velocity)) if velocity else None,
    }
