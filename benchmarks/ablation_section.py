"""The part of docs/results.md on encoders, priors, symmetry, losses and randomisation, on the toy and in transfer."""

from reinfer.viewing.style import SERIES, SOFT_INK, new_figure, style

#: What is compared: variants by name, or by its beginning where that ends in a hyphen.
_GROUPS = (
    ("Encoders", ("encoder-",)),
    ("Priors, with the gru", ("encoder-gru", "prior-")),
    ("What inference is trained on and for", ("encoder-gru", "without-", "relabelled")),
    ("The mirror, half of the training tasks, PCGrad", ("encoder-gru", "gru-", "equivariant-", "pcgrad")),
)

#: How the toy trained without options is called.
DEFAULT = "default: gru, dpmm"

#: The lowest return that an encoder or prior may have.
BAR = -20.0

#: What tables alone do not tell.
_NOTES = {
    "What inference is trained on and for": [
        "Without the target head it is the policy that fails, not inference. Evaluation makes targets exact from the",
        "window, whatever the head says; in training the policy sees them as the head decodes them, arbitrary without",
        "one, and learns not to follow them. A policy that was trained with the head does well above the same encoder.",
        "",
    ]
}


def ablation_lines(found: dict) -> list[str]:
    """Tables of what ``benchmarks/ablation.py`` found, of those variants that were trained."""
    lines = []
    for title, beginnings in _GROUPS:
        members = {name: row for name, row in found.items() if _belongs(name, beginnings)}
        if not members:
            continue
        lines += [
            f"{title}:",
            "",
            "| `reinfer train toy` | return | forward | backward | worst family | family, 5 rows | target, 10 rows "
            "| purity | robot: position, m | velocity |",
            "|---" * 10 + "|",
            *(_row(row) for row in members.values()),
            "",
            *_NOTES.get(title, []),
        ]
    return lines


def _belongs(name: str, beginnings) -> bool:
    return any(name.startswith(part) if part.endswith("-") else name == part for part in beginnings)


def _options(row: dict) -> str:
    """What a variant was trained with, as typed; empty for the default."""
    return row["command"].removeprefix("reinfer train toy").strip()


def _row(row: dict) -> str:
    families = row["return_by_family"]
    forward, backward = (
        [value for name, value in families.items() if name.endswith(end)] for end in ("forward", "backward")
    )
    family, worst = row["worst_family"]
    purity = "" if row["purity"] is None else f"{row['purity']:.3f}"
    position, velocity = "", ""
    if contest := row.get("transfer"):
        position = f"{contest['position']['settled_error_m']:.3f}"
        velocity = f"{100 * contest['velocity']['windowed_relative_error']:.1f} %"
    return (
        f"| {f'`{options}`' if (options := _options(row)) else DEFAULT} | {row['return_mean']:.2f} "
        f"| {sum(forward) / len(forward):.2f} | {sum(backward) / len(backward):.2f} "
        f"| {worst:.2f}, {family.replace('_', ' ')} | {100 * row['class_accuracy_5']:.1f} % "
        f"| {100 * row['target_error_10']:.2f} % | {purity} | {position} | {velocity} |"
    )


def ablation_figure(found: dict):
    """One line per variant: return on the toy, over all families and of the worst, and errors on the robot."""
    names, places = [_options(row).replace("--", "") or DEFAULT for row in found.values()], range(len(found))
    with style():
        figure, (toy, robot) = new_figure(2, panel_inches=(5.2, 0.6 + 0.26 * len(found)), sharey=True)
        for label, values, colour in (
            ("all families", [row["return_mean"] for row in found.values()], SERIES[0]),
            ("worst family", [row["worst_family"][1] for row in found.values()], SERIES[1]),
        ):
            toy.plot(values, places, "o", color=colour, label=label)
        toy.axvline(BAR, color=SOFT_INK, linestyle="--", linewidth=0.8)
        toy.set_xscale("symlog", linthresh=1.0)
        toy.set_xlim(right=-5.0)
        toy.set_xticks(ticks := (-300, -100, -50, -20, -10, -5), map(str, ticks))
        toy.set_yticks(places, names)
        toy.set_ylim(len(found) - 0.5, -0.5)
        toy.set_xlabel(f"return on held-out tasks; all families: bar {BAR:g}")
        toy.set_title("Toy")
        toy.legend(loc="lower left")
        played = [(place, row["transfer"]) for place, row in enumerate(found.values()) if row.get("transfer")]
        for label, values, colour in (
            ("position, m", [part["position"]["settled_error_m"] for _, part in played], SERIES[2]),
            (
                "speed, share of the target",
                [part["velocity"]["windowed_relative_error"] for _, part in played],
                SERIES[3],
            ),
        ):
            robot.plot(values, [place for place, _ in played], "o", color=colour, label=label)
        robot.set_xscale("log")
        robot.set_xlabel("error at the end of an episode, m or share of the target")
        robot.set_title("Half-cheetah, frozen encoder and policy")
        robot.legend(loc="lower right")
    return figure
