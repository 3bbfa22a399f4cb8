"""The part of the report about failures: the worst tasks, and falls."""

from reinfer.tasks.families import FAMILY_KIND, KINDS, family_index
from reinfer.viewing import page
from reinfer.viewing.contest_table import percent
from reinfer.viewing.reporting.evidence import Evidence
from reinfer.viewing.style import KIND_UNIT, svg_of, task_label
from reinfer.viewing.tracks import kinds_of, pick, tracks_figure

#: Failures shown.
_WORST = 5


def failures(evidence: Evidence) -> str:
    tasks = (evidence.contest or {}).get("by_task") or []
    if not tasks:
        return ""
    worst = sorted(tasks, key=lambda entry: -entry["relative_error"])[:_WORST]
    head = [("task", False), ("error", True), ("relative", True), ("settled", True), ("fell", True)]
    rows = []
    for entry in worst:
        key = f"by_task.{tasks.index(entry)}"
        family = family_index(entry["family"])
        unit = KIND_UNIT[KINDS[FAMILY_KIND[family]]]
        numbers = (
            (f"{entry['settled_error']:.3f} {unit}", "settled_error"),
            (percent(entry["relative_error"]), "relative_error"),
            (percent(entry["settled_fraction"], 0), "settled_fraction"),
            (percent(entry["fall_rate"], 0), "fall_rate"),
        )
        cells = [page.cell(task_label(family, entry["target"], unit))]
        cells += [page.cell(text, number=True, key=f"{key}.{name}", value=entry[name]) for text, name in numbers]
        rows.append(("", cells))
    return page.section(
        "Where it does worst",
        page.paragraph(
            f"The {len(worst)} worst of {len(tasks)} tasks by relative error over the end of the episode, "
            "averaged over training seeds; then the share of seeds that settled and that fell."
        ),
        page.table(head, rows),
        page.side_by_side(*_worst_tracks(evidence, [tasks.index(entry) for entry in worst])),
        _falls(evidence, tasks),
    )


def _falls(evidence: Evidence, tasks: list[dict]) -> str:
    """In which tasks the robot fell, and when."""
    rate = evidence.contest["fall_rate"]
    if rate == 0.0:
        return page.paragraph(f"No episode of these {len(tasks)} tasks had a fall.")
    head = [("task with falls", False), ("fell", True), ("first after", True)]
    rows = []
    fallen = [entry for entry in tasks if entry["fall_rate"] > 0.0]
    for entry in sorted(fallen, key=lambda entry: -entry["fall_rate"])[:_WORST]:
        index, family = tasks.index(entry), family_index(entry["family"])
        label = task_label(family, entry["target"], KIND_UNIT[KINDS[FAMILY_KIND[family]]])
        share = page.cell(
            percent(entry["fall_rate"], 0), number=True, key=f"by_task.{index}.fall_rate", value=entry["fall_rate"]
        )
        rows.append(("", [page.cell(label), share, page.cell(_first_fall(evidence.records, index), number=True)]))
    said = f"{percent(rate)} of all episodes had a fall, in {len(fallen)} of {len(tasks)} tasks."
    return "\n".join([page.paragraph(said), page.table(head, rows)])


def _first_fall(records: list, task: int) -> str:
    """The earliest simulated second at which the robot lay in this task."""
    seconds = [
        record.fallen[:, task].argmax() * record.control_dt_s for record in records if record.fallen[:, task].any()
    ]
    return f"{min(seconds):.1f} s" if seconds else ""


def _worst_tracks(evidence: Evidence, worst: list[int]) -> list[str]:
    """Their tracks, per kind of task among them."""
    records = [pick(record, worst) for record in evidence.records]
    if not records:
        return []
    return [
        page.figure(svg_of(tracks_figure(records, (kind,))), "Tracks of the tasks in this table; dashed: the targets.")
        for kind in kinds_of(records)
    ]
