"""Task families, tasks as values, and the one definition of reward."""

from reinfer.tasks.distribution import TaskDistribution, Tasks, make_tasks
from reinfer.tasks.families import (
    CHANNELS,
    FAMILIES,
    FAMILY_NAMES,
    GOAL,
    JUMP,
    KINDS,
    STAND,
    VELOCITY,
    family_index,
)
from reinfer.tasks.rewards import commanded_value, controlled_value, reward

__all__ = [
    "CHANNELS",
    "FAMILIES",
    "FAMILY_NAMES",
    "GOAL",
    "JUMP",
    "KINDS",
    "STAND",
    "VELOCITY",
    "TaskDistribution",
    "Tasks",
    "commanded_value",
    "controlled_value",
    "family_index",
    "make_tasks",
    "reward",
]
