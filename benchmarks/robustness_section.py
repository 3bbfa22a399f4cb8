"""The part of docs/results.md on differences between the toy and the body it is reused on."""

from statistics import mean

#: Shifts under which ways of training are compared.
COMPARED = (
    ("none", 0.0),
    ("travel", 0.2),
    ("travel", 2.0),
    ("travel", 5.0),
    ("process_noise", 0.1),
    ("observation_noise", 0.1),
    ("reward_noise", 0.03),
)


def robustness_lines(found: dict) -> list[str]:
    """What shifts cost the shipped toys: a table of what ``reinfer eval robustness --json`` printed."""
    lines = ["| difference | level | family known | target error | return | told |", "|---" * 6 + "|"]
    for row in found["shifts"]:
        level = "" if row["shift"] == "none" else f"{row['level']:g}"
        returns = row["return"]
        lines.append(
            f"| {_name(row['shift'])} | {level} | {100 * mean(row['family_known']):.1f} % "
            f"| {100 * mean(row['target_error']):.1f} % "
            f"| {mean(returns):.1f} ({min(returns):.1f} to {max(returns):.1f}) "
            f"| {row['told_return']:.1f} |"
        )
    return lines


def randomisation_lines(found: dict) -> list[str]:
    """What randomising the toy in training gains: tables of what ``benchmarks/randomisation.py`` found."""
    heads = [f"{_name(shift)} {level:g}" if level else "nominal" for shift, level in COMPARED]
    lines = [f"| trained with | {' | '.join(heads)} |", "|---" * (1 + len(COMPARED)) + "|"]
    for variant, figures in found["variants"].items():
        rows = {(row["shift"], row["level"]): row for row in figures["shifts"]}
        cells = [f"{mean(rows[key]['return']):.1f} / {100 * mean(rows[key]['target_error']):.1f} %" for key in COMPARED]
        lines.append(f"| {variant} | {' | '.join(cells)} |")
    lines += [
        "",
        "On the half-cheetah, the 12 standard tasks, stride 1:",
        "",
        "| trained with | position, m | settled | velocity | settled | target error, 10 rows | integrated error, s |",
        "|---" * 7 + "|",
    ]
    for variant, figures in found["variants"].items():
        contest = figures["transfer"]
        position, velocity = contest["position"], contest["velocity"]
        lines.append(
            f"| {variant} | {position['settled_error_m']:.3f} | {position['settled_fraction']:.2f} "
            f"| {100 * velocity['windowed_relative_error']:.1f} % | {velocity['settled_fraction']:.2f} "
            f"| {100 * contest['target_error_by_rows']['10']:.1f} % | {contest['integrated_error_s']['mean']:.2f} |"
        )
    return lines


def _name(shift: str) -> str:
    return shift.replace("_", " ")
