"""A point whose speed is its action, in place of a robot: what takes half an hour on one takes seconds on it."""

import numpy as np

from reinfer.tasks.protocols import protocol


class PointTasks:
    """As ``simulation.tasks.TaskSimulation``: x in m, vx = 3 a of one action, reward -|vx - g|, ten steps of 0.1 s."""

    action_size, observation_size, control_dt_s, steps = 1, 2, 0.1, 10

    def __init__(self, body, protocol, count, threads=0):
        self.body, self.protocol, self.count = body, protocol, count

    def start(self, rng, tasks):
        self.tasks = tasks
        self.state = np.zeros((self.count, 6))
        self.state[:, 0] = 0.1 * rng.standard_normal(self.count)
        self.qpos, self.fallen = self.state[:, :1].copy(), np.zeros(self.count, bool)
        return self.state[:, [0, 3]].astype(np.float32)

    def step(self, action):
        self.state = self.state.copy()
        self.state[:, 3] = 3.0 * np.clip(action, -1.0, 1.0)[:, 0]
        self.state[:, 0] += self.control_dt_s * self.state[:, 3]
        self.qpos = self.state[:, :1].copy()
        reward = -np.abs(self.state[:, 3] - self.tasks.target)
        return reward.astype(np.float32), self.state[:, [0, 3]].astype(np.float32)

    def shown(self, reward):
        return reward


def ignorant_return() -> float:
    """The best that can be had on the held-out tasks by one speed for all: their median."""
    targets = protocol("cheetah-vel", "half_cheetah", None).held_out.target
    return -10.0 * float(np.abs(targets - np.median(targets)).mean())
