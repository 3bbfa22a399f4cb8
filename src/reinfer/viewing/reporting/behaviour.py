"""The parts of the report that show the agent at work: videos, tracks, belief, latents, strides."""

import numpy as np

from reinfer.viewing import page
from reinfer.viewing.belief import belief_figure
from reinfer.viewing.reporting.evidence import Evidence, absent, by_rows
from reinfer.viewing.stride import stride_figure
from reinfer.viewing.style import KIND_QUANTITY, data_uri, svg_of
from reinfer.viewing.tracks import kinds_of, tracks_figure


def clips(evidence: Evidence) -> str:
    if not evidence.clips:
        return absent("See it run", "videos", f"reinfer video {evidence.source}") if evidence.contest else ""
    figures = [
        page.figure(page.video(data_uri(clip.video, "video/mp4"), data_uri(clip.poster, "image/png")), clip.caption)
        for clip in evidence.clips
    ]
    commands = [
        f"reinfer video {evidence.source} --simulation {clip.simulation} --seconds {clip.seconds:g}"
        f" --output rollout_{clip.simulation}.mp4"
        for clip in evidence.clips
    ]
    return page.section(
        "See it run",
        page.paragraph(
            "The task is hidden from the agent. At first it acts on a guess; each row of its context is "
            "where it was, what reward it got, and where it got to. Flag or upper arrow: the task. Triangle "
            "or middle arrow: what the agent believes. Diamond: the sub-goal that the legs are sent to now."
        ),
        page.side_by_side(*figures),
        page.command(*commands),
    )


def tracks(evidence: Evidence) -> str:
    if not evidence.records:
        made_by = "reinfer transfer --out transfer"
        return absent("Every target", "records of the rollouts", made_by) if evidence.contest else ""
    seeds = len(evidence.records)
    captions = {"goal": f"Position over time; dashed: the goals. {_lines_of(seeds)}"} | {
        kind: f"{KIND_QUANTITY[kind].capitalize()} over time, averaged over half a second, about a gait cycle; pale: "
        "as it is. Dashed: the targets."
        for kind in ("velocity", "jump")
    }
    figures = [
        page.figure(
            svg_of(tracks_figure(evidence.records, (kind,))),
            captions.get(kind, f"{KIND_QUANTITY[kind].capitalize()} over time; dashed: the targets."),
        )
        for kind in kinds_of(evidence.records)
    ]
    return page.section(
        "Every target",
        page.side_by_side(*figures),
        page.command(f"reinfer plot tracks {evidence.source} --output tracks.svg"),
    )


def _lines_of(seeds: int) -> str:
    return "One line per target." if seeds == 1 else f"One line per target and training seed ({seeds} seeds)."


def belief(evidence: Evidence) -> str:
    if not evidence.records:
        return ""
    figures = [
        page.figure(
            svg_of(belief_figure(evidence.records, ("family",))),
            "Probability that the encoder gives to the true kind of task. Lines: median per kind.",
        ),
        page.figure(
            svg_of(belief_figure(evidence.records, ("target",))),
            "Relative error of the inferred target where the kind is right. Dotted: 1 %.",
        ),
    ]
    return page.section(
        "How fast it finds out",
        page.paragraph(
            "One row of context is one stride: a fraction of a second on the robot. The encoder has never "
            "seen a robot; it reads the robot's position, speed and reward as if they were the toy's."
        ),
        page.side_by_side(*figures),
        by_rows(evidence.contest),
        page.command(f"reinfer plot belief {evidence.source} --output belief.svg"),
    )


def latent(evidence: Evidence) -> str:
    if evidence.latent is None:
        needed = "a toy agent among what the report is made of"
        return absent("What the encoder knows", needed, "reinfer report MODEL ...")
    captions = (
        "Latents projected on their two main directions. Ellipses: components of the mixture prior, 2 sigma.",
        "The same latents by t-SNE, which keeps neighbours together and distorts distances.",
    )
    figures = [page.figure(svg_of(map_), text) for map_, text in zip(evidence.latent, captions, strict=True)]
    records = f" --records {evidence.latent_record}" if evidence.latent_record else ""
    drawn_by = f"reinfer plot latent {evidence.toy_model}{records} --output latent.svg"
    return page.section(
        "What the encoder knows",
        page.paragraph(
            "Every point is one task as the encoder sees it. Kinds of task lie apart, and within a kind "
            "the targets lie in order. Points with a dark rim are the robot's: where they fall among those "
            "of the toy, the toy's policy knows what to do."
        ),
        page.side_by_side(*figures),
        page.command(*filter(None, (evidence.latent_record_made_by, drawn_by))),
    )


def strides(evidence: Evidence) -> str:
    if not evidence.records:
        return ""
    what = page.paragraph(
        "A stride is the number of control steps for which one sub-goal is pursued before the belief "
        "is updated and the next sub-goal is chosen."
    )
    chosen = np.unique(np.concatenate([record.stride[record.is_decision] for record in evidence.records]))
    if len(chosen) == 1:
        constant = page.paragraph(f"Here it is always {chosen[0]}.")
        return page.section("When to think again", what, constant, _ablation(evidence.contest))
    figures = [
        page.figure(svg_of(stride_figure(evidence.records, ("time",))), "Mean stride in force, per kind of task."),
        page.figure(svg_of(stride_figure(evidence.records, ("histogram",))), "How often each stride is chosen."),
    ]
    return page.section(
        "When to think again",
        what,
        page.side_by_side(*figures),
        _ablation(evidence.contest),
        page.command(f"reinfer plot stride {evidence.source} --output stride.svg"),
    )


def _ablation(contest: dict) -> str:
    """The same agents with other ways to choose strides."""
    if not contest.get("ablation"):
        return ""
    head = [("strides", False), ("integrated error (s)", True), ("position (m)", True), ("speed (m/s)", True)]
    rows = []
    for name, found in contest["ablation"].items():
        numbers = (
            ("integrated_error_s.mean", found["integrated_error_s"]["mean"], 2),
            ("position.settled_error_m", found["position"]["settled_error_m"], 3),
            ("velocity.windowed_error_mps", found["velocity"]["windowed_error_mps"], 3),
        )
        label = f"always {name}" if name.isdigit() else name
        cells = [page.cell(label, f"mean {found['mean_stride']:.1f}")]
        cells += [
            page.cell(f"{value:.{digits}f}", number=True, key=f"ablation.{name}.{key}", value=value)
            for key, value, digits in numbers
        ]
        rows.append(("ours" if name == contest["stride"] else "", cells))
    return page.table(head, rows)
