"""MJX against C MuJoCo: the same physics, task space, observations and falls; and what is refused, in which words.

Physics on the device is in single precision, and a body that tumbles is chaotic: a difference of a rounding grows
tenfold within a few control steps. So copies run free under gentle actions; under large ones each step begins anew.
"""

import importlib.metadata
import sys

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest

from reinfer.bodies import HALF_CHEETAH, ROBOTS, robot
from reinfer.cli.main import main
from reinfer.runs import random
from reinfer.runs.errors import ConfigError
from reinfer.runs.random import Draws
from reinfer.simulation import BatchSimulation
from reinfer.simulation.device import DeviceSimulation, DeviceState, require_gpu

COPIES = 16

#: How fast compilation is counts here, not how fast the program is.
QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


@pytest.fixture(scope="module")
def cheetah():
    """The simulation on the device, its compiled step, and a first state."""
    simulation = DeviceSimulation(HALF_CHEETAH)
    first = simulation.reset(Draws(random.key(0, "physics")), COPIES)
    return simulation, jax.jit(simulation.step, compiler_options=QUICK), first


def c_physics(state: DeviceState, body=HALF_CHEETAH) -> BatchSimulation:
    """C MuJoCo at ``state``."""
    simulation = BatchSimulation(body, COPIES, threads=1)
    simulation.reset(np.random.default_rng(0))
    simulation.qpos[:], simulation.qvel[:] = state.qpos, state.qvel
    return simulation


def apart(state: DeviceState, c: BatchSimulation) -> tuple[np.ndarray, np.ndarray]:
    """Per copy, the largest difference of a position (m, rad) and of a velocity (m/s, rad/s)."""
    return tuple(np.abs(np.asarray(mine) - its).max(1) for mine, its in ((state.qpos, c.qpos), (state.qvel, c.qvel)))


def test_free_running_copies_stay_with_c_mujoco(cheetah):
    """Fifty control steps of gentle random actions, from the air to the ground and on it: within 1 mm and 1 cm/s."""
    _, step, state = cheetah
    c, rng = c_physics(state), np.random.default_rng(1)
    for _ in range(50):
        action = rng.uniform(-0.3, 0.3, (COPIES, c.action_size)).astype(np.float32)
        state = step(state, action)
        c.step(action)
        positions, velocities = apart(state, c)
        assert positions.max() < 1e-3 and velocities.max() < 1e-2
    np.testing.assert_allclose(state.qpos[:, 0], c.task_state()[:, 0], atol=1e-3)


@pytest.mark.parametrize("name", ROBOTS)
def test_every_control_step_agrees_with_c_mujoco(name, request, monkeypatch):
    """Fifty control steps of tumbling under large actions, some beyond their bounds, each from where C MuJoCo is.

    Of friction that is a pyramid the edges lie otherwise in MJX. In a plane there is nothing of it; an ant's is made
    round here.
    """
    body = ROBOTS[name]
    if name == "ant":
        made = type(body).model

        def round_friction(self):
            model = made(self)
            model.opt.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
            return model

        monkeypatch.setattr(type(body), "model", round_friction)
    if body is HALF_CHEETAH:
        _, step, state = request.getfixturevalue("cheetah")
    else:
        simulation = DeviceSimulation(body)
        step = jax.jit(simulation.step, compiler_options=QUICK)
        state = simulation.reset(Draws(random.key(0, "physics")), COPIES)
    c, rng = c_physics(state, body), np.random.default_rng(2)
    for _ in range(50):
        action = rng.uniform(-1.2, 1.2, (COPIES, c.action_size)).astype(np.float32)
        state = step(state._replace(qpos=jnp.float32(c.qpos), qvel=jnp.float32(c.qvel)), action)
        c.step(action)
        positions, velocities = apart(state, c)
        assert positions.max() < 1e-3 and np.median(positions) < 1e-5
        assert velocities.max() < 5e-2 and np.median(velocities) < 1e-3
    assert np.abs(c.qvel).max() > 5.0, "they moved"


