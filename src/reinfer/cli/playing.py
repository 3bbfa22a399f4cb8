"""Where there are models and no records of them, they are put on their robots and play: so all can be drawn of all."""

import shlex
from typing import NamedTuple

from reinfer.cli.records import CONTEST_KEYS, load_contest, load_json, load_records
from reinfer.cli.sources import Sources, Team, refuse, refuse_others, teams
from reinfer.runs.errors import ArtifactError

#: Why models are refused beside what was kept.
NOT_BOTH = "models play only where nothing is named that was played before; name one or the other"

#: Why results are refused where records are drawn.
NO_RECORDS = "results have no records; the folder of `reinfer transfer`, runs or models have"


class Cast(NamedTuple):
    """Models of one robot, loaded, which fit each other and the ``tasks`` that they are to play."""

    options: object
    contest: object
    contestants: list
    tasks: object


def records_of(sources: Sources, body: str | None = None) -> list:
    """``RolloutRecord`` values of all that is given: as kept, or played now by the models.

    Args:
        body: as for ``teams``; of kept records likewise.
    Raises ArtifactError if there is nothing to draw, ConfigError if there is what would not be drawn.
    """
    refuse(sources.results, NO_RECORDS)
    records = load_records([*sources.records, *sources.contests], body)
    if records:
        refuse(sources.named, NOT_BOTH)
        return records
    refuse_others(sources)
    for cast in [load(team) for team in teams(sources, body)]:
        records += play(cast)
    if not records:
        raise ArtifactError("no records are named; record files, folders of `reinfer transfer`, runs or models are")
    return records


def options_of(team: Team):
    """``TransferOptions`` that play ``team``; without a learned stride, agents look at every control step."""
    from reinfer.cli.transfer import LEARNED, RELEARNED, TOY, TransferOptions

    return TransferOptions(
        body=team.body,
        policy=RELEARNED if team.highs else TOY,
        stride=LEARNED if team.strides else "1",
        toy=team.toys or ("shipped:toy/seed0",),
        low=team.low,
        stride_model=team.strides,
        high=team.highs,
    )


def load(team: Team, tasks=None) -> Cast:
    """The models of ``team``, which are to play ``tasks``, or else the standard ones.

    Load all casts before any plays: what does not fit must not cost what was played. Raises ConfigError or
    ArtifactError where something is missing or does not fit.
    """
    from reinfer.cli.transfer import prepare, require_families, toy_references
    from reinfer.runs.compilation import enable_cache

    enable_cache()
    options = options_of(team)
    contest, contestants = prepare(options)
    tasks = contest.tasks if tasks is None else tasks
    for reference, contestant in zip(toy_references(options), contestants, strict=True):
        require_families(reference, contestant.toy, tasks)
    return Cast(options, contest, contestants, tasks)


def play(cast: Cast) -> list:
    """Records of the agents of ``cast``, one per toy agent."""
    from reinfer.evaluation.contest import EPISODE_S
    from reinfer.runs import random
    from reinfer.simulation import BatchSimulation
    from reinfer.transfer import Hierarchy, rollout

    contest, tasks = cast.contest, cast.tasks
    simulation = BatchSimulation(contest.body, tasks.count, contest.threads)
    records = []
    for contestant in cast.contestants:
        agent = contest.agents(contestant)[contestant.policy]
        hierarchy = Hierarchy(simulation, contest.low_level, agent, contestant.strides)
        records.append(rollout(hierarchy, tasks, EPISODE_S, random.generator(contestant.seed, "contest start")))
    return records


def compete(cast: Cast) -> dict:
    """Results of the contest of ``cast``, as ``reinfer transfer`` reports them."""
    from reinfer.cli.transfer import toys_of

    told = {"toys": toys_of(cast.options, cast.contestants), "command": _typed(cast.options)}
    return cast.contest.compare(cast.contestants) | told


def _typed(options) -> str:
    """The ``reinfer transfer`` command that has these ``options``."""
    words = ["reinfer", "transfer", "--body", options.body, "--tasks", options.tasks, "--policy", options.policy]
    words += ["--stride", options.stride, "--toy", *options.toy]
    for flag, values in (("--low", (options.low,)), ("--stride-model", options.stride_model), ("--high", options.high)):
        words += [flag, *values] if any(values) else []
    return shlex.join(words)


def contests_of(sources: Sources, body: str | None = None) -> dict[str, dict]:
    """Results of contests by what to call them: as kept, or else played now by the models.

    Raises ArtifactError if there are none, ConfigError if there is what would not be drawn.
    """
    refuse(sources.records, "single records are no contest; the folder of `reinfer transfer` is")
    found = {str(folder): load_contest(folder) for folder in sources.contests}
    found |= {str(path): load_json(path, CONTEST_KEYS) for path in sources.results}
    if found:
        refuse(sources.named, NOT_BOTH)
    else:
        refuse_others(sources)
        casts = {team.body: load(team) for team in teams(sources, body)}
        found = {name: compete(cast) for name, cast in casts.items()}
    if not found:
        raise ArtifactError("no contests are named; folders of `reinfer transfer`, its JSON, runs or models are")
    return found
