"""What a low level practises, as its settings have it: commands, starts, pushes, and what it earns."""

from dataclasses import replace

import numpy as np
import pytest
from small_low_level import SMALL, run, same

from reinfer.control.commands import Commands
from reinfer.control.curriculum import PUSH_HZ, no_practice
from reinfer.control.demands import judged, no_progress
from reinfer.runs.errors import ConfigError
from reinfer.stages.low_level import PRESETS, LowLevelStage
from reinfer.tasks import GOAL, STAND, VELOCITY


def test_speeds_asked_for_grow_and_episodes_begin_at_speed():
    stage = LowLevelStage(replace(SMALL, speed_ramp=0.5, moving_starts=1.0, relative_speed=True, hard_commands=0.5))
    fastest = []
    for iteration in (0, 50):
        stage.begin(iteration)
        fastest.append(np.abs(stage.exercise.commands.target[stage.exercise.commands.kind == VELOCITY]).max())
    assert fastest[0] <= 0.75 < fastest[1]
    assert np.median(np.abs(stage.simulation.qvel[:, 0])) > 0.3
    whole, _ = run(stage, stage.init(), range(2))
    again, _ = run(LowLevelStage(stage.config), stage.init(), range(2))
    assert same(whole, again)


def test_what_shall_hold_a_pitch_may_begin_near_it():
    with pytest.raises(ConfigError, match="posed_starts: 0.5 is not allowed with ant: it is not planar"):
        LowLevelStage(replace(PRESETS["ant"], posed_starts=0.5))
    kinds = ("goal", "velocity", "stand")
    stage = LowLevelStage(replace(SMALL, kinds=kinds, posed_starts=1.0, simulations=64))
    stage.begin(0)
    pitch, standing = stage.simulation.task_state()[:, 2], stage.exercise.commands.kind == STAND
    asked = stage.exercise.commands.target
    assert np.abs(pitch - asked)[standing].max() < 1.0 and np.abs(pitch[standing]).mean() > 0.5
    assert np.abs(pitch[~standing]).max() < 0.2


@pytest.mark.parametrize("std_mps", [0.0, 3.0])
def test_bodies_are_pushed_while_they_learn(std_mps, monkeypatch):
    stage = LowLevelStage(replace(SMALL, simulations=64, horizon=32, pushes_mps=std_mps))
    stage.begin(0)
    pushed, push = [], stage.simulation.push
    monkeypatch.setattr(stage.simulation, "push", lambda ids, speed: (pushed.extend(speed), push(ids, speed)))
    stage.exercise.collect(stage.init().learner, stage.config.horizon, 0, 0)
    expected = PUSH_HZ * stage.simulation.control_dt_s * 64 * 32 * (std_mps > 0)
    assert 0.5 * expected <= len(pushed) <= 1.5 * expected
    if pushed:
        assert 0.7 * std_mps < np.std(pushed) < 1.3 * std_mps


def test_commands_may_change_at_once_when_an_episode_is_young():
    changes = []
    stage = LowLevelStage(replace(SMALL, simulations=256, first_changes_hz=16.0, iterations=100, anneal_from=0.5))
    exercise = stage.exercise
    for iteration in (49, 50):
        stage.begin(iteration)
        exercise.change_rate[:] = 0.0
        exercise.age[:] = np.repeat([1, 20], 128)
        before = exercise.commands.target.copy()
        exercise.renew(np.random.default_rng(0), np.zeros(256, bool), exercise.inputs())
        changes.append((exercise.commands.target != before).reshape(2, 128).mean(-1))
    assert (changes[0] == 0).all() and changes[1][0] > 0.5 and changes[1][1] == 0


def test_hard_commands_give_way_to_a_share_that_remains():
    stage = LowLevelStage(replace(SMALL, hard_commands=0.4, last_hard_commands=0.1, iterations=100, anneal_from=0.5))
    shares = [stage._demand(iteration, no_practice()).hard_share for iteration in (0, 50, 75, 100)]
    np.testing.assert_allclose(shares, [0.4, 0.4, 0.25, 0.1])
    assert LowLevelStage(SMALL)._demand(0, no_practice()).hard_share is None


def test_a_fall_costs_more_as_training_goes_on():
    """The same rollout earns less only where it ends in a fall: its cost, which grows until annealing begins."""
    rewards = {}
    for cost in (0.0, 20.0):
        settings = {"first_fall_cost": cost, "last_fall_cost": 2.0 * cost, "iterations": 100, "anneal_from": 0.5}
        stage = LowLevelStage(replace(SMALL, body="hopper", simulations=32, horizon=64, **settings))
        stage.begin(25)
        rollout, _ = stage.exercise.collect(stage.init().learner, stage.config.horizon, 0, 0)
        rewards[cost] = rollout.rewards
    assert 0 < rollout.terminal.sum() < rollout.terminal.size
    np.testing.assert_allclose(rewards[20.0] - rewards[0.0], -30.0 * rollout.terminal, atol=1e-6)
    assert [stage._demand(i, no_practice()).fall_cost for i in (0, 50, 99)] == [20.0, 40.0, 40.0]


def test_every_step_under_a_command_is_counted_and_every_fall():
    stage = LowLevelStage(replace(SMALL, body="hopper", simulations=32, horizon=64))
    stage.begin(0)
    rollout, metrics = stage.exercise.collect(stage.init().learner, stage.config.horizon, 0, 0)
    tried = stage.exercise.count()
    assert tried.falls.sum() == metrics["falls"] > 0
    assert tried.steps.sum() == rollout.terminal.size
    assert 0.4 < tried.steps[:12].sum() / rollout.terminal.size < 0.6, "half of them are speeds"


def test_some_goals_are_out_of_sight_and_some_commands_never_stay():
    stage = LowLevelStage(replace(SMALL, simulations=400, far_goals=0.5, restless=0.25, episode_s=60.0))
    stage.begin(0)
    exercise = stage.exercise
    distance = np.abs(exercise.commands.target - stage.simulation.task_state()[:, 0])[exercise.commands.kind == GOAL]
    assert 0.4 < (distance > 4.0).mean() < 0.6 and distance.max() < 18.1
    assert 0.2 < (exercise.change_rate > 10.0).mean() < 0.3
    plain = LowLevelStage(replace(SMALL, simulations=400, episode_s=60.0))
    plain.begin(0)
    goals = plain.exercise.commands.kind == GOAL
    assert np.abs(plain.exercise.commands.target - plain.simulation.task_state()[:, 0])[goals].max() <= 4.0
    assert plain.exercise.change_rate.max() == 4.0


def test_goals_are_approached_at_the_share_of_the_highest_speed_that_was_asked_for():
    """Far from its goal a body earns most at that speed, be it 0.6 or 0.8 of the 3 m/s that are promised."""
    speeds = np.linspace(0.5, 3.0, 26)
    reached = np.zeros((len(speeds), 6))
    reached[:, 3] = speeds
    commands = Commands(np.full(len(speeds), GOAL), np.full(len(speeds), 5.0))
    for share in (0.6, 0.8):
        stage = LowLevelStage(replace(SMALL, goal_share=share))
        progress, demand = no_progress(len(speeds), 0.05), stage._demand(0, no_practice())
        given = (np.zeros_like(reached), reached, np.zeros((len(speeds), 6)), commands, progress, demand)
        earned, _ = judged(*given, stage.exercise.terms, 0.05)
        assert speeds[earned.argmax()] == pytest.approx(share * 3.0)
