"""Task families: the vocabulary in which every body, toy or robot, is told what to do.

A family fixes *which channel* of the shared task-space state is rewarded and the *sign* of its target. The first
four families, in this order, are the classes of the published toy (velocity_forward 0 ... goal_backward 3).
"""

from dataclasses import dataclass

import numpy as np

#: Task-space state of every body: position (m), height (m), pitch (rad) and their rates (m/s, m/s, rad/s).
CHANNELS = ("x", "z", "pitch", "vx", "vz", "pitch_rate")

#: Kinds of task, and of low-level command. ``GOAL`` etc. are their indices.
KINDS = ("goal", "velocity", "stand", "jump")
GOAL, VELOCITY, STAND, JUMP = range(len(KINDS))

_KIND_CHANNEL = {"goal": "x", "velocity": "vx", "stand": "pitch", "jump": "vz"}


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
)
FAMILY_NAMES = tuple(family.name for family in FAMILIES)

#: Per family: index of its kind, sign of its targets, and one-hot row over ``CHANNELS``. Shapes (F,), (F,), (F, 6).
FAMILY_KIND = np.array([KINDS.index(family.kind) for family in FAMILIES], np.int32)
FAMILY_SIGN = np.array([family.sign for family in FAMILIES], np.float32)
FAMILY_CHANNEL = np.array([[c == family.channel for c in CHANNELS] for family in FAMILIES], np.float32)

#: Per kind: one-hot row over ``CHANNELS``, shape (4, 6).
KIND_CHANNEL = np.array([[c == _KIND_CHANNEL[kind] for c in CHANNELS] for kind in KINDS], np.float32)

#: The mirror x -> -x. Sign that each of ``CHANNELS`` takes on, (6,), and the family that each becomes, (F,).
CHANNEL_MIRROR = np.array([{"z": 1.0, "vz": 1.0}.get(channel, -1.0) for channel in CHANNELS], np.float32)
_MIRROR_IMAGE = {(family.kind, family.sign): index for index, family in enumerate(FAMILIES)}
FAMILY_MIRROR = np.array(
    [_MIRROR_IMAGE.get((family.kind, -family.sign), index) for index, family in enumerate(FAMILIES)], np.int32
)


def family_index(name: str) -> int:
    """Index of family ``name`` in ``FAMILIES``. Raises ValueError naming the allowed families."""
    if name not in FAMILY_NAMES:
        raise ValueError(f"family: {name!r} is not known; allowed: {', '.join(FAMILY_NAMES)}")
    return FAMILY_NAMES.index(name)
