"""Task families: the vocabulary in which every body, toy or robot, is told what to do.

A family fixes *which channel* of the shared task-space state is rewarded and the *sign* of its target. The first
four families, in this order, are the classes of the published toy (velocity_forward 0 ... goal_backward 3).
"""

from dataclasses import dataclass

import numpy as np

#: Channels of task-space states: position (m), height (m), pitch (rad), their rates (m/s, m/s, rad/s), and the position
#: to the left of the x axis with its rate (m, m/s).
CHANNELS = ("x", "z", "pitch", "vx", "vz", "pitch_rate", "y", "vy")

#: What bodies whose tasks lie in the x-z plane have of them: states (..., 6) end here; y and vy count as zero.
PLANE_CHANNELS = CHANNELS[:6]

#: Kinds of task; the lateral ones are along y. ``GOAL`` etc. are their indices.
KINDS = ("goal", "velocity", "stand", "jump", "lateral_goal", "lateral_velocity")
GOAL, VELOCITY, STAND, JUMP, LATERAL_GOAL, LATERAL_VELOCITY = range(len(KINDS))

_KIND_CHANNEL = dict(zip(KINDS, ("x", "vx", "pitch", "vz", "y", "vy"), strict=True))


@dataclass(frozen=True, slots=True)
class Family:
    """One task family: reach ``sign * magnitude`` on the channel of ``kind``."""

    name: str
    kind: str
    sign: int

    @property
    def channel(self) -> str:
        """Name of the task-space channel that the reward looks at."""
        return _KIND_CHANNEL[self.kind]


FAMILIES = (
    Family("velocity_forward", "velocity", +1),
    Family("velocity_backward", "velocity", -1),
    Family("goal_forward", "goal", +1),
    Family("goal_backward", "goal", -1),
    Family("stand_front", "stand", +1),
    Family("stand_back", "stand", -1),
    Family("jump", "jump", +1),
    Family("velocity_left", "lateral_velocity", +1),
    Family("velocity_right", "lateral_velocity", -1),
    Family("goal_left", "lateral_goal", +1),
    Family("goal_right", "lateral_goal", -1),
)
FAMILY_NAMES = tuple(family.name for family in FAMILIES)

#: Per kind: index of its channel, (K,), and one-hot row over ``CHANNELS``, (K, 8).
KIND_COLUMN = np.array([CHANNELS.index(channel) for channel in _KIND_CHANNEL.values()])
KIND_CHANNEL = np.eye(len(CHANNELS), dtype=np.float32)[KIND_COLUMN]

#: Which of ``PLANE_CHANNELS`` are speeds, (6,) bool.
IS_SPEED = np.array([channel in ("vx", "vz", "pitch_rate") for channel in PLANE_CHANNELS])

#: Per family: index of its kind, sign of its targets, and one-hot row over ``CHANNELS``. Shapes (F,), (F,), (F, 8).
FAMILY_KIND = np.array([KINDS.index(family.kind) for family in FAMILIES], np.int32)
FAMILY_SIGN = np.array([family.sign for family in FAMILIES], np.float32)
FAMILY_CHANNEL = KIND_CHANNEL[FAMILY_KIND]

#: The mirror x -> -x. Sign that each of ``CHANNELS`` takes on, (8,), and the family that each becomes, (F,).
CHANNEL_MIRROR = np.array(
    [-1.0 if channel in ("x", "pitch", "vx", "pitch_rate") else 1.0 for channel in CHANNELS], np.float32
)
_INDEX = {(family.kind, family.sign): index for index, family in enumerate(FAMILIES)}
FAMILY_MIRROR = np.array(
    [_INDEX[f.kind, f.sign * int(CHANNEL_MIRROR[CHANNELS.index(f.channel)])] for f in FAMILIES], np.int32
)


def family_index(name: str) -> int:
    """Index of family ``name`` in ``FAMILIES``. Raises ValueError naming the allowed families."""
    if name not in FAMILY_NAMES:
        raise ValueError(f"family: {name!r} is not known; allowed: {', '.join(FAMILY_NAMES)}")
    return FAMILY_NAMES.index(name)
