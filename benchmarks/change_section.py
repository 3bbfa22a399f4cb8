"""The part of docs/results.md on tasks that change mid-episode."""

from evaluations import COMMANDS, load, missing


def changes() -> list[str]:
    """The section on tasks that change mid-episode."""
    lines = [
        "## Tasks that change mid-episode",
        "",
        "Three tasks per episode, goals for 30 s and velocities for 10 s each. Identified: family and, to 5 %, target",
        "right at three looks running. `forget`, the default: rows from before a change, as the agent finds it, are",
        "dropped; `keep`: all of the window counts. Bar: after a change identified within 5 rows.",
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
