"""The part of docs/results.md on what of inference is learned and what is arithmetic."""

import statistics

from evaluations import COMMANDS, load, missing

_PARTS = {
    "decoded": "decoded: all learned",
    "newest": "put right by the newest reward",
    "window": "on the side that older rows tell: **reinfer**",
    "filter": "filter without an encoder",
}


def inference_lines() -> list[str]:
    """The section."""
    lines = ["## What is learned, and what is arithmetic", ""]
    if missing("inference"):
        return lines + missing("inference")
    found = load("inference")
    lines += [
        f"`reinfer {COMMANDS['inference']}`: the standard tasks, {len(found['toys'])} toy agents, stride 1, all of the",
        "context kept. The encoder's belief is put right by inverting the known reward, -|q - g| / |g|: exactly, which",
        "is where millimetres come from. Below, what the same agents do without one or both of these corrections; and",
        "what a Bayesian filter does that has no encoder and is *told* the form of rewards and the ranges of targets.",
        "The policy that acts is the toy's in all.",
        "",
        "| | belief | position, m (worst) | speed | settle: positions, speeds | family, 1 / 2 / 5 rows "
        "| target error, 2 / 5 / 10 rows | integrated error, s |",
        "|---" * 8 + "|",
    ]
    for body, parts in found["robots"].items():
        lines += [_robot_row(body, _PARTS[part], figures) for part, figures in parts.items()]
    lines += [
        "",
        "On the toy, with noise of this standard deviation on the rewards shown (which neither was made for):",
        "",
        "| noise | belief | family known after 5 rows | target error after 10 | return |",
        "|---" * 5 + "|",
    ]
    for rows in zip(*(found["toy"][part] for part in _PARTS), strict=True):
        lines += [_toy_row(_PARTS[part], row) for part, row in zip(_PARTS, rows, strict=True)]
    return [*lines, "", *verdict(found), ""]


def verdict(found: dict) -> list[str]:
    """What the encoder is worth beside the filter, in words that follow from the figures."""
    ahead, behind = [], []
    for body, parts in found["robots"].items():
        ours, other = (parts[part]["integrated_error_s"]["mean"] for part in ("window", "filter"))
        (ahead if ours <= other else behind).append(f"{body} {100 * (ours / other - 1):+.1f} %")
    told = f"Integrated error of the agents relative to that of the filter: {', '.join(ahead + behind)}."
    lesson = (
        "Where rewards are exact and of a known form, a filter that is told it needs no encoder. What the toy agents"
        " have learned is what the filter is told; how far that alone goes is in the rows `decoded`."
    )
    return [told, *([lesson] if behind else [])]


def learned_alone(body: str) -> dict | None:
    """What agents do on ``body`` with what is learned alone; None where that was not evaluated."""
    return None if missing("inference") else load("inference")["robots"][body]["decoded"]


def _robot_row(body: str, title: str, part: dict) -> str:
    position, velocity = part["position"], part["velocity"]
    known = " / ".join(f"{100 * part['class_accuracy_by_rows'][rows]:.0f}" for rows in ("1", "2", "5"))
    error = " / ".join(f"{100 * part['target_error_by_rows'][rows]:.1f}" for rows in ("2", "5", "10"))
    return (
        f"| {body} | {title} | {position['settled_error_m']:.3f} ({position['worst_error_m']:.3f}) "
        f"| {100 * velocity['windowed_relative_error']:.1f} % "
        f"| {position['settled_fraction']:.2f}, {velocity['settled_fraction']:.2f} | {known} % | {error} % "
        f"| {part['integrated_error_s']['mean']:.2f} |"
    )


def _toy_row(title: str, row: dict) -> str:
    family, target, gained = (statistics.mean(row[key]) for key in ("family_known", "target_error", "return"))
    return f"| {row['level']:g} | {title} | {100 * family:.1f} % | {100 * target:.2f} % | {gained:.1f} |"
