"""Stepping many copies of one robot at once: C MuJoCo in threads, live NumPy views, reset by ids."""

import mjbatch
import numpy as np

from reinfer.bodies import Body


class OnHost:
    """What is made of ``qpos`` and ``qvel``, positions and velocities of N copies of ``body`` on the host."""

    body: Body
    qpos: np.ndarray
    qvel: np.ndarray

    def task_state(self) -> np.ndarray:
        """A copy of the task-space states, shape (N, 6)."""
        return self.body.task_state(self.qpos, self.qvel)

    def observation(self) -> np.ndarray:
        """A copy of the body's own observations, shape (N, observation_size)."""
        return self.body.observation(self.qpos, self.qvel)

    def fallen(self) -> np.ndarray:
        """Which simulations have fallen or gone non-finite, shape (N,) bool."""
        return self.body.fallen(self.qpos, self.qvel)


class BatchSimulation(OnHost):
    """``num_simulations`` copies of ``body``; all arrays are float64 with the simulation as leading axis.

    Args:
        body: the robot.
        num_simulations: N, at least 1.
        threads: physics threads; 0 uses every core.
        film: keep in ``frames`` (frame_skip, N, nq) the positions after every physics step of the last control step.

    Examples:
        >>> import numpy as np, reinfer
        >>> simulation = reinfer.BatchSimulation(reinfer.robot("hopper"), num_simulations=8, threads=1)
        >>> simulation.reset(np.random.default_rng(0))
        >>> simulation.step(np.zeros((8, simulation.action_size)))
        >>> simulation.task_state().shape, int(simulation.fallen().sum())
        ((8, 6), 0)
    """

    def __init__(self, body: Body, num_simulations: int, threads: int = 0, film: bool = False):
        if num_simulations < 1:
            raise ValueError(f"num_simulations: {num_simulations} must be at least 1")
        self.body = body
        self.model = body.model()
        self.num_simulations = num_simulations
        self.control_dt_s = body.control_dt_s
        self.action_size = self.model.nu
        self._batch = mjbatch.Batch(self.model, num_sims=num_simulations, num_threads=threads)
        self.qpos, self.qvel = self._batch.bind("qpos"), self._batch.bind("qvel")
        self._ctrl = self._batch.bind("ctrl")
        self.frames = np.tile(self.qpos, (body.frame_skip, 1, 1)) if film else None
        self._along_x = body.along_x(self.model)

    def reset(self, rng: np.random.Generator, ids=None) -> None:
        """Put the simulations ``ids`` (all by default) at rest plus the body's reset noise, x near 0."""
        ids = np.arange(self.num_simulations) if ids is None else np.sort(np.asarray(ids))
        if len(ids) == 0:
            return
        ids = np.ascontiguousarray(ids, np.int32)
        self._batch.reset(ids)
        positions, velocities = self.body.reset_noise(rng, len(ids), self.model)
        self.qpos[ids] += positions
        self.qvel[ids] += velocities
        self._batch.forward(ids)

    def push(self, ids, speed) -> None:
        """Add ``speed`` (len(ids),), m/s along x, to the simulations ``ids``, given in ascending order."""
        if len(ids) == 0:
            return
        self.qvel[ids, self._along_x] += speed
        # A write that no call has taken in yet would outlive a reset.
        self._batch.forward(np.ascontiguousarray(ids, np.int32))

    def pose(self, ids, pitch) -> None:
        """Turn the simulations ``ids``, given in ascending order, to ``pitch`` (len(ids),), rad, on the ground."""
        if len(ids) == 0:
            return
        self.qpos[ids] = self.body.posed(self.qpos[ids], pitch)
        self._batch.forward(np.ascontiguousarray(ids, np.int32))

    def step(self, action) -> None:
        """Hold ``action`` (N, action_size), clipped to [-1, 1], for one control step."""
        self._ctrl[:] = np.clip(action, -1.0, 1.0)
        if self.frames is None:
            self._batch.step(nstep=self.body.frame_skip)
            return
        for frame in self.frames:
            self._batch.step(nstep=1)
            frame[:] = self.qpos
