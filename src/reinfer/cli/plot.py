"""``reinfer plot KIND``: one figure as a file; its ending (png, svg, pdf) tells the format."""

import dataclasses
from functools import partial
from pathlib import Path

import tyro

from reinfer.cli.parsing import parse
from reinfer.runs.config import nearest, seed_setting, setting, validate
from reinfer.runs.errors import ArtifactError, ConfigError, RunError
from reinfer.runs.files import require_writable

FORMATS = ("png", "svg", "pdf")


@dataclasses.dataclass(frozen=True, slots=True)
class ProgressOptions:
    """Metrics of one or several runs against environment steps."""

    runs: tyro.conf.Positional[tuple[str, ...]]
    """Run folders, or models that still lie in theirs."""
    metric: tuple[str, ...] = setting((), "metrics to draw; by default the one that the run's stage is judged by")
    output: str = setting("progress.png", "file to write")


@dataclasses.dataclass(frozen=True, slots=True)
class LatentOptions:
    """Where a toy agent puts tasks: PCA with the components of its mixture prior, and t-SNE."""

    model: tyro.conf.Positional[str]
    """Run, model folder or shipped:NAME of a toy agent."""
    records: tuple[str, ...] = setting((), "records of a robot under this very agent, drawn on top")
    tasks: int = setting(400, "random toy tasks", low=10, high=5000)
    seed: int = seed_setting("seed of the tasks")
    output: str = setting("latent.png", "file to write")


@dataclasses.dataclass(frozen=True, slots=True)
class RecordOptions:
    """Figures of robots at work, as recorded, or as models that are given play now."""

    sources: tyro.conf.Positional[tuple[str, ...]]
    """Record files (safetensors), folders that `reinfer transfer` wrote, or runs and models, which play now."""
    body: str | None = setting(None, "file of a robot of your own, if it lies no longer where its run or record says")
    output: str | None = setting(None, "file to write; by default KIND.png")


@dataclasses.dataclass(frozen=True, slots=True)
class CompareOptions:
    """Contests side by side, with published results and comparators."""

    sources: tyro.conf.Positional[tuple[str, ...]]
    """Folders that `reinfer transfer` wrote, JSON files of `reinfer eval transfer --json`, or runs and models."""
    body: str | None = setting(None, "file of a robot of your own, if it lies no longer where its run says")
    output: str = setting("compare.png", "file to write")


#: Kind -> (its options, what it shows).
KINDS = {
    "progress": (ProgressOptions, "metrics of runs against environment steps"),
    "latent": (LatentOptions, "what a toy agent's encoder knows"),
    "tracks": (RecordOptions, "position and speed of a robot against its targets"),
    "belief": (RecordOptions, "how fast task and target are found out"),
    "stride": (RecordOptions, "how long sub-goals are pursued"),
    "compare": (CompareOptions, "errors of agents on one axis, beside published ones"),
}


