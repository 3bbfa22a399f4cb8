"""Robots of a user's own: a Python file that defines exactly one ``Body``, beside the MJCF that it names.

The file is read anew every time, checked against ``bodies.contract``, and told from other versions of itself by the
SHA-256 of its bytes, of those of the MJCF and of every file that the MJCF names.
"""

import hashlib
import os
import sys
import traceback
import types
import xml.etree.ElementTree as ElementTree
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from reinfer.bodies.body import Body, Origin
from reinfer.bodies.contract import compiles, problems
from reinfer.bodies.planar import find_joints
from reinfer.runs.errors import ConfigError

SUFFIX = ".py"


class BodyError(ConfigError, ValueError):
    """A robot that is not known, or not as it must be."""


def load_body(path: str, ours: Collection[Body], taken: Collection[str]) -> Body:
    """The robot that the file at ``path`` defines, under its own timing.

    Args:
        ours: robots that do not count as defined by the file where it imports them.
        taken: names it must not have.
    Raises BodyError, led by the path, with the first thing that is wrong.
    """
    body = read_body(path, ours, taken)
    wrong = problems(body)
    if wrong:
        raise BodyError(f"{path}: {wrong[0]}")
    return body


def read_body(path: str, ours: Collection[Body], taken: Collection[str]) -> Body:
    """As ``load_body``, of a robot that need not keep the contract but whose files must be there."""
    try:
        source = Path(path).read_bytes()
    except OSError as error:
        raise BodyError(f"body: {path!r} cannot be read: {error.strerror}") from error
    found = [value for value in _run(path, source).values() if isinstance(value, Body)]
    found = list({id(value): value for value in found if not any(value is other for other in ours)}.values())
    if len(found) != 1:
        names = f" ({', '.join(body.name for body in found)})" if found else ""
        raise BodyError(f"body: {path} defines {len(found)} robots{names}; it must define exactly one Body")
    body = replace(found[0], origin=Origin(str(path)))
    if body.name in taken:
        raise BodyError(f"{path}: name: {body.name!r} is not allowed; it is one of reinfer's own: {', '.join(taken)}")
    for wrong in compiles(body):
        raise BodyError(f"{path}: {wrong}")
    find_joints.cache_clear()
    digests = {Path(path).name: hashlib.sha256(source).hexdigest()}
    for file in model_files(body.path()):
        digests[_relative(file, Path(path).parent)] = hashlib.sha256(file.read_bytes()).hexdigest()
    return replace(body, origin=Origin(str(path), tuple(sorted(digests.items()))))


def _run(path: str, source: bytes) -> dict:
    """The names that the file defines. Whatever goes wrong in it becomes a BodyError with the line."""
    # Not by import: that would leave a cache beside the file and might take an older version from it.
    module = types.ModuleType(f"reinfer_body_{Path(path).stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    try:
        exec(compile(source, path, "exec"), vars(module))
    except SyntaxError as error:
        raise BodyError(f"{path}, line {error.lineno}: {error.msg}") from error
    # A file that leaves by sys.exit would take reinfer with it, without a word.
    except (Exception, SystemExit) as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
        raise BodyError(f"{path}, line {lines[-1] if lines else '?'}: {type(error).__name__}: {error}") from error
    return vars(module)


def model_files(xml: Path) -> list[Path]:
    """The MJCF at ``xml`` and all files that it names, by ``include`` or as meshes, textures, height fields."""
    trees, waiting = {}, [xml]
    while waiting:
        file = waiting.pop()
        if file not in trees:
            trees[file] = ElementTree.parse(file)
            waiting += [xml.parent / element.get("file") for element in trees[file].iter("include")]
    elements = [element for tree in trees.values() for element in tree.iter()]
    # Which of the folders a file lies in depends on its kind; all are tried, since one file too many does no harm.
    folders = {"", *(element.get(key, "") for element in elements for key in ("meshdir", "texturedir", "assetdir"))}
    names = [element.get("file") for element in elements if element.get("file")]
    assets = {xml.parent / folder / name for name in names for folder in folders}
    return [*trees, *sorted(asset for asset in assets - set(trees) if asset.is_file())]


def _relative(file: Path, folder: Path) -> str:
    """``file`` as seen from ``folder``, whatever way it was named."""
    return Path(os.path.relpath(file.resolve(), folder.resolve())).as_posix()
