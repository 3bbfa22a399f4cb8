"""The contest's tasks, and its measures on records made by hand."""

import numpy as np
import pytest

from reinfer.bodies import HALF_CHEETAH
from reinfer.evaluation.contest import ROWS, heldout_tasks, measure, multi_tasks, standard_tasks
from reinfer.runs import random
from reinfer.tasks import FAMILY_NAMES, make_tasks, reward
from reinfer.transfer import RolloutRecord

DT = 0.05


def record_of(tasks, x, fallen=None, **changes):
    """A record of positions ``x`` (T+1, K) whose velocity is their difference."""
    steps, count = x.shape[0] - 1, x.shape[1]
    state = np.zeros((steps + 1, count, 6))
    state[..., 0] = x
    state[1:, :, 3] = np.diff(x, axis=0) / DT
    decision = np.zeros((steps, count), bool)
    decision[::4] = True
    shape = (steps, count)
    fields = {
        "tasks": tasks,
        "control_dt_s": DT,
        "body": "point",
        "task_state": state,
        "qpos": state[..., :3].astype(np.float32),
        "reward": reward(tasks, state[1:]),
        "fallen": np.zeros((steps + 1, count), bool) if fallen is None else fallen,
        "is_decision": decision,
        "rows": np.cumsum(decision, axis=0) - 1,
        "command_kind": np.zeros(shape, int),
        "command_target": np.zeros(shape),
        "stride": np.full(shape, 4),
        "family_probability": np.zeros((*shape, 4)),
        "target_estimate": np.zeros(shape),
        "latent": np.zeros((*shape, 2)),
    }
    return RolloutRecord(**(fields | changes))


def test_standard_tasks_are_the_published_ones():
    tasks = standard_tasks(HALF_CHEETAH)
    by_family = {}
    for family, target in zip(tasks.family, tasks.target, strict=True):
        by_family.setdefault(FAMILY_NAMES[family], []).append(round(float(target), 2))
    assert by_family == {
        "velocity_forward": [2.35, 1.75, 1.15],
        "velocity_backward": [-2.35, -1.75, -1.15],
        "goal_forward": [9.02, 5.1, 3.14],
        "goal_backward": [-9.02, -5.1, -3.14],
    }


def test_heldout_tasks_are_many_fixed_and_no_training_tasks():
    tasks = heldout_tasks(HALF_CHEETAH)
    assert tasks.count >= 100 and np.bincount(tasks.family).min() >= 20
    np.testing.assert_array_equal(tasks.target, heldout_tasks(HALF_CHEETAH).target)
    goal = tasks.family >= 2
    assert (np.abs(tasks.target[goal]) >= 0.2).all() and (np.abs(tasks.target[goal]) <= 10).all()
    assert (np.abs(tasks.target[~goal]) >= 1.0).all() and (np.abs(tasks.target[~goal]) <= 2.5).all()
    kinds = HALF_CHEETAH.tasks.only(("goal", "velocity"))
    for seed in range(5):
        trained = kinds.sample(random.key(seed, "stride training tasks", 0), (120,))
        assert not np.isin(np.asarray(trained.target), tasks.target).any()


def test_a_goal_reached_at_four_seconds():
    time = np.arange(481) * DT
    x = np.minimum(time, 4.0)[:, None] * np.array([1.25, -1.25]) + 0.1 * (time > 10)[:, None]
    tasks = make_tasks([("goal_forward", 5.0), ("goal_backward", -5.0)])
    scores = measure(record_of(tasks, x))
    np.testing.assert_allclose(scores.settled_error, 0.1, atol=1e-6)
    np.testing.assert_allclose(scores.relative_error, 0.02, atol=1e-6)
    assert scores.settled.all() and not scores.fallen.any()
    # Within 0.25 m once 4.75 m are done, at 3.8 s.
    np.testing.assert_allclose(scores.settling_time_s, 3.8, atol=DT)
    np.testing.assert_allclose(scores.error_at[0], [3.75, 2.5, 0.0, 0.0, 0.1], atol=1e-6)
    np.testing.assert_allclose(scores.overshoot_m, [0.1, 0.0], atol=1e-6)
    # 4 s of an error that falls from 1 to 0, then 14 s of 0.02.
    np.testing.assert_allclose(scores.integrated_error_s, 2.0 + 14 * 0.02, atol=0.03)
    np.testing.assert_allclose(scores.mean_stride, 4.0)


def test_a_goal_left_again_is_not_settled():
    x = np.where(np.arange(481) < 400, 5.0, 8.0)[:, None]
    scores = measure(record_of(make_tasks([("goal_forward", 5.0)]), x))
    assert not scores.settled[0] and scores.settling_time_s[0] == np.inf and scores.overshoot_m[0] == 3.0


