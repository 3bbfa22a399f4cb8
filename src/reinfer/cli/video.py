"""``reinfer video RECORD``: watch a recorded rollout, with what the agent believed and did."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from reinfer.cli.parsing import parse
from reinfer.runs.config import setting, validate
from reinfer.runs.errors import ConfigError, RunError


@dataclass(frozen=True, slots=True)
class VideoOptions:
    """Draw tasks of a recorded rollout as an mp4, in real time, one after the other."""

    record: tyro.conf.Positional[str]
    """Record file (safetensors), or a folder that `reinfer transfer` wrote: then of its first seed."""
    simulation: tuple[int, ...] = setting((), "numbers of the tasks to show, from 0; by default 1 and 10")
    seconds: float = setting(12.0, "simulated seconds of each", low=0.5, high=600.0)
    body: str | None = setting(None, "file of a robot of your own, if it lies no longer where the record says")
    output: str = setting("rollout.mp4", "file to write")


def run(arguments: list[str]) -> int:
    """Draw the video; prints where it lies."""
    options = validate(parse(VideoOptions, "reinfer video", arguments))
    if not options.output.endswith(".mp4"):
        raise ConfigError(f"output: {options.output!r} must end in .mp4")

    from reinfer.cli.records import load_records
    from reinfer.viewing.video import write_video

    record = load_records([options.record], options.body)[0]
    count = len(record.tasks.family)
    chosen = options.simulation or tuple(dict.fromkeys(min(number, count - 1) for number in (1, 10)))
    try:
        Path(options.output).parent.mkdir(parents=True, exist_ok=True)
        frames = write_video(options.output, record, chosen, options.seconds)
    except OSError as error:
        raise RunError(f"{options.output} cannot be written: {error.strerror}") from error
    labels = [record.tasks.describe()[number] for number in chosen]
    print(f"tasks: {', '.join(labels)}")
    print(f"video: {options.output} ({frames} frames)")
    return 0
