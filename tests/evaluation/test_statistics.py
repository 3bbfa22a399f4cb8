"""Interquartile means and bootstrap intervals against hand and SciPy values."""

import numpy as np
import pytest
from scipy import stats

from reinfer.evaluation.statistics import bootstrap_interval, describe, interquartile_mean


@pytest.mark.parametrize("count", [1, 3, 4, 7, 8, 61])
def test_interquartile_mean_is_the_quarter_trimmed_mean(count):
    values = np.random.default_rng(count).standard_normal((5, count))
    np.testing.assert_allclose(interquartile_mean(values), stats.trim_mean(values, 0.25, axis=1))


def test_interquartile_mean_by_hand():
    assert interquartile_mean([100.0, 1.0, 2.0, 3.0, 4.0, -100.0, 5.0, 6.0]) == 3.5


def test_interval_agrees_with_scipy_for_one_task():
    """With one task the stratified bootstrap is the plain percentile bootstrap."""
    values = np.random.default_rng(0).gamma(2.0, size=(40, 1))
    low, high = bootstrap_interval(values, np.zeros(1), seed=0, draws=20000)
    reference = stats.bootstrap(
        (values[:, 0],),
        lambda v, axis: stats.trim_mean(v, 0.25, axis=axis),
        method="percentile",
        n_resamples=20000,
        rng=np.random.default_rng(1),
    ).confidence_interval
    np.testing.assert_allclose([low, high], reference, rtol=0.03)


@pytest.mark.parametrize("of_seed", [0.0, 1.0])
def test_interval_covers_as_often_as_it_says(of_seed):
    """Also where a seed is good or bad at all tasks together."""
    truth, covered = 0.0, 0
    for trial in range(200):
        rng = np.random.default_rng(trial)
        values = rng.standard_normal((10, 6)) + of_seed * rng.standard_normal((10, 1))
        low, high = bootstrap_interval(values, np.arange(6), seed=trial, draws=400, statistic=mean)
        covered += low <= truth <= high
    assert 0.85 <= covered / 200 <= 0.99


def mean(values):
    return values.mean(-1)


def test_runs_are_drawn_within_their_task_only():
    """Tasks that differ, runs that do not: no interval unless tasks are drawn too, within their stratum."""
    scores = np.tile(np.array([0.0, 1.0, 10.0, 11.0]), (5, 1))
    strata = np.array([0, 0, 1, 1])
    assert bootstrap_interval(scores, strata, seed=0, statistic=mean) == (5.5, 5.5)
    low, high = bootstrap_interval(scores, strata, seed=0, statistic=mean, resample_tasks=True)
    assert low == 5.0 and high == 6.0


def test_deterministic_and_described():
    scores = np.random.default_rng(0).standard_normal((3, 8))
    found = describe(scores, np.arange(8), seed=4)
    assert found == describe(scores, np.arange(8), seed=4)
    assert found["mean"] == pytest.approx(scores.mean())
    assert found["interval"][0] <= found["iqm"] <= found["interval"][1]


def test_bad_scores_are_refused():
    for scores, strata, message in (
        (np.zeros(3), np.zeros(3), "does not fit"),
        (np.zeros((2, 3)), np.zeros(2), "does not fit"),
        (np.zeros((0, 3)), np.zeros(3), "does not fit"),
        (np.array([[np.inf]]), np.zeros(1), "finite"),
    ):
        with pytest.raises(ValueError, match=message):
            bootstrap_interval(scores, strata, seed=0)
    with pytest.raises(ValueError, match="level: 1.0"):
        bootstrap_interval(np.zeros((2, 1)), np.zeros(1), seed=0, level=1.0)
