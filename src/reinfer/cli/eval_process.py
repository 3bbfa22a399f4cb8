"""``reinfer eval process``: a Neural Process on its one family, on the toy and as it is reused on robots.

JSON keys: ``model``, ``toy`` (the figures of ``evaluation.process.evaluate_process``), ``seconds``, and under
``robots``, by body: ``told`` (a comparator that is told the goals), and under ``plays`` one row per number of control
steps per sub-goal: ``steps_per_sub_goal``, ``context_stride``, and the figures of ``evaluation.process.measure``.
"""

import json as json_format
from dataclasses import dataclass

from reinfer.bodies import ALLOWED
from reinfer.cli.low_levels import robots_with_low_levels
from reinfer.cli.parsing import parse
from reinfer.runs.config import seed_setting, setting, validate
from reinfer.runs.directory import resolve
from reinfer.runs.errors import ConfigError
from reinfer.transfer.strides import MAX_STRIDE

#: Longest span of a row of the context, in sub-goals.
MAX_SPAN = 20


@dataclass(frozen=True, slots=True)
class EvalProcessOptions:
    """How well a Neural Process knows the parameter of its family, on the toy and on robots."""

    model: str = setting("shipped:process/seed0", "run, model folder or shipped:NAME")
    body: tuple[str, ...] = setting((), f"robots to reuse it on: {ALLOWED}")
    steps: tuple[str, ...] = setting(
        ("5", "10"), "control steps per sub-goal; STEPSxSPAN: a row of the context spans so many sub-goals"
    )
    low: tuple[str, ...] = setting((), "low-level policies in place of the shipped ones, one per robot")
    seconds: float = setting(20.0, "length of an episode on a robot", low=1.0)
    threads: int = setting(0, "physics threads; 0 uses every core", low=0)
    seed: int = seed_setting("of goals and starts")
    json: bool = setting(False, "print one JSON object")


def run(arguments: list[str]) -> int:
    """Evaluate and print; returns the exit code."""
    options = validate(parse(EvalProcessOptions, "reinfer eval process", arguments))
    plays = [_play_of(text) for text in options.steps]
    robots = robots_with_low_levels(options.body, options.low)

    from reinfer.evaluation.process import ProcessTransfer, evaluate_process

    transfers = {}
    for name, (body, low_level) in zip(options.body, robots, strict=True):
        transfers[name] = ProcessTransfer(body, low_level, options.seconds, options.threads)
        _check_plays(plays, name, transfers[name])
    agent = _agent(options.model)

    report = {"model": options.model, "toy": evaluate_process(agent, options.seed), "seconds": options.seconds}
    report["robots"] = {
        name: {
            "told": transfer.told(options.seed),
            "plays": [transfer.evaluate(agent, *play, seed=options.seed) for play in plays],
        }
        for name, transfer in transfers.items()
    }
    print(json_format.dumps(report, indent=2) if options.json else "\n".join(table(report)))
    return 0


def _play_of(text: str) -> tuple[int, int]:
    """Control steps per sub-goal, and how many sub-goals a row spans."""
    steps, _, span = text.partition("x")
    numbers = [int(part) if part.isdecimal() else 0 for part in (steps, span or "1")]
    if not (1 <= numbers[0] <= MAX_STRIDE and 1 <= numbers[1] <= MAX_SPAN):
        raise ConfigError(f"steps: {text!r} is not allowed; it must be 1 to {MAX_STRIDE}, or that x 1 to {MAX_SPAN}")
    return tuple(numbers)


def _check_plays(plays: list[tuple[int, int]], name: str, transfer) -> None:
    """Raise ConfigError where an episode on the robot ends before the agent has seen all rows that it reads."""
    for steps, span in plays:
        if steps * span > transfer.longest_span:
            raise ConfigError(
                f"steps: {steps}x{span} is not allowed; with seconds = {transfer.seconds:g} an episode on {name} ends"
                f" before the context is full: STEPS times SPAN must be at most {transfer.longest_span}"
            )


def _agent(reference: str):
    from reinfer.inference.agent import ToyAgent

    agent = ToyAgent.load(resolve(reference), partial=True)
    if agent.architecture != "process":
        raise ConfigError(f"model: {reference} holds an agent of architecture {agent.architecture!r}; needed: process")
    return agent


def table(report: dict) -> list[str]:
    """For a person: the toy, then one line per robot and number of steps."""
    toy = report["toy"]
    lines = [
        f"toy, {toy['n_tasks']} goals: return {toy['return_mean']:.1f} (told the goal: {toy['best_return']:.1f}), "
        f"steady error {toy['steady_error_m']:.3f} m",
        f"  bound {toy['elbo']:.2f} of {toy['ceiling']:.2f} nats; R2 of latent and goal {toy['r2']:.4f}, "
        f"rows in random order {toy['r2_random_order']:.4f}",
    ]
    if report["robots"]:
        columns = ("steps", "R2", "error, m", "worst", "decisions", "ideal", "falls")
        lines += ["", "{:<14} {:>7} {:>8} {:>9} {:>7} {:>10} {:>6} {:>7}".format("robot", *columns)]
    for name, found in report["robots"].items():
        for row in found["plays"]:
            steps = f"{row['steps_per_sub_goal']}" + f"x{row['context_stride']}" * (row["context_stride"] > 1)
            decisions = "-" if row["decisions_to_reach"] is None else f"{row['decisions_to_reach']:.0f}"
            r2 = "-" if row["r2"] is None else f"{row['r2']:.4f}"
            lines.append(
                f"{name:<14} {steps:>7} {r2:>8} {row['steady_error_m']:>9.3f} {row['worst_error_m']:>7.3f}"
                f" {decisions:>10} {row['ideal_decisions']:>6.0f} {100 * row['fall_rate']:>5.1f} %"
            )
        lines.append(f"{name:<14} {'told':>7} {'':>8} {found['told']['steady_error_m']:>9.3f}")
    return lines
