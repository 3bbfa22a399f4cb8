"""Records of rollouts, named by files or by the folders that hold them."""

from pathlib import Path

from reinfer.runs.errors import ArtifactError

REPORT_FILE = "transfer.json"

#: Keys that results of a contest must have.
CONTEST_KEYS = ("position", "velocity", "by_task", "policy", "stride", "seeds")


def find_records(folder: Path, contest: dict) -> list[Path]:
    """Record files of the agent judged under the contest's own strides, one per training seed.

    Args:
        folder: what ``reinfer transfer`` wrote.
        contest: the results in it.
    Raises ArtifactError if one is missing.
    """
    agent = contest["policy"]
    paths = [folder / f"{agent}_stride_{contest['stride']}_seed{seed}.safetensors" for seed in contest["seeds"]]
    for path in paths:
        if not path.is_file():
            raise ArtifactError(f"record {path} is missing; {folder / REPORT_FILE} was made from it")
    return paths


def load_records(references, body: str | None = None) -> list:
    """``RolloutRecord`` values from record files, or from folders with their contest's own agent and strides.

    Args:
        body: where the body file of a robot of one's own lies now, if not where the records say.
    Raises ArtifactError on what is missing, foreign or damaged.
    """
    from reinfer.transfer.record import load_record

    paths = []
    for reference in map(Path, references):
        if reference.is_dir():
            paths += find_records(reference, load_contest(reference))
        else:
            paths.append(reference)
    records = [load_record(path) for path in paths]
    return [record._replace(body=body) for record in records] if body else records


def load_contest(folder: Path) -> dict:
    """The results that ``reinfer transfer`` wrote to ``folder``. Raises ArtifactError if there are none."""
    return load_json(folder / REPORT_FILE, CONTEST_KEYS)


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
    if not isinstance(found, dict):
        raise ArtifactError(f"{path} is not such a result: it is not one JSON object")
    missing = [key for key in keys if key not in found]
    if missing:
        raise ArtifactError(f"{path} is not such a result: it lacks {', '.join(missing)}")
    return found
