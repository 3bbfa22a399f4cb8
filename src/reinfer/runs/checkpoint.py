"""Checkpoints: folders ``checkpoints/000012000`` that are whole or absent, verified before they are used.

Written beside their final place, synced to disk, sealed by a manifest with the SHA-256 of the weights,
committed by one rename; then the pointer ``latest`` follows and all but the last two are removed.
"""

import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.numpy

from reinfer.runs import trees
from reinfer.runs.errors import ArtifactError, RunError
from reinfer.runs.files import (
    commit_folder,
    file_sha256,
    replace_file,
    seal,
    stage_folder,
    sync_file,
    unseal,
    write_durably,
)

SCHEMA = 1
KEEP = 2
STATE_FILE = "state.safetensors"
MANIFEST_FILE = "manifest.json"
_KEYS = {"iteration", "config_sha256", "leaves", "extra", "files"}

_log = logging.getLogger("reinfer")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A verified checkpoint: the state after ``iteration`` iterations, and what the loop noted beside it."""

    path: Path
    iteration: int
    leaves: dict[str, str]
    extra: dict


def save(run, iteration: int, state, extra: dict) -> None:
    """Commit ``state`` after ``iteration`` iterations as the newest checkpoint of ``run``.

    Raises NonFiniteError naming stage, iteration and leaf before anything is written; RunError if the disk
    refuses.
    """
    leaves, arrays = trees.signature(state), trees.to_host(state)
    trees.require_finite(arrays, f"stage {run.stage!r}, iteration {iteration}")
    path = run.checkpoints / f"{iteration:09d}"
    try:
        staged = stage_folder(path)
        safetensors.numpy.save_file(arrays, staged / STATE_FILE)
        sync_file(staged / STATE_FILE)
        manifest = {
            "iteration": iteration,
            "config_sha256": run.manifest()["config_sha256"],
            "leaves": leaves,
            "extra": extra,
            "files": {STATE_FILE: file_sha256(staged / STATE_FILE)},
        }
        write_durably(staged / MANIFEST_FILE, seal(manifest, "checkpoint", SCHEMA))
        commit_folder(staged, path)
        replace_file(run.checkpoints / "latest", f"{path.name}\n".encode())
        for old in _committed(run)[KEEP:]:
            shutil.rmtree(old)
    except (OSError, safetensors.SafetensorError) as error:
        raise RunError(f"checkpoint {path} cannot be written: {error}") from error


def latest(run) -> Checkpoint | None:
    """The newest whole checkpoint of ``run``, or None if none was ever committed.

    Each damaged one is named in a warning and passed over. Raises ArtifactError if there are checkpoints and
    all are damaged. Changes nothing on disk.
    """
    committed = _committed(run)
    damage = []
    pointer = run.checkpoints / "latest"
    if pointer.exists():
        name = pointer.read_bytes().decode("ascii", "replace").strip()
        if not (run.checkpoints / name / MANIFEST_FILE).is_file():
            damage.append(f"{pointer} names {name!r}, which is not there")
    for path in committed:
        try:
            checkpoint = _verify(path, run)
        except ArtifactError as error:
            damage.append(str(error))
            continue
        for problem in damage:
            _log.warning("%s; using the checkpoint of iteration %d", problem, checkpoint.iteration)
        return checkpoint
    if damage:
        raise ArtifactError(f"no whole checkpoint is left in {run.checkpoints}: {'; '.join(damage)}")
    return None


def restore(checkpoint: Checkpoint, template_state):
    """The state in ``checkpoint``, formed like ``template_state`` (its values do not matter).

    Raises ArtifactError naming the first leaf that is missing, unexpected, or of another dtype or shape.
    """
    arrays = safetensors.numpy.load_file(checkpoint.path / STATE_FILE)
    return trees.from_host(arrays, checkpoint.leaves, template_state, f"checkpoint {checkpoint.path}")


def set_aside_newer(run, iteration: int) -> None:
    """Rename checkpoints after ``iteration``, which are damaged, to ``damaged-...``: kept, not counted."""
    for path in _committed(run):
        if int(path.name) > iteration:
            grave = path.with_name(f"damaged-{path.name}")
            if grave.exists():
                shutil.rmtree(grave)
            os.replace(path, grave)


def _committed(run) -> list[Path]:
    """Checkpoint folders, newest first."""
    if not run.checkpoints.is_dir():
        return []
    return sorted((path for path in run.checkpoints.iterdir() if path.name.isdigit()), reverse=True)


def _verify(path: Path, run) -> Checkpoint:
    manifest = unseal(path / MANIFEST_FILE, "checkpoint", SCHEMA)
    if manifest.keys() != _KEYS or manifest["iteration"] != int(path.name):
        raise ArtifactError(f"{path / MANIFEST_FILE} is damaged: it is not the manifest of {path.name}")
    if manifest["config_sha256"] != run.manifest()["config_sha256"]:
        raise ArtifactError(f"{path} is foreign: it belongs to a run with another config")
    for name, sha256 in manifest["files"].items():
        try:
            actual = file_sha256(path / name)
        except OSError as error:
            raise ArtifactError(f"{path / name} cannot be read: {error.strerror}") from error
        if actual != sha256:
            raise ArtifactError(f"{path / name} is damaged: its SHA-256 is not the recorded one")
    return Checkpoint(path, manifest["iteration"], manifest["leaves"], manifest["extra"])
