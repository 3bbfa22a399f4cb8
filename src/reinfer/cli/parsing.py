"""Command-line options from dataclasses (tyro), with every mistake reported as one line."""

import contextlib
import dataclasses
import io
import re
import sys
import typing

import tyro

from reinfer.runs.config import nearest
from reinfer.runs.errors import ConfigError

#: Frames as tyro draws them, with and without UTF-8.
_FRAME = re.compile("[╭╮╰╯│─]+|-{4,}")


def parse(options, prog: str, arguments: list[str], default=None):
    """An instance of the dataclass ``options`` from ``arguments``; ``--help`` prints and exits with code 0.

    Args:
        options: dataclass type; nested dataclass fields become ``--field.option``, fields annotated
            ``Annotated[T, tyro.conf.arg(name="")]`` keep the names of their own fields.
        prog: the command as the user typed it, e.g. ``reinfer train toy``.
        default: instance whose values hold for absent options.
    Raises ConfigError naming the option and what is allowed.
    """
    require_known(arguments, flags(options))
    errors = io.StringIO()
    chosen = {} if default is None else {"default": default}
    try:
        with contextlib.redirect_stderr(errors):
            return tyro.cli(options, prog=prog, args=arguments, **chosen)
    except SystemExit as leaving:
        if leaving.code in (0, None):
            sys.stderr.write(errors.getvalue())
            raise
        raise ConfigError(f"{_one_line(errors.getvalue())}; see {prog} --help") from None


def flags(options, prefix: str = "") -> list[str]:
    """Every ``--flag`` of the dataclass ``options``, as the user types it."""
    found = []
    for field in dataclasses.fields(options):
        kind, *marks = _unwrapped(typing.get_type_hints(options, include_extras=True)[field.name])
        if tyro.conf.Positional in marks:
            continue
        name = prefix + field.name.replace("_", "-")
        if dataclasses.is_dataclass(kind):
            bare = any(getattr(mark, "name", None) == "" for mark in marks)
            found += flags(kind, prefix=prefix if bare else f"{name}.")
            continue
        found.append(f"--{name}")
        if kind is bool:
            stem, dot, leaf = name.rpartition(".")
            found.append(f"--{stem}{dot}no-{leaf}")
    return found


def require_known(arguments: list[str], known: list[str]) -> None:
    """Raise ConfigError naming the first ``--flag`` not in ``known``, and the nearest one that is."""
    for argument in arguments:
        flag = argument.partition("=")[0].replace("_", "-")
        if flag.startswith("--") and flag not in known and flag not in ("--help", "--"):
            raise ConfigError(f"unknown option {argument.partition('=')[0]!r}; {nearest(flag, known)}")


def _unwrapped(hint) -> tuple:
    """A type and the marks of its ``Annotated`` wrapper, if it has one."""
    if typing.get_origin(hint) is typing.Annotated:
        return typing.get_args(hint)
    return (hint,)


def _one_line(message: str) -> str:
    """tyro's framed message without its frame and its pointers to the help."""
    lines = [_FRAME.sub(" ", line).strip() for line in message.splitlines()[1:]]
    text = " ".join(line for line in lines if line).partition("For full helptext")[0].strip()
    return text.replace("Argument helptext:", "; the option is").replace(" ;", ";")
