"""What every robot in ``ROBOTS`` promises, whatever it is."""

import mujoco
import numpy as np
import pytest

from reinfer.bodies import ROBOTS, robot
from reinfer.tasks import CHANNELS, FAMILIES, FAMILY_NAMES


@pytest.fixture(params=sorted(ROBOTS))
def body(request):
    return robot(request.param)


@pytest.fixture
def model(body):
    return body.model()


def some_state(model, count=5):
    rng = np.random.default_rng(0)
    return rng.uniform(-0.3, 0.3, (count, model.nq)), rng.normal(0, 3, (count, model.nv))


def test_is_registered_under_its_own_name(body):
    assert ROBOTS[body.name] is body
    with pytest.raises(ValueError, match="body: 'unicorn' .*half_cheetah"):
        robot("unicorn")


def test_root_joints_are_x_z_pitch(body, model):
    kinds = [model.jnt_type[j] for j in range(3)]
    assert kinds == [mujoco.mjtJoint.mjJNT_SLIDE, mujoco.mjtJoint.mjJNT_SLIDE, mujoco.mjtJoint.mjJNT_HINGE]
    np.testing.assert_array_equal(model.jnt_axis[:3], [[1, 0, 0], [0, 0, 1], [0, 1, 0]])
    assert model.nq == model.nv


def test_task_space_map(body, model):
    qpos, qvel = some_state(model)
    state = body.task_state(qpos, qvel)
    assert state.shape == (5, len(CHANNELS)) and body.channels == CHANNELS
    np.testing.assert_array_equal(state, np.column_stack([qpos[:, :3], qvel[:, :3]]))


def test_moving_the_body_along_the_line_changes_no_observation(body, model):
    qpos, qvel = some_state(model)
    seen = body.observation(qpos, qvel)
    assert seen.shape == (5, body.observation_size(model))
    moved = qpos.copy()
    moved[:, 0] += 37.0
    np.testing.assert_array_equal(body.observation(moved, qvel), seen)
    assert np.abs(body.observation(qpos, 1e6 * qvel)).max() <= 10.0


def test_falls(body, model):
    qpos, qvel = some_state(model)
    assert not body.fallen(qpos, qvel).any()
    over = np.nextafter(body.fall_pitch_rad, 10)
    qpos[0, 2], qpos[1, 2] = over, -over
    qpos[2, 2] = body.fall_pitch_rad
    qvel[3, 0], qpos[4, 0] = np.nan, np.inf
    np.testing.assert_array_equal(body.fallen(qpos, qvel), [True, True, False, True, True])


def test_tasks_lie_within_what_the_body_can_be_commanded(body):
    commands = body.commands
    limits = {"velocity": commands.speed_mps, "stand": commands.stand_rad, "jump": commands.jump_mps}
    for name, low, high in body.tasks.ranges:
        limit = limits.get(FAMILIES[FAMILY_NAMES.index(name)].kind)
        if limit is not None:
            assert limit[0] <= low < high <= limit[1], name


def test_actions_are_unit_boxes_and_the_control_step_is_a_human_scale(body, model):
    np.testing.assert_array_equal(model.actuator_ctrlrange, np.tile([-1.0, 1.0], (model.nu, 1)))
    assert 0.01 <= model.opt.timestep * body.frame_skip <= 0.1
