"""The part of the report about sweeps: what became of every trial, and what settings are worth."""

import statistics
from collections import Counter

from reinfer.viewing import page
from reinfer.viewing.reporting.evidence import Evidence

#: Columns of ``trials.csv`` that are no settings.
_TOLD = ("trial", "status", "score_name", "score", "seconds", "starts", "folder", "error")


def sweeps(evidence: Evidence) -> str:
    """A section per sweep."""
    return "\n".join(_sweep(folder, rows) for folder, rows in evidence.sweeps if rows)


def _sweep(folder: str, rows: list[dict[str, str]]) -> str:
    counted = Counter(row["status"] for row in rows)
    said = f"{len(rows)} trials in {folder}: " + ", ".join(f"{count} {status}" for status, count in counted.items())
    parts = [page.paragraph(f"{said}."), _trials(rows)]
    settings = [name for name in rows[0] if name not in (*_TOLD, "seed")]
    if settings and "seed" in rows[0]:
        parts.append(_over_seeds(settings, rows))
    return page.section("Sweep", *parts)


def _trials(rows: list[dict[str, str]]) -> str:
    """A row per trial, with what went wrong where something did."""
    head = [("trial", False), ("status", False), (_spoken(rows), True), ("seconds", True), ("starts", True)]
    cells = []
    for row in rows:
        numbers = [page.cell(_number(row[name]), number=True) for name in ("score", "seconds", "starts")]
        cells.append(("", [page.cell(row["trial"], row["error"]), page.cell(row["status"]), *numbers]))
    return page.table(head, cells)


def _over_seeds(settings: list[str], rows: list[dict[str, str]]) -> str:
    """Mean and range of the scores over the seeds that are done, by what else was varied."""
    scores: dict[tuple[str, ...], list[float]] = {}
    for row in rows:
        own = scores.setdefault(tuple(row[name] for name in settings), [])
        own += [float(row["score"])] if row["score"] else []
    head = [*((name, False) for name in settings), ("seeds", True), (f"{_spoken(rows)}, mean", True), ("range", True)]
    cells = []
    for values, own in scores.items():
        told = ["", ""] if not own else [f"{statistics.mean(own):.4g}", f"{min(own):.4g} to {max(own):.4g}"]
        cells.append(("", [*map(page.cell, values), *(page.cell(v, number=True) for v in (str(len(own)), *told))]))
    return page.table(head, cells)


def _spoken(rows: list[dict[str, str]]) -> str:
    """What the score is called."""
    return rows[0]["score_name"].replace("_", " ")


def _number(text: str) -> str:
    """A number of the table, with as many digits as tell something."""
    return f"{float(text):.4g}" if text else ""
