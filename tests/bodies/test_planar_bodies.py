"""Bodies on three root joints: their map is the identity on these, falls are by pitch and height."""

import jax.numpy as jnp
import mujoco
import numpy as np
import pytest

from reinfer.bodies import ROBOTS, PlanarBody


@pytest.fixture(params=sorted(name for name, body in ROBOTS.items() if isinstance(body, PlanarBody)))
def body(request):
    return ROBOTS[request.param]


def test_root_joints_are_x_z_pitch(body):
    model = body.model()
    kinds = [model.jnt_type[j] for j in range(3)]
    assert kinds == [mujoco.mjtJoint.mjJNT_SLIDE, mujoco.mjtJoint.mjJNT_SLIDE, mujoco.mjtJoint.mjJNT_HINGE]
    np.testing.assert_array_equal(model.jnt_axis[:3], [[1, 0, 0], [0, 0, 1], [0, 1, 0]])
    assert model.nq == model.nv


def test_task_space_map_is_the_root_joints(body):
    model, rng = body.model(), np.random.default_rng(0)
    qpos, qvel = rng.normal(size=(5, model.nq)), rng.normal(size=(5, model.nv))
    np.testing.assert_array_equal(body.task_state(qpos, qvel), np.column_stack([qpos[:, :3], qvel[:, :3]]))


def test_a_pose_touches_the_ground_as_rest_does(body):
    """By MuJoCo's own contacts, as it is lowered."""
    model, pitch = body.model(), np.array([-1.5, -0.6, 0.0, 0.3, 1.2])
    qpos = body.posed(np.tile(model.qpos0, (5, 1)), pitch)
    np.testing.assert_array_equal(body.task_state(qpos, np.zeros((5, model.nv)))[:, 2], pitch)
    assert (qpos[:, 3:] == model.qpos0[3:]).all() and (qpos[:, 0] == model.qpos0[0]).all()
    data, ground = mujoco.MjData(model), int(np.flatnonzero(model.geom_bodyid == 0)[0])

    def touches(row, lowered):
        data.qpos[:] = row
        data.qpos[1] -= lowered
        mujoco.mj_forward(model, data)
        return (data.contact.geom[: data.ncon] == ground).any()

    gaps = [next(gap for gap in np.arange(-0.05, 0.2, 1e-3) if touches(row, gap)) for row in qpos]
    np.testing.assert_allclose(gaps, gaps[2], atol=2e-3)
    # Turned on from another pitch it is the same; JAX agrees.
    np.testing.assert_allclose(body.posed(qpos, pitch[::-1]), body.posed(qpos[[2] * 5], pitch[::-1]), atol=1e-9)
    traced = body.posed(jnp.asarray(qpos, jnp.float32), jnp.asarray(pitch[::-1], jnp.float32))
    np.testing.assert_allclose(traced, body.posed(qpos, pitch[::-1]), atol=1e-5)


def test_falls_by_pitch(body):
    model = body.model()
    qpos, qvel = np.tile(model.qpos0, (3, 1)), np.zeros((3, model.nv))
    over = np.nextafter(body.fall_pitch_rad, 10)
    qpos[:, 2] = over, -over, body.fall_pitch_rad
    np.testing.assert_array_equal(body.fallen(qpos, qvel), [True, True, False])


@pytest.mark.parametrize("name", ["walker2d", "hopper"])
def test_falls_by_height(name):
    body = ROBOTS[name]
    model = body.model()
    low = body.standing_z_m[0]
    assert 0.5 < low < model.qpos0[1], "z is a height: rest is above the least one"
    qpos, qvel = np.tile(model.qpos0, (2, 1)), np.zeros((2, model.nv))
    qpos[:, 1] = low, np.nextafter(low, 0)
    np.testing.assert_array_equal(body.fallen(qpos, qvel), [False, True])
