"""Where there are models and no records of them, they are put on their robots and play: so all can be drawn of all."""

from reinfer.cli.records import CONTEST_KEYS, find_records, load_contest, load_json
from reinfer.cli.sources import Sources, Team, refuse, teams
from reinfer.runs.errors import ArtifactError

#: Why models are refused beside what was kept.
NOT_BOTH = "models play only where nothing is named that was played before; name one or the other"

#: Why results are refused where records are drawn.
NO_RECORDS = "results have no records; the folder of `reinfer transfer`, runs or models have"


def records_of(sources: Sources, body: str | None = None, tasks="standard") -> list:
    """``RolloutRecord`` values of all that is given: as kept, or played now by the models.

    Args:
        body: as for ``teams``; of kept records likewise.
        tasks: of what is played now: a name, or a ``Tasks`` value.
    Raises ArtifactError if there is nothing to draw, ConfigError if there is what would not be drawn.
    """
    from reinfer.transfer.record import load_record

    refuse(sources.results, NO_RECORDS)
    paths = list(sources.records)
    for folder in sources.contests:
        paths += find_records(folder, load_contest(folder))
    records = [load_record(path) for path in paths]
    records = [record._replace(body=body) for record in records] if body else records
    if records:
        refuse(sources.named, NOT_BOTH)
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

    Raises ArtifactError if there are none, ConfigError if there is what would not be drawn.
    """
    refuse(sources.records, "single records are no contest; the folder of `reinfer transfer` is")
    found = {str(folder): load_contest(folder) for folder in sources.contests}
    found |= {str(path): load_json(path, CONTEST_KEYS) for path in sources.results}
    if found:
        refuse(sources.named, NOT_BOTH)
    found = found or {team.body: compete(team)[2] for team in teams(sources, body)}
    if not found:
        raise ArtifactError("no contests are named; folders of `reinfer transfer`, its JSON, runs or models are")
    return found
