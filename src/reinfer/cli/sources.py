"""What a command that draws is given: records, results, runs and models, told apart by what lies there."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from reinfer.cli.records import REPORT_FILE
from reinfer.cli.trials import SWEEP_FILE, runs_of
from reinfer.runs.directory import MANIFEST_FILE, SHIPPED, RunDirectory, models_in, resolve
from reinfer.runs.errors import ArtifactError, ConfigError
from reinfer.runs.models import Model, load_model

#: The robot on which a toy agent alone is tried.
_FIRST_BODY = "half_cheetah"

#: Kinds of model, as their files name them.
TOY_AGENT, LOW_LEVEL, STRIDE, HIGH = "toy_agent", "low_level", "stride", "high"
_OF_THE_HIERARCHY = (TOY_AGENT, LOW_LEVEL, STRIDE, HIGH)


class Named(NamedTuple):
    """A model and what the user called it."""

    reference: str
    model: Model


@dataclass(frozen=True, slots=True)
class Sources:
    """References in the order given: folders of contests, record files, results (JSON), run folders, of which some are
    of the folders of ``sweeps``, models by kind."""

    contests: list[Path] = field(default_factory=list)
    records: list[Path] = field(default_factory=list)
    results: list[Path] = field(default_factory=list)
    runs: list[RunDirectory] = field(default_factory=list)
    sweeps: list[Path] = field(default_factory=list)
    models: dict[str, list[Named]] = field(default_factory=dict)

    def of_kind(self, kind: str) -> list[Named]:
        """Models of one kind."""
        return self.models.get(kind, [])

    @property
    def named(self) -> list[str]:
        """What all models are called."""
        return [model.reference for group in self.models.values() for model in group]


def refuse(references, why: str) -> None:
    """Raise ConfigError if there are ``references``, of which nothing would be seen, for ``why``."""
    if references:
        raise ConfigError(f"{', '.join(map(str, references))}: {why}")


def refuse_others(sources: Sources) -> None:
    """Raise ConfigError on models that are no part of the hierarchy, where only that is played."""
    groups = [group for kind, group in sources.models.items() if kind not in _OF_THE_HIERARCHY]
    others = [named.reference for group in groups for named in group]
    refuse(others, "no part of the hierarchy, which alone plays here; `reinfer eval` and `reinfer compare` judge it")


def sort(references) -> Sources:
    """Tell ``references`` apart. Raises ArtifactError on one that is missing or damaged."""
    found = Sources()
    for reference in references:
        path = Path(reference)
        if reference.startswith(SHIPPED):
            _add_model(found, reference)
        elif path.suffix == ".json":
            found.results.append(path)
        elif path.suffix == ".safetensors":
            found.records.append(path)
        elif (path / SWEEP_FILE).is_file():
            _add_sweep(found, path)
        elif (path / REPORT_FILE).is_file():
            found.contests.append(path)
        elif (path / MANIFEST_FILE).is_file():
            _add_runs(found, [reference])
        else:
            _add_model(found, reference)
    return found


def _add_sweep(found: Sources, folder: Path) -> None:
    """Add a sweep and its runs; of its models toy agents, and of others those that are the only ones for their robot:
    which of several is meant nobody said."""
    own = Sources()
    _add_runs(own, runs_of(folder))
    found.sweeps.append(folder)
    found.runs.extend(own.runs)
    for kind, group in own.models.items():
        count = Counter(named.model.config.get("body") for named in group)
        meant = [named for named in group if kind == TOY_AGENT or count[named.model.config.get("body")] == 1]
        found.models.setdefault(kind, []).extend(meant)


def _add_runs(found: Sources, references) -> None:
    """Add runs, and the models of those that have one."""
    for run in map(RunDirectory.open, references):
        found.runs.append(run)
        models = models_in(run.model)
        for model in models:
            _add_model(found, str(run.path if models == [run.model] else model))


def _add_model(found: Sources, reference: str) -> None:
    model = load_model(resolve(reference))
    found.models.setdefault(model.kind, []).append(Named(reference, model))


class Team(NamedTuple):
    """Models that play together on one robot, as ``reinfer transfer`` takes them; empty: the shipped ones."""

    body: str
    toys: tuple[str, ...]
    low: str | None
    strides: tuple[str, ...]
    highs: tuple[str, ...]


def teams(sources: Sources, body: str | None = None, without=()) -> list[Team]:
    """The models of ``sources``, one team per robot among them; toy agents are in all of them.

    Args:
        body: file of a robot of a user's own, if it lies no longer where its run says.
        without: names of robots that need none.
    Raises ConfigError where a robot has several low levels, or learned strides do not match toy agents.
    """
    toys = tuple(named.reference for named in sources.of_kind(TOY_AGENT))
    bodies = robots_of(sources)
    if not bodies and toys:
        return [Team(body or _FIRST_BODY, toys, None, (), ())]
    return [_team(sources, name, toys, body) for name in bodies if name not in without]


def _team(sources: Sources, name: str, toys: tuple[str, ...], body: str | None) -> Team:
    def of(kind):
        return [named for named in sources.of_kind(kind) if named.model.config["body"] == name]

    lows, strides, highs = of(LOW_LEVEL), of(STRIDE), of(HIGH)
    if len(lows) > 1:
        said = ", ".join(named.reference for named in lows)
        raise ConfigError(f"{len(lows)} low levels of {name} are given ({said}); agents of one contest need the same")
    learned = [*strides, *highs]
    low = lows[0].reference if lows else _parent_of(learned[0], "low")
    if not toys and learned:
        toys = tuple(_parent_of(named, "toy") for named in strides or highs)
    is_own = "body_files" in [*lows, *learned][0].model.config
    place = (body or _body_file(sources, name)) if is_own else name
    references = [tuple(named.reference for named in group) for group in (strides, highs)]
    return Team(place, toys, low, *references)


def robots_of(sources: Sources) -> list[str]:
    """Names of the robots that models were made for, in the order given."""
    models = [named.model for kind in (LOW_LEVEL, STRIDE, HIGH) for named in sources.of_kind(kind)]
    return list(dict.fromkeys(model.config["body"] for model in models))


def _body_file(sources: Sources, name: str) -> str:
    """Where the body file of a robot of a user's own lies, by the manifest of a run."""
    for run in sources.runs:
        config = run.manifest()["config"]
        if Path(config.get("body", "")).suffix == ".py":
            return config["body"]
    raise ConfigError(f"body: must be given for {name!r}: a model of a robot of your own does not say where it lies")


def _parent_of(named: Named, role: str) -> str:
    """What ``named`` was learned with, where it lay then. Raises ArtifactError if it is not there any more."""
    reference = named.model.config["training"][role]
    wanted = {parent["role"]: parent["sha256"] for parent in named.model.provenance["parents"]}[role]
    if reference is None:
        reference = f"{SHIPPED}{named.model.config['body']}/{role}"
    if load_model(resolve(reference)).sha256 != wanted:
        raise ArtifactError(f"{named.reference} was learned with another {role} than {reference} is now; name it too")
    return reference
