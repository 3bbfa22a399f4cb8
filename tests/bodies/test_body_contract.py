"""What every robot in ``ROBOTS`` promises, whatever it is."""

import mujoco
import numpy as np
import pytest

from reinfer.bodies import ROBOTS, Timing, robot
from reinfer.bodies.contract import problems
from reinfer.tasks import PLANE_CHANNELS

ALL_TIMINGS = [(name, timing) for name, body in sorted(ROBOTS.items()) for timing in body.timings]


@pytest.fixture(params=sorted(ROBOTS))
def body(request):
    return robot(request.param)


def test_is_registered_under_its_own_name(body):
    assert ROBOTS[body.name] is body
    with pytest.raises(ValueError, match="body: 'unicorn' .*half_cheetah"):
        robot("unicorn")


@pytest.mark.parametrize(("name", "timing"), ALL_TIMINGS)
def test_keeps_the_contract_that_robots_of_ones_own_must_keep(name, timing):
    assert problems(robot(name, timing)) == []


def test_task_space_map_is_one_for_single_states_and_batches(body):
    model, rng = body.model(), np.random.default_rng(0)
    qpos, qvel = model.qpos0 + rng.uniform(-0.1, 0.1, (5, model.nq)), rng.normal(0, 3, (5, model.nv))
    state = body.task_state(qpos, qvel)
    assert state.shape == (5, len(PLANE_CHANNELS)) and body.channels == PLANE_CHANNELS
    np.testing.assert_array_equal(state[:, 0], qpos[:, 0])
    np.testing.assert_array_equal(body.task_state(qpos[2], qvel[2]), state[2])
    assert np.abs(body.observation(qpos, 1e6 * qvel)).max() <= 10.0


def test_positive_pitch_turns_the_front_down(body):
    """As seen by MuJoCo's kinematics at an angle that is not small."""
    model = body.model()
    data, velocity = mujoco.MjData(model), np.zeros(model.nv)
    velocity[2 if model.nq == model.nv else 4] = 1.0
    mujoco.mj_integratePos(model, data.qpos, velocity, 0.3)
    mujoco.mj_kinematics(model, data)
    assert body.task_state(data.qpos, velocity)[2] == pytest.approx(0.3)
    assert data.xmat[1].reshape(3, 3)[2, 0] == pytest.approx(-np.sin(0.3))


@pytest.mark.parametrize(("name", "timing"), ALL_TIMINGS)
def test_timings_are_those_of_the_model(name, timing):
    body = robot(name, timing)
    chosen, option = body.timings[timing], body.model().opt
    integrators = {"Euler": 0, "RK4": 1, "implicitfast": 3}
    assert (option.integrator, option.timestep) == (integrators[chosen.integrator], chosen.timestep_s)
    assert body.control_dt_s == pytest.approx(chosen.timestep_s * chosen.frame_skip)


def test_stock_timing_is_what_the_model_comes_with(body):
    stock = body.with_timing("stock").model().opt
    own = mujoco.MjModel.from_xml_path(str(body.path())).opt
    assert (stock.integrator, stock.timestep) == (own.integrator, own.timestep)


def test_unknown_timings_are_refused(body):
    with pytest.raises(ValueError, match=f"timing: 'slow' .*{body.name}.*allowed: .*stock"):
        robot(body.name, "slow")
    with pytest.raises(ValueError, match="integrator: 'leapfrog' .*allowed: Euler"):
        Timing("leapfrog", 0.01, 1)
