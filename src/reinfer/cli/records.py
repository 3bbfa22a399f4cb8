"""Records of rollouts, named by files or by the folders that hold them."""

from pathlib import Path

from reinfer.runs.errors import ArtifactError, ConfigError

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
    paths = [folder / record_name(contest["policy"], contest["stride"], seed) for seed in contest["seeds"]]
    for path in paths:
        if not path.is_file():
            raise ArtifactError(f"record {path} is missing; {folder / REPORT_FILE} was made from it")
    return paths


def record_name(agent: str, stride: str, seed: int) -> str:
    """The file of a contest's record in its folder."""
    return f"{agent}_stride_{stride}_seed{seed}.safetensors"


def load_records(references, body: str | None = None) -> list:
    """``RolloutRecord`` values from record files, or from folders with their contest's own agent and strides.

    Args:
        body: where the body file of a robot of one's own lies now, if not where the records say.
    Raises ArtifactError on what is missing, foreign or damaged.
    """
    from reinfer.transfer.record import load_record

    records = [load_record(path) for path in record_files(references)]
    return [record._replace(body=body) for record in records] if body else records


def load_records_of(agent, model: str, references) -> list:
    """As ``load_records``, of robots under the toy agent ``agent``, which is called ``model``.

    Raises ConfigError on a record of another agent, whose latents would mean nothing beside those of this one.
    """
    from reinfer.transfer.record import load_record

    records = []
    for path in record_files(references):
        records.append(load_record(path))
        require_agent(path, records[-1], agent, model)
    return records


def require_agent(path: Path, record, agent, model: str) -> None:
    """Raise ConfigError unless ``record``, of ``path``, has latents of the toy agent ``agent``, called ``model``.

    Records that do not tell whose they are must at least have latents and families as many as the agent has.
    """
    if not record.latent.any():
        raise ConfigError(f"records: {path} is of an agent without latents; allowed: those of {model}")
    if record.toy_sha256 and agent.sha256 and record.toy_sha256 != agent.sha256:
        raise ConfigError(
            f"records: {path} is of the toy agent of SHA-256 {record.toy_sha256[:16]}; allowed: those of {model},"
            f" {agent.sha256[:16]}"
        )
    found = (record.latent.shape[-1], record.family_probability.shape[-1])
    own = (agent.sizes["latent"], len(agent.layout.families))
    if found != own:
        raise ConfigError(
            f"records: {path} has {found[0]} latent dimensions and {found[1]} families; allowed: those of {model},"
            f" {own[0]} and {own[1]}"
        )


def record_files(references) -> list[Path]:
    """Record files among ``references``, and those that folders of `reinfer transfer` among them have."""
    paths = []
    for reference in map(Path, references):
        if reference.is_dir():
            paths += find_records(reference, load_contest(reference))
        else:
            paths.append(reference)
    return paths


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