def test_speed_is_judged_over_windows_not_instants():
    """A gait that swings by 1 m/s around the target is exact over its window."""
    time = np.arange(481) * DT
    x = (2.0 * time + (1.0 / (2 * np.pi)) * np.sin(2 * np.pi * time))[:, None]
    scores = measure(record_of(make_tasks([("velocity_forward", 2.0)]), x))
    assert scores.settled_error[0] < 1e-6 and scores.relative_error[0] < 1e-6 and scores.settled[0]
    np.testing.assert_allclose(scores.error_at[0, 1:], 0.0, atol=1e-6)
    assert scores.settling_time_s[0] <= 1.0 and scores.overshoot_m[0] == 0.0
    assert scores.integrated_error_s[0] == pytest.approx(24 * (2 / np.pi) / 2, rel=0.02)


def test_stands_and_jumps_are_judged_by_pitch_and_by_peaks():
    """A pitch that is 0.05 rad off; a bounce of 2 m/s for a target of 1.8, a triangle wave whose mean is a half."""
    time = np.arange(481) * DT
    tasks = make_tasks([("stand_front", 1.2), ("stand_back", -1.2), ("jump", 1.8)])
    record = record_of(tasks, np.zeros((481, 3)))
    record.task_state[..., 2] = [1.25, -1.0, 0.0]
    record.task_state[..., 2, 4] = 2.0 * (1.0 - 2.0 * np.abs((time / 0.4) % 1.0 - 0.5)) * np.sign(np.sin(time))
    scores = measure(record)
    np.testing.assert_allclose(scores.settled_error, [0.05, 0.2, 0.2], atol=1e-6)
    np.testing.assert_array_equal(scores.settled, [True, False, True])
    assert scores.relative_error[2] == pytest.approx(0.2 / 1.8)
    assert np.isnan(scores.jump_ratio[:2]).all() and scores.jump_ratio[2] == pytest.approx(1.0 / 1.8, rel=0.03)
    np.testing.assert_allclose(scores.error_at[2], 0.2, atol=1e-6)


def test_multi_tasks_are_of_all_families_and_no_training_tasks():
    tasks = multi_tasks(HALF_CHEETAH)
    assert np.bincount(tasks.family, minlength=7).min() >= 8
    for seed in range(5):
        trained = HALF_CHEETAH.tasks.sample(random.key(seed, "stride training tasks", 0), (140,))
        assert not np.isin(np.asarray(trained.target), tasks.target).any()


def test_a_slow_runner_misses_in_metres_per_second_and_relatively():
    x = (0.9 * np.arange(481) * DT)[:, None]
    scores = measure(record_of(make_tasks([("velocity_forward", 1.2)]), x))
    np.testing.assert_allclose(scores.settled_error, 0.3, rtol=1e-6)
    np.testing.assert_allclose(scores.relative_error, 0.25, rtol=1e-6)
    assert not scores.settled[0] and scores.settling_time_s[0] == np.inf


def test_a_fall_is_not_settled_even_on_the_spot():
    x = np.full((481, 1), 5.0)
    fallen = (np.arange(481) >= 100)[:, None]
    record = record_of(make_tasks([("goal_forward", 5.0)]), x, fallen=fallen)
    decisions = record.is_decision.copy()
    decisions[100:] = False
    scores = measure(record._replace(is_decision=decisions))
    assert scores.fallen[0] and not scores.settled[0] and scores.settled_error[0] == 0.0
    assert scores.mean_stride[0] == 4.0


def test_beliefs_are_judged_at_the_decision_with_so_many_rows():
    tasks = make_tasks([("goal_forward", 5.0), ("velocity_backward", -2.0)])
    record = record_of(tasks, np.zeros((81, 2)))
    probability = np.zeros((80, 2, 4))
    probability[..., 2] = 1.0
    # The second changes its mind at the decision with 5 rows, which is at control step 20.
    probability[20:, 1] = [0.0, 1.0, 0.0, 0.0]
    estimate = np.where(np.arange(80)[:, None] < 8, 4.0, [5.0, -2.2])
    record = record._replace(family_probability=probability, target_estimate=estimate)
    scores = measure(record)
    assert ROWS == (1, 2, 5, 10, 32)
    np.testing.assert_array_equal(scores.right_class[:, :4], [[1, 1, 1, 1], [0, 0, 1, 1]])
    np.testing.assert_allclose(scores.target_error[:, :4], [[0.2, 0, 0, 0], [3.0, 0.1, 0.1, 0.1]], atol=1e-6)
    # 80 control steps hold 20 decisions: none has 32 rows.
    assert np.isnan(scores.right_class[:, 4]).all() and np.isnan(scores.target_error[:, 4]).all()
