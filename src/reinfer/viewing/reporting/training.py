"""The parts of the report about where the agent comes from: the toy, the low level, the models."""

from reinfer.viewing import page
from reinfer.viewing.contest_table import percent
from reinfer.viewing.low_level import kinds_of, low_level_figure
from reinfer.viewing.progress import progress_figure
from reinfer.viewing.reporting.evidence import Evidence, absent, by_rows
from reinfer.viewing.style import svg_of


def toy(evidence: Evidence) -> str:
    curves = [
        page.figure(
            svg_of(progress_figure([run], [metric])),
            f"Learning curve of {run.label}: {metric.replace('_', ' ')}.",
        )
        for run, metric in evidence.progress
    ]
    if evidence.toy is None and not curves:
        return absent("Learning on the toy", "--toy toy.json", "reinfer eval toy --json > toy.json")
    parts = []
    if evidence.toy is not None:
        toy = evidence.toy
        parts.append(
            page.paragraph(
                "Held-out tasks that were never trained on. A controller that is told the task reaches a "
                "return of about -6; 0 cannot be reached, since the body needs time to get there."
            )
        )
        rows = [
            (
                "",
                [
                    page.cell("all tasks"),
                    _value(f"{toy['return_mean']:.2f}", "return_mean", toy["return_mean"]),
                ],
            )
        ]
        rows += [
            (
                "",
                [
                    page.cell(name.replace("_", " ")),
                    _value(f"{value:.2f}", f"return_by_family.{name}", value),
                ],
            )
            for name, value in toy["return_by_family"].items()
        ]
        parts.append(page.table([("toy tasks", False), ("mean return over 200 steps", True)], rows))
        parts.append(by_rows(toy, "toy:"))
    return page.section(
        "Learning on the toy",
        *parts,
        page.side_by_side(*curves) if curves else "",
        page.command("reinfer train toy", "reinfer eval toy --json > toy.json", "reinfer plot progress RUN"),
    )


def _value(text: str, key: str, value: float) -> str:
    return page.cell(text, number=True, key=f"toy:{key}", value=value)


def low(evidence: Evidence) -> str:
    low = evidence.low
    if low is None:
        return absent(
            "The low level", "--low low.json", f"reinfer eval low --body {evidence.body} --json > low.json"
        )
    figures = [
        page.figure(
            svg_of(low_level_figure(low, (kind,))),
            "Every dot is a command that was not used in training; dashed: mean error.",
        )
        for kind in kinds_of(low)
    ]
    return page.section(
        "The low level",
        page.paragraph(
            "The policy that moves the body. It knows nothing of tasks: it is given a place or a speed and "
            f"goes there. {percent(low['fall_rate'])} of its 30 s episodes have a fall."
        ),
        page.side_by_side(*figures),
        page.command(
            f"reinfer train low --body {evidence.body}",
            f"reinfer eval low --body {evidence.body} --json > low.json",
        ),
    )


def models(evidence: Evidence) -> str:
    if not evidence.models:
        return ""
    rows = []
    for name, model in evidence.models.items():
        provenance = model.get("provenance", {})
        argv = " ".join(provenance.get("argv", [])) if isinstance(provenance.get("argv"), list) else ""
        rows.append(
            (
                "",
                [
                    page.cell(name, argv),
                    page.cell(model["kind"].replace("_", " ")),
                    page.cell(model["sha256"][:16]),
                ],
            )
        )
    return page.section(
        "The models behind these numbers",
        page.paragraph(
            "Each model file carries its settings and its origin; reinfer info MODEL prints them."
        ),
        page.table([("model", False), ("kind", False), ("SHA-256 begins", False)], rows),
        page.command("reinfer doctor", "reinfer info MODEL"),
    )
