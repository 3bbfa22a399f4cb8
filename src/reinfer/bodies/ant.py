"""The ant: Gymnasium's four-legged model on a free joint; its task space is the motion along x.

A body that may leave the line, so its observation keeps y (m, clipped), by which a policy can hold the line.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import mujoco
import numpy as np

from reinfer.bodies.body import Body, BodyMirror, CommandRange, Timing, finite
from reinfer.tasks import TaskDistribution
from reinfer.tasks.mirror import Mirror, joined, signed

#: Beyond this far from the line (m) the observation says no more than which side it is.
FARTHEST_Y_M = 2.0


def rotation(quaternion) -> np.ndarray:
    """Rotation matrices (..., 3, 3) of MuJoCo quaternions (..., 4), w first, of any length but zero."""
    xp = quaternion.__array_namespace__()
    w, x, y, z = xp.moveaxis(quaternion / xp.linalg.norm(quaternion, axis=-1, keepdims=True), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return xp.stack([xp.stack(row, axis=-1) for row in rows], axis=-2)


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeBody(Body):
    """A body on a free joint: ``qpos`` begins with x, y, z and a quaternion, ``qvel`` with the linear velocity in
    the world's frame and the angular velocity in the body's.

    Args:
        fall_tilt_rad: it has fallen where its own vertical is farther than this from the world's.
        opposite: of a body that half a turn about its vertical leaves as it is: which joint each hinge, by name,
            comes to lie on, and by which sign its angle is multiplied.
    """

    fall_tilt_rad: float
    opposite: Mapping[str, tuple[str, int]] | None = None

    def task_state(self, qpos, qvel) -> np.ndarray:
        """(x, z, pitch, vx, vz, pitch_rate), shape (..., 6).

        Pitch is the second of the angles yaw, pitch, roll, in [-pi/2, pi/2], positive where the front goes down
        as on planar bodies; the rate is its derivative.
        """
        xp = qpos.__array_namespace__()
        turn = rotation(qpos[..., 3:7])
        pitch = xp.arcsin(xp.clip(-turn[..., 2, 0], -1.0, 1.0))
        roll = xp.arctan2(turn[..., 2, 1], turn[..., 2, 2])
        pitch_rate = xp.cos(roll) * qvel[..., 4] - xp.sin(roll) * qvel[..., 5]
        return xp.stack([qpos[..., 0], qpos[..., 2], pitch, qvel[..., 0], qvel[..., 2], pitch_rate], axis=-1)

    def observation_size(self, model: mujoco.MjModel) -> int:
        """y, z, six numbers of orientation, the other joints, all velocities."""
        return 2 + 6 + model.nq - 7 + model.nv

    def observation(self, qpos, qvel) -> np.ndarray:
        """The body's own observation, (..., observation_size): y clipped to ``FARTHEST_Y_M``, z, the body's x and z
        axes in the world's frame (a quaternion would have two names for one orientation), joints, velocities
        clipped to +-10."""
        xp = qpos.__array_namespace__()
        turn = rotation(qpos[..., 3:7])
        parts = (
            xp.clip(qpos[..., 1:2], -FARTHEST_Y_M, FARTHEST_Y_M),
            qpos[..., 2:3],
            turn[..., 0],
            turn[..., 2],
            qpos[..., 7:],
            xp.clip(qvel, -10.0, 10.0),
        )
        return xp.concatenate(parts, axis=-1)

    def fallen(self, qpos, qvel) -> np.ndarray:
        """Whether the body lies on its side or back, or its state is not finite, shape (...,)."""
        upright = rotation(qpos[..., 3:7])[..., 2, 2]
        return ~finite(qpos, qvel) | (upright < np.cos(self.fall_tilt_rad))

    def mirror(self, model: mujoco.MjModel) -> BodyMirror | None:
        """Half a turn of the world about its vertical, and of the body about its own: what was behind is ahead."""
        if self.opposite is None:
            return None
        hinges = [model.joint(number).name for number in range(1, model.njnt)]
        index = np.array([hinges.index(self.opposite[name][0]) for name in hinges])
        sign = np.array([self.opposite[name][1] for name in hinges], np.float32)
        joints = Mirror(index, sign)
        # y, z, the body's x and z axes; then velocities in the world's frame, and turning in the body's own.
        observation = joined(signed([-1, 1, 1, 1, -1, -1, -1, 1]), joints, signed([-1, -1, 1, -1, -1, 1]), joints)
        moved = [int(joint) - 1 for joint in model.actuator_trnid[:, 0]]
        action = Mirror(np.array([moved.index(index[hinge]) for hinge in moved]), sign[moved])
        return BodyMirror(observation, action)


ANT = FreeBody(
    name="ant",
    xml="ant.xml",
    # Joints have inertia and damping of their own, so that 10 ms is a small step; ``stock`` is Gymnasium's.
    timings={"fast": Timing("implicitfast", 0.01, 5), "stock": Timing("RK4", 0.01, 5)},
    timing="fast",
    tasks=TaskDistribution(
        (
            ("velocity_forward", 0.5, 2.0),
            ("velocity_backward", 0.5, 2.0),
            ("goal_forward", 1.0, 10.0),
            ("goal_backward", 1.0, 10.0),
        )
    ),
    commands=CommandRange(goal_m=3.0, speed_mps=(0.3, 2.0)),
    fall_tilt_rad=np.pi / 2,
    opposite={
        "hip_1": ("hip_3", 1),
        "hip_2": ("hip_4", 1),
        "hip_3": ("hip_1", 1),
        "hip_4": ("hip_2", 1),
        "ankle_1": ("ankle_3", -1),
        "ankle_2": ("ankle_4", -1),
        "ankle_3": ("ankle_1", -1),
        "ankle_4": ("ankle_2", -1),
    },
    reset_position_noise=0.05,
    reset_velocity_noise=0.1,
)
