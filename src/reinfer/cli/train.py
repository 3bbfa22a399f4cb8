"""``reinfer train STAGE``: preset, overridden by a TOML file, overridden by options.

A preset that has the name of a body takes the place of ``default`` for that body. Where a stage has several algorithms
(``--algo``), there are presets ``ALGO`` and ``ALGO-PRESET`` of each. Where many agents can be trained in one program,
their seeds and what else they differ in are settings too (``--seeds``, ``--over``).
"""

import dataclasses
import itertools
from typing import Annotated, Any, NamedTuple

import tyro

from reinfer.cli.parsing import flags, parse
from reinfer.cli.stages import STAGES, build, load_stage
from reinfer.runs.config import load, nearest, read_toml, setting, validate
from reinfer.runs.errors import ConfigError


@dataclasses.dataclass(frozen=True, slots=True)
class TrainOptions:
    """Options of every stage; where they end, the settings of the stage itself begin."""

    preset: str = setting("default", "named settings to start from")
    config: str | None = setting(None, "TOML file whose settings override the preset")
    runs: str = setting("runs", "folder in which runs are kept")
    name: str | None = setting(None, "name of the run; by default the time, the seed and the config's hash")
    checkpoint_interval_s: float = setting(60.0, "wall-clock seconds between checkpoints", low=0.0)
    progress: bool = setting(True, "show a progress line")


def run(arguments: list[str]) -> int:
    """Train a stage; prints where the run lies."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_usage())
        return 0
    wanted = read_training(arguments)
    options, config = wanted.options, wanted.config

    from reinfer.runs.compilation import enable_cache
    from reinfer.runs.directory import RunDirectory, models_in
    from reinfer.runs.loop import fit
    from reinfer.runs.provenance import command_line

    enable_cache()
    stage = build(wanted.classes, config)
    made = RunDirectory.create(options.runs, wanted.stage, config, command_line(), stage.parents(), options.name)
    print(f"run: {made.path}", flush=True)
    fit(stage, made, progress=options.progress, checkpoint_interval_s=options.checkpoint_interval_s)
    for model in models_in(made.model):
        print(f"model: {model}")
    return 0


class Wanted(NamedTuple):
    """A training as the command line asks for it: ``classes`` as ``load_stage`` gives them, ``config`` validated."""

    stage: str
    classes: dict[type, type]
    options: TrainOptions
    config: Any


def read_training(arguments: list[str]) -> Wanted:
    """What ``reinfer train`` is asked for by ``arguments``. Raises ConfigError on a mistake; nothing is made."""
    from reinfer.stages.many import alone, with_seeds
    from reinfer.stages.seeds import SeedStage

    name, *rest = arguments
    classes, presets = load_stage(name)
    presets = {
        preset: with_seeds(settings) if issubclass(classes[type(settings)], SeedStage) else settings
        for preset, settings in presets.items()
    }
    prog = f"reinfer train {name}"
    early = _own_options(rest, prog)
    has_algorithms = any(hasattr(settings, "algo") for settings in presets.values())
    preset = _of_algorithm(early.preset, rest) if has_algorithms else early.preset
    if preset == "default" and early.config:
        preset = _of_file(early.config, presets)
    if preset not in presets:
        raise ConfigError(f"unknown preset {preset!r} of stage {name}; {nearest(preset, presets)}")
    counted = hasattr(presets[preset], "seeds")
    given = {argument.partition("=")[0] for argument in rest}
    for option in ("seeds", "over") if not counted else ():
        if f"--{option}" in given:
            raise ConfigError(f"{option}: preset {preset!r} of stage {name} trains one seed at a time; {_many_seeds()}")
    chosen = _choose(presets[preset], early.config, prog, rest, presets)
    body = getattr(chosen.settings, "body", None)
    if early.preset == "default" and body in presets:
        chosen = _choose(presets[body], early.config, prog, rest, presets)
    settings = validate(chosen.settings)
    if counted and settings.seeds == 1 and not settings.over:
        settings = alone(settings, settings.seed)
    return Wanted(name, classes, validate(chosen.options), settings)


def _many_seeds() -> str:
    """In words: which presets of which stages train many agents in one program."""
    from reinfer.stages.seeds import SeedStage

    found = []
    for name in STAGES:
        classes, presets = load_stage(name)
        able = [preset for preset, settings in presets.items() if issubclass(classes[type(settings)], SeedStage)]
        found += [f"{name} ({', '.join(able)})"] if able else []
    return f"many in one program: {', '.join(found)}"


def _choose(preset, file: str | None, prog: str, arguments: list[str], presets):
    """``options`` and ``settings`` of ``arguments``, over those of the TOML ``file``, over ``preset``, one of the
    stage's ``presets``."""
    kind = type(preset)
    return parse(_options_of(kind, load(kind, preset, file), presets), prog, arguments)


def _of_algorithm(preset: str, arguments: list[str]) -> str:
    """``preset`` of the algorithm that ``arguments`` name, if they do: its settings must be known to parse the rest."""
    pairs = itertools.pairwise([*arguments, ""])
    given = [part.partition("=")[2] or following for part, following in pairs if part.partition("=")[0] == "--algo"]
    if not given:
        return preset
    return given[-1] if preset == "default" else f"{given[-1]}-{preset}"


def _of_file(file: str, presets: dict) -> str:
    """The preset whose settings the TOML ``file`` can override where nothing else is said: that of the algorithm in it,
    or else the first that has all settings of the file, which may be those of a run of another method; or the default,
    if none has."""
    given = read_toml(file)
    if given.get("algo") in presets:
        return given["algo"]
    known = {name: {field.name for field in dataclasses.fields(settings)} for name, settings in presets.items()}
    return next((name for name, settings in known.items() if given.keys() <= settings), "default")


def _own_options(arguments: list[str], prog: str) -> TrainOptions:
    """``TrainOptions`` alone, needed before the settings of the stage can be parsed."""
    own = flags(TrainOptions)
    picked, taking = [], False
    for argument in arguments:
        if argument.startswith("--"):
            taking = argument.partition("=")[0].replace("_", "-") in own
        if taking:
            picked.append(argument)
    return parse(TrainOptions, prog, picked)


def _options_of(kind, loaded, presets):
    """Dataclass of ``TrainOptions`` and the settings of a stage side by side, defaulting to ``loaded``; its help names
    the stage's ``presets``."""
    unnamed = tyro.conf.arg(name="")
    return dataclasses.make_dataclass(
        "Options",
        [
            ("options", Annotated[TrainOptions, unnamed], dataclasses.field(default=TrainOptions())),
            ("settings", Annotated[kind, unnamed], dataclasses.field(default=loaded)),
        ],
        namespace={"__doc__": f"Train a stage in a new run folder. Presets: {', '.join(presets)}."},
    )


def _usage() -> str:
    lines = [f"  {name:<8}{what}" for name, (_, what) in STAGES.items()]
    head = "usage: reinfer train STAGE [OPTIONS]"
    return "\n".join([head, "", "stages:", *lines, "", "reinfer train STAGE --help tells its settings."])
