"""``reinfer eval low``: how well a low-level policy follows commands it was never given in training."""

import json as json_format

import numpy as np

from reinfer.bodies import robot, timed
from reinfer.bodies.shipped import shipped_of
from reinfer.control.low_level_policy import LowLevelPolicy
from reinfer.evaluation.low_level import evaluate_low_level
from reinfer.runs.directory import resolve


def eval_low(body: str, model: str | None, seed: int, json: bool, timing: str | None = None) -> int:
    """Evaluate and print; returns the exit code.

    Args:
        body: name of the robot, or path of its body file.
        model: run, model folder or ``shipped:NAME``; None means ``shipped:BODY/low``.
        seed: of the commands and of the initial noise.
        json: print one JSON object instead of a summary.
        timing: of the physics; None means the one it was trained with.
    Raises ConfigError on an unknown body or timing, ArtifactError on a model that is not a policy of that body.
    """
    asked = robot(body)
    reference = model or shipped_of(asked, "low", "model")
    policy = LowLevelPolicy.load(resolve(reference))
    policy.body.require(asked.id, f"model: {reference}")
    found = evaluate_low_level(policy, timed(asked, timing or policy.timing), seed)
    print(json_format.dumps(found, indent=2) if json else "\n".join(summary(found)))
    return 0


def summary(found: dict) -> list[str]:
    """Lines for a person: per kind the mean, median and worst error, and the share of falls."""
    lines = [f"{'command':<10} {'unit':<9} {'number':>6} {'mean':>9} {'median':>9} {'worst':>9}"]
    units = {"goal": "m", "velocity": "relative", "stand": "rad", "jump": "rel. peak"}
    for kind, unit in units.items():
        errors = [row["error"] for row in found["by_command"] if row["kind"] == kind]
        if errors:
            values = (np.mean(errors), np.median(errors), np.max(errors))
            numbers = " ".join(f"{value:9.4f}" for value in values)
            lines.append(f"{kind:<10} {unit:<9} {len(errors):>6} {numbers}")
    if found["jump_mean_ratio"] is not None:
        lines.append(
            f"jumps: error of the highest |vz| of a second; mean |vz| {found['jump_mean_ratio']:.2f} of the target"
        )
    return [*lines, f"falls: {100 * found['fall_rate']:.1f} % of 30 s episodes"]
