"""How fast the agent finds out: belief against the number of context rows it has seen."""

import numpy as np

from reinfer.tasks import FAMILY_NAMES
from reinfer.viewing.style import PALE, SOFT_INK, family_colour, family_label, new_figure, style

#: Errors below this, in percent, are drawn at it: an agent that reads a target off rewards may have none at all.
_LEAST_PERCENT = 0.01
#: Rows beyond this are pooled: the encoder's window holds no more.
WINDOW_ROWS = 32
_TICKS = (1, 2, 5, 10, 20, 32)


def decisions(records) -> dict[str, np.ndarray]:
    """Every decision in ``records`` that had at least one context row, flattened to (M,).

    Returns ``rows``, ``family`` (true), ``probability`` (given to the true family), ``correct`` (whether it
    is the most likely one) and ``target_error`` (|estimate - target| / |target|). Decisions after a fall are
    left out.
    """
    parts = {name: [] for name in ("rows", "family", "probability", "correct", "target_error")}
    for record in records:
        steps, simulations = np.nonzero(record.is_decision & (record.rows > 0) & ~record.fallen[:-1])
        family = np.asarray(record.tasks.family)[simulations]
        target = np.asarray(record.tasks.target)[simulations]
        belief = record.family_probability[steps, simulations]
        parts["rows"].append(np.minimum(record.rows[steps, simulations], WINDOW_ROWS))
        parts["family"].append(family)
        known = family < belief.shape[1]
        given = np.where(known, belief[np.arange(len(belief)), np.where(known, family, 0)], 0.0)
        parts["probability"].append(given)
        parts["correct"].append(known & (belief.argmax(axis=1) == family))
        parts["target_error"].append(np.abs(record.target_estimate[steps, simulations] - target) / np.abs(target))
    return {name: np.concatenate(values) for name, values in parts.items()}


def belief_figure(records, panels=("family", "target")):
    """Probability of the true family, and relative error of the inferred target, against context rows.

    Per family the median over tasks and seeds; pale, the range of the middle 80 % of all decisions.
    """
    found = decisions(records)
    with style():
        figure, axes = new_figure(len(panels))
        for panel, what in zip(axes, panels, strict=True):
            {"family": _draw_family, "target": _draw_target}[what](panel, found)
            panel.set_xscale("log")
            panel.set_xticks(_TICKS, [f"{t}" if t < WINDOW_ROWS else f"{t}+" for t in _TICKS])
            panel.set_xticks([], minor=True)
            panel.set_xlim(0.95, WINDOW_ROWS * 1.05)
            panel.set_xlabel("context rows seen (state, reward, next state)")
    return figure


def _draw_family(panel, found) -> None:
    rows, low, high = _spread(found, "probability")
    panel.fill_between(rows, low, high, color=PALE, alpha=0.7, label="middle 80 % of decisions")
    for family, rows, median in _medians(found, "probability"):
        panel.plot(
            rows,
            median,
            color=family_colour(family),
            label=family_label(FAMILY_NAMES[family]),
            marker="o",
            markersize=2.5,
        )
    panel.set_ylim(-0.02, 1.03)
    panel.set_title("Which family is it?")
    panel.set_ylabel("probability given to the true family")
    panel.legend(loc="lower right")


def _draw_target(panel, found) -> None:
    right = {name: values[found["correct"]] for name, values in found.items()}
    rows, low, high = _spread(right, "target_error")
    panel.fill_between(rows, _percent(low), _percent(high), color=PALE, alpha=0.7)
    for family, rows, median in _medians(right, "target_error"):
        panel.plot(rows, _percent(median), color=family_colour(family), marker="o", markersize=2.5)
    panel.axhline(1.0, color=SOFT_INK, linewidth=0.8, linestyle=":")
    panel.set_yscale("log")
    panel.set_ylim(0.8 * _LEAST_PERCENT, 300.0)
    panel.yaxis.set_major_formatter(lambda value, _: f"{'≤ ' if value <= _LEAST_PERCENT else ''}{value:g} %")
    panel.set_title("Which target?")
    panel.set_ylabel("error of the inferred target")


def _percent(error):
    return np.maximum(100.0 * error, _LEAST_PERCENT)


def _medians(found, what: str):
    for family in np.unique(found["family"]):
        member = found["family"] == family
        rows = np.unique(found["rows"][member])
        values = [np.median(found[what][member & (found["rows"] == row)]) for row in rows]
        yield int(family), rows, np.array(values)


def _spread(found, what: str):
    rows = np.unique(found["rows"])
    values = [np.quantile(found[what][found["rows"] == row], (0.1, 0.9)) for row in rows]
    low, high = np.array(values).T if len(values) else (np.zeros(0), np.zeros(0))
    return rows, low, high
