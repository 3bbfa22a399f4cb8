"""Records of rollouts, named by files or by the folders that hold them."""

from pathlib import Path

from reinfer.runs.errors import ArtifactError

REPORT_FILE = "transfer.json"


def find_records(folder: Path, stride: str, agent: str = "toy") -> list[Path]:
    """Record files of ``agent`` with stride policy ``stride`` in a folder of ``reinfer transfer``, by seed.

    Raises ArtifactError if there is none.
    """
    prefix = f"{agent}_stride_{stride}_seed"
    found = sorted(
        folder.glob(f"{prefix}*.safetensors"), key=lambda path: int(path.stem.removeprefix(prefix) or 0)
    )
    if not found:
        raise ArtifactError(f"{folder} holds no records of agent {agent!r} with stride {stride!r}")
    return found


def load_records(references) -> list:
    """``RolloutRecord`` values from record files, or from folders with their contest's own agent and strides.

    Raises ArtifactError on what is missing, foreign or damaged, or if nothing is named.
    """
    from reinfer.transfer.record import load_record

    paths = []
    for reference in map(Path, references):
        if reference.is_dir():
            paths += find_records(reference, load_contest(reference)["stride"])
        else:
            paths.append(reference)
    if not paths:
        raise ArtifactError("no records are named; record files or folders of `reinfer transfer` are needed")
    return [load_record(path) for path in paths]


def load_contest(folder: Path) -> dict:
    """The results that ``reinfer transfer`` wrote to ``folder``. Raises ArtifactError if there are none."""
    return load_json(folder / REPORT_FILE, ("position", "velocity", "by_task", "stride", "seeds"))


def load_json(path, keys) -> dict:
    """A JSON object with at least ``keys``. Raises ArtifactError if it is missing, or something else."""
    import json

    path = Path(path)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ArtifactError(f"{path} is not JSON: {error}") from error
    missing = [key for key in keys if not isinstance(found, dict) or key not in found]
    if missing:
        raise ArtifactError(f"{path} is not such a result: it lacks {', '.join(missing)}")
    return found
