"""A robot at the tasks of a benchmark protocol, one per simulation, for agents that act on its own observation."""

import numpy as np

from reinfer.bodies import Body
from reinfer.simulation.batch import BatchSimulation
from reinfer.tasks import Tasks
from reinfer.tasks.families import IS_SPEED
from reinfer.tasks.protocols import Protocol, Step


class TaskSimulation:
    """N simulations under ``protocol``. One that has fallen stays as it is, as in the contest: so does its reward.

    Args:
        body: the robot.
        protocol: rewards, and what is shown.
        count: number of simulations N.
        threads: physics threads; 0 uses every core.
    """

    def __init__(self, body: Body, protocol: Protocol, count: int, threads: int = 0):
        self.body, self.protocol, self.count = body, protocol, count
        self._batch = BatchSimulation(body, count, threads)
        self.action_size = self._batch.action_size
        self.observation_size = body.observation_size(self._batch.model) + len(protocol.channels)
        self.control_dt_s = self._batch.control_dt_s
        self.steps = protocol.steps(self.control_dt_s)

    def start(self, rng: np.random.Generator, tasks: Tasks) -> np.ndarray:
        """Put every simulation at rest with its task of ``tasks`` (N,); returns observations (N, O) float32."""
        self._batch.reset(rng)
        self.tasks = tasks
        self.state, self.qpos = self._batch.task_state(), self._batch.qpos.copy()
        self.fallen = np.zeros(self.count, bool)
        self.observation = self._observe()
        return self.observation

    def step(self, action) -> tuple[np.ndarray, np.ndarray]:
        """One control step with ``action`` (N, A), clipped to [-1, 1]: rewards (N,), observations (N, O); float32."""
        action = np.clip(action, -1.0, 1.0)
        self._batch.step(action)
        state, qpos = self._batch.task_state(), self._batch.qpos
        broken = ~(np.isfinite(state).all(-1) & np.isfinite(qpos).all(-1))
        moving = ~self.fallen & ~broken
        self.fallen = self.fallen | (self._batch.fallen() if self.protocol.falls else broken)
        previous = self.state
        # As in ``transfer.hierarchy``: what lies there runs at no speed.
        self.state = np.where(self.fallen[:, None] & IS_SPEED, 0.0, np.where(moving[:, None], state, previous))
        self.qpos = np.where(moving[:, None], qpos, self.qpos)
        self.observation = np.where(moving[:, None], self._observe(), self.observation)
        reward = self.protocol.reward(self.tasks, Step(previous, action, self.state, self.control_dt_s))
        return reward.astype(np.float32), self.observation

    def shown(self, reward) -> np.ndarray:
        """What agents may see of rewards (N,), float32."""
        return np.maximum(reward, np.float32(self.protocol.worst_reward))

    def _observe(self) -> np.ndarray:
        own = np.nan_to_num(self._batch.observation())
        return np.concatenate([own, self.protocol.shown(self.state)], axis=-1).astype(np.float32)
