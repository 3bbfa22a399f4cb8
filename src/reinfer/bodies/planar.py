"""What a MuJoCo body must tell the system: model, task-space map, own observation, health."""

from dataclasses import dataclass
from pathlib import Path

import gymnasium
import mujoco
import numpy as np

from reinfer.tasks import TaskDistribution


@dataclass(frozen=True, slots=True)
class CommandRange:
    """Commands a body can be trained on: goals relative to x (m), speeds, pitch (rad), |vz| (m/s).

    ``stand_rad`` and ``jump_mps`` are None where the body, or the policy, does not know such commands.
    """

    goal_m: float = 3.0
    speed_mps: tuple[float, float] = (0.3, 3.0)
    stand_rad: tuple[float, float] | None = None
    jump_mps: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class PlanarBody:
    """A robot that moves in the x-z plane on three root joints (x, z, pitch), as Gymnasium's planar MuJoCo
    agents do.

    ``qpos`` and ``qvel`` are arrays (..., nq) and (..., nv) whose first three entries are the root joints.
    """

    name: str
    xml: str
    frame_skip: int
    tasks: TaskDistribution
    commands: CommandRange
    fall_pitch_rad: float
    reset_position_noise: float
    reset_velocity_noise: float

    channels = ("x", "z", "pitch", "vx", "vz", "pitch_rate")

    def model(self) -> mujoco.MjModel:
        """Compile the MJCF, by path or by name among the models that come with Gymnasium."""
        path = Path(self.xml)
        if not path.is_absolute():
            path = Path(gymnasium.__file__).parent / "envs" / "mujoco" / "assets" / self.xml
        model = mujoco.MjModel.from_xml_path(str(path))
        # Diverged physics must show as such (``fallen``) instead of silently starting over.
        model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET
        return model

    def task_state(self, qpos, qvel) -> np.ndarray:
        """Task-space state (x, z, pitch, vx, vz, pitch_rate), shape (..., 6), SI units."""
        return np.concatenate([qpos[..., :3], qvel[..., :3]], axis=-1)

    def observation_size(self, model: mujoco.MjModel) -> int:
        """Length of an observation."""
        return model.nq - 1 + model.nv

    def observation(self, qpos, qvel) -> np.ndarray:
        """The body's own observation: all but absolute x, velocities clipped to +-10; (..., nq-1+nv)."""
        return np.concatenate([qpos[..., 1:], np.clip(qvel, -10.0, 10.0)], axis=-1)

    def fallen(self, qpos, qvel) -> np.ndarray:
        """Whether the body has turned over or its state is not finite, shape (...,)."""
        finite = np.isfinite(qpos).all(-1) & np.isfinite(qvel).all(-1)
        return ~finite | (np.abs(qpos[..., 2]) > self.fall_pitch_rad)
