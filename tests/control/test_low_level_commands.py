"""Commands: clamped to what was trained, seen without any absolute position, drawn as documented."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reinfer.bodies import HALF_CHEETAH, CommandRange
from reinfer.control.commands import (
    COMMAND_KINDS,
    Commands,
    clamp_commands,
    command_features,
    feature_size,
    restrict,
    trained_kinds,
)
from reinfer.control.demands import Progress, forgotten
from reinfer.control.tracking import (
    AVERAGING_S,
    SETTLING_S,
    averaged_error,
    draw_commands,
    goal_reward,
    jump_reward,
    no_recent,
    tracking_error,
    tracking_reward,
    velocity_reward,
    with_newest,
)
from reinfer.tasks import GOAL, JUMP, STAND, VELOCITY

RANGES = CommandRange(goal_m=3.0, speed_mps=(0.3, 3.0))
ALL = replace(RANGES, stand_rad=(0.5, 1.5), jump_mps=(1.5, 3.0))

finite = st.floats(-1e4, 1e4)


def state(x=0.0, vx=0.0, pitch=0.0, vz=0.0):
    return np.array([[x, 0.0, pitch, vx, vz, 0.0]])


def command(kind, target):
    return Commands(np.array([kind]), np.array([target]))


def test_clamping_by_hand():
    cases = [
        (GOAL, 10.0, 5.0, 8.0),
        (GOAL, -10.0, 5.0, 2.0),
        (GOAL, 5.2, 5.0, 5.2),
        (VELOCITY, 9.0, 5.0, 3.0),
        (VELOCITY, -9.0, 5.0, -3.0),
        (VELOCITY, 0.1, 5.0, 0.1),
        (STAND, -2.0, 5.0, -1.5),
        (JUMP, 4.0, 5.0, 3.0),
        (JUMP, -1.0, 5.0, 0.0),
    ]
    for kind, asked, x, expected in cases:
        assert clamp_commands(command(kind, asked), state(x), ALL).target[0] == expected, (kind, asked)


@given(x=finite, kind=st.sampled_from([GOAL, VELOCITY, STAND, JUMP]), target=finite)
def test_clamping_twice_is_clamping_once(x, kind, target):
    once = clamp_commands(command(kind, target), state(x), ALL)
    np.testing.assert_array_equal(clamp_commands(once, state(x), ALL).target, once.target)


@given(x=st.floats(-100, 100), offset=st.floats(-5, 5), vx=st.floats(-3, 3))
def test_no_absolute_position_reaches_the_features(x, offset, vx):
    here = command_features(state(0.0, vx), command(GOAL, offset), RANGES)
    there = command_features(state(x, vx), command(GOAL, x + offset), RANGES)
    np.testing.assert_allclose(there, here, atol=1e-4)
    walking = command_features(state(0.0, vx), command(VELOCITY, offset), RANGES)
    np.testing.assert_array_equal(command_features(state(x, vx), command(VELOCITY, offset), RANGES), walking)


@given(kind=st.sampled_from([GOAL, VELOCITY, STAND, JUMP]), target=finite, x=finite, vx=finite)
def test_features_are_bounded(kind, target, x, vx):
    features = command_features(state(x, vx), command(kind, target), ALL)
    assert features.dtype == np.float32 and features.shape == (1, feature_size(ALL))
    assert np.abs(features).max() <= 1.0
    np.testing.assert_array_equal(features[0, :4], np.eye(4)[kind])


def test_features_by_hand():
    """One-hot, then coarse / fine / finest of the kind commanded and zeros for the other."""
    np.testing.assert_allclose(
        command_features(state(5.0), command(GOAL, 5.06), RANGES)[0],
        [1, 0, 0.02, 0.12, 0.6, 0, 0, 0],
        atol=1e-6,
    )
    np.testing.assert_allclose(
        command_features(state(5.0, vx=-0.1), command(VELOCITY, 0.3), RANGES)[0],
        [0, 1, 0, 0, 0, 0.1, 0.6, 0.8],
        atol=1e-6,
    )


def test_untrained_kinds_are_refused():
    assert trained_kinds(RANGES) == (GOAL, VELOCITY)
    assert trained_kinds(ALL) == (GOAL, VELOCITY, STAND, JUMP)
    with pytest.raises(ValueError, match="kind: 'stand' .*allowed: goal, velocity"):
        command_features(state(), command(STAND, 1.0), RANGES)
    with pytest.raises(ValueError, match="kind: 9 "):
        clamp_commands(command(9, 1.0), state(), RANGES)


def test_restricting_the_kinds():
    assert restrict(ALL, ("goal", "velocity")) == RANGES
    assert restrict(ALL, ("goal", "velocity", "jump")) == replace(ALL, stand_rad=None)
    for kinds in (("goal",), ("goal", "velocity", "flip")):
        with pytest.raises(ValueError, match="kinds: .*stand, jump"):
            restrict(ALL, kinds)


def test_training_commands_of_every_kind():
    commands = draw_commands(np.random.default_rng(1), np.zeros(8000), ALL)
    np.testing.assert_allclose(np.bincount(commands.kind) / 8000, 0.25, atol=0.02)
    stands, jumps = (commands.target[commands.kind == kind] for kind in (STAND, JUMP))
    assert 0.5 <= np.abs(stands).min() < 0.52 and 1.48 < stands.max() <= 1.5 and stands.min() < -1.48
    assert 1.5 <= jumps.min() < 1.52 and 2.97 < jumps.max() <= 3.0


def test_training_commands_cover_the_range_down_to_zero():
    x = np.full(20_000, 7.0)
    commands = draw_commands(np.random.default_rng(0), x, RANGES)
    is_goal = commands.kind == GOAL
    assert 0.48 < is_goal.mean() < 0.52
    for asked, limit in ((commands.target[is_goal] - 7.0, 4.0), (commands.target[~is_goal], 3.0)):
        size = np.abs(asked)
        assert 0.95 * limit < size.max() <= limit
        assert 0.03 < (size < 1e-9).mean() < 0.07, "to stay is a command too"
        assert 0.1 < ((size > 0) & (size < 0.3)).mean() < 0.4
        assert abs(np.sign(asked).mean()) < 0.03


def test_best_rewards_are_for_doing_what_was_asked():
    old = np.full(50, 2.0)
    assert goal_reward(np.zeros(1), np.zeros(1), 2.4)[0] == pytest.approx(1.0)
    assert velocity_reward(np.zeros(1), np.zeros(1), old[:1], np.ones(1))[0] == pytest.approx(1.0)
    error = np.linspace(0, 3, 50)
    for rewards in (
        velocity_reward(error, np.zeros(50), old, np.ones(50)),
        velocity_reward(np.zeros(50), error, old, np.ones(50)),
        goal_reward(error, -np.clip(2 * error, -2.4, 2.4), 2.4),
    ):
        assert (np.diff(rewards) <= 0).all()
    towards, away = (goal_reward(np.array([-1.0]), np.array([v]), 2.4)[0] for v in (2.0, -2.0))
    assert towards > away + 0.25, "goal ahead: forward is right"


def test_a_jump_is_judged_by_its_peak_and_by_how_much_of_the_time_it_is_near():
    old, target = np.full(50, 2.0), np.full(50, 2.0)
    error = np.linspace(0, 2, 50)
    assert jump_reward(np.zeros(1), np.zeros(1), old[:1], target[:1])[0] == pytest.approx(1.0)
    for rewards in (jump_reward(error, np.zeros(50), old, target), jump_reward(np.zeros(50), -error, old, target)):
        assert (np.diff(rewards) < 0).all()
    young = [jump_reward(np.zeros(1), np.array([peak]), np.zeros(1), target[:1])[0] for peak in (0.0, -1.0)]
    assert young[0] == young[1], "a young command has no second behind it"


def test_the_recent_peak_lasts_a_second_and_can_be_forgotten():
    recent, seen = no_recent(2, 0.05), []
    for value in (0.2, 3.0, *[0.1] * 20):
        recent = with_newest(recent, np.array([value, 0.5]))
        seen.append(recent.max(1))
    assert [row[0] for row in seen] == [0.2] + [3.0] * 20 + [0.1] and all(row[1] == 0.5 for row in seen[1:])
    progress = forgotten(Progress(np.ones(2), np.ones(2), recent), np.array([False, True]))
    np.testing.assert_array_equal(progress.average, [1.0, 0.0])
    np.testing.assert_array_equal(with_newest(progress.recent, np.array([0.0, 0.2])).max(1), [0.1, 0.2])


def test_effort_costs():
    zero, commands = np.zeros(1), command(GOAL, 0.0)
    steps = [(zero, zero, zero, zero, commands, np.full((1, 6), a), 2.4) for a in (0.0, 1.0)]
    rest, effort = (tracking_reward(*step, effort_price=0.01)[0] for step in steps)
    assert rest == pytest.approx(1.0) and effort == pytest.approx(0.94)
    assert tracking_reward(*steps[1], effort_price=0.05)[0] == pytest.approx(0.7)


def test_speed_is_distance_over_time_and_goals_are_distances():
    step = (state(1.0, vx=9.0), state(1.1, vx=1.4))
    assert tracking_error(*step, command(VELOCITY, 1.5), 0.05)[0] == pytest.approx(0.5)
    assert tracking_error(*step, command(GOAL, 1.5), 0.05)[0] == pytest.approx(-0.4)


def test_changing_over_leaves_no_debt():
    """What a young command missed is neither averaged nor judged; later the average is exponential."""
    average = averaged_error(np.zeros(1), np.array([-2.0]), np.array([0.9 * SETTLING_S]), 0.05)
    assert average[0] == 0
    judged = [velocity_reward(np.zeros(1), np.array([a]), np.zeros(1), np.ones(1))[0] for a in (0.0, 1.0)]
    assert judged[0] == judged[1]
    once = averaged_error(np.zeros(1), np.array([1.0]), np.array([1.1 * SETTLING_S]), 0.05)
    assert once[0] == pytest.approx(1 - np.exp(-0.05 / AVERAGING_S))


def test_the_robot_declares_its_ranges():
    assert restrict(HALF_CHEETAH.commands, ("goal", "velocity")) == RANGES
    assert restrict(HALF_CHEETAH.commands, COMMAND_KINDS) == HALF_CHEETAH.commands
