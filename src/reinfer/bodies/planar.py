"""Bodies that move in the x-z plane on three root joints, as Gymnasium's planar MuJoCo agents do."""

from dataclasses import dataclass

import mujoco
import numpy as np

from reinfer.bodies.body import Body, Timing, finite

#: Timings of the legged bodies whose Gymnasium models come with RK4 at 2 ms. ``fast`` costs a seventh of
#: ``stock`` per simulated second; both have a control step of 20 ms. ``thesis`` is that of the published
#: implementation: RK4 at 10 ms, four steps.
LEGGED_TIMINGS = {
    "fast": Timing("implicitfast", 0.005, 4),
    "stock": Timing("RK4", 0.002, 10),
    "thesis": Timing("RK4", 0.01, 4),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanarBody(Body):
    """The first three entries of ``qpos`` and ``qvel`` are the root joints x, z and pitch.

    z is the root joint's coordinate as the model defines it: a displacement from rest (half-cheetah) or the
    torso's height over the ground (walker2d, hopper).

    Args:
        fall_pitch_rad: beyond this the body has fallen, either way.
        standing_z_m: (low, high) of the root joint's z outside of which it has fallen; None: z does not matter.
    """

    fall_pitch_rad: float
    standing_z_m: tuple[float, float] | None = None

    def task_state(self, qpos, qvel) -> np.ndarray:
        """The root joints and their rates, shape (..., 6)."""
        return np.concatenate([qpos[..., :3], qvel[..., :3]], axis=-1)

    def observation_size(self, model: mujoco.MjModel) -> int:
        """All joints but x, and all velocities."""
        return model.nq - 1 + model.nv

    def observation(self, qpos, qvel) -> np.ndarray:
        """The body's own observation: all but absolute x, velocities clipped to +-10; (..., nq-1+nv)."""
        return np.concatenate([qpos[..., 1:], np.clip(qvel, -10.0, 10.0)], axis=-1)

    def fallen(self, qpos, qvel) -> np.ndarray:
        """Whether the body has turned over, left its range of z, or its state is not finite, shape (...,)."""
        fallen = ~finite(qpos, qvel) | (np.abs(qpos[..., 2]) > self.fall_pitch_rad)
        if self.standing_z_m is not None:
            low, high = self.standing_z_m
            fallen |= (qpos[..., 1] < low) | (qpos[..., 1] > high)
        return fallen
