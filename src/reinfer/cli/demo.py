"""``reinfer demo``: the shipped models at work on a robot, ending in a report for the browser."""

import shlex
import time
from dataclasses import dataclass, replace
from pathlib import Path

from reinfer.bodies import robot
from reinfer.cli.parsing import parse
from reinfer.cli.records import record_name
from reinfer.cli.report import describe_model, write_report
from reinfer.cli.transfer import (
    LEARNED,
    RELEARNED,
    TransferOptions,
    high_reference,
    keep,
    low_reference,
    prepare,
    stride_of,
    stride_reference,
    toy_references,
    toys_of,
)
from reinfer.runs.config import setting, validate
from reinfer.runs.directory import resolve
from reinfer.runs.errors import RunError
from reinfer.runs.files import make_folder, require_writable

#: Commands per kind to judge the low level by; numbers of the tasks shown as videos, and for how long.
_COMMANDS, _CLIPS, _CLIP_S = 24, (1, 10), 12.0


@dataclass(frozen=True, slots=True)
class DemoOptions(TransferOptions):
    """Show task inference, learned on the toy, reused on a robot: contest, figures, videos, report."""

    seeds: int = setting(3, "shipped pairs of toy agent and learned stride to use", low=1, high=100)
    out: str = setting("report", "folder to write; an older report in it is replaced")


def run(arguments: list[str]) -> int:
    """Play the contest, write everything to the folder, say where the report is."""
    options = validate(parse(DemoOptions, "reinfer demo", arguments))
    if options.toy:
        options = replace(options, seeds=len(options.toy))
    folder = Path(options.out)
    _check_folder(folder)

    from rich.console import Console

    from reinfer.runs.compilation import enable_cache

    enable_cache()
    console, started = Console(highlight=False), time.monotonic()
    report = show(options, folder, console)
    console.print(f"done in {time.monotonic() - started:.0f} s; figures, videos and records are beside the report")
    # The path alone on its line and unwrapped, so that it can be clicked or copied.
    console.print(f"\nreport: {report.absolute().as_uri()}", soft_wrap=True)
    return 0


