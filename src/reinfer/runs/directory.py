"""Run folders and references to what they hold.

RUNS/<stage>/<name>/
  manifest.json    sealed: stage, status, config, parents, hashes of models; argv, code, versions, machine per start
  config.toml      the resolved config, for people and for ``--config``
  metrics.csv      deterministic columns; timing.csv: wall-clock columns
  log.txt          events; error.txt: the traceback, if the run failed
  checkpoints/     see ``runs.checkpoint``
  model/           the exported model, or a folder per model, once the run is done
"""

import datetime
import re
from dataclasses import dataclass
from pathlib import Path

import tomli_w

from reinfer.runs import provenance
from reinfer.runs.config import differences, digest, from_dict, load, nearest, to_dict
from reinfer.runs.errors import ArtifactError, ConfigError, RunError
from reinfer.runs.files import commit_folder, hold, replace_file, seal, stage_folder, unseal, write_durably
from reinfer.runs.models import DESCRIPTION_FILE, load_model

SCHEMA = 1
STATUSES = ("running", "done", "failed", "preempted")
MANIFEST_FILE = "manifest.json"
CONFIG_FILE = "config.toml"
SHIPPED = "shipped:"


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """One run on disk. Obtain it with ``create`` or ``open``."""

    path: Path
    stage: str

    @classmethod
    def create(cls, root, stage_name: str, config, argv, parents, name: str | None = None) -> "RunDirectory":
        """A new run folder below ``root``, called ``name`` or after the time, the seed and the config.

        Raises ConfigError on a name not made of letters, digits, ``.``, ``_`` and ``-``; RunError if the
        folder exists (nothing is overwritten) or cannot be made.
        """
        moment = datetime.datetime.now(datetime.UTC)
        if name is None:
            name = f"{moment:%Y%m%d-%H%M%S}-{moment.microsecond // 1000:03d}-s{config.seed}-{digest(config)[:6]}"
        elif not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            raise ConfigError(f"name: {name!r} is not allowed; it must be letters, digits and . _ -")
        path = Path(root) / stage_name / name
        manifest = {
            "stage": stage_name,
            "status": "running",
            "created": moment.isoformat(),
            "updated": moment.isoformat(),
            "seed": config.seed,
            "config": to_dict(config),
            "config_sha256": digest(config),
            "parents": parents,
            "sessions": [provenance.session(argv)],
        }
        try:
            # Making the empty folder claims the name; a rename onto it cannot destroy anything.
            path.mkdir(parents=True)
        except FileExistsError as error:
            raise RunError(f"{path} already exists; nothing was overwritten: choose another name") from error
        except OSError as error:
            raise RunError(f"run folder {path} cannot be made: {error.strerror}") from error
        staged = stage_folder(path)
        write_durably(staged / CONFIG_FILE, tomli_w.dumps(_without_none(to_dict(config))).encode())
        write_durably(staged / MANIFEST_FILE, seal(manifest, "run", SCHEMA))
        commit_folder(staged, path)
        return cls(path, stage_name)

    @classmethod
    def open(cls, path) -> "RunDirectory":
        """The run in ``path``. Raises RunError if there is none, ArtifactError if its manifest is damaged."""
        path = Path(path)
        if not path.is_dir():
            raise RunError(f"no run at {path}: no such folder")
        if not (path / MANIFEST_FILE).is_file():
            raise RunError(f"{path} is not a run: it has no {MANIFEST_FILE}")
        return cls(path, unseal(path / MANIFEST_FILE, "run", SCHEMA)["stage"])

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def model(self) -> Path:
        """Folder of the exported model; there once the run is done."""
        return self.path / "model"

    def manifest(self) -> dict:
        """The manifest as a dict."""
        return unseal(self.path / MANIFEST_FILE, "run", SCHEMA)

    def status(self) -> str:
        """The recorded status; ``interrupted`` if it says running but no process holds the run.

        In a folder that may only be read, whether a process holds the run cannot be told: the recorded status it is.
        """
        recorded = self.manifest()["status"]
        if recorded != "running":
            return recorded
        try:
            with self.exclusive():
                return "interrupted"
        except (RunError, OSError):
            return recorded

    def models(self) -> dict[str, str]:
        """SHA-256 of the models there are, by their folders in that of the model (``.`` of one that has it to itself).

        Raises ArtifactError on a damaged one.
        """
        return {str(path.relative_to(self.model)): load_model(path).sha256 for path in models_in(self.model)}

    def damage(self) -> str | None:
        """What is wrong with the models of this run, which is done; None if they are those that it exported."""
        try:
            found = self.models()
        except ArtifactError as error:
            return str(error)
        exported = self.manifest().get("models")
        if exported is None:
            # Of a run from before this was noted, no more can be told.
            return None if found else f"{self.model} is gone"
        other = [name for name, sha256 in exported.items() if found.get(name) != sha256]
        return f"{self.model / other[0]} is gone, or is not the model that the run exported" if other else None

    def update(self, **changes) -> None:
        """Replace entries of the manifest, e.g. ``status``, at once."""
        if changes.get("status", "running") not in STATUSES:
            raise RunError(f"status: {changes['status']!r} is not allowed; one of {', '.join(STATUSES)} is")
        now = datetime.datetime.now(datetime.UTC).isoformat()
        document = {**self.manifest(), **changes, "updated": now}
        replace_file(self.path / MANIFEST_FILE, seal(document, "run", SCHEMA))

    def load_config(self, cls):
        """The config of this run as a ``cls``. Raises RunError listing what was changed in the file."""
        recorded = from_dict(cls, self.manifest()["config"], str(self.path / MANIFEST_FILE))
        config = load(cls, recorded, self.path / CONFIG_FILE)
        self.require_config(config)
        return config

    def require_config(self, config) -> None:
        """Raise RunError listing the differences if ``config`` is not the one the run was started with.

        Settings that there were none of then have their defaults, which do what was done before.
        """
        recorded = from_dict(type(config), self.manifest()["config"], str(self.path / MANIFEST_FILE))
        changed = differences(to_dict(recorded), to_dict(config))
        if changed:
            raise RunError(
                f"the config of {self.path} changed ({'; '.join(changed)}); a resumed run must keep its "
                "config: undo the change, or start a new run with it"
            )

    def exclusive(self):
        """Context that holds the run for this process. Raises RunError if another live process holds it."""
        return hold(self.path)