def run(arguments: list[str]) -> int:
    """Draw one figure; prints where it lies."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_usage())
        return 0
    kind, *rest = arguments
    if kind not in KINDS:
        raise ConfigError(f"unknown figure {kind!r}; {nearest(kind, KINDS)}")
    options = validate(parse(KINDS[kind][0], f"reinfer plot {kind}", rest))
    output = Path(options.output or f"{kind}.png")
    if output.suffix[1:] not in FORMATS:
        raise ConfigError(f"output: {str(output)!r} must end in one of {', '.join(FORMATS)}")
    require_writable(output)
    draw = {
        ProgressOptions: _progress,
        LatentOptions: _latent,
        RecordOptions: partial(_of_records, kind),
        CompareOptions: _compare,
    }
    write(draw[type(options)](options), output)
    print(f"figure: {output}")
    return 0


def write(figure, output: Path) -> None:
    """Save ``figure``. Raises RunError if the file cannot be written."""
    from reinfer.viewing.style import save_figure

    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        save_figure(figure, output)
    except OSError as error:
        raise RunError(f"{output} cannot be written: {error.strerror}") from error


def _progress(options: ProgressOptions):
    from reinfer.viewing.progress import progress_figure, read_progress

    if not options.runs:
        raise ConfigError("no runs are named; at least one run folder is needed")
    folders = [run_of(reference) for reference in options.runs]
    metrics = options.metric or ((score_of(folders[0]),) if folders[0] else ())
    curves = [
        read_progress(folder) if folder else scores_of(reference)
        for folder, reference in zip(folders, options.runs, strict=True)
    ]
    # What models tell is one metric, the one they are judged by.
    return progress_figure(curves, list(metrics or curves[0].columns))


def run_of(reference: str) -> str | None:
    """The run folder meant by ``reference``, that of a run or of the model in it; None of one that was taken out."""
    from reinfer.runs.directory import MANIFEST_FILE, SHIPPED, resolve
    from reinfer.runs.models import DESCRIPTION_FILE

    if not reference.startswith(SHIPPED) and not (Path(reference) / DESCRIPTION_FILE).is_file():
        return reference
    # A run may have several models, which lie one folder deeper.
    for folder in resolve(reference).parents[:2]:
        if (folder / MANIFEST_FILE).is_file():
            return str(folder)
    return None


def scores_of(reference: str):
    """The ``Progress`` that a model away from its run tells. Raises ArtifactError where its curve stayed behind."""
    import numpy as np

    from reinfer.runs.directory import SHIPPED, resolve
    from reinfer.runs.models import load_model
    from reinfer.viewing.progress import STEPS, Progress

    scores = load_model(resolve(reference)).provenance.get("scores")
    if scores is None:
        raise ArtifactError(f"{reference} is a model away from its run: its learning curve stayed there; name the run")
    columns = {name: np.array(values) for name, values in scores.items()}
    return Progress(reference.removeprefix(SHIPPED), columns.pop(STEPS), columns)


def score_of(run_folder: str) -> str:
    """The metric by which the stage of a run is judged."""
    from reinfer.cli.stages import load_stage_of
    from reinfer.runs.directory import RunDirectory

    classes, kind = load_stage_of(RunDirectory.open(run_folder))
    return classes[kind].score_key


def _latent(options: LatentOptions):
    from reinfer.cli.records import load_records_of
    from reinfer.inference.agent import ToyAgent
    from reinfer.runs.directory import resolve
    from reinfer.viewing.latent import latent_figure

    agent = ToyAgent.load(resolve(options.model))
    records = load_records_of(agent, options.model, options.records)
    return latent_figure(**on_latent_map(agent, records, options.seed, options.tasks))


def on_latent_map(agent, records, seed: int = 0, tasks: int = 400) -> dict:
    """What ``viewing.latent.latent_figure`` shows of a toy agent, with a robot's latents of its ``records`` on top."""
    import numpy as np

    from reinfer.runs import random
    from reinfer.tasks import Tasks
    from reinfer.viewing.latent import components_of
    from reinfer.viewing.latent_points import record_latents, toy_latents

    latents, toy_tasks = toy_latents(agent, random.key(seed, "latent map"), tasks)
    guests = [record_latents(record) for record in records]
    on_top = {}
    if guests:
        on_top["guests"] = np.concatenate([points for points, _ in guests])
        parts = zip(*(found for _, found in guests), strict=True)
        on_top["guest_tasks"] = Tasks(*(np.concatenate(part) for part in parts))
    prior = getattr(agent.params, "prior", None)
    components = None if prior is None else components_of(prior)
    return {"latents": latents, "tasks": toy_tasks, "components": components, **on_top}


def _of_records(kind: str, options: RecordOptions):
    from reinfer.cli.playing import records_of
    from reinfer.cli.sources import sort
    from reinfer.viewing.belief import belief_figure
    from reinfer.viewing.stride import stride_figure
    from reinfer.viewing.tracks import tracks_figure

    draw = {"tracks": tracks_figure, "belief": belief_figure, "stride": stride_figure}[kind]
    return draw(records_of(sort(options.sources), options.body))


def _compare(options: CompareOptions):
    from reinfer.cli.playing import contests_of
    from reinfer.cli.sources import sort
    from reinfer.viewing.comparison import comparison_figure

    return comparison_figure(contests_of(sort(options.sources), options.body))


def _usage() -> str:
    lines = [f"  {name:<10}{what}" for name, (_, what) in KINDS.items()]
    head = "usage: reinfer plot FIGURE ... [OPTIONS]"
    return "\n".join([head, "", "figures:", *lines, "", "reinfer plot FIGURE --help tells its options."])
