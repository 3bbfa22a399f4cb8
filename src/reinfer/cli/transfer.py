"""``reinfer transfer``: reuse a toy agent on a robot; keeps every episode and prints how it went."""

import datetime
import shlex
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reinfer.bodies import ALLOWED, robot
from reinfer.bodies.shipped import shipped_of
from reinfer.cli.low_levels import with_low_level
from reinfer.cli.parsing import parse
from reinfer.cli.records import record_name
from reinfer.runs.config import setting, validate
from reinfer.runs.directory import resolve, shipped_models
from reinfer.runs.errors import ArtifactError, ConfigError, RunError
from reinfer.runs.files import make_folder, replace_file, require_writable, to_json
from reinfer.tasks import FAMILIES, FAMILY_NAMES

#: Choices of ``--stride`` besides a number.
LEARNED, RULE = "learned", "rule"

#: The choice of ``--tasks`` that has all families.
MULTI = "multi"

#: Choices of ``--policy``.
TOY, RELEARNED = "toy", "relearned"

#: The agents judged, and their comparators.
AGENTS = (RELEARNED, TOY, "oracle", "random", "zero")


@dataclass(frozen=True, slots=True)
class TransferOptions:
    """Reuse toy agents on a robot: told nothing but rewards, they move it by sub-goals.

    Always beside them: an oracle that is told the task, a random agent, one that does nothing.
    """

    body: str = setting("half_cheetah", f"robot: {ALLOWED}")
    tasks: str = setting(
        "standard",
        "the 12 published tasks, 120 random ones, or 140 random ones with stands and jumps, which need an agent and a"
        " low level that know these",
        choices=("standard", "heldout", MULTI),
    )
    policy: str = setting(
        TOY, "what chooses sub-goals: the toy's policy, or as relearned on the robot", choices=(TOY, RELEARNED)
    )
    stride: str | None = setting(
        None,
        "control steps between looks: learned, rule, or a number from 1 to 20; by default learned, where a learned"
        " stride is given or shipped, else 1",
    )
    seeds: int = setting(1, "shipped pairs of toy agent and learned stride to use, from seed 0 on", low=1, high=100)
    toy: tuple[str, ...] = setting((), "toy agents in place of the shipped ones: runs or model folders")
    low: str | None = setting(None, "low-level policy in place of the shipped one: a run or a model folder")
    stride_model: tuple[str, ...] = setting((), "learned strides in place of the shipped ones, one per toy agent")
    high: tuple[str, ...] = setting((), "relearned high levels in place of the shipped ones, one per toy agent")
    keep: bool = setting(False, "use all of the context; by default only that from since the task changed, as found")
    toy_steps: int = setting(6, "toy steps ahead that a sub-goal lies", low=1, high=20)
    threads: int = setting(0, "physics threads; 0 uses every core", low=0)
    out: str | None = setting(None, "folder for transfer.json and records; by default runs/transfer/TIME")


def run(arguments: list[str]) -> int:
    """Play the contest, keep its records, print a table."""
    options = validate(parse(TransferOptions, "reinfer transfer", arguments))
    folder = free_folder(options.out)
    contest, contestants = prepare(options)
    make_folder(folder)
    report = contest.compare(contestants)
    report |= {"toys": toys_of(options, contestants), "command": shlex.join(["reinfer", "transfer", *arguments])}
    keep(contest, report, folder)
    print("\n".join(summary(report)))
    print(f"records and transfer.json: {folder}; `reinfer report {shlex.quote(str(folder))}` makes a page of them")
    return 0


def prepare(options: TransferOptions):
    """Load everything that ``options`` name: (contest, contestants). Raises ConfigError or ArtifactError."""
    check_models(options)
    body = robot(options.body)

    from reinfer.evaluation.transfer import Contest, Contestant

    body, low_level = with_low_level(body, low_reference(options, body))
    contest = Contest(body, low_level, options.tasks, toy_steps=options.toy_steps, threads=options.threads)
    contestants = []
    for seed, reference in enumerate(toy_references(options)):
        toy = load_agent(reference, contest)
        if options.keep:
            toy.remember(forget=False)
        relearned = relearned_of(options, seed, toy, contest) if options.policy == RELEARNED else None
        contestants.append(Contestant(seed, toy, strides_of(options, seed, contest, toy=toy), relearned))
    return contest, contestants


def toy_references(options: TransferOptions) -> tuple[str, ...]:
    """The toy agents that play: those named, or else shipped ones that know the tasks."""
    kind = "toy3dof" if options.tasks == MULTI else "toy"
    return options.toy or tuple(f"shipped:{kind}/seed{seed}" for seed in range(options.seeds))


