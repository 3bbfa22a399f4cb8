"""``reinfer eval scratch``: agents that were meta-trained on the robot, by the episodes of a trial.

JSON keys. ``return_by_episode``: mean return over seeds x held-out tasks of the 1st, 2nd, ... episode of a trial, which
an agent spends on one task (``episodes`` in all; RL2 plays no more than in the trials it was trained for);
``return_mean``: of the last. ``return``: of the last, its mean, interquartile mean and 95 % interval;
``return_by_family``. ``error_by_episode``: per family, mean distance from the target over the last quarter (m, m/s),
and ``final_error_by_family`` over the last 50 steps of the last episode. ``belief_by_episode``: how wide the belief
about the task is at the start of each, in the algorithm's own terms (PEARL: standard deviation of its latent, 1 before
anything was seen; reuse: entropy of the family, nats), or null. ``few_shot``: curves through the trial, by control
``steps`` (rows of context) before: ``reward`` per control step of the next ten, ``belief`` relative to the start.
``fall_rate``, ``by_task``. ``reuse`` holds the same for the shipped toy agents above the shipped low level, without any
meta-training on the robot, with ``--reuse``; they start every episode with an empty context and learn of the task by
the reward of ``reinfer.reward``, which is not the benchmark's. ``contest``, of standard tasks: what ``reinfer eval
transfer`` measures (``position``, ``velocity``, ``integrated_error_s``, ...), in the last episode of a trial of 24 s
each. ``told``: whether the agent was told its task, an oracle. ``algorithm``, ``protocol``, ``body``, ``robot_steps``
of training, ``n_tasks``, ``seeds``, ``command``.
"""

import json as json_format
import shlex
from dataclasses import dataclass

import tyro

from reinfer.cli.parsing import parse
from reinfer.runs.config import seed_setting, setting, validate


@dataclass(frozen=True, slots=True)
class EvalScratchOptions:
    """How well agents trained on the robot itself solve tasks held out from them."""

    runs: tyro.conf.Positional[tuple[str, ...]]
    """Runs or model folders of stage scratch: one algorithm, several seeds."""
    episodes: int = setting(3, "episodes of a trial", low=1)
    reuse: int = setting(0, "how many of the shipped toy agents, trained on no robot, to put beside them", low=0)
    seed: int = seed_setting("of the starts")
    threads: int = setting(0, "physics threads; 0 uses every core", low=0)
    json: bool = setting(False, "print one JSON object")


def run(arguments: list[str]) -> int:
    """Play the trials and print the numbers; returns the exit code."""
    options = validate(parse(EvalScratchOptions, "reinfer eval scratch", arguments))
    from reinfer.cli.reuse import load_reused
    from reinfer.evaluation.scratch import summarise_trials
    from reinfer.evaluation.scratch_contest import contest_of
    from reinfer.evaluation.scratch_teams import bench_of, load_team

    team = load_team(options.runs)
    bench = bench_of(team, options.episodes, options.seed, options.threads)
    reused = load_reused(bench, options.reuse) if options.reuse else []
    report = summarise_trials([bench.measured(bench.play(agent)) for agent in team.agents])
    report["contest"] = contest_of(team.agents, bench) if bench.protocol.name == "standard" else None
    report["reuse"] = summarise_trials([bench.measured(bench.play_reused(*one)) for one in reused]) if reused else None
    report |= {
        "algorithm": team.algorithm,
        "told": team.agents[0].told,
        "protocol": bench.protocol.name,
        "body": bench.body.name,
        "robot_steps": team.robot_steps,
        "episodes": len(report["return_by_episode"]),
        "n_tasks": bench.tasks.count,
        "seeds": len(team.agents),
        "command": shlex.join(["reinfer", "eval", "scratch", *arguments]),
    }
    print(json_format.dumps(report, indent=2) if options.json else "\n".join(summary(report)))
    return 0


def summary(report: dict) -> list[str]:
    """Lines for a person."""
    told = ", TOLD ITS TASK" if report["told"] else ""
    parts = {report["algorithm"]: report} | ({"reuse": report["reuse"]} if report["reuse"] else {})
    episodes = max(len(part["return_by_episode"]) for part in parts.values())
    lines = [
        f"{report['algorithm']}{told} on {report['protocol']}, {report['body']}: {report['seeds']} seeds, "
        f"{report['robot_steps']} robot steps each, {report['n_tasks']} held-out tasks",
        "return of episode    " + " ".join(f"{i + 1:>9}" for i in range(episodes)),
    ]
    for name, part in parts.items():
        lines.append(f"{name:<20} " + " ".join(f"{value:9.2f}" for value in part["return_by_episode"]))
    if report["belief_by_episode"]:
        lines.append(f"{'width of belief':<20} " + " ".join(f"{v:9.3f}" for v in report["belief_by_episode"]))
    for family, error in report["final_error_by_family"].items():
        lines.append(f"{family:<20} error over the last 50 steps {error:.3f}")
    if report["contest"]:
        position, velocity = report["contest"]["position"], report["contest"]["velocity"]
        lines.append(
            f"as the contest: position {position['settled_error_m']:.3f} m, velocity "
            f"{100 * velocity['windowed_relative_error']:.1f} %, "
            f"integrated error {report['contest']['integrated_error_s']['mean']:.2f} s"
        )
    return lines
