"""A batch of robots on an accelerator behind the interface of ``BatchSimulation``: for what decides on the host."""

import numpy as np

from reinfer.bodies import Body
from reinfer.runs.compilation import TrainingProgram
from reinfer.simulation.batch import BatchSimulation, OnHost
from reinfer.simulation.device import DeviceSimulation, DeviceState, require_gpu


class DeviceBatch(OnHost):
    """As ``BatchSimulation`` where nobody pushes, poses or films: physics by MJX, on JAX's device.

    Positions and velocities are copied to the host after every control step, which takes little beside the physics.
    ``reset`` draws from ``rng`` what ``BatchSimulation`` draws, so both start alike.

    Args:
        body: the robot.
        num_simulations: N, at least 1.
    Raises ConfigError as ``DeviceSimulation`` does.
    """

    def __init__(self, body: Body, num_simulations: int):
        if num_simulations < 1:
            raise ValueError(f"num_simulations: {num_simulations} must be at least 1")
        physics = DeviceSimulation(body)
        self.body, self.model, self.num_simulations = body, physics.model, num_simulations
        self.control_dt_s, self.action_size = physics.control_dt_s, physics.action_size
        self._step = TrainingProgram(physics.step)
        self.qpos = np.tile(self.model.qpos0, (num_simulations, 1))
        self.qvel = np.zeros((num_simulations, self.model.nv))
        self._act = np.zeros((num_simulations, self.model.na), np.float32)
        self._warmstart = np.float32(self.qvel)

    def reset(self, rng: np.random.Generator, ids=None) -> None:
        """Put the simulations ``ids`` (all by default) at rest plus the body's reset noise, x near 0."""
        ids = np.arange(self.num_simulations) if ids is None else np.sort(np.asarray(ids))
        if len(ids) == 0:
            return
        positions, velocities = self.body.reset_noise(rng, len(ids), self.model)
        self.qpos[ids], self.qvel[ids] = self.model.qpos0 + positions, velocities
        # What the solver and actuators remember is of another episode.
        self._act, self._warmstart = np.array(self._act), np.array(self._warmstart)
        self._act[ids], self._warmstart[ids] = 0.0, 0.0

    def step(self, action) -> None:
        """Hold ``action`` (N, action_size), clipped to [-1, 1], for one control step."""
        known = DeviceState(np.float32(self.qpos), np.float32(self.qvel), self._act, self._warmstart)
        *reached, self._act, self._warmstart = self._step(known, np.float32(action))
        self.qpos, self.qvel = (np.array(leaf, np.float64) for leaf in reached)


def batch_on(device: str, body: Body, num_simulations: int, threads: int) -> BatchSimulation | DeviceBatch:
    """Simulations of ``body`` on ``device``, "cpu" (in ``threads``) or "gpu".

    Raises ConfigError if there is no GPU, or no MJX for it.
    """
    if device == "cpu":
        return BatchSimulation(body, num_simulations, threads)
    require_gpu()
    return DeviceBatch(body, num_simulations)
