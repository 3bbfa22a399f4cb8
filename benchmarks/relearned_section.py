"""The part of docs/results.md on high levels that were relearned on a robot."""

HEAD = (
    "| | stride | policy | integrated error, s: mean | IQM (95 % interval) | settled error, m "
    "| windowed speed error | falls |"
)

#: What a faster policy may pay with: title, how it is written, in which unit, where it is.
_PRICES = (
    ("settled", "{:.3f} m", 1.0, lambda row: row["position"]["settled_error_m"]),
    ("speed", "{:.1f} %", 100.0, lambda row: row["velocity"]["windowed_relative_error"]),
    ("falls", "{:.3f}", 1.0, lambda row: row["fall_rate"]),
)


def relearned_lines(found: dict) -> list[str]:
    """Tables of what ``benchmarks/relearned.py`` found, and a verdict on each robot."""
    lines = [HEAD, "|---" * 8 + "|"]
    for body, part in found.items():
        for stride, policies in part["strides"].items():
            lines += [f"| {body} | {stride} | {name} {_figures(row)}" for name, row in policies.items()]
    return [*lines, "", *(verdict(body, part) for body, part in found.items()), ""]


def verdict(body: str, part: dict) -> str:
    """What relearning changed on one robot, for better or worse, and what that rests on."""
    changes = []
    for stride, policies in part["strides"].items():
        ours, toy = policies["relearned"], policies["toy"]
        by = 100 * (ours["integrated_error_s"]["mean"] / toy["integrated_error_s"]["mean"] - 1)
        worse = [
            f"{title} {text.format(scale * measure(toy))} to {text.format(scale * measure(ours))}"
            for title, text, scale, measure in _PRICES
            if text.format(scale * measure(ours)) > text.format(scale * measure(toy))
        ]
        changes.append(f"{by:+.1f} % at stride {stride}" + (f" (worse: {', '.join(worse)})" if worse else ""))
    row = part["strides"]["1"]["toy"]
    basis = f"{part['robot_steps']:,} control steps, {part['agents']} toy agents, {row['n_tasks']} tasks"
    return (
        f"- {body}: integrated error relative to the toy's policy {', '.join(changes)}; {basis} of "
        f"{row['episode_s']:g} s; {part['corrects']} of {part['agents']} corrections in use."
    )


def _figures(row: dict) -> str:
    error, position, velocity = row["integrated_error_s"], row["position"], row["velocity"]
    low, high = error["interval"]
    return (
        f"| {error['mean']:.2f} | {error['iqm']:.2f} ({low:.2f} to {high:.2f}) | {position['settled_error_m']:.3f} "
        f"| {100 * velocity['windowed_relative_error']:.1f} % | {row['fall_rate']:.3f} |"
    )
