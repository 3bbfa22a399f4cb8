"""The parts of the report about where the agent comes from: the toy, the low level, the models."""

import shlex

from reinfer.viewing import page
from reinfer.viewing.anchors import TOY_RETURNS
from reinfer.viewing.contest_table import percent
from reinfer.viewing.low_level import kinds_of, low_level_figure
from reinfer.viewing.progress import progress_figure
from reinfer.viewing.reporting.evidence import Evidence, absent, by_rows
from reinfer.viewing.style import family_label, svg_of


def runs(evidence: Evidence) -> str:
    """What was run: every training behind the report, how far it got and how it was typed."""
    if not evidence.runs:
        return ""
    head = [("run", False), ("seed", True), ("steps", True), ("status", False)]
    rows = []
    for run in evidence.runs:
        steps = run["metrics"].get("env_steps")
        session = run["sessions"][0]
        code = session["code"]
        origin = f"code {code['commit'][:10]}{', changed' if code['dirty'] else ''}; " if code else ""
        note = f"{origin}{session['machine']['cores']} cores; {run['created'][:16].replace('T', ' ')} UTC"
        cells = [
            page.cell(run["path"], note),
            page.cell(f"{run['seed']}", number=True),
            page.cell("" if steps is None else f"{steps:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}"), number=True),
            page.cell(run["status"]),
        ]
        rows.append(("", cells))
    return page.section(
        "What was run",
        page.table(head, rows),
        # One command may have made several.
        page.command(*dict.fromkeys(shlex.join(run["sessions"][0]["argv"]) for run in evidence.runs)),
    )


def curves(evidence: Evidence) -> str:
    """Learning curves of the runs."""
    if not evidence.progress:
        return ""
    figures = [
        page.figure(
            svg_of(progress_figure([run], [metric])),
            f"Learning curve of {run.label}: {metric.replace('_', ' ')}.",
        )
        for run, metric in evidence.progress
    ]
    commands = [shlex.join(["reinfer", "plot", "progress", run["path"]]) for run in evidence.runs]
    return page.section("Learning curves", page.side_by_side(*figures), page.command(*commands))


def toy(evidence: Evidence) -> str:
    made_by = f"reinfer eval toy --model {evidence.toy_model} --json > toy.json"
    if evidence.toy is None:
        return absent("Learning on the toy", "toy.json among what the report is made of", made_by)
    return page.section("Learning on the toy", *_toy_results(evidence.toy), page.command("reinfer train toy", made_by))


def _toy_results(results: dict) -> list[str]:
    """Returns per family beside the anchors, belief against rows, and what the mixture prior found."""
    returns = [("all tasks", "return_mean", results["return_mean"])]
    for name, value in results["return_by_family"].items():
        returns.append((family_label(name), f"return_by_family.{name}", value))
    rows = [
        ("", [page.cell(what), page.cell(f"{value:.2f}", number=True, key=f"toy:{key}", value=value)])
        for what, key, value in returns
    ]
    said = "Held-out tasks, never trained on. A return of 0 cannot be reached, since the body needs time to get there"
    if known := TOY_RETURNS.get(results.get("body")):
        said += "; a controller that is told the task shows what can be"
        for name, value in (
            ("published implementation, all tasks", known.published),
            ("controller that is told the task", known.told),
        ):
            rows.append(("aside", [page.cell(name), page.cell(value, number=True)]))
    parts = [
        page.paragraph(f"{said}."),
        page.table([("toy tasks", False), ("mean return over 200 steps", True)], rows),
        by_rows(results, "toy:"),
    ]
    if results.get("purity") is not None:
        parts.append(page.table([("mixture prior against kinds of task", False), ("", True)], _mixture(results)))
    return parts


def _mixture(results: dict) -> list[tuple[str, list[str]]]:
    measures = (
        ("components", "components", 0),
        ("purity of components", "purity", 3),
        ("normalised mutual information, components merged", "nmi", 3),
    )
    return [
        (
            "",
            [
                page.cell(what),
                page.cell(f"{results[key]:.{digits}f}", number=True, key=f"toy:{key}", value=results[key]),
            ],
        )
        for what, key, digits in measures
    ]


def low(evidence: Evidence) -> str:
    low = evidence.low
    if low is None:
        needed = "low.json among what the report is made of"
        return absent("The low level", needed, evidence.eval_low) if evidence.contest else ""
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
        page.command(f"reinfer train low --body {evidence.reference}", evidence.eval_low),
    )


def models(evidence: Evidence) -> str:
    if not evidence.models:
        return ""
    rows = [
        (
            "",
            [
                page.cell(name, _story(model["provenance"])),
                page.cell(model["kind"].replace("_", " ")),
                page.cell(model["sha256"][:16]),
            ],
        )
        for name, model in evidence.models.items()
    ]
    return page.section(
        "The models behind these numbers",
        page.paragraph("Each model file carries its settings and its origin; reinfer info tells them."),
        page.table([("model", False), ("kind", False), ("SHA-256 begins", False)], rows),
        page.command("reinfer doctor", *(shlex.join(["reinfer", "info", name]) for name in evidence.models)),
    )


def _story(provenance: dict) -> str:
    """How a model was made, as far as its file says."""
    parts = [
        f"{what} {provenance[key]}"
        for what, key in (("stage", "stage"), ("seed", "seed"), ("iterations", "iterations"))
        if key in provenance
    ]
    parts += [f"from {parent['role']} {parent['sha256'][:16]}" for parent in provenance.get("parents", ())]
    return ", ".join(parts)
