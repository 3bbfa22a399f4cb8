"""``reinfer compare``: what reusing inference from the toy saves against meta-training on the robot itself.

JSON keys. ``agents``: by name (``reuse``: shipped toy agents; ``reuse, NAME``: the same above the low level NAME;
``relearned``: with corrections learned on the robot; each algorithm of the runs): ``robot_steps`` of meta-training,
``seeds``, ``told`` (an oracle), ``per_step``: mean, interquartile mean and 95 % interval of the ``measure`` per control
step, in the last episode of a trial, over seeds and held-out tasks; ``over_seeds``: interquartile mean and interval of
the mean over tasks, one value per seed; ``return``, ``return_by_episode``, ``final_error_by_family``, ``fall_rate`` as
in ``reinfer eval scratch``; ``curve``: as ``over_seeds``, on the same tasks, against robot steps; ``steps_to``: by
reuse, robot steps after which it is as good for the ``first`` time, and from which on it ``stays`` so, null if it never
is; ``few_shot``: through a trial, whose episodes
follow one another, by control ``steps`` (rows of context) before: the ``measure`` ``per_step`` of the next ten, and the
width of the ``belief`` relative to the start (PEARL, MELTS: standard deviation of the latent; reuse: entropy of the
family), null without one; ``profile``: share of tasks and seeds at least as good as each of ``thresholds``;
``low_level_steps``: what the low level beneath was trained for, on commands and on no unknown task, null without one.
``measure``, ``lower_is_better``, ``protocol``, ``body``, ``n_tasks``, ``episodes`` (at most: RL2 plays no more than in
the trials it was trained for) of ``episode_steps`` each, ``command``.
"""

import json as json_format
import shlex
from dataclasses import dataclass
from pathlib import Path

import tyro

from reinfer.cli.parsing import parse
from reinfer.cli.plot import FORMATS, write
from reinfer.runs.config import seed_setting, setting, validate
from reinfer.runs.directory import SHIPPED
from reinfer.runs.errors import ConfigError


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """Reuse against meta-training on the robot: error against robot steps, several seeds, one benchmark."""

    runs: tyro.conf.Positional[tuple[str, ...]]
    """Finished runs or models of stage scratch, of any algorithms, all on one benchmark; several seeds of each."""
    reuse: int = setting(1, "how many of the shipped toy agents play, from seed 0 on", low=0)
    low: tuple[str, ...] = setting((), "low levels beneath the toy agents, which play above each of them too")
    high: tuple[str, ...] = setting((), "runs of stage high above toy agents 0, 1, ..., which play too")
    episodes: int = setting(3, "episodes of a trial", low=1)
    seed: int = seed_setting("of the starts")
    threads: int = setting(0, "physics threads; 0 uses every core", low=0)
    output: str | None = setting(None, "figure to write: png, svg or pdf")
    json: bool = setting(False, "print one JSON object")


def run(arguments: list[str]) -> int:
    """Play all agents and print the comparison; returns the exit code."""
    options = validate(parse(CompareOptions, "reinfer compare", arguments))
    if options.output and Path(options.output).suffix[1:] not in FORMATS:
        raise ConfigError(f"output: {options.output!r} must end in one of {', '.join(FORMATS)}")
    named = _named(options)
    from reinfer.bodies.shipped import shipped_of
    from reinfer.cli.reuse import load_reused
    from reinfer.evaluation.comparison import Contender, compare
    from reinfer.runs.compilation import enable_cache
    from reinfer.runs.files import require_writable

    enable_cache()
    teams, bench = _teams(options)
    # All is loaded before anything is played: what is missing or does not fit must not cost the trials.
    reused, low_levels = {}, {}
    if options.reuse:
        reused["reuse"] = load_reused(bench, options.reuse), 0
    for name, low in named.items():
        reused[name] = load_reused(bench, options.reuse, low=low), 0
    if options.high:
        reused["relearned"] = load_reused(bench, len(options.high), options.high), _steps_of(options.high[0])
    if reused:
        low_levels = dict.fromkeys(reused, shipped_of(bench.body, "low", "body")) | named
    low_level_steps = {name: _steps_of(low) for name, low in low_levels.items()}
    if options.output:
        require_writable(Path(options.output))
    contenders = {}
    for name, (agents, robot_steps) in reused.items():
        contenders[name] = Contender([bench.measured(bench.play_reused(*one)) for one in agents], robot_steps)
    for name, (team, curve) in teams.items():
        trials = [bench.measured(bench.play(agent)) for agent in team.agents]
        contenders[name] = Contender(trials, team.robot_steps, curve, team.agents[0].told)
    steps = bench.protocol.steps(bench.body.control_dt_s)
    report = compare(contenders, bench.protocol, steps, [name for name in reused if name != "relearned"])
    for name, part in report["agents"].items():
        part["low_level_steps"] = low_level_steps.get(name)
    report |= {
        "body": bench.body.name,
        "n_tasks": bench.tasks.count,
        "episodes": options.episodes,
        "episode_steps": steps,
        "command": shlex.join(["reinfer", "compare", *arguments]),
    }
    if options.output:
        from reinfer.viewing.learning_cost import learning_cost_figure

        write(learning_cost_figure(report), Path(options.output))
    print(json_format.dumps(report, indent=2) if options.json else "\n".join(summary(report)))
    return 0


