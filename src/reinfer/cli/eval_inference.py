"""``reinfer eval inference``: what of an agent's inference is learned, and what is arithmetic.

JSON keys: ``toys`` (the models), ``seed``, ``n_tasks``; under ``toy``, by part of inference
(``evaluation.inference_parts``), the rows of ``evaluation.robustness.evaluate_robustness``; under ``robots``, by body
and part, the figures of ``evaluation.transfer.summarise`` on ``tasks``, deciding at every control step.
"""

import json as json_format
from dataclasses import dataclass

import numpy as np

from reinfer.bodies import ALLOWED, Toy1d
from reinfer.cli.eval_robustness import shipped_toys
from reinfer.cli.low_levels import robots_with_low_levels
from reinfer.cli.parsing import parse
from reinfer.runs.config import seed_setting, setting, validate
from reinfer.runs.directory import resolve
from reinfer.runs.errors import ConfigError

#: What each part is, for a person.
MEANING = {
    "decoded": "decoded from the encoder's posterior, all of it learned",
    "newest": "that, put right by the newest reward",
    "window": "that, on the side that the rows before tell: the agent itself",
    "filter": "no encoder: a Bayesian filter that is told how rewards are made",
}


@dataclass(frozen=True, slots=True)
class EvalInferenceOptions:
    """The same agents with parts of their inference taken away, and with a filter in place of all of it."""

    body: tuple[str, ...] = setting((), f"robots besides the toy: {ALLOWED}")
    tasks: str = setting("standard", "the 12 published tasks, or 120 random ones", choices=("standard", "heldout"))
    toy: tuple[str, ...] = setting((), "toy agents: runs, model folders or shipped:NAME; by default shipped ones")
    low: tuple[str, ...] = setting((), "low-level policies in place of the shipped ones, one per robot")
    seeds: int = setting(2, "of the shipped ones, only so many, from seed 0 on", low=1)
    seed: int = seed_setting("of the starts and the noise on the toy")
    threads: int = setting(0, "physics threads; 0 uses every core", low=0)
    json: bool = setting(False, "print one JSON object")


def run(arguments: list[str]) -> int:
    """Evaluate and print; returns the exit code."""
    options = validate(parse(EvalInferenceOptions, "reinfer eval inference", arguments))
    toys = options.toy or shipped_toys(options.seeds)
    folders = [resolve(toy) for toy in toys]
    robots = robots_with_low_levels(options.body, options.low)

    from reinfer.evaluation.contest import TASK_SETS
    from reinfer.evaluation.inference_parts import parts_on_robot, parts_on_toy
    from reinfer.inference.agent import ToyAgent

    agents = [ToyAgent.load(folder) for folder in folders]
    for reference, agent in zip(toys, agents, strict=True):
        if (agent.architecture, agent.body.name) != ("belief", Toy1d.name):
            raise ConfigError(
                f"toy: {reference} is an agent of {agent.body.name} and architecture {agent.architecture!r};"
                f" it must be one of {Toy1d.name} and 'belief'"
            )
    report = {"toys": list(toys), "seed": options.seed, "tasks": options.tasks, "n_tasks": {}, "robots": {}}
    report["toy"] = parts_on_toy(agents, options.seed)
    for body, low_level in robots:
        report["n_tasks"][body.name] = TASK_SETS[options.tasks](body).count
        report["robots"][body.name] = parts_on_robot(body, low_level, agents, options.tasks, options.threads)
    print(json_format.dumps(report, indent=2) if options.json else "\n".join(table(report)))
    return 0


def table(report: dict) -> list[str]:
    """For a person: what the parts are, then one line per robot and part, and per noise on the toy and part."""
    lines = [f"{part:<10}{meaning}" for part, meaning in MEANING.items()]
    if report["robots"]:
        heads = ("position, m", "velocity", "family, 5 rows", "target, 10 rows")
        lines += ["", f"{'robot':<16}{'part':<10}" + "".join(f"{head:>17}" for head in heads)]
    for body, parts in report["robots"].items():
        for part, found in parts.items():
            lines.append(
                f"{body:<16}{part:<10}{found['position']['settled_error_m']:>17.4f}"
                f"{100 * found['velocity']['windowed_relative_error']:>15.1f} %"
                f"{100 * found['class_accuracy_by_rows']['5']:>15.1f} %"
                f"{100 * found['target_error_by_rows']['10']:>15.2f} %"
            )
    lines += ["", f"{'toy, noise':<16}{'part':<10}{'family, 5 rows':>17}{'target, 10 rows':>17}{'return':>17}"]
    for rows in zip(*report["toy"].values(), strict=True):
        for part, row in zip(report["toy"], rows, strict=True):
            family, target, gained = (np.mean(row[key]) for key in ("family_known", "target_error", "return"))
            lines.append(f"{row['level']:<16g}{part:<10}{100 * family:>15.1f} %{100 * target:>15.2f} %{gained:>17.1f}")
    return [*lines, "", f"{len(report['toys'])} toy agent(s); noise: standard deviation on the rewards shown"]
