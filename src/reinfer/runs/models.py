"""Reusable models: folders with ``model.safetensors`` (arrays) and ``model.json`` (everything else).

Both files depend only on what is saved, so identical training gives identical bytes. In the latter,
``sha256`` is that of ``model.safetensors`` and ``seal`` covers everything else.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from reinfer.runs.errors import ArtifactError, NonFiniteError
from reinfer.runs.files import (
    commit_folder,
    file_sha256,
    read_verified,
    seal,
    stage_folder,
    unseal,
    write_durably,
)

SCHEMA = 1
WEIGHTS_FILE = "model.safetensors"
DESCRIPTION_FILE = "model.json"
_KEYS = {"kind", "config", "metrics", "provenance", "sha256"}


@dataclass(frozen=True, slots=True)
class Model:
    """A loaded model: named NumPy arrays and their story; ``sha256`` is that of the safetensors file."""

    kind: str
    arrays: dict[str, np.ndarray]
    config: dict
    metrics: dict
    provenance: dict
    sha256: str
    folder: Path

    def parent(self, role: str) -> dict:
        """The entry for ``Stage.parents()`` of a run built from this model."""
        return {"role": role, "path": str(self.folder), "sha256": self.sha256}


def save_model(folder, *, kind: str, arrays: dict[str, np.ndarray], config: dict, metrics: dict, provenance: dict):
    """Write a model to ``folder``, all at once.

    Raises ArtifactError if ``folder`` exists and is not empty (nothing is overwritten) or if config, metrics
    or provenance are not plain JSON; NonFiniteError naming an array that holds NaN or infinity.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ArtifactError(f"{folder} already exists and is not empty; nothing was overwritten")
    host = {}
    for name, array in arrays.items():
        host[name] = np.array(array, order="C")
        if not np.isfinite(host[name]).all():
            raise NonFiniteError(f"model {kind!r}: array {name!r} is not finite; it was not saved")
    staged = stage_folder(folder)
    write_durably(staged / WEIGHTS_FILE, safetensors.numpy.save(host))
    description = {
        "kind": kind,
        "config": config,
        "metrics": metrics,
        "provenance": provenance,
        "sha256": file_sha256(staged / WEIGHTS_FILE),
    }
    try:
        sealed = seal(description, "model", SCHEMA)
    except (TypeError, ValueError) as error:
        raise ArtifactError(f"model {kind!r}: its description cannot be written: {error}") from error
    write_durably(staged / DESCRIPTION_FILE, sealed)
    commit_folder(staged, folder)


def load_model(folder, kind: str | None = None) -> Model:
    """Read and verify the model in ``folder``; with ``kind``, refuse any other kind.

    Raises ArtifactError if it is missing, foreign, damaged, of another kind or of another schema.
    """
    folder = Path(folder)
    if not (folder / DESCRIPTION_FILE).is_file():
        parts = sorted(str(path.parent) for path in folder.glob(f"*/{DESCRIPTION_FILE}"))
        if len(parts) > 1:
            raise ArtifactError(f"{folder} holds {len(parts)} models; name one of them: {', '.join(parts)}")
        raise ArtifactError(f"{folder} is not a model: it has no {DESCRIPTION_FILE}")
    description = unseal(folder / DESCRIPTION_FILE, "model", SCHEMA)
    if description.keys() != _KEYS:
        raise ArtifactError(f"{folder / DESCRIPTION_FILE} is damaged: it has keys {', '.join(sorted(description))}")
    if kind is not None and description["kind"] != kind:
        raise ArtifactError(f"{folder} holds a model of kind {description['kind']!r}; {kind!r} is needed here")
    data = read_verified(folder / WEIGHTS_FILE, description["sha256"])
    try:
        arrays = safetensors.numpy.load(data)
    except safetensors.SafetensorError as error:
        raise ArtifactError(f"{folder / WEIGHTS_FILE} is damaged: {error}") from error
    return Model(arrays=arrays, folder=folder, **description)


__all__ = ["DESCRIPTION_FILE", "SCHEMA", "WEIGHTS_FILE", "Model", "file_sha256", "load_model", "save_model"]
