"""``reinfer report SOURCE...``: results as one HTML file that needs no other and no network.

Sources are folders of contests (`reinfer transfer`) and sweeps, JSON files that `reinfer eval ... --json` printed, runs
and models, in any order. What is not there and can be measured with the models that are, is measured now.
"""

import shlex
from dataclasses import dataclass
from pathlib import Path

import tyro

from reinfer.cli.parsing import parse
from reinfer.cli.playing import Cast, compete, load
from reinfer.cli.records import CONTEST_KEYS, find_records, load_contest, load_json, load_records, record_name
from reinfer.cli.sources import TOY_AGENT, Sources, refuse, robots_of, sort, teams
from reinfer.cli.trials import read_table
from reinfer.runs.config import setting, validate
from reinfer.runs.errors import ArtifactError, ConfigError, RunError
from reinfer.runs.files import require_writable

#: Results of the other evaluations have these keys.
TOY_KEYS = ("return_mean", "return_by_family", "class_accuracy_by_rows", "target_error_by_rows")
LOW_KEYS = ("fall_rate", "by_command")


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """Turn runs, models and results of evaluations into one HTML file.

    A toy agent is judged on the toy, a low level under new commands, and both together play the contest, unless results
    of that are among the sources.
    """

    sources: tyro.conf.Positional[tuple[str, ...]]
    """Folders of `reinfer transfer` or `reinfer sweep`, JSON files of `reinfer eval`, runs, models or shipped:NAME."""
    clip: tuple[int, ...] = setting((), "numbers of the tasks shown as videos, from 0; by default 1 and 10")
    clip_s: float = setting(12.0, "simulated seconds of each", low=0.5, high=120.0)
    video: bool = setting(True, "draw videos")
    body: str | None = setting(None, "file of a robot of your own, if it lies no longer where its run or record says")
    output: str = setting("report.html", "file to write")


def run(arguments: list[str]) -> int:
    """Write the report; prints where it lies."""
    options = validate(parse(ReportOptions, "reinfer report", arguments))
    output = Path(options.output)
    if output.suffix != ".html":
        raise ConfigError(f"output: {options.output!r} must end in .html")
    require_writable(output)
    write_report(gather(options, shlex.join(["reinfer", "report", *arguments])), output)
    print(f"report: {output.absolute()}")
    return 0


def gather(options: ReportOptions, made_by: str) -> list:
    """``Evidence`` of what ``options`` name, the first with what all robots share.

    Raises ArtifactError on anything missing or damaged, or if nothing is named.
    """
    from reinfer.cli.info import describe
    from reinfer.cli.plot import on_latent_map, score_of
    from reinfer.inference.agent import ToyAgent
    from reinfer.runs.directory import resolve
    from reinfer.viewing.latent import latent_figure
    from reinfer.viewing.progress import METRICS_FILE, read_progress
    from reinfer.viewing.reporting import Evidence

    sources = sort(options.sources)
    found = _read_results(sources)
    robots = _contests(options, sources, found) or [Evidence(made_by)]
    shared = {}
    toys = sources.of_kind(TOY_AGENT)
    if toys:
        agent = ToyAgent.load(resolve(toys[0].reference))
        # Latents of a robot belong on the map of the very agent that had them; older contests do not tell which.
        played = (robots[0].contest or {}).get("toys") or [{"sha256": None}]
        guests = robots[0].records[:1] if played[0]["sha256"] == agent.sha256 else []
        if guests:
            shared |= _first_record_of(robots[0].contest, found["contest"])
        shown = on_latent_map(agent, guests)
        shared["latent"] = tuple(latent_figure(**shown, methods=(method,)) for method in ("pca", "tsne"))
        shared["toy_model"] = shlex.quote(toys[0].reference)
        found["toy"] = found["toy"] or _judge_toy(agent)
    named = [named for group in sources.models.values() for named in group]
    shared |= {
        "made_by": made_by,
        "toy": found["toy"],
        "progress": [
            (read_progress(run.path, "/".join(run.path.absolute().parts[-2:])), score_of(run.path))
            for run in sources.runs
            if (run.path / METRICS_FILE).is_file()
        ],
        "runs": [describe(str(run.path)) for run in sources.runs],
        "sweeps": [(str(folder), read_table(folder)) for folder in sources.sweeps],
        "models": {model.reference: describe_model(model.model.folder) for model in named},
    }
    if not any([robots[0].contest, robots[0].low, found["toy"], sources.runs, named]):
        raise ArtifactError(
            "no sources are named; folders of `reinfer transfer`, JSON files, runs or models are needed"
        )
    return [robots[0]._replace(**shared), *robots[1:]]


def _read_results(sources: Sources) -> dict:
    """Results by what they are of: ``toy``, lists ``low`` and ``contest`` of (reference, results, records)."""
    refuse(sources.records, "single records are no part of a report; the folder of `reinfer transfer` is")
    found = {"toy": None, "low": [], "contest": []}
    for folder in sources.contests:
        contest = load_contest(folder)
        found["contest"].append((str(folder), contest, find_records(folder, contest)))
    for path in sources.results:
        results = load_json(path, ())
        if set(TOY_KEYS) <= set(results):
            refuse([path] if found["toy"] else [], "a second result of `reinfer eval toy`; a report has one")
            found["toy"] = results
        elif set(CONTEST_KEYS) <= set(results):
            found["contest"].append((str(path), results, []))
        elif set(LOW_KEYS) <= set(results):
            found["low"].append(results)
        else:
            raise ArtifactError(f"{path} is not a result of `reinfer eval toy`, `low` or `transfer` with --json")
    return found


