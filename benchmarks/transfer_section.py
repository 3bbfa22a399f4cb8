"""The parts of docs/results.md on robots whose task is unknown: contests, strides, tasks that change."""

from evaluations import COMMANDS, PUBLISHED, load, missing

HEAD = "| | settled error, m | settled | windowed speed error | settled | integrated error, s | falls |"


def transfers() -> list[str]:
    """The sections on the contests of all robots, and on strides."""
    lines = []
    for name, title in (("transfer_standard", "the 12 standard tasks"), ("transfer_heldout", "120 held-out tasks")):
        lines += [f"## Transfer to the half-cheetah, {title}", ""]
        if missing(name):
            lines += missing(name)
            continue
        lines += [
            f"`reinfer {COMMANDS[name]}`: 24 s per task, settled over the last quarter. The oracle is told the task.",
            "Published: thesis 1.48 m and 0.24 m/s; ReMAP, whose agent is given the target, 0.073 m and",
            "0.40 to 0.47 m/s instantaneous.",
            "",
            HEAD,
            "|---" * 7 + "|",
            *transfer_rows(name),
            "",
            "The toy agent by family:",
            "",
            "| | settled error | settled | integrated error, s |",
            "|---" * 4 + "|",
            *family_rows(name),
            "",
        ]
    lines += ["## Transfer to other robots, the 12 standard tasks of each", ""]
    for body, published in PUBLISHED.items():
        name = f"transfer_{body}"
        if missing(name):
            lines += missing(name)
            continue
        lines += [f"`reinfer {COMMANDS[name]}`. Published: {published}.", "", HEAD.replace("| |", f"| {body} |", 1)]
        lines += ["|---" * 7 + "|", *transfer_rows(name), "", "| | settled error | settled | integrated error, s |"]
        lines += ["|---" * 4 + "|", *family_rows(name), ""]
    return [*lines, *held_out(), *strides()]


def held_out() -> list[str]:
    """The section on held-out tasks of robots beside the half-cheetah: ten times as many episodes, a row each."""
    lines = ["## Transfer to other robots, 120 held-out tasks of each", ""]
    rows = []
    for body in PUBLISHED:
        name = f"heldout_{body}"
        if missing(name):
            lines += missing(name)
            continue
        lines += [f"`reinfer {COMMANDS[name]}`", ""]
        found = load(name)
        rows += [transfer_row(f"**{body}**", found), transfer_row(f"{body}, oracle", found["oracle"])]
    return [*lines, HEAD, "|---" * 7 + "|", *rows, ""] if rows else lines


def strides() -> list[str]:
    """The section on learned and other strides."""
    if missing("transfer_standard"):
        return ["## Strides", "", *missing("transfer_standard")]
    return [
        "## Strides",
        "",
        f"`reinfer {COMMANDS['transfer_standard']}`; integrated error |error| / |target| dt, in s.",
        "",
        "| stride | mean | IQM (95 % interval) | mean stride, control steps | position, m | settled | velocity |",
        "|---" * 7 + "|",
        *ablation_rows("transfer_standard"),
        "",
        stride_verdict("transfer_standard"),
        "",
    ]


def changes() -> list[str]:
    """The section on tasks that change mid-episode."""
    lines = [
        "## Tasks that change mid-episode",
        "",
        "Three tasks per episode, goals for 30 s and velocities for 10 s each. Identified: family and, to 5 %, target",
        "right at three looks running. `forget`, the default: rows from before a change, as the agent finds it, are",
        "dropped; `keep`: all of the window counts.",
        "",
    ]
    for name in ("change_toy", "change_half_cheetah"):
        if missing(name):
            lines += missing(name)
            continue
        lines += [
            f"`reinfer {COMMANDS[name]}`",
            "",
            "| memory | tasks | rows to identify | 95 % | within 5 rows | position | velocity |",
            "|---" * 7 + "|",
            *change_rows(name),
            "",
        ]
    return lines


def transfer_rows(name: str) -> list[str]:
    """Table rows of one contest."""
    found = load(name)
    comparators = [transfer_row(agent, found[agent]) for agent in ("oracle", "random", "zero")]
    return [transfer_row("**toy agent, told only rewards**", found), *comparators]


def transfer_row(label: str, part: dict) -> str:
    """The table row of one agent of a contest."""
    position, velocity = part["position"], part["velocity"]
    return (
        f"| {label} | {position['settled_error_m']:.3f} | {position['settled_fraction']:.2f} "
        f"| {100 * velocity['windowed_relative_error']:.1f} % | {velocity['settled_fraction']:.2f} "
        f"| {part['integrated_error_s']['mean']:.2f} | {part['fall_rate']:.3f} |"
    )


def ablation_rows(name: str) -> list[str]:
    """Integrated error per stride policy."""
    rows = []
    for stride, part in load(name)["ablation"].items():
        error = part["integrated_error_s"]
        low, high = error["interval"]
        rows.append(
            f"| {stride} | {error['mean']:.2f} | {error['iqm']:.2f} ({low:.2f} to {high:.2f}) "
            f"| {part['mean_stride']:.1f} | {part['position']['settled_error_m']:.3f} "
            f"| {part['position']['settled_fraction']:.2f} "
            f"| {100 * part['velocity']['windowed_relative_error']:.1f} % |"
        )
    return rows


def family_rows(name: str) -> list[str]:
    """Table rows of one contest by task family."""
    rows = []
    for family, part in load(name)["by_family"].items():
        error = part["settled_error"]["mean"]
        size = f"{error:.3f} m" if family.startswith("goal") else f"{100 * part['relative_error']['mean']:.1f} %"
        rows.append(
            f"| {family} | {size} | {part['settled_fraction']:.2f} | {part['integrated_error_s']['mean']:.2f} |"
        )
    return rows


def stride_verdict(name: str) -> str:
    """One sentence on the learned stride against the best of the others, by integrated error."""
    found = {stride: part["integrated_error_s"] for stride, part in load(name)["ablation"].items()}
    learned = found.pop("learned")
    best = min(found, key=lambda stride: found[stride]["mean"])
    low, high = learned["interval"]
    other = found[best]
    if learned["mean"] < other["mean"]:
        verdict = f"the learned stride has the lowest mean; the next is stride {best}"
    else:
        verdict = (
            f"stride {best} has a lower mean than the learned one: on this body looking more often costs nothing, "
            "so there is little to be learned"
        )
    overlap = low <= other["interval"][1] and other["interval"][0] <= high
    return f"By integrated error {verdict}; their intervals {'overlap' if overlap else 'do not overlap'}."


def change_rows(name: str) -> list[str]:
    """Table rows of tasks that change, per memory."""
    rows = []
    for memory, figures in load(name)["memory"].items():
        for part in ("first", "after_change"):
            if part not in figures:
                continue
            row = figures[part]
            rows.append(
                f"| {memory} | {part.replace('_', ' ')} | {row['rows_to_identify']:.1f} "
                f"| {row['rows_to_identify_p95']:.0f} | {100 * row['identified_in_5_rows']:.0f} % "
                f"| {row['position_error_m']:.3f} m | {100 * row['velocity_error']:.1f} % |"
            )
    return rows
