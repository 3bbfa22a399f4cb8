"""The contest at a glance: errors of all agents on one logarithmic axis."""

from reinfer.viewing.anchors import ANCHORS
from reinfer.viewing.contest_table import COMPARATORS
from reinfer.viewing.style import INK, PALE, SERIES, SOFT_INK, new_figure, style

#: Errors below this are drawn here, m or m/s: nothing is lost, and zero has no logarithm.
_SMALLEST = 1e-3

_PANELS = {
    "position": ("Position", "m", "settled_error_m", "position_m"),
    "velocity": ("Speed", "m/s", "windowed_error_mps", "velocity_mps"),
}


def comparison_figure(contests: dict[str, dict], panels=("position", "velocity")):
    """One row per agent, best at the left; hollow markers are told the task or its target.

    Args:
        contests: what ``reinfer eval transfer --json`` printed, by what to call it; one alone is called reinfer, and
            of several only the oracles are drawn beside them.
    """
    bodies = {contest["body"] for contest in contests.values()}
    anchors = ANCHORS.get(bodies.pop(), ()) if len(bodies) == 1 else ()
    single = len(contests) == 1
    with style():
        height = 0.9 + 0.25 * (len(anchors) + (len(COMPARATORS) + 1 if single else 2 * len(contests)))
        figure, axes = new_figure(len(panels), panel_inches=(5.2, height))
        for panel, kind in zip(axes, panels, strict=True):
            title, unit, key, anchor_field = _PANELS[kind]
            rows = [
                (anchor.name, getattr(anchor, anchor_field), anchor.told != "nothing", SOFT_INK) for anchor in anchors
            ]
            for label, contest in contests.items():
                rows.append(("reinfer" if single else label, (contest[kind][key],) * 2, False, SERIES[0]))
                rows += _comparators(contest, kind, key, "" if single else f", {label}")
            _draw(panel, rows)
            panel.set_title(title)
            panel.set_xlabel(f"error once settled ({unit})")
    return figure


def _comparators(contest: dict, kind: str, key: str, of: str) -> list[tuple]:
    return [
        (name + of, (contest[name_in_json][kind][key],) * 2, told != "nothing", "#9aa5ae")
        for name_in_json, name, told, _ in COMPARATORS
        if contest.get(name_in_json) and (not of or name_in_json == "oracle")
    ]


def _draw(panel, rows) -> None:
    for place, (_name, ends, told, colour) in enumerate(rows):
        low, high = (max(end, _SMALLEST) for end in ends)
        ours = colour == SERIES[0]
        panel.plot([low, high], [place, place], color=colour, linewidth=5, solid_capstyle="round", alpha=0.6)
        panel.plot(
            (low * high) ** 0.5,
            place,
            marker="D" if ours else "o",
            markersize=9 if ours else 7,
            color=colour,
            markerfacecolor="white" if told else colour,
            markeredgewidth=1.6,
            gid="agent",
        )
    panel.set_xscale("log")
    panel.set_yticks(range(len(rows)), [f"{name} (told)" if told else name for name, _, told, _ in rows])
    for label, (_, _, _, colour) in zip(panel.get_yticklabels(), rows, strict=True):
        label.set_color(SERIES[0] if colour == SERIES[0] else INK)
        label.set_fontweight("bold" if colour == SERIES[0] else "normal")
    panel.set_ylim(len(rows) - 0.4, -0.6)
    panel.grid(axis="y", color=PALE)
    panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
