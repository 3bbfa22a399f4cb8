"""Commands to a low-level policy: what the higher level may ask of a body, and how a network is told.

A command is a kind and an absolute task-space target. A network sees it *relative* to the body, so that
nothing it learns depends on where on the line it stands.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from reinfer.bodies import CommandRange
from reinfer.tasks import GOAL, JUMP, KINDS, STAND, VELOCITY, commanded_value
from reinfer.tasks.families import CHANNEL_MIRROR, KIND_COLUMN
from reinfer.tasks.mirror import Mirror, fixed, joined, signed

#: Kinds of command, by name: those along x.
COMMAND_KINDS = KINDS[:4]

#: Features per kind: coarse and fine views of the command, and the error at the finest scale.
_VIEWS = 3

#: Scale of the fine view and of the finest, per kind, in the unit of its channel.
_FINE = {GOAL: 0.5, VELOCITY: 0.5, STAND: 0.5, JUMP: 1.0}
_FINEST = {GOAL: 0.1, VELOCITY: 0.5, STAND: 0.1, JUMP: 1.0}


class Commands(NamedTuple):
    """One command per simulation, leaves (N,): ``kind`` (index into ``tasks.KINDS``) and ABSOLUTE ``target``.

    Targets: x in m, vx in m/s, pitch in rad, or |vz| in m/s.
    """

    kind: np.ndarray
    target: np.ndarray


def trained_kinds(ranges: CommandRange) -> tuple[int, ...]:
    """Kinds of command (indices into ``KINDS``) that ``ranges`` covers, ascending."""
    optional = ((STAND, ranges.stand_rad), (JUMP, ranges.jump_mps))
    return (GOAL, VELOCITY, *(kind for kind, limits in optional if limits is not None))


def restrict(ranges: CommandRange, kinds) -> CommandRange:
    """``ranges`` without the stands and jumps, unless ``kinds`` (names) has them.

    Raises ValueError where ``kinds`` lacks goals or velocities, which every policy must know, or has a kind
    that ``ranges`` does not cover.
    """
    known = [KINDS[kind] for kind in trained_kinds(ranges)]
    if not {"goal", "velocity"} <= set(kinds) <= set(known):
        raise ValueError(f"kinds: {tuple(kinds)} must have goal and velocity, and may have {', '.join(known[2:])}")
    return replace(
        ranges,
        stand_rad=ranges.stand_rad if "stand" in kinds else None,
        jump_mps=ranges.jump_mps if "jump" in kinds else None,
    )


def promised(commands: CommandRange, ranges: CommandRange) -> CommandRange:
    """What is promised of a body with ``commands`` under a policy with ``ranges``: no kind it has not learned, and no
    higher speed, though a policy may know some as a reserve."""
    return restrict(commands, [KINDS[kind] for kind in trained_kinds(ranges)])


def largest_target(kind: int, ranges: CommandRange) -> float:
    """Largest magnitude trained for ``kind``: distance (m), speed (m/s), pitch (rad) or |vz| (m/s)."""
    return {
        GOAL: ranges.goal_m,
        VELOCITY: ranges.speed_mps[1],
        STAND: ranges.stand_rad and ranges.stand_rad[1],
        JUMP: ranges.jump_mps and ranges.jump_mps[1],
    }[kind]


def clamp_commands(commands: Commands, task_state, ranges: CommandRange) -> Commands:
    """The nearest commands that a policy with ``ranges`` was trained for.

    Goals are moved to within ``goal_m`` of the present x; speeds, pitches and jumps are cut to their largest
    trained magnitude. Magnitudes *below* the smallest trained target are kept: policies are trained down to
    zero, the lower end of a range only says where accuracy is promised.

    Args:
        commands: leaves of shape (N,).
        task_state: task-space states (N, 6).
    Raises ValueError on a kind that ``ranges`` does not cover.
    """
    return _clamped(_checked(commands, ranges), task_state, ranges)


def _checked(commands: Commands, ranges: CommandRange) -> Commands:
    """``commands`` as NumPy arrays. Raises ValueError on a kind that ``ranges`` does not cover."""
    kind, target = np.asarray(commands.kind), np.asarray(commands.target, np.float64)
    known = trained_kinds(ranges)
    if not np.isin(kind, known).all():
        bad = int(kind[~np.isin(kind, known)].flat[0])
        name = KINDS[bad] if 0 <= bad < len(KINDS) else bad
        raise ValueError(f"kind: {name!r} is not a trained command; allowed: {', '.join(KINDS[k] for k in known)}")
    return Commands(kind, target)


def _clamped(commands: Commands, task_state, ranges: CommandRange) -> Commands:
    """``clamp_commands`` of kinds that are known to be trained."""
    kind, target = commands
    xp, clamped = target.__array_namespace__(), target
    for index in trained_kinds(ranges):
        limit = largest_target(index, ranges)
        origin = task_state[..., 0] if index == GOAL else 0.0
        low = 0.0 if index == JUMP else origin - limit
        clamped = xp.where(kind == index, xp.clip(target, low, origin + limit), clamped)
    return Commands(kind, clamped)


def feature_size(ranges: CommandRange) -> int:
    """Length of a row of ``command_features``."""
    return len(trained_kinds(ranges)) * (1 + _VIEWS)


def feature_mirror(ranges: CommandRange) -> Mirror:
    """How the mirror x -> -x acts on a row of ``command_features``."""
    kinds = trained_kinds(ranges)
    signs = [np.full(_VIEWS, CHANNEL_MIRROR[KIND_COLUMN[kind]]) for kind in kinds]
    return joined(fixed(len(kinds)), *map(signed, signs))


def command_features(task_state, commands: Commands, ranges: CommandRange) -> np.ndarray:
    """What a network is told of its command: (N, ``feature_size(ranges)``), float32, entries in [-1, 1].

    One-hot kind, then per kind (zero unless it is commanded) a coarse view, a fine view, and the error at the
    finest scale. For a goal or a pitch all three views are of ``target - value``; for speeds the first two
    are of the target and only the error is relative. Absolute x cancels: shifting body and goal alike
    changes nothing. Raises ValueError on a kind that ``ranges`` does not cover.
    """
    return trained_features(np.asarray(task_state), _checked(commands, ranges), ranges)


def trained_features(task_state, commands: Commands, ranges: CommandRange):
    """As ``command_features``, of NumPy or JAX arrays and of kinds that are known to be trained."""
    xp = task_state.__array_namespace__()
    kind, target = _clamped(commands, task_state, ranges)
    error = target - commanded_value(kind, task_state)
    flags, views = [], []
    for index in trained_kinds(ranges):
        is_kind = kind == index
        asked = error if index in (GOAL, STAND) else target
        view = (asked / largest_target(index, ranges), asked / _FINE[index], error / _FINEST[index])
        flags.append(is_kind[..., None])
        views.append(xp.where(is_kind[..., None], xp.clip(xp.stack(view, axis=-1), -1.0, 1.0), 0.0))
    return xp.concatenate(flags + views, axis=-1).astype(xp.float32)
