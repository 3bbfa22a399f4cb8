"""The part of docs/results.md on high levels that were relearned on a robot."""

HEAD = (
    "| | stride | policy | integrated error, s: mean | IQM (95 % interval) | settled error, m "
    "| windowed speed error | falls |"
)


def relearned_lines(found: dict) -> list[str]:
    """Tables of what ``benchmarks/relearned.py`` found, and a verdict on each robot."""
    lines = [HEAD, "|---" * 8 + "|"]
    for body, part in found.items():
        for stride, policies in part["strides"].items():
            lines += [f"| {body} | {stride} | {name} {_figures(row)}" for name, row in policies.items()]
    return [*lines, "", *(verdict(body, part) for body, part in found.items()), ""]


def verdict(body: str, part: dict) -> str:
    """What relearning changed on one robot, and what that rests on."""
    changes = []
    for stride, policies in part["strides"].items():
        ours, toy = (policies[name]["integrated_error_s"]["mean"] for name in ("relearned", "toy"))
        changes.append(f"{100 * (ours / toy - 1):+.1f} % at stride {stride}")
    row = part["strides"]["1"]["toy"]
    basis = f"{part['robot_steps']:,} control steps, {part['agents']} toy agents, {row['n_tasks']} tasks"
    return (
        f"- {body}: integrated error relative to the toy's policy {', '.join(changes)} ({basis} of "
        f"{row['episode_s']:g} s; {part['corrects']} of {part['agents']} corrections in use)."
    )


def _figures(row: dict) -> str:
    error, position, velocity = row["integrated_error_s"], row["position"], row["velocity"]
    low, high = error["interval"]
    return (
        f"| {error['mean']:.2f} | {error['iqm']:.2f} ({low:.2f} to {high:.2f}) | {position['settled_error_m']:.3f} "
        f"| {100 * velocity['windowed_relative_error']:.1f} % | {row['fall_rate']:.3f} |"
    )
