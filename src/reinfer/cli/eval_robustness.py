"""``reinfer eval robustness``: what differences between the toy and the body it is reused on cost a frozen toy agent.

JSON keys: ``toys`` (the models), ``n_tasks``, ``seed``, and under ``shifts`` the rows of
``evaluation.robustness.evaluate_robustness``.
"""

import json as json_format
from dataclasses import dataclass

import numpy as np

from reinfer.cli.parsing import parse
from reinfer.runs.config import seed_setting, setting, validate
from reinfer.runs.directory import SHIPPED, resolve, shipped_models
from reinfer.runs.errors import ConfigError


@dataclass(frozen=True, slots=True)
class EvalRobustnessOptions:
    """What it costs toy agents that steps span other distances, and that states and rewards are not exact."""

    toy: tuple[str, ...] = setting((), "toy agents: runs, model folders or shipped:NAME; by default all shipped ones")
    seeds: int | None = setting(None, "of the shipped ones, only so many, from seed 0 on", low=1)
    seed: int = seed_setting("of the starts and the noise")
    json: bool = setting(False, "print one JSON object")


def run(arguments: list[str]) -> int:
    """Evaluate and print; returns the exit code."""
    options = validate(parse(EvalRobustnessOptions, "reinfer eval robustness", arguments))
    toys = options.toy or shipped_toys(options.seeds)
    if options.toy and options.seeds not in (None, len(options.toy)):
        raise ConfigError(f"seeds: {options.seeds} does not fit the {len(options.toy)} given by toy")
    folders = [resolve(toy) for toy in toys]

    from reinfer.bodies import Toy1d
    from reinfer.evaluation.robustness import evaluate_robustness
    from reinfer.evaluation.toy import heldout_tasks
    from reinfer.inference.agent import ToyAgent

    agents = [ToyAgent.load(folder) for folder in folders]
    for reference, agent in zip(toys, agents, strict=True):
        if agent.body.name != Toy1d.name:
            raise ConfigError(f"toy: {reference} is an agent of {agent.body.name}; it must be one of {Toy1d.name}")
    rows = evaluate_robustness(agents, options.seed)
    n_tasks = heldout_tasks(Toy1d()).count
    report = {"toys": list(toys), "n_tasks": n_tasks, "seed": options.seed, "shifts": rows}
    print(json_format.dumps(report, indent=2) if options.json else "\n".join(table(report)))
    return 0


def shipped_toys(count: int | None = None) -> list[str]:
    """The shipped toy agents, or the first ``count``. Raises ConfigError where there are not so many."""
    names = [f"{SHIPPED}{name}" for name in shipped_models() if name.startswith("toy/seed")]
    if count is not None and count > len(names):
        raise ConfigError(f"seeds: {count} is not allowed; {len(names)} toy agents are shipped")
    return names[:count]


def table(report: dict) -> list[str]:
    """For a person: one line per shift, means over the agents and, of the return, their range."""
    lines = [
        f"{len(report['toys'])} toy agent(s), {report['n_tasks']} held-out tasks; means over agents (range)",
        "",
        f"{'difference':<20}{'level':>8}{'family known':>15}{'target error':>15}{'return':>26}{'told':>8}",
    ]
    for row in report["shifts"]:
        returns = row["return"]
        level = "" if row["shift"] == "none" else f"{row['level']:g}"
        spread = f"{np.mean(returns):.1f} ({min(returns):.1f} to {max(returns):.1f})"
        lines.append(
            f"{row['shift'].replace('_', ' '):<20}{level:>8}{100 * np.mean(row['family_known']):>13.1f} %"
            f"{100 * np.mean(row['target_error']):>13.2f} %{spread:>26}{row['told_return']:>8.1f}"
        )
    return [
        *lines,
        "",
        "travel: distance per step, relative to the toy's; noise: standard deviations, m and m/s, rewards as they are;",
        "family after 5 rows, target after 10; told: return of a controller that knows the task and the travel.",
        "What rows that span 1 to 20 control steps cost on a robot: reinfer eval transfer --ablation",
    ]