def _named(options: CompareOptions) -> dict[str, str]:
    """The low levels of ``options``, by the name of reuse above them. Raises ConfigError where two have the same."""
    if options.low and not options.reuse:
        raise ConfigError("low: given, but reuse is 0: no toy agent plays")
    names = [f"reuse, {Path(low.removeprefix(SHIPPED)).name}" for low in options.low]
    if len(set(names)) < len(names):
        raise ConfigError(f"low: {', '.join(options.low)} do not all differ in name, by which they are told apart")
    return dict(zip(names, options.low, strict=True))


def _teams(options: CompareOptions):
    """By algorithm, its team and learning curve; and the benchmark of all of them."""
    from reinfer.evaluation.comparison import curve_of
    from reinfer.evaluation.scratch_teams import bench_of, load_team

    grouped: dict[str, list[str]] = {}
    for reference in options.runs:
        grouped.setdefault(load_team([reference]).algorithm, []).append(reference)
    if not grouped:
        raise ConfigError("runs: none is given; name finished runs or models of stage scratch")
    teams, benches = {}, []
    for name, references in grouped.items():
        team = load_team(references)
        benches.append(bench_of(team, options.episodes, options.seed, options.threads))
        try:
            teams[name] = team, curve_of([_learning_curve(agent) for agent in team.agents])
        except ValueError as error:
            raise ConfigError(f"{error} ({name})") from error
    for bench, references in zip(benches, grouped.values(), strict=True):
        for what in ("body", "protocol"):
            own, first = (getattr(b, what).name for b in (bench, benches[0]))
            if own != first:
                raise ConfigError(f"runs: {references[0]} has {what} {own}, others have {first}; they must be the same")
    return teams, benches[0]


def _learning_curve(agent):
    """Steps and returns on held-out tasks while ``agent`` was trained. Raises ConfigError where it does not tell."""
    found = agent.story["provenance"].get("scores")
    if found is None:
        raise ConfigError(
            f"runs: a model of {agent.algorithm} does not tell its scores in training; it was made by an older "
            "version: train it anew"
        )
    return found["env_steps"], found["return_held_out"]


def _steps_of(reference: str) -> int:
    """Control steps for which a model was trained."""
    from reinfer.runs.directory import resolve
    from reinfer.runs.models import load_model

    return int(load_model(resolve(reference)).provenance["last_metrics"]["env_steps"])


def summary(report: dict) -> list[str]:
    """A table for a person."""
    lines = [
        f"{report['protocol']}, {report['body']}, {report['n_tasks']} held-out tasks; per step: {report['measure']}",
        f"{'agent':<18} {'robot steps':>12} {'seeds':>5} {'iqm':>8} {'95 %':>17} {'return':>9}  as good after",
    ]
    for name, part in report["agents"].items():
        low, high = part["per_step"]["interval"]
        reached = [f"{name}: {_reached(after)}" for name, after in part["steps_to"].items() if after]
        lines.append(
            f"{name + (' (told)' if part['told'] else ''):<18} {part['robot_steps']:>12} {part['seeds']:>5} "
            f"{part['per_step']['iqm']:>8.3f} {low:>8.3f}-{high:<8.3f} {part['return']['mean']:>9.1f} "
            f" {'; '.join(reached)}"
        )
    return lines


def _reached(after: dict) -> str:
    """Robot steps after which an agent was as good as another."""
    if after["first"] is None:
        return "not within its training"
    return f"{after['first']}" + ("" if after["stays"] == after["first"] else f" (stays: {after['stays'] or 'never'})")
