"""Stepping many copies of one robot on an accelerator: MJX, MuJoCo written in JAX, as pure functions of their state.

The same physics, task space, observations and falls as ``BatchSimulation``, in single precision and to be compiled by
whoever calls it: a whole rollout becomes one program. Meant for GPUs; on a CPU it is right too, but slow. Where bodies
can go sideways (the ant) the edges of pyramids of friction lie otherwise than in C; round friction is the same.
"""

import contextlib
import importlib.metadata
import io
from typing import NamedTuple

import jax
import jax.numpy as jnp
import mujoco

from reinfer.bodies import Body
from reinfer.runs.errors import ConfigError

#: The most iterations of the constraint solver, and of each of its line searches. C MuJoCo allows 100 and 50 and stops
#: where nothing improves; here a batch waits for its slowest copy, and every line search takes all it is allowed.
SOLVER_ITERATIONS, LINE_SEARCH_ITERATIONS = 8, 8

#: Where the packages for GPUs come from.
INSTALL = "pip install -e '.[gpu]', on a machine with an NVIDIA GPU and its driver, brings what is needed"


class DeviceState(NamedTuple):
    """All that N copies remember between steps: ``qpos`` (N, nq), ``qvel`` (N, nv), activations ``act`` (N, na), and
    the accelerations ``warmstart`` (N, nv) from which the constraint solver starts."""

    qpos: jax.Array
    qvel: jax.Array
    act: jax.Array
    warmstart: jax.Array


class DeviceSimulation:
    """Copies of ``body`` on JAX's default device; states are arguments and results, nothing is kept here.

    Args:
        body: the robot.
    Raises ConfigError where MJX is not installed, or has no such physics; or where a method of the body takes NumPy
    arrays only.
    """

    def __init__(self, body: Body):
        mjx = _load_mjx()
        self.body, self.model, self.control_dt_s = body, body.model(), body.control_dt_s
        self.action_size = self.model.nu
        self.observation_size = body.observation_size(self.model)
        self._along_x = body.along_x(self.model)
        self.model.opt.iterations = SOLVER_ITERATIONS
        self.model.opt.ls_iterations = LINE_SEARCH_ITERATIONS
        try:
            self._constants, self._blank = mjx.put_model(self.model, impl="jax"), mjx.make_data(self.model, impl="jax")
        except NotImplementedError as error:
            raise ConfigError(f"device: 'gpu' is not possible with body {body.name!r}: MJX has no {error}") from error
        self._physics_step = mjx.step
        _require_traceable(body, self.model)

    def reset(self, rng, count: int) -> DeviceState:
        """``count`` copies at rest plus the body's reset noise out of ``rng``, ``runs.random.Draws``; x near 0."""
        positions, velocities = self.body.reset_noise(rng, count, self.model)
        qpos = jnp.asarray(self.model.qpos0, jnp.float32) + positions
        return DeviceState(qpos, velocities, jnp.zeros((count, self.model.na)), jnp.zeros_like(velocities))

    def push(self, state: DeviceState, speed) -> DeviceState:
        """``state`` with ``speed`` (N,), m/s along x, added."""
        return state._replace(qvel=state.qvel.at[:, self._along_x].add(speed))

    def pose(self, state: DeviceState, posed, pitch) -> DeviceState:
        """``state`` with the copies ``posed`` (N,) bool turned to ``pitch`` (N,), rad, on the ground."""
        qpos = self.body.posed(state.qpos, pitch)
        return state._replace(qpos=jnp.where(posed[:, None], qpos, state.qpos))

    def step(self, state: DeviceState, action) -> DeviceState:
        """The state after ``action`` (N, action_size), clipped to [-1, 1], was held for one control step."""
        # Matrix products on GPUs have 10 bits of mantissa unless told otherwise, which is no physics.
        with jax.default_matmul_precision("highest"):
            return jax.vmap(self._hold)(state, jnp.clip(action, -1.0, 1.0))

    def _hold(self, state: DeviceState, control) -> DeviceState:
        """``step`` of one copy."""

        def physics_step(state, _):
            data = self._blank.replace(
                qpos=state.qpos, qvel=state.qvel, act=state.act, qacc_warmstart=state.warmstart, ctrl=control
            )
            data = self._physics_step(self._constants, data)
            return DeviceState(data.qpos, data.qvel, data.act, data.qacc_warmstart), None

        return jax.lax.scan(physics_step, state, length=self.body.frame_skip)[0]

    def task_state(self, state: DeviceState) -> jax.Array:
        """Task-space states (N, 6)."""
        return self.body.task_state(state.qpos, state.qvel)

    def observation(self, state: DeviceState) -> jax.Array:
        """The body's own observations (N, observation_size)."""
        return self.body.observation(state.qpos, state.qvel)

    def fallen(self, state: DeviceState) -> jax.Array:
        """Which copies have fallen or gone non-finite, (N,) bool."""
        return self.body.fallen(state.qpos, state.qvel)


def require_gpu() -> None:
    """Raise ConfigError unless JAX computes on a GPU."""
    seen = jax.devices()
    if seen[0].platform != "gpu":
        names = ", ".join(sorted({f"{device.platform} ({device.device_kind})" for device in seen}))
        raise ConfigError(f"device: 'gpu' is not possible: JAX sees {names} only; {INSTALL}")


def _load_mjx():
    """The module. Raises ConfigError where it is missing or of another version than MuJoCo."""
    try:
        # It prints that an alternative to JAX, which we do not use, is not installed.
        with contextlib.redirect_stdout(io.StringIO()):
            from mujoco import mjx
    except ImportError as error:
        raise ConfigError(f"device: 'gpu' is not possible: mujoco-mjx is not installed ({error}); {INSTALL}") from error
    version = importlib.metadata.version("mujoco-mjx")
    if version.split(".")[:2] != mujoco.__version__.split(".")[:2]:
        raise ConfigError(
            f"device: 'gpu' is not possible: mujoco-mjx {version} does not fit mujoco {mujoco.__version__}; "
            f"pip install mujoco-mjx=={mujoco.__version__}"
        )
    return mjx


def _require_traceable(body: Body, model: mujoco.MjModel) -> None:
    """Raise ConfigError naming the method of a robot of a user's own that JAX cannot trace."""
    qpos, qvel = (jax.ShapeDtypeStruct((2, size), jnp.float32) for size in (model.nq, model.nv))
    for method in (body.task_state, body.observation, body.fallen):
        try:
            jax.eval_shape(method, qpos, qvel)
        except Exception as error:  # Code of a user's own: whatever it raises is about the robot, not about us.
            raise ConfigError(
                f"device: 'gpu' is not possible with body {body.name!r}: its {method.__name__} takes NumPy arrays only "
                "(np.clip and the like); take functions from qpos.__array_namespace__() in place of np"
            ) from error
