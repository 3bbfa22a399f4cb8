"""``reinfer eval change``: tasks that change mid-episode, on the toy or on a robot.

JSON keys: ``body``, ``stride`` (null on the toy), ``seeds``, ``tasks_per_episode``, and per memory under ``memory``,
named by window length with ``forget`` or ``keep``, the figures of ``evaluation.changing.measure_changes``.
``default`` names the memory that agents have if nothing is said.
"""

import json as json_format
from dataclasses import dataclass

from reinfer.bodies import ALLOWED, Toy1d
from reinfer.cli.parsing import parse
from reinfer.cli.transfer import TransferOptions, prepare
from reinfer.inference.context import WINDOW
from reinfer.runs.config import setting, validate
from reinfer.runs.errors import ConfigError

#: Memories compared: (rows of context, whether rows from before a change are forgotten); the first two by default.
MEMORIES = ((WINDOW, True), (WINDOW, False), (WINDOW // 2, False), (WINDOW // 4, False))


@dataclass(frozen=True, slots=True)
class EvalChangeOptions:
    """How soon agents notice that their task is another one now, by the length of their memory."""

    body: str = setting("half_cheetah", f"{Toy1d.name} or a robot: {ALLOWED}")
    seeds: int = setting(1, "shipped toy agents to use, from seed 0 on", low=1, high=100)
    toy: tuple[str, ...] = setting((), "toy agents in place of the shipped ones: runs or model folders")
    low: str | None = setting(None, "low-level policy in place of the shipped one: a run or a model folder")
    stride: str = setting("1", "as in reinfer transfer; without meaning on the toy")
    phases: int = setting(3, "tasks per episode", low=2, high=20)
    episodes: int = setting(64, "episodes per seed", low=1)
    compare: bool = setting(False, "also with shorter windows")
    json: bool = setting(False, "print one JSON object")


def run(arguments: list[str]) -> int:
    """Evaluate and print; returns the exit code."""
    options = validate(parse(EvalChangeOptions, "reinfer eval change", arguments))
    memories = MEMORIES if options.compare else MEMORIES[:2]
    names = {memory: f"{memory[0]} rows, {'forget' if memory[1] else 'keep'}" for memory in memories}
    report = {
        "body": options.body,
        "stride": None if options.body == Toy1d.name else options.stride,
        "seeds": len(options.toy) or options.seeds,
        "tasks_per_episode": options.phases,
        "default": f"{WINDOW} rows, forget",
        "memory": {names[memory]: figures for memory, figures in evaluate(options, memories).items()},
    }
    print(json_format.dumps(report, indent=2) if options.json else "\n".join(table(report)))
    return 0


def evaluate(options: EvalChangeOptions, memories) -> dict:
    """Figures by memory."""
    from reinfer.bodies.toy import TIME_STEP_S
    from reinfer.evaluation.changing import draw_schedule, measure_changes, trace_robot, trace_toy
    from reinfer.simulation import BatchSimulation
    from reinfer.transfer import Hierarchy, ToyPolicyAgent

    on_toy = options.body == Toy1d.name
    if on_toy and options.low:
        raise ConfigError(f"low: {options.low!r} is not allowed with body {Toy1d.name!r}, which has no low level")
    robot = {} if on_toy else {"body": options.body, "low": options.low}
    stride = "1" if on_toy else options.stride
    contest, contestants = prepare(TransferOptions(seeds=options.seeds, toy=options.toy, stride=stride, **robot))
    simulation = None if on_toy else BatchSimulation(contest.body, options.episodes)
    control_dt_s = TIME_STEP_S if on_toy else simulation.control_dt_s
    tasks = Toy1d.tasks if on_toy else contest.body.tasks
    found = {}
    for memory in memories:
        traces, schedules = [], []
        for contestant in contestants:
            agent = contestant.toy.remember(*memory)
            schedule = draw_schedule(tasks, options.phases, options.episodes, control_dt_s, contestant.seed)
            if on_toy:
                trace = trace_toy(agent, schedule, contestant.seed)
            else:
                chooser = ToyPolicyAgent(agent, contest.toy_steps)
                hierarchy = Hierarchy(simulation, contest.low_level, chooser, contestant.strides)
                trace = trace_robot(hierarchy, schedule, contestant.seed)
            traces.append(trace)
            schedules.append(schedule)
        found[memory] = measure_changes(traces, schedules)
    return found


def table(report: dict) -> list[str]:
    """For a person: one line per memory, first tasks and changed ones."""
    lines = [
        f"{report['body']}, {report['tasks_per_episode']} tasks per episode, {report['seeds']} seed(s)",
        "",
        f"{'memory':<18} {'tasks':<14} {'rows to identify':>17} {'95 %':>6} {'in 5 rows':>10}"
        f" {'position':>10} {'velocity':>9} {'falls':>7}",
    ]
    for name, figures in report["memory"].items():
        for part in ("first", "after_change"):
            row = figures.get(part)
            if row is None:
                continue
            position, velocity = row["position_error_m"], row["velocity_error"]
            lines.append(
                f"{name:<18} {part.replace('_', ' '):<14} {row['rows_to_identify']:>17.1f}"
                f" {row['rows_to_identify_p95']:>6.0f} {100 * row['identified_in_5_rows']:>8.0f} %"
                f" {'-' if position is None else f'{position:.3f} m':>10}"
                f" {'-' if velocity is None else f'{100 * velocity:.1f} %':>9} {100 * figures['fall_rate']:>5.1f} %"
            )
    return lines
