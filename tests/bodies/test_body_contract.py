"""What every robot in ``ROBOTS`` promises, whatever it is."""

import mujoco
import numpy as np
import pytest

from reinfer.bodies import ROBOTS, Timing, robot
from reinfer.tasks import CHANNELS, FAMILIES, FAMILY_NAMES

ALL_TIMINGS = [(name, timing) for name, body in sorted(ROBOTS.items()) for timing in body.timings]


@pytest.fixture(params=sorted(ROBOTS))
def body(request):
    return robot(request.param)


@pytest.fixture
def model(body):
    return body.model()


def states_near_rest(model, count=5):
    rng = np.random.default_rng(0)
    return model.qpos0 + rng.uniform(-0.1, 0.1, (count, model.nq)), rng.normal(0, 3, (count, model.nv))


def test_is_registered_under_its_own_name(body):
    assert ROBOTS[body.name] is body
    with pytest.raises(ValueError, match="body: 'unicorn' .*half_cheetah"):
        robot("unicorn")


def test_task_space_map(body, model):
    qpos, qvel = states_near_rest(model)
    state = body.task_state(qpos, qvel)
    assert state.shape == (5, len(CHANNELS)) and body.channels == CHANNELS
    np.testing.assert_array_equal(state[:, 0], qpos[:, 0])
    np.testing.assert_array_equal(state[:, 3], qvel[:, 0])
    np.testing.assert_array_equal(body.task_state(qpos[2], qvel[2]), state[2])


def test_rates_are_the_rates_of_the_positions(body, model):
    """vx, vz and the pitch rate against finite differences of MuJoCo's own integration of positions."""
    qpos, qvel = states_near_rest(model)
    state = body.task_state(qpos, qvel)
    for position, velocity, expected in zip(qpos, qvel, state, strict=True):
        before, after = position.copy(), position.copy()
        mujoco.mj_integratePos(model, before, velocity, -1e-5)
        mujoco.mj_integratePos(model, after, velocity, 1e-5)
        moved = body.task_state(after, velocity)[:3] - body.task_state(before, velocity)[:3]
        np.testing.assert_allclose(moved / 2e-5, expected[3:], rtol=1e-6, atol=1e-6)


def test_pitch_is_rotation_about_y_and_moving_forward_is_positive_x(body, model):
    """Positive pitch turns the trunk's front down, as seen by MuJoCo's kinematics."""
    data = mujoco.MjData(model)
    velocity = np.zeros(model.nv)
    velocity[2 if model.nq == model.nv else 4] = 1.0
    mujoco.mj_integratePos(model, data.qpos, velocity, 0.3)
    mujoco.mj_kinematics(model, data)
    assert body.task_state(data.qpos, velocity)[2] == pytest.approx(0.3)
    assert data.xmat[1].reshape(3, 3)[2, 0] == pytest.approx(-np.sin(0.3))


def test_moving_the_body_along_the_line_changes_no_observation(body, model):
    qpos, qvel = states_near_rest(model)
    seen = body.observation(qpos, qvel)
    assert seen.shape == (5, body.observation_size(model))
    moved = qpos.copy()
    moved[:, 0] += 37.0
    np.testing.assert_array_equal(body.observation(moved, qvel), seen)
    assert np.abs(body.observation(qpos, 1e6 * qvel)).max() <= 10.0


def test_rest_is_no_fall_but_a_state_that_is_not_finite_is(body, model):
    qpos, qvel = np.tile(model.qpos0, (3, 1)), np.zeros((3, model.nv))
    assert not body.fallen(qpos, qvel).any()
    qvel[1, 0], qpos[2, 0] = np.nan, np.inf
    np.testing.assert_array_equal(body.fallen(qpos, qvel), [False, True, True])


def test_tasks_lie_within_what_the_body_can_be_commanded(body):
    commands = body.commands
    limits = {"velocity": commands.speed_mps, "stand": commands.stand_rad, "jump": commands.jump_mps}
    for name, low, high in body.tasks.ranges:
        limit = limits.get(FAMILIES[FAMILY_NAMES.index(name)].kind)
        if limit is not None:
            assert limit[0] <= low < high <= limit[1], name


def test_actions_are_unit_boxes_and_the_control_step_is_a_human_scale(body, model):
    np.testing.assert_array_equal(model.actuator_ctrlrange, np.tile([-1.0, 1.0], (model.nu, 1)))
    assert 0.01 <= body.control_dt_s <= 0.1


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