def toys_of(options: TransferOptions, contestants) -> list[dict]:
    """What the toy agents of ``contestants``, prepared from ``options``, are called, and the digests of their files."""
    named = zip(toy_references(options), contestants, strict=True)
    return [{"reference": reference, "sha256": contestant.toy.sha256} for reference, contestant in named]


def stride_of(options: TransferOptions, body) -> str:
    """How strides are chosen on ``body``: as asked for, or by default."""
    shipped = f"{body.name}/{_stride_kind(options)}/seed0" in shipped_models()
    return options.stride or (LEARNED if options.stride_model or shipped else "1")


def _stride_kind(options: TransferOptions) -> str:
    """How learned strides for the tasks are called among the shipped models."""
    return "multi_stride" if options.tasks == MULTI else "stride"


def low_reference(options: TransferOptions, body) -> str:
    """The low level that is named, or else the shipped one that knows the tasks."""
    return options.low or shipped_of(body, "multi" if options.tasks == MULTI else "low", "low")


def stride_reference(options: TransferOptions, body, seed: int) -> str:
    """The learned stride of the contestant ``seed``: named, or else shipped."""
    if options.stride_model:
        return options.stride_model[seed]
    return shipped_of(body, f"{_stride_kind(options)}/seed{seed}", "stride_model (or another stride)")


def high_reference(options: TransferOptions, body, seed: int) -> str:
    """The relearned high level of the contestant ``seed``: named, or else shipped."""
    return options.high[seed] if options.high else shipped_of(body, f"high/seed{seed}", "high")


def load_agent(reference: str, contest):
    """The toy agent ``reference``. Raises ConfigError where tasks or low level of ``contest`` do not fit it."""
    from reinfer.inference.agent import ToyAgent
    from reinfer.transfer.agents import require_commands

    toy = ToyAgent.load(resolve(reference))
    require_families(reference, toy, contest.tasks)
    try:
        require_commands(toy, contest.low_level.ranges)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return toy


def require_families(reference: str, toy, tasks) -> None:
    """Raise ConfigError if ``toy``, the agent called ``reference``, does not know all families of ``tasks``."""
    unknown = set(np.unique(tasks.family)) - set(toy.layout.families)
    if unknown:
        names, known = (", ".join(FAMILY_NAMES[f] for f in sorted(part)) for part in (unknown, toy.layout.families))
        raise ConfigError(
            f"toy: {reference} is an agent of {toy.body.name}, which does not know {names}; allowed: {known}"
        )


def check_models(options: TransferOptions) -> None:
    """Raise ConfigError if the options on strides and models do not fit together."""
    from reinfer.transfer.strides import MAX_STRIDE

    numbers = [str(length) for length in range(1, MAX_STRIDE + 1)]
    if options.stride not in (None, LEARNED, RULE, *numbers):
        raise ConfigError(
            f"stride: {options.stride!r} is not allowed; it must be {LEARNED}, {RULE} or 1 to {MAX_STRIDE}"
        )
    toys = len(options.toy) or options.seeds
    if options.toy and options.seeds not in (1, len(options.toy)):
        raise ConfigError(f"seeds: {options.seeds} does not fit the {len(options.toy)} given by toy")
    for name in ("stride_model", "high"):
        given = len(getattr(options, name))
        if given not in (0, toys):
            raise ConfigError(f"{name}: {given} given for {toys} toy agents; there must be one for each")
    if options.tasks == MULTI and options.policy != TOY:
        raise ConfigError(f"policy: {options.policy!r} is not allowed with tasks {MULTI!r}; it must be {TOY!r}")
    if options.stride_model and options.stride not in (None, LEARNED):
        raise ConfigError(f"stride_model: given, but stride is {options.stride!r}; it must be {LEARNED!r}")
    if options.high and options.policy != RELEARNED:
        raise ConfigError(f"high: given, but policy is {options.policy!r}; it must be {RELEARNED!r}")


def strides_of(options: TransferOptions, seed: int, contest, stride: str | None = None, toy=None):
    """The stride policy that ``stride``, or else ``options``, names, for the contestant ``seed``.

    Raises ArtifactError where a learned one does not fit the body, or the agent ``toy`` and the low level.
    """
    from reinfer.simulation import BatchSimulation
    from reinfer.transfer.strides import FixedStride, LearnedStride, RuleStride, feature_size

    stride = stride or stride_of(options, contest.body)
    if stride == RULE:
        return RuleStride(BatchSimulation(contest.body, 1, 1).control_dt_s)
    if stride != LEARNED:
        return FixedStride(int(stride))
    reference = stride_reference(options, contest.body, seed)
    folder = resolve(reference)
    learned = LearnedStride.load(folder, contest.low_level.ranges)
    learned.body.require(contest.body.id, f"stride_model: {reference}")
    observation = contest.body.observation_size(contest.body.model())
    if learned.features != feature_size(observation, contest.low_level.ranges, len(toy.layout.families)):
        raise ArtifactError(f"{folder} was learned with a toy agent or a low level that knows other kinds of task")
    return learned


