"""What a MuJoCo body must tell the system: model and timing, task-space map, own observation, falls."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import gymnasium
import jax
import mujoco
import numpy as np

from reinfer.bodies.identity import BodyId
from reinfer.tasks import PLANE_CHANNELS, TaskDistribution
from reinfer.tasks.mirror import Mirror

_INTEGRATORS = {
    "Euler": mujoco.mjtIntegrator.mjINT_EULER,
    "RK4": mujoco.mjtIntegrator.mjINT_RK4,
    "implicitfast": mujoco.mjtIntegrator.mjINT_IMPLICITFAST,
}


@jax.tree_util.register_dataclass
@dataclass(frozen=True, slots=True)
class CommandRange:
    """Commands a body can be trained on: goals relative to x (m), speeds, pitch (rad), |vz| (m/s).

    ``stand_rad`` and ``jump_mps`` are None where the body, or the policy, does not know such commands. The numbers may
    be traced by JAX.
    """

    goal_m: float = 3.0
    speed_mps: tuple[float, float] = (0.3, 3.0)
    stand_rad: tuple[float, float] | None = None
    jump_mps: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """How physics is stepped: MuJoCo's integrator by name, its step, and the physics steps per control step."""

    integrator: str
    timestep_s: float
    frame_skip: int

    def __post_init__(self):
        if self.integrator not in _INTEGRATORS:
            raise ValueError(f"integrator: {self.integrator!r} is not known; allowed: {', '.join(_INTEGRATORS)}")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a robot of a user's own comes from: the ``path`` of its body file, and ``files`` as in ``BodyId``."""

    path: str
    files: tuple[tuple[str, str], ...] = ()


class BodyMirror(NamedTuple):
    """How the mirror x -> -x acts on a body's ``observation`` and on its ``action``."""

    observation: Mirror
    action: Mirror


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A robot; a subclass says how its joints map to task space.

    ``qpos`` and ``qvel`` are arrays (..., nq) and (..., nv), of NumPy or, where physics runs on a device, of JAX: the
    methods take their functions from ``qpos.__array_namespace__()``.

    Args:
        name: unique among the robots.
        xml: MJCF, by path. A relative one starts at the folder of the body file; where there is none, at the models
            that come with Gymnasium.
        timings: what may be chosen as ``timing``, by name.
        timing: the present choice.
        tasks: the unknown tasks it is set.
        commands: what its low level can be asked for.
        reset_position_noise: half-width of the uniform law added to every position at a reset.
        reset_velocity_noise: standard deviation added to every velocity at a reset.
        origin: noted when a body file is read (``bodies.own``); None of ours.
    """

    name: str
    xml: str
    timings: Mapping[str, Timing]
    timing: str
    tasks: TaskDistribution
    commands: CommandRange
    reset_position_noise: float
    reset_velocity_noise: float
    origin: Origin | None = None

    channels = PLANE_CHANNELS

    @property
    def id(self) -> BodyId:
        """What tells this robot from any other."""
        return BodyId(self.name, self.origin.files if self.origin else ())

    @property
    def reference(self) -> str:
        """What ``bodies.robot`` finds it by: its name, or the path of its body file."""
        return self.origin.path if self.origin else self.name

    def with_timing(self, timing: str) -> "Body":
        """The same body under another of its timings. Raises ValueError naming those it has."""
        if timing not in self.timings:
            raise ValueError(f"timing: {timing!r} is not one of {self.name}; allowed: {', '.join(self.timings)}")
        return replace(self, timing=timing)

    def parents(self) -> list[dict]:
        """Entries for ``Stage.parents()``: the files of a robot of a user's own, which must stay as they are."""
        folder = Path(self.reference).parent
        return [{"role": f"body: {name}", "path": str(folder / name), "sha256": sha} for name, sha in self.id.files]

    @property
    def frame_skip(self) -> int:
        """Physics steps per control step."""
        return self.timings[self.timing].frame_skip

    @property
    def control_dt_s(self) -> float:
        """Length of a control step in seconds."""
        return self.timings[self.timing].timestep_s * self.frame_skip

    def path(self) -> Path:
        """Where the MJCF lies."""
        return _model_path(self.xml, self.origin.path if self.origin else None)

    def model(self) -> mujoco.MjModel:
        """Compile the MJCF with the chosen integrator and physics step."""
        model = mujoco.MjModel.from_xml_path(str(self.path()))
        timing = self.timings[self.timing]
        model.opt.integrator, model.opt.timestep = _INTEGRATORS[timing.integrator], timing.timestep_s
        # Diverged physics must show as such (``fallen``) instead of silently starting over.
        model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET
        return model

    def along_x(self, model: mujoco.MjModel) -> int:
        """Index of the degree of freedom that is the speed along x."""
        speeds = self.task_state(np.tile(model.qpos0, (model.nv, 1)), np.eye(model.nv))[:, 3]
        return int(np.argmax(np.abs(speeds)))

    def reset_noise(self, rng, count: int, model: mujoco.MjModel):
        """What a reset adds to positions (count, nq) and velocities (count, nv) at rest.

        Args:
            rng: a NumPy generator, or ``runs.random.Draws`` of a JAX key.
        """
        spread = self.reset_position_noise
        positions = rng.uniform(-spread, spread, (count, model.nq))
        return positions, self.reset_velocity_noise * rng.standard_normal((count, model.nv))

    def task_state(self, qpos, qvel) -> np.ndarray:
        """Task-space state (x, z, pitch, vx, vz, pitch_rate), shape (..., 6), SI units."""
        raise NotImplementedError

    def observation_size(self, model: mujoco.MjModel) -> int:
        """Length of an observation."""
        raise NotImplementedError

    def observation(self, qpos, qvel) -> np.ndarray:
        """The body's own observation (..., observation_size), in which absolute x has no part."""
        raise NotImplementedError

    def fallen(self, qpos, qvel) -> np.ndarray:
        """Whether the body fell or its state is not finite, shape (...,)."""
        raise NotImplementedError

    def mirror(self, model: mujoco.MjModel) -> BodyMirror | None:
        """How forward and backward change places, of a body that is the same both ways; None of one that is not.

        Under it physics stays as it is: from the image of a state the image of an action leads to the image of what the
        action led to.
        """
        return None


@functools.cache
def _model_path(xml: str, body_file: str | None) -> Path:
    """``Body.path``, which is asked for several times per control step."""
    if body_file:
        return Path(body_file).parent / xml
    return Path(gymnasium.__file__).parent / "envs" / "mujoco" / "assets" / xml


def finite(qpos, qvel) -> np.ndarray:
    """Whether all of a state is finite, shape (...,)."""
    xp = qpos.__array_namespace__()
    return xp.isfinite(qpos).all(-1) & xp.isfinite(qvel).all(-1)
