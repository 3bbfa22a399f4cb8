"""What a sweep or one program goes over: ``NAME=VALUE,VALUE``, ``NAME=FIRST..LAST``, ``NAME+NAME=VALUE+VALUE,...``."""

import hashlib
import itertools
import re
from typing import NamedTuple

from reinfer.runs.errors import ConfigError

_FORM = "it must be NAME=VALUE,VALUE or NAME=FIRST..LAST, e.g. encoder=gru,mlp or seed=0..4"
_LONGEST_NAME = 100
_RANGE = re.compile(r"(-?\d+)\.\.(-?\d+)")


class Axis(NamedTuple):
    """Settings that change together, and what they become: each point has one text per name."""

    names: tuple[str, ...]
    points: tuple[tuple[str, ...], ...]


def parse_axis(text: str) -> Axis:
    """The axis that ``text`` describes. Raises ConfigError naming it on an empty list or any other mistake."""
    head, equals, tail = text.partition("=")
    names = tuple(name.strip().removeprefix("--").replace("-", "_") for name in head.split("+"))
    if not equals or not all(re.fullmatch(r"[A-Za-z][\w.]*", name) for name in names):
        raise ConfigError(f"over: {text!r} is not allowed; {_FORM}")
    if not tail.strip():
        raise ConfigError(f"over: {text!r} has no values; {_FORM}")
    points = []
    for value in tail.split(","):
        found = _RANGE.fullmatch(value.strip())
        if found and int(found[1]) > int(found[2]):
            raise ConfigError(f"over: {text!r}: {value.strip()!r} is empty; FIRST must be at most LAST")
        values = map(str, range(int(found[1]), int(found[2]) + 1)) if found else [value]
        points += [_point(text, names, value) for value in values]
    for point, count in ((point, points.count(point)) for point in points):
        if count > 1:
            raise ConfigError(f"over: {text!r} has {'+'.join(point)!r} more than once")
    return Axis(names, tuple(points))


def _point(text: str, names: tuple[str, ...], value: str) -> tuple[str, ...]:
    point = tuple(part.strip() for part in (value.split("+") if len(names) > 1 else [value]))
    if not all(point):
        raise ConfigError(f"over: {text!r} has an empty value; {_FORM}")
    if len(point) != len(names):
        raise ConfigError(f"over: {text!r}: {value!r} has {len(point)} values for {len(names)} names joined by +")
    return point


def parse_axes(texts: tuple[str, ...]) -> tuple[Axis, ...]:
    """All axes of a sweep. Raises ConfigError if there are none, or a setting is on two of them."""
    axes = tuple(parse_axis(text) for text in texts)
    names = [name for axis in axes for name in axis.names]
    if not names:
        raise ConfigError(f"over: nothing is named to go over; {_FORM}")
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"over: {name} is named more than once")
    return axes


def combinations(axes: tuple[Axis, ...]) -> list[dict[str, str]]:
    """Every combination of points, as name -> text; the last axis changes fastest."""
    found = []
    for points in itertools.product(*(axis.points for axis in axes)):
        pairs = [pair for axis, point in zip(axes, points, strict=True) for pair in zip(axis.names, point, strict=True)]
        found.append(dict(pairs))
    return found


def folder_name(settings: dict[str, str]) -> str:
    """A name for a folder; where it cannot tell all of ``settings``, their hash does."""
    told = "_".join(f"{name}-{text}" for name, text in settings.items())
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", told)
    if name == told and len(name) <= _LONGEST_NAME:
        return name
    return f"{name[:_LONGEST_NAME]}-{hashlib.sha256(told.encode()).hexdigest()[:6]}"
