"""The stages that the command line knows, by name; their modules are imported only when used."""

import importlib

from reinfer.runs.config import nearest
from reinfer.runs.errors import ConfigError

#: Stage -> (``module:class``, what it learns). Each module has ``PRESETS``, its configs by name.
STAGES = {
    "toy": ("reinfer.stages.toy:ToyStage", "task inference and a policy on the toy"),
    "low": ("reinfer.stages.low_level:LowLevelStage", "a body that follows commands"),
    "stride": (
        "reinfer.stages.stride:StrideStage",
        "how long to pursue each sub-goal before inferring again",
    ),
}


def load_stage(name: str):
    """The stage class called ``name`` and its module's presets. Raises ConfigError on an unknown name."""
    if name not in STAGES:
        raise ConfigError(f"unknown stage {name!r}; {nearest(name, STAGES)}")
    module_name, _, class_name = STAGES[name][0].partition(":")
    module = importlib.import_module(module_name)
    return getattr(module, class_name), module.PRESETS


def build(stage_class, config):
    """``stage_class(config)``; what it finds wrong with the config (a ValueError) becomes a ConfigError."""
    try:
        return stage_class(config)
    except ValueError as error:
        raise ConfigError(str(error)) from error
