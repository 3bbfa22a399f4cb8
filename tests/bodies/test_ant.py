"""The free body: orientation as seen and as judged."""

from dataclasses import replace

import mujoco
import numpy as np
import pytest

from reinfer.bodies import robot
from reinfer.bodies.ant import ANT, FARTHEST_Y_M, rotation
from reinfer.bodies.contract import problems
from reinfer.control.equivariance import reflect
from reinfer.simulation import BatchSimulation
from reinfer.tasks.families import CHANNEL_MIRROR


def turned(axis, angle):
    quaternion = np.zeros(4)
    mujoco.mju_axisAngle2Quat(quaternion, np.array(axis, float), angle)
    qpos = ANT.model().qpos0.copy()
    qpos[3:7] = quaternion
    return qpos


def test_rotations_are_those_of_mujoco():
    rng = np.random.default_rng(0)
    quaternions = rng.normal(size=(4, 4))
    for quaternion, ours in zip(quaternions, rotation(quaternions), strict=True):
        expected = np.zeros(9)
        mujoco.mju_quat2Mat(expected, quaternion / np.linalg.norm(quaternion))
        np.testing.assert_allclose(ours.ravel(), expected, atol=1e-12)


def test_both_signs_of_a_quaternion_are_one_orientation():
    qpos, qvel = turned((1, 2, 3), 0.7), np.ones(14)
    other = qpos.copy()
    other[3:7] *= -1
    np.testing.assert_array_equal(ANT.observation(qpos, qvel), ANT.observation(other, qvel))
    np.testing.assert_array_equal(ANT.task_state(qpos, qvel), ANT.task_state(other, qvel))


def test_a_turn_about_the_vertical_is_no_pitch_and_no_fall():
    qpos = turned((0, 0, 1), 2.5)
    assert abs(ANT.task_state(qpos, np.zeros(14))[2]) < 1e-12
    assert not ANT.fallen(qpos, np.zeros(14))


def test_lying_on_the_side_is_a_fall():
    for axis in ((1, 0, 0), (0, 1, 0)):
        for sign in (1, -1):
            assert not ANT.fallen(turned(axis, sign * (ANT.fall_tilt_rad - 0.01)), np.zeros(14))
            assert ANT.fallen(turned(axis, sign * (ANT.fall_tilt_rad + 0.01)), np.zeros(14))


def test_distance_from_the_line_is_seen_up_to_a_limit():
    qpos, qvel = np.tile(ANT.model().qpos0, (3, 1)), np.zeros((3, 14))
    qpos[:, 1] = 0.5, 50.0, -50.0
    np.testing.assert_array_equal(ANT.observation(qpos, qvel)[:, 0], [0.5, FARTHEST_Y_M, -FARTHEST_Y_M])


def test_half_a_turn_changes_nothing_but_the_direction():
    """The image of a state under the image of actions goes where the image of what follows is."""
    mirror = ANT.mirror(ANT.model())
    joints = np.array([4, 5, 6, 7, 0, 1, 2, 3])
    signs = np.tile([1.0, -1.0], 4)
    here, there = (BatchSimulation(ANT, 6, threads=1) for _ in range(2))
    rng = np.random.default_rng(0)
    here.reset(rng)
    here.qpos[:, :2], here.qvel[:, :6] = rng.normal(size=(6, 2)), rng.normal(size=(6, 6))
    there.reset(rng)
    half_a_turn = np.array([0.0, 0.0, 0.0, 1.0])
    for ours, image in zip(here.qpos, there.qpos, strict=True):
        mujoco.mju_mulQuat(image[3:7], half_a_turn, ours[3:7].copy())
        mujoco.mju_mulQuat(image[3:7], image[3:7].copy(), half_a_turn * [1, -1, -1, -1])
    there.qpos[:, :3] = here.qpos[:, :3] * [-1, -1, 1]
    there.qvel[:, :6] = here.qvel[:, :6] * [-1, -1, 1, -1, -1, 1]
    there.qpos[:, 7:], there.qvel[:, 6:] = here.qpos[:, 7:][:, joints] * signs, here.qvel[:, 6:][:, joints] * signs
    for _ in range(5):
        np.testing.assert_allclose(reflect(here.observation(), mirror.observation), there.observation(), atol=1e-4)
        np.testing.assert_allclose(here.task_state() * CHANNEL_MIRROR[:6], there.task_state(), atol=1e-4)
        action = rng.uniform(-1.0, 1.0, (6, 8)).astype(np.float32)
        here.step(action)
        there.step(reflect(action, mirror.action))
    assert np.abs(here.task_state()[:, 0]).min() > 1e-3


@pytest.mark.parametrize(
    ("joint", "image", "said"),
    [
        ("ankle_1", ("ankle_3", 1), "mirror: observation applied twice must change nothing"),
        ("hip_1", ("hip_2", 1), "mirror: observation must put each of 30 entries in one place"),
        ("hip_1", ("knee", 1), "mirror: ValueError: 'knee' is not in list"),
    ],
)
def test_a_wrong_mirror_is_found(joint, image, said):
    assert problems(replace(ANT, opposite=ANT.opposite | {joint: image})) == [said]


def test_a_mirror_that_physics_does_not_keep_is_found():
    upright = {name: (other, 1) for name, (other, _) in ANT.opposite.items()}
    (said,) = problems(replace(ANT, opposite=upright))
    assert said.startswith("mirror: entry ") and said.endswith("not alike, or not in this way")


def test_bodies_with_a_front_have_no_mirror():
    for name in ("half_cheetah", "walker2d", "hopper"):
        assert robot(name).mirror(robot(name).model()) is None
