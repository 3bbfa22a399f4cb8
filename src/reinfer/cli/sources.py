"""What a command that draws is given: records, results, runs and models, told apart by what lies there.

Where there are models only, they are put on their robots and play, so that everything can be drawn of everything.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from reinfer.cli.records import CONTEST_KEYS, REPORT_FILE, find_records, load_contest, load_json
from reinfer.runs.directory import MANIFEST_FILE, SHIPPED, RunDirectory, resolve
from reinfer.runs.errors import ArtifactError, ConfigError
from reinfer.runs.models import Model, load_model

#: The robot on which a toy agent alone is tried.
_FIRST_BODY = "half_cheetah"

#: Kinds of model, as their files name them.
TOY_AGENT, LOW_LEVEL, STRIDE, HIGH = "toy_agent", "low_level", "stride", "high"


class Named(NamedTuple):
    """A model and what the user called it."""

    reference: str
    model: Model


@dataclass(frozen=True, slots=True)
class Sources:
    """References in the order given: folders of contests, record files, results (JSON), run folders, models by kind."""

    contests: list[Path] = field(default_factory=list)
    records: list[Path] = field(default_factory=list)
    results: list[Path] = field(default_factory=list)
    runs: list[RunDirectory] = field(default_factory=list)
    models: dict[str, list[Named]] = field(default_factory=dict)

    def of_kind(self, kind: str) -> list[Named]:
        """Models of one kind."""
        return self.models.get(kind, [])


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
        elif (path / REPORT_FILE).is_file():
            found.contests.append(path)
        elif (path / MANIFEST_FILE).is_file():
            run = RunDirectory.open(path)
            found.runs.append(run)
            if run.model.is_dir():
                _add_model(found, reference)
        else:
            _add_model(found, reference)
    return found


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


def teams(sources: Sources, body: str | None = None) -> list[Team]:
    """The models of ``sources``, one team per robot among them; toy agents are in all of them.

    Args:
        body: file of a robot of a user's own, if it lies no longer where its run says.
    Raises ConfigError where a robot has several low levels, or learned strides do not match toy agents.
    """
    toys = tuple(named.reference for named in sources.of_kind(TOY_AGENT))
    bodies = list(dict.fromkeys(named.model.config["body"] for named in _of_robots(sources)))
    if not bodies and toys:
        return [Team(body or _FIRST_BODY, toys, None, (), ())]
    return [_team(sources, name, toys, body) for name in bodies]


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
    if body is None:
        body = _body_file(sources, name) if learned[:1] + lows and _is_own([*lows, *learned][0]) else name
    references = [tuple(named.reference for named in group) for group in (strides, highs)]
    return Team(body, toys, low, *references)


def _of_robots(sources: Sources) -> list[Named]:
    return [named for kind in (LOW_LEVEL, STRIDE, HIGH) for named in sources.of_kind(kind)]


def _is_own(named: Named) -> bool:
    return "body_files" in named.model.config


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


def records_of(sources: Sources, body: str | None = None, tasks="standard") -> list:
    """``RolloutRecord`` values of all that is given: as kept, or played now by the models.

    Args:
        body: as for ``teams``; of kept records likewise.
        tasks: of what is played now: a name, or a ``Tasks`` value.
    Raises ArtifactError if there is nothing to draw.
    """
    from reinfer.transfer.record import load_record

    paths = list(sources.records)
    for folder in sources.contests:
        paths += find_records(folder, load_contest(folder))
    records = [load_record(path) for path in paths]
    records = [record._replace(body=body) for record in records] if body else records
    if records:
        return records
    for team in teams(sources, body):
        records += play(team, tasks)
    if not records:
        raise ArtifactError("no records are named; record files, folders of `reinfer transfer`, runs or models are")
    return records


def options_of(team: Team, tasks: str = "standard"):
    """``TransferOptions`` that play ``team``; without a learned stride, agents look at every control step."""
    from reinfer.cli.transfer import LEARNED, RELEARNED, TOY, TransferOptions

    return TransferOptions(
        body=team.body,
        tasks=tasks,
        policy=RELEARNED if team.highs else TOY,
        stride=LEARNED if team.strides else "1",
        toy=team.toys or ("shipped:toy/seed0",),
        low=team.low,
        stride_model=team.strides,
        high=team.highs,
    )


def play(team: Team, tasks="standard") -> list:
    """Records of the agents of ``team``, one per toy agent, on the set of ``tasks`` or on a ``Tasks`` value."""
    from reinfer.cli.transfer import prepare
    from reinfer.evaluation.contest import EPISODE_S
    from reinfer.runs import random
    from reinfer.runs.compilation import enable_cache
    from reinfer.simulation import BatchSimulation
    from reinfer.transfer import Hierarchy, rollout

    enable_cache()
    contest, contestants = prepare(options_of(team, tasks if isinstance(tasks, str) else "standard"))
    tasks = contest.tasks if isinstance(tasks, str) else tasks
    simulation = BatchSimulation(contest.body, tasks.count, contest.threads)
    records = []
    for contestant in contestants:
        agent = contest.agents(contestant)[contestant.policy]
        hierarchy = Hierarchy(simulation, contest.low_level, agent, contestant.strides)
        records.append(rollout(hierarchy, tasks, EPISODE_S, random.generator(contestant.seed, "contest start")))
    return records


def compete(team: Team, tasks: str = "standard"):
    """The contest of ``team`` and its results: (contest, contestants, as ``reinfer transfer`` reports)."""
    from reinfer.cli.transfer import prepare
    from reinfer.runs.compilation import enable_cache

    enable_cache()
    options = options_of(team, tasks)
    contest, contestants = prepare(options)
    return contest, contestants, contest.compare(contestants) | {"command": _typed(options)}


def _typed(options) -> str:
    """The ``reinfer transfer`` command that has these ``options``."""
    words = ["reinfer", "transfer", "--body", options.body, "--tasks", options.tasks, "--policy", options.policy]
    words += ["--stride", options.stride, "--toy", *options.toy]
    for flag, values in (("--low", (options.low,)), ("--stride-model", options.stride_model), ("--high", options.high)):
        words += [flag, *values] if any(values) else []
    return " ".join(words)


def contests_of(sources: Sources, body: str | None = None) -> dict[str, dict]:
    """Results of contests by what to call them: as kept, or else played now by the models.

    Raises ArtifactError if there are none.
    """
    found = {str(folder): load_contest(folder) for folder in sources.contests}
    found |= {str(path): load_json(path, CONTEST_KEYS) for path in sources.results}
    found = found or {team.body: compete(team)[2] for team in teams(sources, body)}
    if not found:
        raise ArtifactError("no contests are named; folders of `reinfer transfer`, its JSON, runs or models are")
    return found
