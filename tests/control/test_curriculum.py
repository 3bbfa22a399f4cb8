"""Slow before fast, starts in the middle of a run, and practice where bodies fall."""

import numpy as np
import pytest

from reinfer.bodies import CommandRange
from reinfer.control.commands import Commands
from reinfer.control.curriculum import (
    BINS,
    FIRST_SHARE,
    GOAL_EDGES,
    PUSH_HZ,
    Practice,
    command_bin,
    hard_targets,
    no_practice,
    practised,
    ramped,
    random_pushes,
    starting_pitch,
    starting_speed,
)
from reinfer.control.tracking import velocity_reward
from reinfer.tasks import GOAL, STAND, VELOCITY

RANGES = CommandRange(goal_m=3.0, speed_mps=(0.3, 2.0))


def test_a_ramp_grows_from_its_first_share_to_the_whole_range():
    assert ramped(RANGES, 0.0, 0.0) is RANGES, "without a ramp everything is asked from the start"
    tops = [ramped(RANGES, progress, 0.5).speed_mps[1] for progress in (0.0, 0.25, 0.5, 0.9)]
    np.testing.assert_allclose(tops, [2.0 * FIRST_SHARE, 1.0 + FIRST_SHARE, 2.0, 2.0])
    slow = ramped(CommandRange(speed_mps=(1.0, 2.0)), 0.0, 0.5)
    assert slow.speed_mps == (0.5, 0.5), "the lower end never exceeds the upper"
    assert ramped(RANGES, 0.1, 0.5).goal_m == RANGES.goal_m


def test_bodies_begin_near_the_pitch_that_they_shall_hold():
    kind, target = np.repeat([STAND, GOAL], 2000), np.full(4000, -1.0)
    posed, pitch = starting_pitch(np.random.default_rng(0), Commands(kind, target), share=0.5)
    assert 0.45 < posed[:2000].mean() < 0.55 and not posed[2000:].any()
    assert abs(pitch[posed].mean() + 1.0) < 0.02 and np.abs(pitch).max() <= np.pi / 2


def test_bodies_start_towards_what_they_are_asked_for():
    kind, target = np.repeat([VELOCITY, GOAL], 2000), np.full(4000, -2.0)
    speed = starting_speed(np.random.default_rng(0), Commands(kind, target), RANGES, share=0.5)
    moving = speed != 0
    assert 0.45 < moving.mean() < 0.55
    commanded, others = speed[:2000][moving[:2000]], speed[2000:][moving[2000:]]
    assert -3.0 <= commanded.min() < -2.9 and -1.1 < commanded.max() <= -1.0
    assert -1.2 <= others.min() < -1.1 and 1.1 < others.max() <= 1.2


def test_pushes_are_rare_and_of_the_size_asked_for():
    speed = random_pushes(np.random.default_rng(0), 200_000, std_mps=0.4, dt_s=0.02)
    pushed = speed[speed != 0]
    assert len(pushed) / len(speed) == pytest.approx(0.02 * PUSH_HZ, rel=0.1)
    assert pushed.std() == pytest.approx(0.4, rel=0.1) and abs(pushed.mean()) < 0.05


def test_relative_judgement_pays_for_the_first_bit_of_any_speed():
    young = np.zeros(1)
    for target in (0.5, 1.0, 3.0):
        still, slow, right = (
            velocity_reward(np.array([share * target - target]), young, young, np.array([target]), relative=True)[0]
            for share in (0.0, 0.1, 1.0)
        )
        assert slow - still > 0.03
        assert right == pytest.approx(0.5)
    settled = velocity_reward(young, young, np.full(1, 2.0), np.ones(1), relative=True)[0]
    assert settled == pytest.approx(1.0)
    assert velocity_reward(np.array([-9.0]), young, young, np.ones(1), relative=True)[0] >= 0, "never worse than a fall"


def test_commands_under_which_bodies_fall_are_given_more_often():
    """All falls at 2 to 2.5 m/s backwards and at far goals ahead: most of what is drawn is of these bins."""
    ranges, rng = CommandRange(goal_m=3.0, speed_mps=(0.3, 3.0)), np.random.default_rng(0)
    hard = np.isin(np.arange(BINS), (4, BINS - 1))
    practice = practised(no_practice(), Practice(np.full(BINS, 1e4), np.where(hard, 100.0, 0.0)))
    speeds = hard_targets(rng, practice, VELOCITY, 1000, ranges, 3.0)
    assert np.mean((speeds > -2.5) & (speeds <= -2.0)) > 0.9 and np.abs(speeds).max() <= 3.0
    slow = hard_targets(rng, practice, VELOCITY, 1000, ranges, 0.75)
    assert np.abs(slow).max() <= 0.75, "unless they are beyond what is asked for"
    goals = hard_targets(rng, practice, GOAL, 1000, ranges, 3.0)
    assert np.mean(goals > 3.0) > 0.9 and np.abs(goals).max() <= 3.0 * GOAL_EDGES[-1]
    faded = practised(practice, no_practice())
    np.testing.assert_allclose(faded.falls, 0.98 * practice.falls)


def test_every_command_that_is_practised_has_its_bin():
    ranges = CommandRange(goal_m=3.0, speed_mps=(0.3, 3.0))
    kind = np.array([VELOCITY] * 5 + [GOAL] * 4 + [STAND])
    relative = np.array([-2.2, -0.1, 0.1, 3.0, 9.0, -0.5, -2.0, 2.9, 17.0, 0.3])
    assert command_bin(kind, relative, ranges).tolist() == [4, 0, 6, 11, 11, 12, 13, 16, 17, -1]
