"""The one configuration system: frozen, slotted dataclasses with help and bounds per field.

Fields may be bool, int, float, str, ``Literal``, tuples of these, any of these or ``None``, or one level of
nested config.
"""

import dataclasses
import difflib
import hashlib
import json
import math
import tomllib
import types
import typing
from pathlib import Path

from reinfer.runs.errors import ConfigError

#: The highest number that a seed may have.
HIGHEST_SEED = 2**32 - 1

_PLAIN = {bool: "true or false", int: "an integer", float: "a number", str: "text"}


def setting(default, help: str, *, low=None, high=None, choices=None, fewest: int = 0):
    """A config field: its default, a help sentence and the values it allows (inclusive bounds or a list).

    Of a tuple, these are allowed for each of its values, of which there must be at least ``fewest``.
    """
    allowed = _allowed(low, high, choices)
    text = f"{help} ({allowed})" if allowed else help
    metadata = {"help": text, "low": low, "high": high, "choices": choices, "fewest": fewest}
    return dataclasses.field(default=default, metadata=metadata)


def seed_setting(help: str):
    """A config field for a seed, by default 0."""
    return setting(0, help, low=0, high=HIGHEST_SEED)


def validate(config):
    """Return ``config`` unchanged if every field is of its type, finite, within bounds and among its choices.

    Raises ConfigError naming the field, its value and what is allowed.
    """
    _check(config, "")
    return config


def to_dict(config) -> dict:
    """Plain nested dict of ``config``, ready for JSON or TOML: lists, not tuples; floats where so typed."""
    types_by_name = typing.get_type_hints(type(config))
    return {name: _plain(getattr(config, name), kind, name) for name, kind in types_by_name.items()}


def from_dict(cls, mapping: dict, source: str = "config"):
    """The config of type ``cls`` described by ``mapping``; absent keys take the class's defaults.

    Raises ConfigError, led by ``source``, on an unknown key (with the nearest valid name) or a bad value.
    """
    return _merge(cls(), mapping, source, "")


def load(cls, default, path: Path | None):
    """``default``, an instance of ``cls``, overridden by the TOML file at ``path``, if any; strict."""
    if path is None:
        return validate(default)
    if not isinstance(default, cls):
        raise TypeError(f"default must be a {cls.__name__}")
    return _merge(default, read_toml(path), str(path), "")


