"""The contest as a table: ours beside published figures and beside labelled comparators of our own."""

from typing import NamedTuple

from reinfer.viewing.anchors import ANCHORS, Anchor


class Number(NamedTuple):
    """One figure of the table: its ``text``, a ``note``, and ``key``/``value`` as in the contest's JSON."""

    text: str
    note: str = ""
    key: str = ""
    value: float | None = None


class Row(NamedTuple):
    """One agent. ``kind`` is "published", "ours" or "comparator"; ``told`` what it knows beside rewards."""

    kind: str
    name: str
    told: str
    note: str
    position: Number
    velocity: Number
    falls: Number


#: Our own comparators: key in the contest's JSON, name, what it is told, what it does.
COMPARATORS = (
    ("oracle", "Oracle", "THE TASK", "commands it at once to the same low level"),
    ("random", "Random", "nothing", "random sub-goals to the same low level"),
    ("zero", "Zero", "nothing", "stands still"),
)


def contest_rows(contest: dict, body: str, heldout: dict | None = None) -> list[Row]:
    """Rows for the results of one contest, in the order in which they are shown.

    Args:
        contest: what ``reinfer eval transfer --json`` printed.
        body: the robot; published figures are shown where there are some for it.
        heldout: the same for the random held-out tasks.
    """
    rows = [_published(anchor) for anchor in ANCHORS.get(body, ())]
    note = "meta-trained on the toy; mean over the last quarter"
    sure = len(contest["seeds"]) > 1
    rows.append(_own(contest, "", "ours", "reinfer", "nothing", note, sure))
    if heldout is not None:
        name = f"reinfer, {heldout['n_tasks']} held-out tasks"
        note = "random tasks that nothing was chosen by"
        rows.append(_own(heldout, "heldout:", "ours", name, "nothing", note, len(heldout["seeds"]) > 1))
    for key, name, told, note in COMPARATORS:
        if contest.get(key):
            rows.append(_own(contest[key], f"{key}.", "comparator", name, told, note, sure))
    return rows


def percent(value: float, digits: int = 1) -> str:
    """A share as text."""
    return f"{100 * value:.{digits}f} %"


def _published(anchor: Anchor) -> Row:
    return Row(
        "published",
        anchor.name,
        anchor.told,
        f"meta-trained on the {anchor.learned_on}; {anchor.measure}",
        Number(_range(anchor.position_m, "m")),
        Number(_range(anchor.velocity_mps, "m/s")),
        Number("\N{EN DASH}"),
    )


def _own(result: dict, prefix: str, kind: str, name: str, told: str, note: str, sure: bool) -> Row:
    """One of our own rows; with intervals where ``sure``, i.e. where there are several training seeds."""
    position, velocity = result["position"], result["velocity"]
    error, speed = position["settled_error_m"], velocity["windowed_error_mps"]
    relative = velocity["windowed_relative_error"]
    return Row(
        kind,
        name,
        told,
        note,
        Number(
            f"{error:.3f} m",
            f"{_interval(position, sure)}{percent(position['settled_fraction'], 0)} settle",
            f"{prefix}position.settled_error_m",
            error,
        ),
        Number(
            f"{speed:.3f} m/s",
            f"{_interval(velocity, sure)}{percent(relative)}; {percent(velocity['settled_fraction'], 0)} settle",
            f"{prefix}velocity.windowed_error_mps",
            speed,
        ),
        Number(percent(result["fall_rate"]), "", f"{prefix}fall_rate", result["fall_rate"]),
    )


def _interval(part: dict, sure: bool) -> str:
    """Interquartile mean with its 95 % interval, ahead of what else there is to say."""
    if not sure:
        return ""
    found = part["settled_error"]
    low, high = found["interval"]
    return f"IQM {found['iqm']:.3f} ({low:.3f}\N{EN DASH}{high:.3f}); "


def _range(ends: tuple[float, float], unit: str) -> str:
    low, high = ends
    return f"{low:.3g} {unit}" if low == high else f"{low:.2f}\N{EN DASH}{high:.2f} {unit}"
