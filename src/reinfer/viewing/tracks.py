"""Tracks: what the body did against simulated seconds, beside what it should have found out and done."""

import numpy as np

from reinfer.tasks import KINDS
from reinfer.tasks.families import FAMILY_KIND
from reinfer.tasks.rewards import controlled_value
from reinfer.viewing.series import moving_average
from reinfer.viewing.style import KIND_QUANTITY, KIND_UNIT, SOFT_INK, family_colour, new_figure, shades, style

#: Speeds are averaged over this long, about a gait cycle, before they are drawn bold.
GAIT_CYCLE_S = 0.5


def of_kind(record, kind: str) -> np.ndarray:
    """Indices of the simulations of ``record`` whose task is of ``kind`` (a name in ``tasks.KINDS``)."""
    return np.flatnonzero(FAMILY_KIND[np.asarray(record.tasks.family)] == KINDS.index(kind))


def pick(record, simulations):
    """The record of some of its simulations (indices) only."""
    arrays = {
        name: value[:, simulations]
        for name, value in record._asdict().items()
        if isinstance(value, np.ndarray) and value.ndim > 1 and name != "tasks"
    }
    return record._replace(tasks=record.tasks[np.asarray(simulations)], **arrays)


def kinds_of(records) -> tuple[str, ...]:
    """Kinds of the tasks in ``records``, in the order of ``tasks.KINDS``."""
    return tuple(kind for kind in KINDS if any(len(of_kind(record, kind)) for record in records))


def tracks_figure(records, kinds=(), limit: int = 12):
    """One panel per kind of task: the rewarded channel over simulated time, its target dashed.

    Args:
        records: ``RolloutRecord`` values, e.g. one per training seed; each is drawn thin.
        kinds: panels, names in ``tasks.KINDS``; by default all that there are tasks of.
        limit: most tasks per panel; where there are more, evenly spaced ones by target are drawn.
    """
    kinds = kinds or kinds_of(records)
    with style():
        figure, axes = new_figure(len(kinds))
        for panel, kind in zip(axes, kinds, strict=True):
            _draw(panel, records, kind, limit)
    return figure


def _draw(panel, records, kind: str, limit: int) -> None:
    labelled = {}
    for record in records:
        for simulation in _spread(record, of_kind(record, kind), limit):
            family, target = int(record.tasks.family[simulation]), float(record.tasks.target[simulation])
            colour = _colour(record, family, target)
            values = controlled_value(np.asarray(family), record.task_state[:, simulation])
            seconds = np.arange(len(values)) * record.control_dt_s
            if kind in ("velocity", "jump"):
                panel.plot(seconds, values, color=colour, alpha=0.13, linewidth=0.5, rasterized=True)
                values = moving_average(values, round(GAIT_CYCLE_S / record.control_dt_s))
            panel.plot(seconds, values, color=colour, linewidth=1.0 if len(records) > 1 else 1.6, gid="track")
            _mark_fall(panel, record, simulation, seconds, values)
            labelled[target] = colour
    last = max((len(record.task_state) - 1) * record.control_dt_s for record in records)
    _targets(panel, labelled, last)
    panel.set_title(f"{KIND_QUANTITY[kind].capitalize()} tasks")
    panel.set_xlabel("simulated time (s)")
    panel.set_ylabel(f"{KIND_QUANTITY[kind]} ({KIND_UNIT[kind]})")
    panel.set_xlim(0.0, last)
    _frame(panel, list(labelled))


def _targets(panel, labelled: dict[float, str], last: float) -> None:
    """Dashed target lines with their values at the right end."""
    for target, colour in labelled.items():
        panel.axhline(target, color=colour, linestyle=(0, (5, 3)), linewidth=1.1, gid="target")
        panel.annotate(
            f"{target:+.2f}",
            (last, target),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontsize=8,
            annotation_clip=False,
        )


def _frame(panel, targets: list[float]) -> None:
    """Leave room around the targets; what runs further away is cut off instead of flattening the rest."""
    if not targets:
        panel.text(0.5, 0.5, "no such task", transform=panel.transAxes, ha="center", color=SOFT_INK)
        return
    low, high = min(0.0, *targets), max(0.0, *targets)
    room = 0.3 * (high - low)
    panel.set_ylim(low - room, high + room)


def _colour(record, family: int, target: float):
    """Shade by |target| among the tasks of the same family."""
    sizes = np.abs(record.tasks.target[np.asarray(record.tasks.family) == family])
    spread = float(np.ptp(sizes))
    share = 0.3 + 0.7 * (abs(target) - sizes.min()) / spread if spread else 0.6
    return tuple(shades(family_colour(family), [share])[0])


def _spread(record, simulations, limit: int):
    if len(simulations) <= limit:
        return simulations
    ordered = simulations[np.argsort(np.asarray(record.tasks.target)[simulations], kind="stable")]
    return ordered[np.linspace(0, len(ordered) - 1, limit).round().astype(int)]


def _mark_fall(panel, record, simulation, seconds, values) -> None:
    fallen = np.flatnonzero(record.fallen[:, simulation])
    if len(fallen):
        panel.plot(seconds[fallen[0]], values[fallen[0]], "x", color="black", markersize=8, mew=2, gid="fall")
