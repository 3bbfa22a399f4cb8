"""reinfer: task inference learned once on a toy, reused on robots.

The ten public names below are imported when first used, so that ``import reinfer`` costs nothing. Each has an example
in its docstring; all else is internal and may change.
"""

import importlib

__version__ = "0.1.0"

_PUBLIC = {
    "BatchSimulation": "reinfer.simulation",
    "Contest": "reinfer.evaluation.transfer",
    "LowLevelPolicy": "reinfer.control.low_level_policy",
    "TaskDistribution": "reinfer.tasks",
    "ToyAgent": "reinfer.inference.agent",
    "evaluate_toy": "reinfer.evaluation.toy",
    "load": "reinfer.transfer.loading",
    "make_tasks": "reinfer.tasks",
    "reward": "reinfer.tasks",
    "robot": "reinfer.bodies",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'reinfer' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__():
    return __all__
