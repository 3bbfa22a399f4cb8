"""The one hierarchical rollout: belief -> sub-goal -> stride -> low level, for N simulations at once.

Each simulation has its own stride and decides when that runs out. The task reaches all this in one way only:
a function that gives the reward of the state reached. Training of strides, evaluation, plots, videos and the
viewer all step this class.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.control.commands import Commands, clamp_commands, promised
from reinfer.inference.belief import Belief
from reinfer.inference.context import ContextWindow, append, empty_window
from reinfer.tasks import Tasks, reward
from reinfer.tasks.families import IS_SPEED
from reinfer.transfer.agents import Decision, Situation
from reinfer.transfer.record import RolloutRecord
from reinfer.transfer.strides import HABIT_DECISIONS, MAX_STRIDE, StrideInputs

#: Rewards (N,) of task-space states (N, 6): all that a rollout knows of the tasks.
RewardOf = Callable[[np.ndarray], np.ndarray]


class Hierarchy:
    """N simulations of one robot under one agent, one stride policy and one low-level policy.

    Args:
        simulation: as ``simulation.BatchSimulation``.
        low_level: as ``control.low_level_policy.LowLevelPolicy``; sub-goals are limited to what it has learned and the
            body promises.
        agent: chooses sub-goals (``transfer.agents``).
        strides: chooses strides (``transfer.strides``).
    Raises ArtifactError if ``low_level`` was made for another robot, be its sizes the same.
    """

    def __init__(self, simulation, low_level, agent, strides):
        low_level.body.require(simulation.body.id, "the low-level policy")
        self.simulation, self.low_level, self.agent, self.strides = simulation, low_level, agent, strides
        self.limits = promised(simulation.body.commands, low_level.ranges)

    def start(self, rng: np.random.Generator) -> None:
        """Put every simulation at the start of an episode: body at rest, empty context."""
        self.simulation.reset(rng)
        count = self.simulation.num_simulations
        self.step_index = 0
        self.window = empty_window(count, self.agent.width, self.agent.layout)
        self.state, self.qpos = self.simulation.task_state(), self.simulation.qpos.copy()
        self.fallen = self.simulation.fallen()
        self.reward = np.zeros(count)
        self.stride_start = self.state.copy()
        self.elapsed, self.stride, self.rows = (np.zeros(count, int) for _ in range(3))
        self.habit = np.zeros(count)
        self.commands = Commands(np.zeros(count, int), np.zeros(count))
        self.belief: Belief | None = None
        self.decision: Decision | None = None

    def choose(self, always: bool = False) -> np.ndarray:
        """Decide where a stride has run out; comes before each ``advance``. Returns where, (N,) bool.

        With ``always`` agent and stride policy are asked even if nobody is due. What they are shown of a
        simulation that is not due is what they would be shown if its stride ended now; nothing comes of it. What
        the agent decided when it was last asked is kept in ``decision``.
        """
        due = (self.elapsed >= self.stride) & ~self.fallen
        if not (due.any() or always):
            return due
        row = (self.stride_start, self.reward, self.state)
        row = tuple(np.asarray(part, np.float32) for part in row)
        ended = self.elapsed > 0
        observation = np.nan_to_num(self.simulation.observation())
        situation = Situation(
            row[2],
            observation.astype(np.float32),
            self.elapsed.astype(np.int32),
            np.int32(self.step_index),
        )
        given = (self.agent.parameters, self.window, row, ended, due, situation)
        self.window, decision = extend_and_decide(self.agent, *given)
        self.decision = decision = jax.device_get(decision)
        commands = clamp_commands(Commands(decision.kind, decision.target), self.state, self.limits)
        inputs = StrideInputs(
            observation,
            self.state.copy(),
            commands,
            decision.belief,
            self.rows + ended,
            self.elapsed.copy(),
            _running_mean(self.habit, self.elapsed, self.rows + ended),
        )
        self._commit(due, inputs, self.strides.choose(inputs))
        return due

    def _commit(self, due, inputs: StrideInputs, stride) -> None:
        """Begin a new stride where ``due``."""
        if not ((stride[due] >= 1) & (stride[due] <= MAX_STRIDE)).all():
            raise ValueError(f"stride: {stride[due]} is not allowed; strides are 1 to {MAX_STRIDE}")
        self.commands = Commands(
            np.where(due, inputs.commands.kind, self.commands.kind),
            np.where(due, inputs.commands.target, self.commands.target),
        )
        old = inputs.belief if self.belief is None else self.belief
        self.belief = jax.tree.map(lambda new, kept: _where(due, new, kept, np), inputs.belief, old)
        self.rows = np.where(due, inputs.rows, self.rows)
        self.stride = np.where(due, stride, self.stride)
        self.habit = np.where(due, inputs.habit, self.habit)
        self.elapsed = np.where(due, 0, self.elapsed)
        self.stride_start = np.where(due[:, None], self.state, self.stride_start)

    def advance(self, reward_of: RewardOf) -> None:
        """One control step of every simulation towards its sub-goal; those fallen stay as they are."""
        action = self.low_level.act(self.simulation.observation(), self.state, self.commands)
        self.simulation.step(np.nan_to_num(action))
        moving = ~self.fallen
        reached = self.simulation.task_state()
        qpos = self.simulation.qpos
        finite = np.isfinite(reached).all(-1) & np.isfinite(qpos).all(-1)
        self.fallen = self.fallen | self.simulation.fallen()
        follows = (moving & finite)[:, None]
        # What lies there runs at no speed, whatever it fell at: its reward, which is that of its state, is for good.
        self.state = np.where(self.fallen[:, None] & IS_SPEED, 0.0, np.where(follows, reached, self.state))
        self.qpos = np.where(follows, qpos, self.qpos)
        self.reward = np.asarray(reward_of(self.state), float)
        self.elapsed = self.elapsed + moving
        self.step_index += 1


@partial(jax.jit, static_argnames="agent")
def extend_and_decide(agent, parameters, window: ContextWindow, row, ended, due, situation: Situation):
    """Decisions after the present row where a stride is under way; the row stays where one is due."""
    extended = append(window, *row, where=ended, layout=agent.layout)
    decision = agent.decide(parameters, extended, situation)
    kept = jax.tree.map(lambda new, old: _where(due, new, old), extended, window)
    return kept, decision


def rollout(
    hierarchy: Hierarchy,
    tasks: Tasks,
    seconds: float,
    rng: np.random.Generator,
    reward_of: RewardOf | None = None,
) -> RolloutRecord:
    """One episode of ``seconds`` from a fresh start.

    Args:
        tasks: the true tasks, leaves (N,): they make the rewards and label the record.
        rng: for the start.
        reward_of: rewards the agent gets in place of those of ``tasks``.
    """
    tasks = Tasks(np.asarray(tasks.family), np.asarray(tasks.target))
    count = hierarchy.simulation.num_simulations
    if np.shape(tasks.family) != (count,):
        raise ValueError(f"tasks: shape {np.shape(tasks.family)} does not fit {count} simulations")
    reward_of = reward_of or (lambda state: reward(tasks, state))
    steps = round(seconds / hierarchy.simulation.control_dt_s)
    hierarchy.start(rng)
    states, controls = [_snapshot(hierarchy)], []
    for _ in range(steps):
        due = hierarchy.choose()
        hierarchy.advance(reward_of)
        states.append(_snapshot(hierarchy))
        controls.append(_control(hierarchy, due))
    stacked = {name: np.stack([s[name] for s in states]) for name in states[0]}
    stacked |= {name: np.stack([c[name] for c in controls]) for name in controls[0]}
    body = hierarchy.simulation.body
    reference = str(Path(body.reference).resolve()) if body.id.files else body.reference
    told = {"body_files": body.id.files, "toy_sha256": hierarchy.agent.toy_sha256}
    return RolloutRecord(tasks, hierarchy.simulation.control_dt_s, reference, **stacked, **told)


def _running_mean(mean, value, count):
    """Mean of the first values, then forgetting over ``HABIT_DECISIONS``; (N,)."""
    return mean + (value - mean) / np.clip(count, 1, HABIT_DECISIONS)


def _snapshot(hierarchy: Hierarchy) -> dict:
    return {
        "task_state": hierarchy.state,
        "qpos": hierarchy.qpos.astype(np.float32),
        "fallen": hierarchy.fallen,
    }


def _control(hierarchy: Hierarchy, due) -> dict:
    belief = hierarchy.belief
    likely = belief.family_probability.argmax(-1)[:, None]
    return {
        "reward": hierarchy.reward,
        "is_decision": due,
        "rows": hierarchy.rows,
        "command_kind": hierarchy.commands.kind,
        "command_target": hierarchy.commands.target,
        "stride": hierarchy.stride,
        "family_probability": belief.family_probability,
        "target_estimate": np.take_along_axis(belief.target, likely, axis=-1)[:, 0],
        "latent": belief.latent,
    }


def _where(condition, new, old, xp=jnp):
    """Select along the leading axis."""
    return xp.where(condition.reshape(condition.shape + (1,) * (new.ndim - 1)), new, old)
