"""Task families, tasks as values, and the one definition of reward."""

from reinfer.tasks.distribution import TaskDistribution, Tasks, make_tasks
from reinfer.tasks.families import (
    CHANNELS,
    FAMILIES,
    FAMILY_NAMES,
    GOAL,
    JUMP,
    KINDS,
    LATERAL_GOAL,
    LATERAL_VELOCITY,
    PLANE_CHANNELS,
    STAND,
    VELOCITY,
    family_index,
)
from reinfer.tasks.rewards import commanded_value, controlled_value, distance_reward, reward
from reinfer.tasks.schedules import Schedule, make_schedule

__all__ = [
    "CHANNELS",
    "FAMILIES",
    "FAMILY_NAMES",
    "GOAL",
    "JUMP",
    "KINDS",
    "LATERAL_GOAL",
    "LATERAL_VELOCITY",
    "PLANE_CHANNELS",
    "STAND",
    "VELOCITY",
    "Schedule",
    "TaskDistribution",
    "Tasks",
    "commanded_value",
    "controlled_value",
    "distance_reward",
    "family_index",
    "make_schedule",
    "make_tasks",
    "reward",
]
