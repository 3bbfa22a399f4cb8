"""Result files of a made-up agent, with the keys that the evaluations write."""

import numpy as np
from synthetic_rollouts import STANDARD_TASKS


def contest(scale: float = 1.0, comparators: bool = True) -> dict:
    """As ``reinfer eval transfer --json``; errors are proportional to ``scale``."""
    times = {"1": 4.0, "2": 2.0, "5": 0.5, "10": 0.08, "24": 0.05}
    found = {
        "position": {
            "settled_error_m": 0.0417 * scale,
            "settled_fraction": 1.0 if scale < 2 else 0.0,
            "error_at_s": {s: e * scale for s, e in times.items()},
        },
        "velocity": {
            "windowed_relative_error": 0.0231 * scale,
            "settled_fraction": 0.9667 if scale < 2 else 0.0,
            "error_at_s": {s: e * scale / 3 for s, e in times.items()},
        },
        "fall_rate": 0.0083,
    }
    if not comparators:
        return found
    rng = np.random.default_rng(0)
    return found | {
        "class_accuracy_by_rows": {"1": 0.4512, "2": 0.7981, "5": 0.9934, "10": 0.9991, "32": 1.0},
        "target_error_by_rows": {"1": 0.312, "2": 0.101, "5": 0.0271, "10": 0.0083, "32": 0.0041},
        "mean_stride": 6.31,
        "oracle": contest(0.8, comparators=False),
        "random": contest(90.0, comparators=False),
        "zero": contest(110.0, comparators=False),
        "by_task": [
            {
                "seed": seed,
                "family": family,
                "target": target,
                "relative_error": float(rng.uniform(0.002, 0.08)),
                "fallen": bool(rng.random() < 0.05),
            }
            for seed in range(2)
            for family, target in STANDARD_TASKS
        ],
    }


def toy() -> dict:
    """As ``reinfer eval toy --json``."""
    found = contest()
    return {
        "return_mean": -7.9342,
        "return_by_family": {
            "velocity_forward": -2.6111,
            "velocity_backward": -2.5777,
            "goal_forward": -13.1,
            "goal_backward": -13.4,
        },
        "class_accuracy_by_rows": found["class_accuracy_by_rows"],
        "target_error_by_rows": found["target_error_by_rows"],
        "purity": 0.991,
        "nmi": 0.962,
        "components": 9,
        "n_tasks": 40,
        "seed": 0,
    }


def low() -> dict:
    """As ``reinfer eval low --json``."""
    rng = np.random.default_rng(1)
    rows = [
        {"kind": kind, "target": float(t), "error": float(abs(rng.normal(0, 0.03))), "fallen": False}
        for kind in ("goal", "velocity")
        for t in rng.uniform(-3, 3, 30)
    ]
    return {
        "goal_error_m": 0.024,
        "speed_error_windowed": 0.019,
        "stand_error_rad": None,
        "fall_rate": 0.0047,
        "by_command": rows,
    }
