"""``reinfer resume RUN``: continue a run; its settings are its own and cannot be changed."""

import os
from dataclasses import dataclass

import tyro

from reinfer.cli.parsing import parse
from reinfer.cli.stages import build, load_stage_of
from reinfer.runs.config import setting, validate
from reinfer.runs.errors import ArtifactError


@dataclass(frozen=True, slots=True)
class ResumeOptions:
    """Continue a run from its last checkpoint; it ends in the same bytes as if it had never stopped.

    Of a run that is done, a model that is damaged or gone is exported again.
    """

    run: tyro.conf.Positional[str]
    """Folder of the run."""
    checkpoint_interval_s: float = setting(60.0, "wall-clock seconds between checkpoints", low=0.0)
    progress: bool = setting(True, "show a progress line")


def run(arguments: list[str]) -> int:
    """Continue a run."""
    options = validate(parse(ResumeOptions, "reinfer resume", arguments))

    from reinfer.runs.compilation import enable_cache
    from reinfer.runs.directory import RunDirectory, models_in
    from reinfer.runs.loop import fit

    found = RunDirectory.open(options.run)
    classes, kind = load_stage_of(found)
    config = found.load_config(kind)
    print(f"run: {found.path}", flush=True)
    if found.status() == "done" and not found.damage():
        print("it is done; nothing to resume")
    else:
        enable_cache()
        interval_s = options.checkpoint_interval_s
        fit(
            build_again(found, classes, config),
            found,
            resume=True,
            progress=options.progress,
            checkpoint_interval_s=interval_s,
        )
    for model in models_in(found.model):
        print(f"model: {model}")
    return 0


def build_again(run, classes, config):
    """The stage of ``run``. What cannot be found may be named relative to another folder: the error says which."""
    try:
        return build(classes, config)
    except ArtifactError as error:
        started = run.manifest()["sessions"][0].get("folder", os.getcwd())
        hint = "" if started == os.getcwd() else f"; paths of this run are as seen from {started}: resume it there"
        raise ArtifactError(f"{error}{hint}") from error