def show(options: DemoOptions, folder: Path, console) -> Path:
    """All of it; returns the path of the report."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description:<46}"), BarColumn(24), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        contest, contestants, results = _play(options, folder, progress)
        keep(contest, results, folder / "transfer")
        parts = _judge_parts(contest, contestants[0].toy, progress)
        parts["models"] = {name: describe_model(resolve(name)) for name in model_references(options)}
        evidence = _draw(contest, contestants, results, parts, folder, progress)
    _print_table(evidence, console)
    write_report([evidence], folder / "report.html")
    return folder / "report.html"


def _play(options: DemoOptions, folder: Path, progress):
    """The contest with a step of progress per rollout; ``folder`` is made once all that plays is loaded."""
    task = _begin(progress, "loading the shipped models", total=None)
    contest, contestants = prepare(options)
    make_folder(folder)
    names = list(contest.agents(contestants[0]))
    progress.update(task, total=len(contestants) * len(names))
    for contestant in contestants:
        for name, agent in contest.agents(contestant).items():
            what = f"{contest.tasks.count} tasks: {_AGENTS[name]}, seed {contestant.seed}"
            _say(progress, what)
            progress.update(task, description=what)
            contest.play(agent, contestant.strides, contestant.seed)
            progress.advance(task)
    results = contest.compare(contestants) | {"toys": toys_of(options, contestants)}
    progress.update(task, description=f"contest: {contest.tasks.count} tasks, {len(names)} agents")
    return contest, contestants, results


def _begin(progress, what: str, total) -> int:
    """A new line of ``progress``."""
    _say(progress, what)
    return progress.add_task(what, total=total)


def _say(progress, what: str) -> None:
    """Where bars cannot move, such as in a log, a line tells what has begun."""
    if progress.disable:
        progress.console.print(f"{what} ...")


_AGENTS = {
    "relearned": "the high level relearned on this robot, told nothing",
    "toy": "the toy's policy, told nothing",
    "oracle": "an oracle",
    "random": "random",
    "zero": "standing",
}


def _judge_parts(contest, agent, progress) -> dict:
    """The toy agent on the toy, and the low level alone: results by their names in ``Evidence``."""
    from reinfer.evaluation.low_level import evaluate_low_level
    from reinfer.evaluation.toy import evaluate_toy

    task = _begin(progress, "the toy agent on toy tasks", total=2)
    found = {"toy": evaluate_toy(agent)}
    _say(progress, "the low level under new commands")
    progress.update(task, advance=1, description="the low level under new commands")
    found["low"] = evaluate_low_level(contest.low_level, contest.body, 0, per_kind=_COMMANDS, threads=contest.threads)
    progress.update(task, advance=1, description="toy agent and low level alone")
    return found


def model_references(options: DemoOptions) -> list[str]:
    """The models that the contest was played with, as the command line names them."""
    body, toys = robot(options.body), toy_references(options)
    seeds = range(len(toys))
    learned = stride_of(options, body) == LEARNED
    strides = [stride_reference(options, body, seed) for seed in seeds] if learned else []
    highs = [high_reference(options, body, seed) for seed in seeds] if options.policy == RELEARNED else []
    return [*toys, low_reference(options, body), *strides, *highs]


def _draw(contest, contestants, results, parts: dict, folder: Path, progress):
    """Figures and videos as files, and the evidence for the report."""
    from reinfer.cli.plot import on_latent_map
    from reinfer.viewing.belief import belief_figure
    from reinfer.viewing.latent import latent_figure
    from reinfer.viewing.reporting import Evidence
    from reinfer.viewing.reporting.clips import draw_clips
    from reinfer.viewing.stride import stride_figure
    from reinfer.viewing.style import save_figure
    from reinfer.viewing.tracks import tracks_figure
    from reinfer.viewing.video import frame_count

    records = [contest.records[c.policy, c.strides.name, c.seed] for c in contestants]
    first = contestants[0]
    task = _begin(progress, "figures", total=5)
    for name, draw in (("tracks", tracks_figure), ("belief", belief_figure), ("stride", stride_figure)):
        save_figure(draw(records), folder / f"{name}.png")
        progress.advance(task)
    latent, shown = [], on_latent_map(contestants[0].toy, records[:1])
    for method in ("pca", "tsne"):
        latent.append(latent_figure(**shown, methods=(method,)))
        save_figure(latent[-1], folder / f"latent_{method}.png")
        progress.advance(task)
    task = _begin(progress, "videos", total=len(_CLIPS) * frame_count(records[0], _CLIP_S))
    clips = draw_clips(records[0], _CLIPS, _CLIP_S, lambda: progress.advance(task))
    for number, clip in zip(_CLIPS, clips, strict=True):
        label = records[0].tasks.describe()[number].replace(" ", "_")
        (folder / f"video_{label}.mp4").write_bytes(clip.video)
    return Evidence(
        contest=results,
        body=contest.body.name,
        made_by="reinfer demo",
        source=shlex.quote(str(folder / "transfer")),
        toy_model=shlex.quote(results["toys"][0]["reference"]),
        latent_record=shlex.quote(str(folder / "transfer" / record_name(first.policy, first.strides.name, first.seed))),
        records=records,
        **parts,
        latent=tuple(latent),
        clips=clips,
    )


def _print_table(evidence, console) -> None:
    """The contest in the terminal, as in the report."""
    from rich.table import Table

    from reinfer.viewing.contest_table import contest_rows

    table = Table(title=f"{evidence.body}: error once settled", title_justify="left")
    for head, looks in (("agent", {}), ("position", {"justify": "right"}), ("speed", {"justify": "right"})):
        table.add_column(head, **looks)
    table.add_column("is told")
    shown = None
    for row in contest_rows(evidence.contest, evidence.body):
        if shown not in (None, row.kind):
            table.add_section()
        shown = row.kind
        bold = "bold" if row.kind == "ours" else None
        table.add_row(row.name, row.position.text, row.velocity.text, row.told, style=bold)
    console.print(table)


def _check_folder(folder: Path) -> None:
    """Raise RunError if something else than an older report lies at ``folder``, or it cannot be written to."""
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file; nothing was overwritten: choose --out")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "report.html").is_file():
        raise RunError(f"{folder} already exists and holds no report; nothing was overwritten: choose --out")
    require_writable(folder / "report.html")