def read_toml(path: Path) -> dict:
    """The settings in the TOML file at ``path``. Raises ConfigError if it cannot be read or is not valid."""
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigError(f"config file {path} cannot be read: {reason}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"config file {path} is not valid TOML: {error}") from error


def digest(config) -> str:
    """SHA-256 (hex) of the canonical JSON form of ``config``: equal settings have equal digests."""
    canonical = json.dumps(to_dict(config), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def differences(old: dict, new: dict, prefix: str = "") -> list[str]:
    """One ``key: old -> new`` line per setting that differs between two dicts made by ``to_dict``."""
    lines = []
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            lines += differences(before, after, f"{prefix}{key}.")
        elif before != after:
            lines.append(f"{prefix}{key}: {before!r} -> {after!r}")
    return lines


def nearest(name: str, valid) -> str:
    """A hint for an unknown ``name``: the most similar of ``valid``, and all of them."""
    valid = list(valid)
    close = difflib.get_close_matches(name, valid, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}allowed: {', '.join(valid)}"


def _allowed(low, high, choices) -> str:
    if choices is not None:
        return "one of " + ", ".join(str(choice) for choice in choices)
    if low is not None and high is not None:
        return f"between {low} and {high}"
    if low is not None:
        return f"at least {low}"
    return f"at most {high}" if high is not None else ""


def _describe(kind) -> str:
    """What a value of type ``kind`` is, in words."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind is types.NoneType:
        return "nothing"
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return "one of " + ", ".join(str(choice) for choice in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_describe(argument) for argument in arguments)
    if origin is tuple:
        if arguments[-1] is Ellipsis:
            return f"a list of which each is {_describe(arguments[0])}"
        return f"a list of {len(arguments)} values"
    if dataclasses.is_dataclass(kind):
        return "a table of settings"
    raise TypeError(f"{kind!r} is not a type that a config field may have")


def _coerce(value, kind, name: str):
    """``value`` as ``kind`` wants it (int -> float, list -> tuple). Raises ConfigError if it does not fit."""
    wrong = ConfigError(f"{name}: {value!r} is not allowed; it must be {_describe(kind)}")
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        for argument in arguments:
            try:
                return _coerce(value, argument, name)
            except ConfigError:
                continue
        raise wrong
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise wrong
        kinds = (arguments[0],) * len(value) if arguments[-1] is Ellipsis else arguments
        if len(kinds) != len(value):
            raise wrong
        return tuple(_coerce(v, k, f"{name}[{i}]") for i, (v, k) in enumerate(zip(value, kinds, strict=True)))
    if origin is typing.Literal:
        fits = any(value == choice and type(value) is type(choice) for choice in arguments)
    elif kind is types.NoneType:
        fits = value is None
    elif kind is float:
        fits = isinstance(value, int | float) and not isinstance(value, bool)
        value = float(value) if fits else value
    elif kind is int:
        fits = isinstance(value, int) and not isinstance(value, bool)
    else:
        fits = isinstance(value, kind)
    if not fits:
        raise wrong
    return value


def _check(config, prefix: str) -> None:
    types_by_name = typing.get_type_hints(type(config))
    for field in dataclasses.fields(config):
        name = prefix + field.name
        value = _coerce(getattr(config, field.name), types_by_name[field.name], name)
        if dataclasses.is_dataclass(value):
            _check(value, f"{name}.")
            continue
        low, high, choices = (field.metadata.get(key) for key in ("low", "high", "choices"))
        fewest = field.metadata.get("fewest", 0)
        if isinstance(value, tuple) and len(value) < fewest:
            values = "value" if fewest == 1 else "values"
            raise ConfigError(f"{name}: {value!r} is not allowed; it must have at least {fewest} {values}")
        for item in value if isinstance(value, tuple) else (value,):
            outside = choices is not None and item not in choices
            if isinstance(item, int | float) and not isinstance(item, bool):
                if not math.isfinite(item):
                    raise ConfigError(f"{name}: {value!r} is not allowed; it must be finite")
                outside |= (low is not None and item < low) or (high is not None and item > high)
            if outside:
                raise ConfigError(f"{name}: {item!r} is not allowed; it must be {_allowed(low, high, choices)}")


def _plain(value, kind, name: str):
    if dataclasses.is_dataclass(value):
        return to_dict(value)
    return _as_lists(_coerce(value, kind, name))


def _as_lists(value):
    return [_as_lists(item) for item in value] if isinstance(value, tuple) else value


def _merge(base, mapping: dict, source: str, prefix: str):
    """``base`` with the entries of ``mapping`` in place of its own, validated."""
    types_by_name = typing.get_type_hints(type(base))
    values = {}
    for key, value in mapping.items():
        if key not in types_by_name:
            raise ConfigError(f"{source}: unknown key {prefix + key!r}; {nearest(key, types_by_name)}")
        current = getattr(base, key)
        if dataclasses.is_dataclass(current):
            if not isinstance(value, dict):
                raise ConfigError(f"{source}: {prefix}{key}: {value!r} is not allowed; it must be a table of settings")
            values[key] = _merge(current, value, source, f"{prefix}{key}.")
            continue
        try:
            values[key] = _coerce(value, types_by_name[key], prefix + key)
        except ConfigError as error:
            raise ConfigError(f"{source}: {error}") from error
    try:
        merged = dataclasses.replace(base, **values)
        _check(merged, prefix)
    except (ConfigError, ValueError) as error:
        raise ConfigError(f"{source}: {error}") from error
    return merged