def test_a_reset_has_the_noise_of_the_body_and_a_push_adds_speed(cheetah):
    simulation, _, _ = cheetah
    state = simulation.reset(Draws(random.key(1, "physics")), 500)
    spread = np.asarray(state.qpos) - simulation.model.qpos0
    assert 0.09 < np.abs(spread).max() <= 0.1 and abs(spread.mean()) < 0.005
    assert np.std(state.qvel) == pytest.approx(0.1, abs=0.005)
    pushed = simulation.push(state, jnp.arange(500.0))
    np.testing.assert_allclose(simulation.task_state(pushed)[:, 3], state.qvel[:, 0] + np.arange(500.0), rtol=1e-6)
    np.testing.assert_array_equal(pushed.qpos, state.qpos)


@pytest.mark.parametrize("body", ROBOTS.values(), ids=ROBOTS)
def test_every_robot_maps_jax_states_as_numpy_states(body):
    model, rng = body.model(), np.random.default_rng(0)
    qpos = (model.qpos0 + rng.uniform(-1.5, 1.5, (64, model.nq))).astype(np.float32)
    qvel = rng.normal(0.0, 8.0, (64, model.nv)).astype(np.float32)
    qvel[0, -1], qpos[1, 0] = np.nan, np.inf
    for method in (body.task_state, body.observation):
        found = method(jnp.asarray(qpos), jnp.asarray(qvel))
        assert isinstance(found, jax.Array)
        np.testing.assert_allclose(found[2:], method(qpos, qvel)[2:], atol=1e-5)
    fallen = body.fallen(jnp.asarray(qpos), jnp.asarray(qvel))
    np.testing.assert_array_equal(fallen, body.fallen(qpos, qvel))
    assert fallen[:2].all() and not fallen.all()


# ---- what is refused


@pytest.mark.skipif(jax.default_backend() == "gpu", reason="JAX sees a GPU")
def test_without_a_gpu_there_is_one_clear_error_before_any_work(tmp_path, monkeypatch, capsys):
    with pytest.raises(ConfigError, match=r"device: 'gpu' is not possible: JAX sees cpu .* only; pip install -e '"):
        require_gpu()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REINFER_COMPILATION_CACHE", "0")
    assert main(["train", "low", "--device", "gpu"]) == 2
    assert "device: 'gpu'" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_mjx_must_be_there_and_fit_mujoco(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "3.1.0")
    with pytest.raises(ConfigError, match="mujoco-mjx 3.1.0 does not fit mujoco .*; pip install mujoco-mjx=="):
        DeviceSimulation(HALF_CHEETAH)
    monkeypatch.delattr("mujoco.mjx")
    monkeypatch.setitem(sys.modules, "mujoco.mjx", None)
    with pytest.raises(ConfigError, match="mujoco-mjx is not installed .*pip install -e '"):
        DeviceSimulation(HALF_CHEETAH)


def test_a_robot_of_ones_own_that_takes_numpy_arrays_only_is_named(tmp_path):
    (tmp_path / "crawler.py").write_text(CRAWLER)
    (tmp_path / "half_cheetah.xml").write_bytes(HALF_CHEETAH.path().read_bytes())
    crawler = robot(str(tmp_path / "crawler.py"))
    with pytest.raises(ConfigError, match="body 'crawler': its observation takes NumPy arrays only"):
        DeviceSimulation(crawler)


CRAWLER = """
from dataclasses import dataclass
import numpy as np
from reinfer.bodies import HALF_CHEETAH, PlanarBody

@dataclass(frozen=True, slots=True, kw_only=True)
class Crawler(PlanarBody):
    def observation(self, qpos, qvel):
        return np.concatenate([np.sin(qpos[..., 1:]), np.tanh(qvel)], axis=-1)

CRAWLER = Crawler(
    name="crawler", xml="half_cheetah.xml", timings=HALF_CHEETAH.timings, timing="stock",
    tasks=HALF_CHEETAH.tasks, commands=HALF_CHEETAH.commands, fall_pitch_rad=2.0,
    reset_position_noise=0.1, reset_velocity_noise=0.1,
)
"""
