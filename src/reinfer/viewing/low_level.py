"""How well the low level follows commands: error of each unseen command against its target."""

import numpy as np

from reinfer.viewing.style import KIND_UNIT, SERIES, SOFT_INK, new_figure, style

_KINDS = ("goal", "velocity", "stand", "jump")
_TITLE = {"goal": "Goals", "velocity": "Speeds", "stand": "Stands", "jump": "Jumps"}


def kinds_of(low: dict) -> list[str]:
    """Kinds of command in what ``reinfer eval low --json`` printed."""
    return [kind for kind in _KINDS if any(row["kind"] == kind for row in low["by_command"])]


def low_level_figure(low: dict, kinds=None):
    """One panel per kind: error after 9 to 12 s of every command, its mean as a line; falls are crossed out.

    Args:
        low: what ``reinfer eval low --json`` printed.
        kinds: panels; all that were evaluated by default.
    """
    kinds = kinds_of(low) if kinds is None else kinds
    with style():
        figure, axes = new_figure(len(kinds), panel_inches=(5.2, 3.0))
        for index, (panel, kind) in enumerate(zip(axes, kinds, strict=True)):
            rows = [row for row in low["by_command"] if row["kind"] == kind]
            target, error = (np.array([row[key] for row in rows]) for key in ("target", "error"))
            fallen = np.array([row["fallen"] for row in rows])
            scale, unit = (100.0, "%") if kind in ("velocity", "jump") else (1.0, KIND_UNIT[kind])
            panel.scatter(target[~fallen], scale * error[~fallen], s=14, color=SERIES[index], linewidths=0)
            panel.scatter(target[fallen], scale * error[fallen], s=30, color="black", marker="x")
            panel.axhline(scale * error.mean(), color=SOFT_INK, linestyle="--", linewidth=1.0)
            panel.set_ylim(bottom=0.0)
            panel.set_title(_TITLE[kind])
            panel.set_xlabel(f"commanded {'distance' if kind == 'goal' else kind} ({KIND_UNIT[kind]})")
            panel.set_ylabel(f"error ({unit})")
    return figure
