"""Bodies that move in the x-z plane on three root joints, as Gymnasium's planar MuJoCo agents do."""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

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


class Places(NamedTuple):
    """Where the root joints x, z and pitch lie in ``qpos`` and in ``qvel``, (3,) each, and all of ``qpos`` but x."""

    qpos: np.ndarray
    qvel: np.ndarray
    seen: np.ndarray


@functools.lru_cache
def find_joints(xml: Path, joints: tuple[str, str, str]) -> Places:
    """Places of ``joints`` in the MJCF at the path ``xml``. Raises ValueError naming one that is not there."""
    model = mujoco.MjModel.from_xml_path(str(xml))
    there = [model.joint(index).name for index in range(model.njnt)]
    for name in joints:
        if name not in there:
            raise ValueError(f"joints: {name!r} is not a joint of {xml}; allowed: {', '.join(filter(None, there))}")
    index = [there.index(name) for name in joints]
    qpos, qvel = model.jnt_qposadr[index], model.jnt_dofadr[index]
    return Places(qpos, qvel, np.delete(np.arange(model.nq), qpos[0]))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanarBody(Body):
    """A body whose trunk moves on three joints: slides along x and z, and a hinge about y.

    z is the root joint's coordinate as the model defines it: a displacement from rest (half-cheetah) or the
    torso's height over the ground (walker2d, hopper).

    Args:
        joints: names of the joints that carry x, z and pitch.
        fall_pitch_rad: beyond this the body has fallen, either way.
        standing_z_m: (low, high) of the root joint's z outside of which it has fallen; None: z does not matter.
    """

    joints: tuple[str, str, str] = ("rootx", "rootz", "rooty")
    fall_pitch_rad: float
    standing_z_m: tuple[float, float] | None = None

    def places(self) -> Places:
        """Where the root joints are. Raises ValueError naming a joint that the model does not have."""
        return find_joints(self.path(), self.joints)

    def task_state(self, qpos, qvel) -> np.ndarray:
        """The root joints and their rates, shape (..., 6)."""
        places = self.places()
        return qpos.__array_namespace__().concatenate([qpos[..., places.qpos], qvel[..., places.qvel]], axis=-1)

    def posed(self, qpos, pitch) -> np.ndarray:
        """``qpos`` (N, nq) turned to ``pitch`` (N,), in [-pi/2, pi/2], and lifted or lowered so that it touches the
        ground as it did; exactly so with the other joints at rest."""
        xp = qpos.__array_namespace__()
        _, z, turn = self.places().qpos
        angles, heights = _heights(self.path(), self.joints)
        lift = xp.interp(pitch, xp.asarray(angles), xp.asarray(heights))
        lift = lift - xp.interp(qpos[:, turn], xp.asarray(angles), xp.asarray(heights))
        index = xp.arange(qpos.shape[-1])
        lifted = qpos + xp.where(index == z, lift[:, None], 0.0)
        return xp.where(index == turn, pitch[:, None], lifted)

    def observation_size(self, model: mujoco.MjModel) -> int:
        """All joints but x, and all velocities."""
        return model.nq - 1 + model.nv

    def observation(self, qpos, qvel) -> np.ndarray:
        """The body's own observation: all but absolute x, velocities clipped to +-10; (..., nq-1+nv)."""
        xp = qpos.__array_namespace__()
        return xp.concatenate([qpos[..., self.places().seen], xp.clip(qvel, -10.0, 10.0)], axis=-1)

    def fallen(self, qpos, qvel) -> np.ndarray:
        """Whether the body has turned over, left its range of z, or its state is not finite, shape (...,)."""
        _, z, pitch = self.places().qpos
        fallen = ~finite(qpos, qvel) | (abs(qpos[..., pitch]) > self.fall_pitch_rad)
        if self.standing_z_m is not None:
            low, high = self.standing_z_m
            fallen = fallen | (qpos[..., z] < low) | (qpos[..., z] > high)
        return fallen


@functools.cache
def _heights(path, joints) -> tuple[np.ndarray, np.ndarray]:
    """By how much a body at rest must be lifted at pitches (K,), ascending, so as to touch the ground as at none, m."""
    model = mujoco.MjModel.from_xml_path(str(path))
    data, (_, _, turn) = mujoco.MjData(model), find_joints(path, joints).qpos
    angles, lowest = np.linspace(-np.pi / 2, np.pi / 2, 91), []
    moving = np.flatnonzero(model.geom_bodyid > 0)
    for angle in angles:
        data.qpos[:] = model.qpos0
        data.qpos[turn] = angle
        mujoco.mj_kinematics(model, data)
        lowest.append(min(_lowest(model, data, geom) for geom in moving))
    lowest = np.array(lowest)
    return angles, np.interp(0.0, angles, lowest) - lowest


def _lowest(model, data, geom: int) -> float:
    """Height of the lowest point of a capsule or sphere; of another geom, of the box around it."""
    up, size = data.geom_xmat[geom].reshape(3, 3)[2], model.geom_size[geom]
    kind = mujoco.mjtGeom(int(model.geom_type[geom]))
    if kind in (mujoco.mjtGeom.mjGEOM_CAPSULE, mujoco.mjtGeom.mjGEOM_SPHERE):
        length = size[1] if kind == mujoco.mjtGeom.mjGEOM_CAPSULE else 0.0
        return data.geom_xpos[geom, 2] - abs(up[2]) * length - size[0]
    centre, half = np.split(model.geom_aabb[geom], 2)
    return data.geom_xpos[geom, 2] + up @ centre - np.abs(up) @ half
