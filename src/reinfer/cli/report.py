"""``reinfer report FOLDER``: results of a transfer as one HTML file that needs no other and no network."""

import io
import itertools
import tempfile
from dataclasses import dataclass
from pathlib import Path

import tyro

from reinfer.cli.parsing import parse
from reinfer.cli.records import load_contest, load_json, load_records
from reinfer.runs.config import setting, validate
from reinfer.runs.errors import ConfigError, RunError

#: Results of the other evaluations must have these keys.
TOY_KEYS = ("return_mean", "return_by_family", "class_accuracy_by_rows", "target_error_by_rows")
LOW_KEYS = ("fall_rate", "by_command")

#: Seconds into a clip at which its still picture is taken: late enough that there is a belief to see.
_POSTER_S = 2.0


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """Turn the results of `reinfer transfer`, and of other evaluations, into one HTML file."""

    transfer: tyro.conf.Positional[str]
    """Folder that `reinfer transfer` wrote, or `reinfer eval transfer --out`."""
    heldout: str | None = setting(None, "folder of the same for the held-out tasks")
    toy: str | None = setting(None, "JSON file that `reinfer eval toy --json` printed")
    low: str | None = setting(None, "JSON file that `reinfer eval low --json` printed")
    toy_model: str | None = setting(None, "toy agent of the first seed, for the latent map")
    run: tuple[str, ...] = setting((), "runs whose learning curves are shown")
    model: tuple[str, ...] = setting((), "models to list with their origin")
    clip: tuple[int, ...] = setting((1, 10), "numbers of the tasks shown as videos, from 0")
    clip_s: float = setting(12.0, "simulated seconds of each", low=0.5, high=120.0)
    video: bool = setting(True, "draw videos")
    body: str | None = setting(None, "file of a robot of your own, if it lies no longer where the records say")
    output: str = setting("report.html", "file to write")


def run(arguments: list[str]) -> int:
    """Write the report; prints where it lies."""
    options = validate(parse(ReportOptions, "reinfer report", arguments))
    output = Path(options.output)
    if output.suffix != ".html":
        raise ConfigError(f"output: {options.output!r} must end in .html")
    write_report(gather(options, " ".join(["reinfer", "report", *arguments])), output)
    print(f"report: {output.absolute()}")
    return 0


def gather(options: ReportOptions, made_by: str):
    """The ``Evidence`` that ``options`` name. Raises ArtifactError on anything missing or damaged."""
    from reinfer.cli.plot import latent_map, score_of
    from reinfer.inference.agent import ToyAgent
    from reinfer.runs.directory import resolve
    from reinfer.viewing.progress import read_progress
    from reinfer.viewing.reporting import Evidence

    contest = load_contest(Path(options.transfer))
    heldout = load_contest(Path(options.heldout)) if options.heldout else None
    toy = load_json(options.toy, TOY_KEYS) if options.toy else None
    low = load_json(options.low, LOW_KEYS) if options.low else None
    progress = [
        (read_progress(path, "/".join(Path(path).absolute().parts[-2:])), score_of(path)) for path in options.run
    ]
    models = {reference: describe_model(resolve(reference)) for reference in options.model}
    agent = ToyAgent.load(resolve(options.toy_model)) if options.toy_model else None
    records = load_records([options.transfer], options.body)
    latent = agent and tuple(latent_map(agent, records[:1], methods=(method,)) for method in ("pca", "tsne"))
    clips = draw_clips(records[0], options.clip, options.clip_s) if options.video else []
    return Evidence(
        contest=contest,
        body=contest["body"],
        made_by=made_by,
        heldout=heldout,
        records=records,
        toy=toy,
        low=low,
        latent=latent,
        progress=progress,
        clips=clips,
        models=models,
    )


def describe_model(folder: Path) -> dict:
    """Kind, digest and provenance of a model."""
    from reinfer.runs.models import load_model

    model = load_model(folder)
    return {"kind": model.kind, "sha256": model.sha256, "provenance": model.provenance}


def draw_clips(record, simulations, seconds: float, on_frame=lambda: None) -> list:
    """One ``Clip`` per simulation, drawn in a temporary folder."""
    from reinfer.viewing.reporting import Clip
    from reinfer.viewing.video import frames, write_video

    clips = []
    for simulation in simulations:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "clip.mp4"
            write_video(path, record, [simulation], seconds, on_frame=on_frame)
            video = path.read_bytes()
        at = round(min(_POSTER_S, seconds / 2) / record.control_dt_s)
        still = io.BytesIO()
        next(itertools.islice(frames(record, simulation, seconds), at, None)).save(still, "png")
        caption = f"{record.tasks.describe()[simulation].replace('_', ' ')}, in real time; all of it is simulated."
        clips.append(Clip(video, still.getvalue(), caption))
    return clips


def write_report(evidence, output: Path) -> None:
    """Write the file. Raises RunError if it cannot."""
    from reinfer.runs.files import replace_file
    from reinfer.viewing.reporting import report_html

    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        replace_file(output, report_html(evidence).encode())
    except OSError as error:
        raise RunError(f"{output} cannot be written: {error.strerror}") from error
