"""Trials: some episodes of one task on end, under a benchmark protocol, by whatever agent.

Agents that were trained on the robot adapt from episode to episode. The hierarchy that reuses the toy's inference
starts every episode with an empty context. Both are recorded alike, so that all that is
measured of one is measured of the other, and both are judged by the protocol's own reward.
"""

from typing import NamedTuple

import jax
import numpy as np
from scipy.special import entr

from reinfer.inference.adaptive.agent import ScratchAgent
from reinfer.simulation.tasks import TaskSimulation
from reinfer.tasks import FAMILIES, Tasks
from reinfer.tasks.protocols import Protocol, Step
from reinfer.transfer.hierarchy import Hierarchy, rollout
from reinfer.transfer.record import RolloutRecord


class Episode(NamedTuple):
    """One episode of every task: its ``record``; ``reward`` (T, N), that of the protocol; ``uncertainty`` (T, N), how
    wide the agent's belief is before each control step, None without a belief."""

    record: RolloutRecord
    reward: np.ndarray
    uncertainty: np.ndarray | None

    @property
    def returns(self) -> np.ndarray:
        """Undiscounted, (N,)."""
        return self.reward.sum(0)


def play_trials(
    agent: ScratchAgent, simulation: TaskSimulation, tasks: Tasks, episodes: int, rng, key, steps: int | None = None
) -> list[Episode]:
    """One trial of every task, without noise in the actions.

    Args:
        agent: told its tasks only if it is an oracle.
        simulation: with one simulation per task.
        tasks: leaves (N,).
        episodes: of the trial; fewer where the agent knows only shorter trials (``ScratchAgent.longest_trial``).
        rng, key: for starts, and for what the agent draws.
        steps: length of an episode; that of the protocol by default.
    """
    agent.begin(simulation.count)
    if agent.told:
        agent.tell(tasks)
    played = []
    for episode_key in jax.random.split(key, min(episodes, agent.longest_trial or episodes)):
        agent.begin_episode(episode_key)
        played.append(_episode(agent, simulation, tasks, rng, steps or simulation.steps))
    return played


def _episode(agent, simulation: TaskSimulation, tasks: Tasks, rng, steps: int) -> Episode:
    observation = simulation.start(rng, tasks)
    states, qpos, fallen, rewards, widths = [simulation.state], [simulation.qpos], [simulation.fallen], [], []
    for _ in range(steps):
        widths.append(agent.uncertainty())
        action = agent.act(observation)
        reward, following = simulation.step(action)
        agent.observe(observation, action, simulation.shown(reward), following)
        observation = following
        rewards.append(reward)
        states.append(simulation.state)
        qpos.append(simulation.qpos)
        fallen.append(simulation.fallen)
    nothing = np.zeros((steps, simulation.count))
    record = RolloutRecord(
        tasks=tasks,
        control_dt_s=simulation.control_dt_s,
        body=simulation.body.reference,
        task_state=np.stack(states),
        qpos=np.stack(qpos).astype(np.float32),
        reward=np.stack(rewards),
        fallen=np.stack(fallen),
        is_decision=np.ones_like(nothing, bool),
        # No rows of task space are read here: no number of them is ever reached.
        rows=np.full(nothing.shape, -1),
        command_kind=nothing.astype(int),
        command_target=nothing,
        stride=np.ones_like(nothing, int),
        family_probability=np.zeros((*nothing.shape, len(FAMILIES))),
        target_estimate=nothing,
        latent=nothing[..., None],
        body_files=simulation.body.id.files,
    )
    return Episode(record, record.reward, None if widths[0] is None else np.stack(widths))


class _Remembering:
    """A low level that keeps the actions it took."""

    def __init__(self, low_level):
        self._low_level, self.actions = low_level, []
        self.body, self.ranges = low_level.body, low_level.ranges

    def act(self, *situation) -> np.ndarray:
        """As ``LowLevelPolicy.act``."""
        self.actions.append(np.clip(np.nan_to_num(self._low_level.act(*situation)), -1.0, 1.0))
        return self.actions[-1]


def play_reused(
    agent, strides, low_level, simulation, protocol: Protocol, tasks: Tasks, episodes: int, rng
) -> list[Episode]:
    """The same for an agent above a low level (``transfer.agents``), who learns of the task by ``tasks.reward``.

    That is the reward which the toy taught its encoder to read, of the same task; what is counted is the protocol's.
    How wide its belief is: the entropy of the family, in nats.
    """
    low_level = _Remembering(low_level)
    hierarchy = Hierarchy(simulation, low_level, agent, strides)
    dt_s = simulation.control_dt_s
    played = []
    for _ in range(episodes):
        low_level.actions.clear()
        record = rollout(hierarchy, tasks, protocol.steps(dt_s) * dt_s, rng)
        state = record.task_state
        reward = protocol.reward(tasks, Step(state[:-1], np.stack(low_level.actions), state[1:], dt_s))
        played.append(Episode(record, reward, entr(record.family_probability).sum(-1)))
    return played
