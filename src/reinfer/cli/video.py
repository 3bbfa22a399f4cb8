"""``reinfer video SOURCE...``: watch rollouts, with what the agent believed and did; several side by side."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from reinfer.cli.parsing import parse
from reinfer.runs.config import setting, validate
from reinfer.runs.errors import ConfigError, RunError


@dataclass(frozen=True, slots=True)
class VideoOptions:
    """Draw tasks as an mp4 or a GIF, in real time, one after the other.

    Records are drawn as they are; runs and models play now. Several records, or models of several robots, are drawn
    side by side on the same task.
    """

    sources: tyro.conf.Positional[tuple[str, ...]]
    """Record files (safetensors), folders that `reinfer transfer` wrote (of which the first seed), runs or models."""
    simulation: tuple[int, ...] = setting((), "numbers of the tasks to show, from 0; by default 1 and 10")
    task: tuple[str, ...] = setting((), "tasks to show or to play, e.g. goal_forward:5")
    seconds: float = setting(12.0, "simulated seconds of each", low=0.5, high=600.0)
    body: str | None = setting(None, "file of a robot of your own, if it lies no longer where its run or record says")
    output: str = setting("rollout.mp4", "file to write")


def run(arguments: list[str]) -> int:
    """Draw the video; prints where it lies."""
    from reinfer.viewing.encoding import ENDINGS

    options = validate(parse(VideoOptions, "reinfer video", arguments))
    if Path(options.output).suffix not in ENDINGS:
        raise ConfigError(f"output: {options.output!r} must end in {' or '.join(ENDINGS)}")
    if options.task and options.simulation:
        raise ConfigError("task and simulation: both are given; one says what to show")
    from reinfer.runs.files import require_writable
    from reinfer.viewing.together import write_together
    from reinfer.viewing.video import write_video

    require_writable(Path(options.output))
    records = records_by_name(options)
    first = next(iter(records.values()))
    chosen = choose(options, first)
    try:
        Path(options.output).parent.mkdir(parents=True, exist_ok=True)
        if len(records) == 1:
            frames = write_video(options.output, first, chosen, options.seconds)
        else:
            frames = write_together(options.output, records, chosen, options.seconds)
    except OSError as error:
        raise RunError(f"{options.output} cannot be written: {error.strerror}") from error
    labels = [first.tasks.describe()[number] for number in chosen]
    print(f"tasks: {', '.join(labels)}")
    print(f"video: {options.output} ({frames} frames)")
    return 0


def records_by_name(options: VideoOptions) -> dict:
    """One record per source that was kept, else one per robot whose models are given, by what to call them."""
    from reinfer.cli.playing import NO_RECORDS, NOT_BOTH, load, play
    from reinfer.cli.records import load_records
    from reinfer.cli.sources import refuse, refuse_others, sort, teams
    from reinfer.viewing.video import require_simulations

    sources = sort(options.sources)
    refuse(sources.results, NO_RECORDS)
    kept = [*sources.records, *sources.contests]
    if kept:
        refuse(sources.named, NOT_BOTH)
        records = [load_records([path], options.body)[0] for path in kept]
        require_simulations("simulation", options.simulation, records[0].tasks)
    else:
        refuse_others(sources)
        tasks = make_tasks_of(options.task) if options.task else None
        casts = [load(team, tasks) for team in teams(sources, options.body)]
        for cast in casts:
            require_simulations("simulation", options.simulation, cast.tasks)
        records = [play(cast)[0] for cast in casts]
    if not records:
        raise ConfigError("nothing is named; records, folders of `reinfer transfer`, runs or models are needed")
    bodies = [Path(record.body).stem.replace("_", " ") for record in records]
    if kept and len(set(bodies)) < len(bodies):
        bodies = [path.stem.replace("_", " ") for path in kept]
    if len(set(bodies)) < len(bodies):
        raise ConfigError(f"{', '.join(map(str, kept))}: two of them have the same name; rename one")
    return dict(zip(bodies, records, strict=True))


def choose(options: VideoOptions, record) -> tuple[int, ...]:
    """Numbers of the simulations to show. Raises ConfigError on a task that the record does not have."""
    from reinfer.viewing.video import shown

    if not options.task:
        return options.simulation or shown(record)
    there, found = record.tasks.describe(), []
    for label in make_tasks_of(options.task).describe():
        if label not in there:
            raise ConfigError(f"task: {label} is not in the record; it has {', '.join(there)}")
        found.append(there.index(label))
    return tuple(found)


def make_tasks_of(texts: tuple[str, ...]):
    """``Tasks`` from texts such as ``goal_forward:5``. Raises ConfigError on one that is none."""
    from reinfer.tasks import make_tasks

    pairs = []
    for text in texts:
        name, _, target = text.partition(":")
        try:
            pairs.append((name, float(target)))
        except ValueError:
            raise ConfigError(f"task: {text!r} is not FAMILY:TARGET, e.g. goal_forward:5") from None
    try:
        return make_tasks(pairs)
    except ValueError as error:
        raise ConfigError(str(error)) from error
