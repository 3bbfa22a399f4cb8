"""What reuse saves: agents under one benchmark against the steps that each was trained for on the robot."""

from typing import NamedTuple

import numpy as np

from reinfer.evaluation.scratch import Measured, summarise_trials
from reinfer.evaluation.statistics import bootstrap_interval, interquartile_mean, performance_profile
from reinfer.tasks.protocols import Protocol

#: Points of a performance profile.
_PROFILE_POINTS = 41


class Curve(NamedTuple):
    """Return on held-out tasks while training: ``steps`` (T,) on the robot, ``returns`` (S, T) of S seeds."""

    steps: np.ndarray
    returns: np.ndarray


class Contender(NamedTuple):
    """One method: trials of each seed, robot steps of its meta-training, and its ``curve`` if it has one.

    ``told``: an oracle, which is told its task.
    """

    trials: list[Measured]
    robot_steps: int
    curve: Curve | None = None
    told: bool = False


def curve_of(runs) -> Curve:
    """The common part of learning curves: ``runs`` are pairs (steps (T,), returns (T,)) of seeds trained alike.

    Raises ValueError where they were not evaluated at the same steps.
    """
    length = min(len(steps) for steps, _ in runs)
    steps = [np.asarray(own[:length], float) for own, _ in runs]
    if any(not np.array_equal(own, steps[0]) for own in steps):
        raise ValueError(
            "runs: they were evaluated at different steps; runs of one algorithm must share their settings"
        )
    return Curve(steps[0], np.stack([np.asarray(returns[:length], float) for _, returns in runs]))


def compare(contenders: dict[str, Contender], protocol: Protocol, steps: int, references=()) -> dict:
    """The report of ``reinfer compare`` (see ``cli.compare``) for episodes of so many ``steps``.

    ``references``: contenders whose return others have to reach. What is reached, as in learning curves, is the mean
    over tasks of a seed, and of seeds the interquartile mean.
    """
    # Of an episode: returns of the last one, per control step; negated where they are errors.
    scores = {name: np.stack([t.returns[-1] for t in c.trials]) / steps for name, c in contenders.items()}
    sign = -1.0 if protocol.error else 1.0
    low, high = (float(f(np.concatenate([s.ravel() for s in scores.values()]))) for f in (np.min, np.max))
    thresholds = np.linspace(low, high, _PROFILE_POINTS)
    bars = {name: float(interquartile_mean(scores[name].mean(1))) for name in references}
    found = {}
    for name, contender in contenders.items():
        summary = summarise_trials(contender.trials)
        found[name] = {
            "told": contender.told,
            "robot_steps": contender.robot_steps,
            "seeds": len(contender.trials),
            "per_step": _stated(scores[name], contender.trials[0].tasks.family, sign),
            "over_seeds": _over_seeds(scores[name].mean(1), sign),
            **{key: summary[key] for key in ("return", "return_by_episode", "final_error_by_family", "fall_rate")},
            "few_shot": {
                "steps": summary["few_shot"]["steps"],
                "per_step": [sign * value for value in summary["few_shot"]["reward"]],
                "belief": summary["few_shot"]["belief"],
            },
            "curve": _curve(contender.curve, steps, sign),
            "steps_to": {name: _steps_to(contender.curve, bar, steps) for name, bar in bars.items()},
            "profile": [float(value) for value in performance_profile(scores[name], thresholds)],
        }
    return {
        "protocol": protocol.name,
        "measure": protocol.error or "reward per control step",
        "lower_is_better": protocol.error is not None,
        "thresholds": [float(value) for value in sign * thresholds],
        "agents": found,
    }


def _stated(scores, strata, sign: float) -> dict:
    """Mean, interquartile mean and its interval of (S, K) scores, as errors where ``sign`` is -1."""
    interval = [sign * end for end in bootstrap_interval(scores, strata, seed=0, resample_tasks=True)]
    iqm = float(interquartile_mean(scores.ravel()))
    return {"mean": sign * float(scores.mean()), "iqm": sign * iqm, "interval": sorted(interval)}


def _curve(curve: Curve | None, steps: int, sign: float) -> dict | None:
    """Interquartile means over seeds and their intervals, per control step."""
    if curve is None:
        return None
    points = [_over_seeds(column, sign) for column in (curve.returns / steps).T]
    return {"robot_steps": [int(step) for step in curve.steps]} | {
        key: [point[key] for point in points] for key in ("iqm", "low", "high")
    }


def _over_seeds(values, sign: float) -> dict:
    """Interquartile mean and interval of (S,) values, one per seed; of a single seed the interval has no width."""
    low, high = sorted(sign * end for end in bootstrap_interval(values[:, None], np.zeros(1), seed=0))
    return {"iqm": sign * float(interquartile_mean(values)), "low": low, "high": high}


def _steps_to(curve: Curve | None, bar: float, steps: int) -> dict | None:
    """Robot steps after which the interquartile mean over seeds is at ``bar`` for the first time, and from which on it
    ``stays`` there, None each if it never is; None without a curve."""
    if curve is None:
        return None
    reached = interquartile_mean(curve.returns / steps, axis=0) >= bar
    stays = np.logical_and.accumulate(reached[::-1])[::-1]
    return {
        name: int(curve.steps[there.argmax()]) if there.any() else None
        for name, there in (("first", reached), ("stays", stays))
    }
