"""Files that are either there and whole, or not there: hashes, durable writes, sealed JSON documents."""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np

from reinfer.runs.errors import ArtifactError, RunError


def file_sha256(path: Path) -> str:
    """SHA-256 (hex) of the bytes of one file, as the ``sha256sum`` program prints it."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_durably(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` and wait until the disk has it."""
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_file(path: Path) -> None:
    """Wait until the disk has the contents of ``path``."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Wait until the disk has the directory entries of ``path``."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, data: bytes) -> None:
    """Replace ``path`` at once: a reader or a crash sees the old bytes or the new, never a mixture."""
    staged = path.with_name(f".{path.name}.partial")
    write_durably(staged, data)
    os.replace(staged, path)
    sync_folder(path.parent)


def require_writable(path: Path) -> None:
    """Raise RunError if no file can be written at ``path``: to be asked before the work whose outcome it will hold."""
    folder = next(folder for folder in path.absolute().parents if folder.exists())
    if path.is_dir():
        raise RunError(f"{path} cannot be written: it is a folder")
    if not folder.is_dir():
        raise RunError(f"{path} cannot be written: {folder} is not a folder")
    if not os.access(folder, os.W_OK):
        raise RunError(f"{path} cannot be written: {folder} may not be written to")


def make_folder(folder: Path) -> None:
    """Make ``folder``, and those above it, if it is not there. Raises RunError if it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"folder {folder} cannot be made: {error.strerror}") from error


def stage_folder(path: Path) -> Path:
    """A new hidden folder beside ``path`` (same file system), to fill and give to ``commit_folder``."""
    staged = path.with_name(f".{path.name}.partial")
    if staged.exists():
        shutil.rmtree(staged)
    staged.mkdir(parents=True)
    return staged


def commit_folder(staged: Path, path: Path) -> None:
    """Rename the filled ``staged`` folder to ``path``, which must not exist or be empty."""
    sync_folder(staged)
    os.replace(staged, path)
    sync_folder(path.parent)


@contextlib.contextmanager
def hold(folder: Path):
    """Hold ``folder`` for this process. Raises RunError if another live process holds it."""
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunError(f"{folder} is being written by another process; stop it first") from error
        yield
    finally:
        os.close(descriptor)


def to_json(document: dict) -> bytes:
    """Readable JSON, keys sorted, NumPy values made plain. ValueError on NaN, TypeError on other objects."""
    text = json.dumps(document, indent=2, sort_keys=True, allow_nan=False, default=_plain)
    return (text + "\n").encode()


def seal(document: dict, kind: str, schema: int) -> bytes:
    """JSON bytes of ``document`` with its format, schema version and ``seal``, a SHA-256 of all the rest."""
    body = {**document, "format": f"reinfer-{kind}", "schema": schema}
    return to_json({**body, "seal": hashlib.sha256(to_json(body)).hexdigest()})


def unseal(path: Path, kind: str, schema: int) -> dict:
    """Read a document written with ``seal``, without its envelope.

    Raises ArtifactError if it is missing, foreign (not of this ``kind``), of another schema, or changed.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}") from error
    try:
        document = json.loads(data)
    except ValueError as error:
        raise ArtifactError(f"{path} is damaged: it is not JSON") from error
    if not isinstance(document, dict) or document.get("format") != f"reinfer-{kind}":
        raise ArtifactError(f"{path} is foreign or damaged: it is not a reinfer {kind}")
    if document.get("schema") != schema:
        raise ArtifactError(f"{path} has {kind} schema {document.get('schema')!r}; this reinfer reads schema {schema}")
    expected = document.pop("seal", None)
    try:
        actual = hashlib.sha256(to_json(document)).hexdigest()
    except ValueError:
        actual = None
    if expected is None or actual != expected:
        raise ArtifactError(f"{path} is damaged: its contents do not match its seal")
    return {key: value for key, value in document.items() if key not in ("format", "schema")}


def read_verified(path: Path, sha256: str) -> bytes:
    """The bytes of ``path``. Raises ArtifactError if it is missing or its SHA-256 is not ``sha256``."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ArtifactError(f"{path} is damaged: {len(data)} bytes that do not match the recorded SHA-256")
    return data


def _plain(value):
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{value!r} of type {type(value).__name__} cannot be written as JSON")