def relearned_of(options: TransferOptions, seed: int, toy, contest):
    """The relearned high level of the contestant ``seed``. Raises ArtifactError where it does not fit the others."""
    from reinfer.transfer.relearned import RelearnedAgent

    reference = high_reference(options, contest.body, seed)
    agent = RelearnedAgent.load(resolve(reference), toy, contest.low_level.ranges)
    agent.body.require(contest.body.id, f"high: {reference}")
    if agent.toy_steps != options.toy_steps:
        raise ConfigError(f"toy_steps: {options.toy_steps} is not what {reference} was learned with: {agent.toy_steps}")
    return agent


def keep(contest, report: dict, folder: Path) -> None:
    """Write ``transfer.json`` and one record per agent, stride and seed."""
    from reinfer.transfer.record import save_record

    for place, record in contest.records.items():
        save_record(folder / record_name(*place), record)
    replace_file(folder / "transfer.json", to_json(report))


def summary(report: dict) -> list[str]:
    """A table for a person: one line per agent, then per task."""
    seeds = len(report["seeds"])
    head = f"{report['body']}, {report['n_tasks']} {report['tasks']} tasks, {seeds} seed{'s' * (seeds > 1)}"
    lines = [f"{head}, stride {report['stride']} (mean {report['mean_stride']:.1f} control steps)", ""]
    columns = ("settled at", "settled", "off by", "settled", "error s", "%")
    lines.append(f"{'':<10} {'position':>22} {'velocity':>22} {'integrated':>11} {'falls':>6}")
    lines.append("{:<10} {:>12} {:>9} {:>12} {:>9} {:>11} {:>6}".format("agent", *columns))
    judged = report["policy"]
    agents = [name for name in AGENTS if name == judged or name in report]
    lines += [_agent_line(name, report.get(name, report)) for name in agents] + _held_lines(report, agents)
    lines += ["", f"the oracle is told the task; {judged} is told rewards only"]
    if report["n_tasks"] <= 20:
        lines += ["", f"{'task':<26} {'error':>10} {'settled':>9} {'after':>8}"]
        lines += [_task_line(row) for row in report["by_task"]]
    return lines


def _held_lines(report: dict, agents: list[str]) -> list[str]:
    """Of stands and jumps, where there are any: one line per agent."""
    if "stand" not in report or "jump" not in report:
        return []
    lines = ["", f"{'':<10} {'stand':>22} {'jump, peak |vz|':>22} {'mean |vz|':>11}"]
    lines.append(
        "{:<10} {:>12} {:>9} {:>12} {:>9} {:>11}".format("agent", "off by", "settled", "off by", "settled", "of target")
    )
    for name in agents:
        part = report.get(name, report)
        stand, jump = part["stand"], part["jump"]
        lines.append(
            f"{name:<10} {stand['settled_error_rad']:>8.3f} rad {100 * stand['settled_fraction']:>7.0f} %"
            f" {100 * jump['peak_relative_error']:>10.1f} % {100 * jump['settled_fraction']:>7.0f} %"
            f" {jump['mean_ratio']:>11.2f}"
        )
    return lines


def _agent_line(name: str, part: dict) -> str:
    position, velocity = part["position"], part["velocity"]
    return (
        f"{name:<10} {position['settled_error_m']:>10.3f} m {100 * position['settled_fraction']:>7.0f} %"
        f" {100 * velocity['windowed_relative_error']:>10.1f} %"
        f" {100 * velocity['settled_fraction']:>7.0f} %"
        f" {part['integrated_error_s']['mean']:>11.2f} {100 * part['fall_rate']:>6.1f}"
    )


def _task_line(row: dict) -> str:
    kind = next(family.kind for family in FAMILIES if family.name == row["family"])
    relative = f"{100 * row['relative_error']:.1f} %"
    error = {"goal": f"{row['settled_error']:.3f} m", "stand": f"{row['settled_error']:.3f} rad"}.get(kind, relative)
    after = "-" if row["settling_time_s"] is None else f"{row['settling_time_s']:.1f} s"
    name = f"{row['family']} {row['target']:+.2f}"
    return f"{name:<26} {error:>10} {100 * row['settled_fraction']:>7.0f} % {after:>8}"


def free_folder(out: str | None) -> Path:
    """The folder to write to. Raises RunError if it exists and is not empty, or cannot be written to."""
    moment = datetime.datetime.now(datetime.UTC)
    folder = Path(out or f"runs/transfer/{moment:%Y%m%d-%H%M%S}-{moment.microsecond // 1000:03d}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunError(f"{folder} already exists and is not empty; nothing was overwritten")
    require_writable(folder / "transfer.json")
    return folder
