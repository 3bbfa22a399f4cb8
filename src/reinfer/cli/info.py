"""``reinfer info RUN_OR_MODEL``: what it is, how far it got, where it comes from."""

import json
from dataclasses import dataclass
from pathlib import Path

import tyro

from reinfer.cli.parsing import parse
from reinfer.runs.config import setting, validate
from reinfer.runs.directory import MANIFEST_FILE, SHIPPED, RunDirectory, models_in, resolve
from reinfer.runs.errors import ArtifactError
from reinfer.runs.models import DESCRIPTION_FILE, load_model
from reinfer.runs.tables import read_rows, to_number


@dataclass(frozen=True, slots=True)
class InfoOptions:
    """Tell what a run or a model is. Every file is verified on the way."""

    reference: tyro.conf.Positional[str]
    """Folder of a run or of a model, or shipped:NAME."""
    json: bool = setting(False, "print one JSON object")


def run(arguments: list[str]) -> int:
    """Print the description."""
    options = validate(parse(InfoOptions, "reinfer info", arguments))
    found = describe(options.reference)
    print(json.dumps(found, indent=2) if options.json else "\n".join(_lines(found)))
    return 0


def describe(reference: str) -> dict:
    """The description as a plain dict; ``type`` is ``run``, ``model`` or ``models`` (several in a folder)."""
    if not reference.startswith(SHIPPED) and (Path(reference) / MANIFEST_FILE).is_file():
        return _describe_run(RunDirectory.open(reference))
    folder = resolve(reference)
    if (folder / DESCRIPTION_FILE).is_file():
        return {"type": "model", **_describe_model(folder)}
    return {
        "type": "models",
        "path": str(folder),
        "models": {part.name: _describe_model(part) for part in models_in(folder)},
    }


def _describe_run(run: RunDirectory) -> dict:
    from reinfer.runs import checkpoint

    manifest = run.manifest()
    last = checkpoint.latest(run)
    damage = run.damage() if manifest["status"] == "done" else None
    if damage:
        raise ArtifactError(f"{damage}; it is exported again by: reinfer resume {run.path}")
    return {
        "type": "run",
        "path": str(run.path),
        "stage": run.stage,
        "status": run.status(),
        "checkpoint_iteration": last.iteration if last else 0,
        "metrics": _last_row(run.path / "metrics.csv"),
        "model": str(run.model) if run.model.is_dir() else None,
        **{key: manifest[key] for key in ("created", "updated", "seed", "config", "config_sha256", "parents")},
        "sessions": manifest["sessions"],
    }


def _describe_model(folder: Path) -> dict:
    model = load_model(folder)
    return {
        "path": str(folder),
        "kind": model.kind,
        "sha256": model.sha256,
        "parameters": sum(array.size for array in model.arrays.values()),
        "arrays": {name: f"{array.dtype} {list(array.shape)}" for name, array in sorted(model.arrays.items())},
        "config": model.config,
        "metrics": model.metrics,
        "provenance": model.provenance,
    }


def _last_row(path: Path) -> dict[str, float]:
    """The last whole row of a metrics file that may be growing."""
    if not path.is_file() or not path.stat().st_size:
        return {}
    rows = read_rows(path, ("iteration", "env_steps"))
    return {key: to_number(path, value) for key, value in rows[-1].items() if value} if rows else {}


def _lines(value, indent: str = "") -> list[str]:
    """Indented ``key: value`` lines of nested dicts and lists."""
    lines = []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        nested = isinstance(item, dict) or (isinstance(item, list) and any(isinstance(i, dict) for i in item))
        if nested and item:
            lines += [f"{indent}{key}:", *_lines(item, indent + "  ")]
        else:
            text = "-" if item in (None, {}, []) else " ".join(map(str, item)) if isinstance(item, list) else item
            lines.append(f"{indent}{key}: {text}")
    return lines
