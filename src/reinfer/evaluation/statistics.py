"""Interquartile means (Agarwal et al. 2021, "Edge of the statistical precipice") with bootstrap intervals.

There, runs of a task are independent of those of any other, and are drawn task by task. Here one training seed plays
all tasks, so that whole seeds are drawn."""

from collections.abc import Callable

import numpy as np


def interquartile_mean(scores, axis: int = -1) -> np.ndarray:
    """Mean of the middle half of ``scores`` along ``axis``: floor(n/4) values are cut at either end."""
    ordered = np.sort(np.asarray(scores, float), axis=axis)
    count = ordered.shape[axis]
    cut = count // 4
    return np.take(ordered, np.arange(cut, count - cut), axis=axis).mean(axis)


def bootstrap_interval(
    scores,
    strata,
    *,
    seed: int,
    statistic: Callable = interquartile_mean,
    resample_tasks: bool = False,
    draws: int = 2000,
    level: float = 0.95,
) -> tuple[float, float]:
    """Percentile interval of ``statistic`` over all of ``scores``.

    In every draw there are as many runs as before, each with all of its tasks: what one training seed did well or badly
    at it did in all of them. Where the tasks are themselves a sample, ``resample_tasks`` also draws them anew within
    each stratum. Of a single run no interval is known but that over tasks.

    Args:
        scores: (S, K), S independent runs (training seeds) of K tasks.
        strata: (K,), the stratum of each task, e.g. its family.
        seed: of the draws.
        statistic: from (draws, S x K) scores to (draws,) values, along the last axis.
        level: share of the draws that the interval holds.
    Raises ValueError if shapes do not fit or a score is not finite.
    """
    scores, strata = np.asarray(scores, float), np.asarray(strata)
    if scores.ndim != 2 or scores.shape[1:] != strata.shape or scores.size == 0:
        raise ValueError(f"scores: shape {scores.shape} does not fit strata of shape {strata.shape}")
    if not np.isfinite(scores).all():
        raise ValueError("scores: every score must be finite")
    if not 0.0 < level < 1.0 or draws < 1:
        raise ValueError(f"level: {level} must lie in (0, 1) and draws: {draws} be at least 1")
    runs, tasks = scores.shape
    rng = np.random.default_rng([seed, 0xB007])
    task = np.broadcast_to(np.arange(tasks), (draws, tasks)).copy()
    if resample_tasks:
        for stratum in np.unique(strata):
            members = np.flatnonzero(strata == stratum)
            task[:, members] = rng.choice(members, (draws, len(members)))
    run = rng.integers(0, runs, (draws, runs, 1))
    values = statistic(scores[run, task[:, None, :]].reshape(draws, -1))
    tail = 50.0 * (1.0 - level)
    low, high = np.percentile(values, [tail, 100.0 - tail])
    return float(low), float(high)


def performance_profile(scores, thresholds) -> np.ndarray:
    """Share of all runs and tasks, ``scores`` of any shape, that reach each of ``thresholds`` (T,); (T,)."""
    flat = np.ravel(scores)
    return (flat >= np.asarray(thresholds)[:, None]).mean(-1)


def describe(scores, strata, *, seed: int, resample_tasks: bool = False) -> dict:
    """``mean``, ``iqm`` and the 95 % ``interval`` of the latter, over (S, K) scores; plain numbers."""
    interval = bootstrap_interval(scores, strata, seed=seed, resample_tasks=resample_tasks)
    flat = np.asarray(scores, float).ravel()
    return {"mean": float(flat.mean()), "iqm": float(interquartile_mean(flat)), "interval": list(interval)}
