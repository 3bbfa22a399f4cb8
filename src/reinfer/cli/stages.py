"""The stages that the command line knows, by name; their modules are imported only when used."""

import dataclasses
import importlib

from reinfer.runs.config import nearest
from reinfer.runs.errors import ConfigError

#: Stage -> (``module:class``, what it learns). Each module has ``PRESETS``, its configs by name.
STAGES = {
    "toy": ("reinfer.stages.toy:ToyStage", "task inference and a policy on the toy"),
    "process": (
        "reinfer.stages.process:ProcessStage",
        "one family with a varying parameter on the toy, by a Neural Process",
    ),
    "low": ("reinfer.stages.low_level:LowLevelStage", "a body that follows commands"),
    "stride": (
        "reinfer.stages.stride:StrideStage",
        "how long to pursue each sub-goal before inferring again",
    ),
    "high": ("reinfer.stages.high:HighStage", "corrections of the toy policy's sub-goals for one robot"),
    "scratch": ("reinfer.stages.scratch_pearl:PearlStage", "meta-training on the robot itself, to compare with reuse"),
}


#: Further classes of a stage: other methods for the same end, with presets and a type of config of their own.
VARIANTS = {
    "toy": ("reinfer.stages.toy_reference:MeltsStage",),
    "scratch": ("reinfer.stages.scratch_rl2:Rl2Stage", "reinfer.stages.scratch_melts:MeltsRobotStage"),
}


def load_stage(name: str) -> tuple[dict[type, type], dict]:
    """The classes of stage ``name`` by the type of config they take, and all their presets by name.

    Where many agents can be trained in one program, there is a class for that too, with its own type of config. Raises
    ConfigError on an unknown name.
    """
    if name not in STAGES:
        raise ConfigError(f"unknown stage {name!r}; {nearest(name, STAGES)}")
    from reinfer.stages.many import many, many_config
    from reinfer.stages.seeds import SeedStage

    classes, presets = {}, {}
    for path in (STAGES[name][0], *VARIANTS.get(name, ())):
        module_name, _, class_name = path.partition(":")
        module = importlib.import_module(module_name)
        (config_type,) = {type(config) for config in module.PRESETS.values()}
        stage = classes[config_type] = getattr(module, class_name)
        if issubclass(stage, SeedStage):
            classes[many_config(config_type)] = many(stage)
        presets |= module.PRESETS
    return classes, presets


def load_stage_of(run) -> tuple[dict[type, type], type]:
    """The classes of the stage of ``run``, and the type of the config it was started with.

    That is the one whose settings are most like those of the run, which may be of an older version.
    """
    classes, _ = load_stage(run.stage)
    settings = set(run.manifest()["config"])
    return classes, min(classes, key=lambda kind: len(settings ^ {field.name for field in dataclasses.fields(kind)}))


def build(classes: dict[type, type], config):
    """The stage for ``config``; what it finds wrong with it (a ValueError) becomes a ConfigError."""
    try:
        return classes[type(config)](config)
    except ValueError as error:
        raise ConfigError(str(error)) from error
