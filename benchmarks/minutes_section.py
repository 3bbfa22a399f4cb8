"""The part of docs/results.md on how many minutes of training each bar takes."""

from collections.abc import Callable
from typing import NamedTuple

from evaluations import RESULTS, load
from training_section import STAGES, trained_s


class Bar(NamedTuple):
    """What must be reached: ``title``, the bar in words, ``stages`` that are trained for it, ``text`` of a summary's
    figures, and whether they are good enough (``met``)."""

    title: str
    bar: str
    stages: tuple[str, ...]
    text: Callable[[dict], str]
    met: Callable[[dict], bool]


def below(title: str, key: str, most: float, stages: tuple[str, ...], unit: str) -> Bar:
    """Figure ``key`` (of several agents the worst) must be at most ``most``; percent where ``unit`` says so."""
    scale, digits = (100.0, 1) if unit == "%" else (1.0, 3)

    def worst(figures: dict) -> float:
        value = figures[key]
        return max(value) if isinstance(value, list) else value

    def text(figures: dict) -> str:
        return f"{scale * worst(figures):.{digits}f} {unit}"

    return Bar(title, f"<= {scale * most:g} {unit}", stages, text, lambda figures: worst(figures) <= most)


TOY, LOW, ALL = ("toy",), ("low",), STAGES
BARS = (
    Bar(
        "toy: return",
        ">= -10",
        TOY,
        lambda figures: f"{min(figures['toy_return']):.1f}",
        lambda figures: min(figures["toy_return"]) >= -10.0,
    ),
    below("toy: target error after 10 rows", "toy_target_error_10_rows", 0.01, TOY, "%"),
    below("low level: goals", "low_goal_error_m", 0.03, LOW, "m"),
    below("low level: speeds", "low_speed_error", 0.02, LOW, "%"),
    below("low level: falls", "low_fall_rate", 0.01, LOW, "%"),
    below("contest: position", "position_settled_error_m", 0.07, ALL, "m"),
    Bar(
        "contest: positions that settle",
        "all",
        ALL,
        lambda figures: f"{100 * figures['position_settled_fraction']:.0f} %",
        lambda figures: figures["position_settled_fraction"] == 1.0,
    ),
    below("contest: speed", "velocity_windowed_error", 0.04, ALL, "%"),
)


def minutes(found: dict, stages: tuple[str, ...]) -> float:
    """Of training, of ``stages``."""
    return sum(trained_s(found["steps"], stage) for stage in stages) / 60.0


def first_met(bar: Bar, budgets: list[dict]) -> dict | None:
    """The least of ``budgets`` from which on ``bar`` is met by all; None if the largest does not meet it."""
    met = None
    for found in reversed(budgets):
        if not bar.met(found["figures"]):
            break
        met = found
    return met


def readme_rows() -> list[str]:
    """How long everything takes until all bars are met, for the README; empty where that was not timed, or never."""
    if not (RESULTS / "minutes.json").exists():
        return []
    budgets = load("minutes")["half_cheetah"]
    met = [first_met(bar, budgets) for bar in BARS]
    if None in met:
        return []
    # A bar that a shorter training meets, all longer ones meet.
    enough = max(met, key=lambda found: found["share"])
    title = "half-cheetah from nothing, one seed, until [these bars](docs/results.md#minutes-to-each-bar) are all met"
    figures = enough["figures"]
    reached = (
        f"{100 * enough['share']:g} % of the iterations, {figures['position_settled_error_m']:.3f} m,"
        f" {100 * figures['velocity_windowed_error']:.1f} %"
    )
    taken = f"{minutes(enough, ALL):.1f} min, {enough['cores']} cores"
    return [f"| {title} | {taken} ({reached}) | low level: nine days |"]


def bar_row(bar: Bar, budgets: list[dict]) -> str:
    """Minutes and figure of each of ``budgets``, and after how many minutes the bar was met."""
    cells = [f"{bar.text(found['figures'])} after {minutes(found, bar.stages):.1f}" for found in budgets]
    met = first_met(bar, budgets)
    after = "not met" if met is None else f"**{minutes(met, bar.stages):.1f}**"
    # Nothing less was tried.
    after = f"at most {after}" if met is budgets[0] else after
    return f"| {bar.title} | {bar.bar} | {' | '.join(cells)} | {after} |"


def minutes_lines() -> list[str]:
    """The section; empty where nothing was timed."""
    if not (RESULTS / "minutes.json").exists():
        return []
    lines = [
        "## Minutes to each bar",
        "",
        "`python benchmarks/minutes.py`: from nothing, with a share of the iterations of every stage (one toy agent,",
        "the standard tasks). Minutes are of training, compiling included, of the stages that a bar needs; the last",
        "column has those of the least share from which on the bar is met. Rented cores differ in speed by a factor of",
        "two and more from hour to hour, so that minutes compare within a table and not between tables.",
        "",
    ]
    for body, budgets in load("minutes").items():
        shares = [f"{100 * found['share']:g} %" for found in budgets]
        lines += [f"| {body}, {budgets[0]['cores']} cores | bar | {' | '.join(shares)} | first met, min |"]
        lines += ["|---" * (len(shares) + 3) + "|", *(bar_row(bar, budgets) for bar in BARS), ""]
    return lines