def resolve(reference: str) -> Path:
    """The model folder meant: that of a run folder, a model folder itself, or ``shipped:NAME``.

    Raises ArtifactError if there is no such thing, naming what there is.
    """
    reference = str(reference)
    if reference.startswith(SHIPPED):
        name, known = reference.removeprefix(SHIPPED), shipped_models()
        if name not in known:
            raise ArtifactError(f"no shipped model is called {name!r}; {nearest(name, known)}")
        return known[name]
    path = Path(reference)
    if not path.is_dir():
        raise ArtifactError(f"no run or model at {path}: no such folder; {SHIPPED}NAME means a shipped model")
    if (path / MANIFEST_FILE).is_file():
        run = RunDirectory.open(path)
        if not run.model.is_dir():
            raise ArtifactError(f"run {path} has no model yet: its status is {run.manifest()['status']}")
        return run.model
    if models_in(path):
        return path
    raise ArtifactError(f"{path} is neither a run nor a model: it has no {MANIFEST_FILE} and no {DESCRIPTION_FILE}")


def models_in(folder: Path) -> list[Path]:
    """``folder`` itself if it is a model, else the folders in it that are; empty if there is none."""
    if (folder / DESCRIPTION_FILE).is_file():
        return [folder]
    return sorted(path.parent for path in folder.glob(f"*/{DESCRIPTION_FILE}"))


def shipped_models() -> dict[str, Path]:
    """Folders of the models that come with this package, by their path below ``models``, e.g. ``toy/seed0``."""
    root = Path(provenance.__file__).parent.parent / "models"
    folders = sorted(path.parent for path in root.rglob(DESCRIPTION_FILE))
    return {folder.relative_to(root).as_posix(): folder for folder in folders}


def _without_none(mapping: dict) -> dict:
    """TOML has no null: what is None is left out."""
    plain = {key: _without_none(value) if isinstance(value, dict) else value for key, value in mapping.items()}
    return {key: value for key, value in plain.items() if value is not None}