def _contests(options: ReportOptions, sources: Sources, found: dict) -> list:
    """``Evidence`` per robot: of what was kept, and of what its models play now.

    All models are loaded, and all that was asked for is checked, before the first of them plays.
    """
    from reinfer.evaluation.low_level import evaluate_low_level
    from reinfer.viewing.reporting import Evidence
    from reinfer.viewing.reporting.clips import draw_clips
    from reinfer.viewing.video import require_simulations, shown

    robots = _kept_contests(options, found)
    casts = _casts(options, sources, without=robots)
    robots |= {name: Evidence("", name, source=_models_of(cast)) for name, cast in casts.items()}
    robots = _with_low_levels(found["low"], robots)
    known = [name for name, robot in robots.items() if robot.low]
    unjudged = [cast for name, cast in casts.items() if name not in known]
    unjudged += _casts(options, sources, without=[*known, *casts]).values()
    if options.video:
        played = [robot.records[0].tasks for robot in robots.values() if robot.records]
        for tasks in [*played, *(cast.tasks for cast in casts.values())]:
            require_simulations("clip", options.clip, tasks)
    for name, cast in casts.items():
        results, contest = compete(cast), cast.contest
        records = [contest.records[c.policy, c.strides.name, c.seed] for c in cast.contestants]
        robots[name] = robots[name]._replace(contest=results, records=records)
    lows = [evaluate_low_level(c.low_level, c.body, 0, threads=c.threads) for c in (cast.contest for cast in unjudged)]
    robots = _with_low_levels(lows, robots)
    if not options.video:
        return list(robots.values())
    return [
        robot._replace(clips=draw_clips(robot.records[0], options.clip or shown(robot.records[0]), options.clip_s))
        if robot.records
        else robot
        for robot in robots.values()
    ]


def _kept_contests(options: ReportOptions, found: dict) -> dict:
    """``Evidence`` by robot of the contests that were kept."""
    from reinfer.viewing.reporting import Evidence

    robots = {}
    for source, contest, paths in sorted(found["contest"], key=lambda entry: entry[1].get("tasks") == "heldout"):
        body = contest["body"]
        heldout = contest.get("tasks") == "heldout"
        if body in robots and heldout and not robots[body].heldout:
            robots[body] = robots[body]._replace(heldout=contest)
            continue
        if body in robots:
            kind = "contests on held-out tasks" if heldout else "contests"
            raise ConfigError(f"{robots[body].source} and {source} are both {kind} on {body}; a report has one")
        records = load_records(paths, options.body)
        robots[body] = Evidence("", body, contest, records=records, source=shlex.quote(source))
    return robots


def _first_record_of(contest: dict, kept: list) -> dict:
    """How a command takes the first record of ``contest``, and what keeps it where ``kept`` has no such contest."""
    for _, results, paths in kept:
        if results is contest:
            return {"latent_record": shlex.quote(str(paths[0]))}
    name = record_name(contest["policy"], contest["stride"], contest["seeds"][0])
    made_by = f"{contest['command']} --out transfer"
    return {"latent_record": f"transfer/{name}", "latent_record_made_by": made_by}


def _casts(options: ReportOptions, sources: Sources, without) -> dict[str, Cast]:
    """Models by robot, but for the robots ``without``; toy agents alone have none."""
    named = teams(sources, options.body, without=without) if robots_of(sources) else ()
    return {cast.contest.body.name: cast for cast in map(load, named)}


def _models_of(cast: Cast) -> str:
    """What the models of ``cast`` are called."""
    options = cast.options
    return shlex.join(part for part in (*options.toy, options.low, *options.stride_model, *options.high) if part)


def _with_low_levels(results: list[dict], robots: dict) -> dict:
    """``robots`` with what is known of their low levels; results name their robot, unless they are old."""
    from reinfer.viewing.reporting import Evidence

    for low in results:
        body = low.get("body") or (next(iter(robots)) if len(robots) == 1 else None)
        if body is None:
            raise ConfigError("a result of `reinfer eval low` does not name its robot; make it anew")
        if body in robots and robots[body].low:
            raise ConfigError(f"there are two results of `reinfer eval low` on {body}; a report has one")
        robots[body] = robots.get(body, Evidence("", body))._replace(low=low)
    return robots


def _judge_toy(agent) -> dict:
    from reinfer.evaluation.toy import evaluate_toy

    return evaluate_toy(agent)


def describe_model(folder: Path) -> dict:
    """Kind, digest and provenance of a model."""
    from reinfer.runs.models import load_model

    model = load_model(folder)
    return {"kind": model.kind, "sha256": model.sha256, "provenance": model.provenance}


def write_report(evidence: list, output: Path) -> None:
    """Write the file; ``evidence`` as for ``report_html``, one after the other. Raises RunError if it cannot."""
    from reinfer.runs.files import replace_file
    from reinfer.viewing.reporting import report_html

    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        replace_file(output, report_html(evidence[0], tuple(evidence[1:])).encode())
    except OSError as error:
        raise RunError(f"{output} cannot be written: {error.strerror}") from error
