"""Slow before fast, starts in the middle of a run, and practice where bodies fall."""

import numpy as np
import pytest

from reinfer.bodies import CommandRange
from reinfer.control.commands import Commands
from reinfer.control.curriculum import (
    FIRST_SHARE,
    Practice,
    hard_speeds,
    no_practice,
    practised,
    ramped,
    speed_bin,
    starting_speed,
)
from reinfer.control.tracking import velocity_reward
from reinfer.tasks import GOAL, VELOCITY

RANGES = CommandRange(goal_m=3.0, speed_mps=(0.3, 2.0))


def test_a_ramp_grows_from_its_first_share_to_the_whole_range():
    assert ramped(RANGES, 0.0, 0.0) is RANGES, "without a ramp everything is asked from the start"
    tops = [ramped(RANGES, progress, 0.5).speed_mps[1] for progress in (0.0, 0.25, 0.5, 0.9)]
    np.testing.assert_allclose(tops, [2.0 * FIRST_SHARE, 1.0 + FIRST_SHARE, 2.0, 2.0])
    slow = ramped(CommandRange(speed_mps=(1.0, 2.0)), 0.0, 0.5)
    assert slow.speed_mps == (0.5, 0.5), "the lower end never exceeds the upper"
    assert ramped(RANGES, 0.1, 0.5).goal_m == RANGES.goal_m


def test_bodies_start_towards_what_they_are_asked_for():
    kind, target = np.repeat([VELOCITY, GOAL], 2000), np.full(4000, -2.0)
    speed = starting_speed(np.random.default_rng(0), Commands(kind, target), RANGES, share=0.5)
    moving = speed != 0
    assert 0.45 < moving.mean() < 0.55
    commanded, others = speed[:2000][moving[:2000]], speed[2000:][moving[2000:]]
    assert commanded.min() >= -2.0 and commanded.max() <= -1.0
    assert -1.2 <= others.min() < -1.1 and 1.1 < others.max() <= 1.2


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


def test_speeds_at_which_bodies_fall_are_asked_for_more_often():
    """All falls at 2 to 2.5 m/s backwards: most speeds drawn are of that bin, unless it is beyond what is asked for."""
    ranges = CommandRange(speed_mps=(0.3, 3.0))
    practice = practised(no_practice(), Practice(np.full(12, 1e4), np.where(np.arange(12) == 4, 100.0, 0.0)))
    assert speed_bin(np.array([-2.2, -0.1, 0.1, 3.0, 9.0]), ranges).tolist() == [4, 0, 6, 11, 11]
    drawn = hard_speeds(np.random.default_rng(0), practice, 1000, ranges, ranges)
    assert np.mean(speed_bin(drawn, ranges) == 4) > 0.9
    assert np.abs(drawn).max() <= 3.0
    slow = hard_speeds(np.random.default_rng(0), practice, 1000, ranges, ramped(ranges, 0.0, 0.5))
    assert np.abs(slow).max() <= 0.75
    faded = practised(practice, no_practice())
    np.testing.assert_allclose(faded.falls, 0.98 * practice.falls)
