"""``reinfer reproduce``: everything from nothing to the report, by the commands that a user would type one by one.

Runs lie at fixed places below ``--runs``, results below ``--out``, so that the same command again finds what is done,
skips it, and goes on where it stopped. Keys of ``summary.json``: ``command``, ``body``, ``preset``, ``share``,
``seeds``, ``finished``, ``report`` (path), ``seconds`` (sum over steps), ``wall_s`` (wall-clock seconds of all
sessions, each up to its last finished step), ``figures`` (null until finished) and ``steps``: per step ``command``,
``result`` (path), ``seconds`` and, of a training, ``sha256`` of its weights, of an evaluation, ``made_from`` (file ->
sha256). Seconds of a training are those of its iterations over all sessions, without the work that a kill undid.
"""

import shlex
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from reinfer.bodies import ALLOWED, robot
from reinfer.cli.parsing import parse
from reinfer.cli.records import REPORT_FILE, load_json
from reinfer.cli.steps import Evaluation, Training, take
from reinfer.cli.train import read_training
from reinfer.runs.config import setting, validate
from reinfer.runs.errors import RunError
from reinfer.runs.files import replace_file, to_json
from reinfer.runs.signals import Preempted, watch

SUMMARY_FILE = "summary.json"


@dataclass(frozen=True, slots=True)
class ReproduceOptions:
    """Train, evaluate and report everything from nothing; the same command again goes on where it stopped."""

    body: str = setting("half_cheetah", f"robot: {ALLOWED}")
    seeds: int = setting(1, "toy agents to train, each with its own stride policy, from seed 0 on", low=1, high=100)
    preset: str = setting("default", "settings of every stage", choices=("default", "quick"))
    device: str = setting(
        "cpu", "where physics runs in training: in C threads, or by MJX; it is judged in C", choices=("cpu", "gpu")
    )
    share: float = setting(1.0, "of the iterations of every stage: less time, less skill", low=0.01, high=1.0)
    runs: str = setting("runs/reproduce", "folder in which runs are kept")
    out: str | None = setting(None, "folder for results and report; by default RUNS/BODY")
    video: bool = setting(True, "draw videos for the report")
    checkpoint_interval_s: float = setting(60.0, "wall-clock seconds between checkpoints", low=0.0)
    progress: bool = setting(True, "show a progress line")


def run(arguments: list[str]) -> int:
    """Take every step that is not done; prints which, how long each took, and where the report is."""
    options = validate(parse(ReproduceOptions, "reinfer reproduce", arguments))
    if options.device == "gpu":
        from reinfer.simulation.device import require_gpu

        require_gpu()
    folder = Path(options.out or Path(options.runs) / robot(options.body).name)
    trainings = plan_trainings(options)
    for training in trainings:
        training.check()
    summary = open_summary(folder) | {
        "command": ["reinfer", "reproduce", *arguments],
        "body": options.body,
        "preset": options.preset,
        "share": options.share,
        "seeds": options.seeds,
        "finished": False,
        "figures": None,
    }
    before_s, began = summary["wall_s"], time.monotonic()
    steps = [*trainings, *plan_evaluations(options, folder, trainings)]
    try:
        with watch() as stop:
            for number, step in enumerate(steps, 1):
                if stop:
                    raise Preempted(stop.signal.name)
                head = f"[{number}/{len(steps)}] {step.title}:"
                say = partial(print, head, flush=True)
                summary["steps"][step.title] = take(step, summary["steps"].get(step.title), say)
                summary["wall_s"] = round(before_s + time.monotonic() - began, 3)
                write_summary(folder, summary)
    except Preempted:
        typed = shlex.join(summary["command"])
        raise Preempted(f"stopped on request, all that is done is kept; continue with: {typed}") from None
    summary |= {
        "steps": {step.title: summary["steps"][step.title] for step in steps},
        "finished": True,
        "report": str(folder / "report.html"),
        "figures": figures(folder, options),
    }
    write_summary(folder, summary)
    print("\n".join(lines(summary)))
    print(f"summary: {folder / SUMMARY_FILE}")
    print(f"report: {(folder / 'report.html').absolute()}")
    return 0


def plan_trainings(options: ReproduceOptions) -> list[Training]:
    """The runs, parents before those that build on them."""
    runs, seeds, own = Path(options.runs), range(options.seeds), robot(options.body)
    body, files = options.body, {parent["role"]: Path(parent["path"]) for parent in own.parents()}
    progress = "--progress" if options.progress else "--no-progress"
    loop = [progress, "--checkpoint-interval-s", str(options.checkpoint_interval_s)]

    # Share and device are said only where they are not the default, so that runs of before they could be said go on.
    def training(title: str, stage: str, name: str, *settings: str, **parents: Path) -> Training:
        place = ["--preset", options.preset, "--runs", options.runs, "--name", name]
        named = [word for role, path in parents.items() for word in (f"--{role}", str(path))]
        made_of = {} if stage == "toy" else files
        words = [stage, *settings, *named, *place]
        if options.share < 1.0:
            whole = read_training(words).config.iterations
            words += ["--iterations", str(max(1, round(options.share * whole)))]
        return Training(title, words, loop, runs / stage / name, parents, made_of)

    toys = [training(f"train toy, seed {n}", "toy", f"seed{n}", "--seed", str(n)) for n in seeds]
    device = () if options.device == "cpu" else ("--device", options.device)
    low = training("train low", "low", own.name, "--body", body, *device)
    strides = []
    for n, toy in zip(seeds, toys, strict=True):
        settings = ("--body", body, "--seed", str(n), *device)
        title, name = f"train stride, seed {n}", f"{own.name}-seed{n}"
        strides.append(training(title, "stride", name, *settings, toy=toy.path, low=low.path))
    return [*toys, low, *strides]


def plan_evaluations(options: ReproduceOptions, folder: Path, trainings: list[Training]) -> list[Evaluation]:
    """What is measured of the models that ``trainings`` make, and the report of it."""
    toys, low, strides = trainings[: options.seeds], trainings[options.seeds], trainings[options.seeds + 1 :]
    body = options.body
    evaluations = []
    for seed, toy in enumerate(toys):
        command = ["eval", "toy", "--model", str(toy.path), "--json"]
        output = folder / f"toy_seed{seed}.json"
        evaluations.append(Evaluation(f"eval toy, seed {seed}", command, [toy.weights], output, captured=True))
    command = ["eval", "low", "--body", body, "--model", str(low.path), "--json"]
    evaluations.append(
        Evaluation("eval low", command, [low.weights, *low.files.values()], folder / "low.json", captured=True)
    )
    contest = folder / "transfer"
    command = ["eval", "transfer", "--body", body, "--tasks", "standard", "--low", str(low.path), "--out", str(contest)]
    command += ["--toy", *(str(t.path) for t in toys), "--stride-model", *(str(s.path) for s in strides)]
    weights = [*(training.weights for training in trainings), *low.files.values()]
    evaluations.append(Evaluation("eval transfer", command, weights, contest / REPORT_FILE, folder=contest))
    command = ["report", str(contest), str(folder / "toy_seed0.json"), str(folder / "low.json")]
    command += [*(str(t.path) for t in trainings), "--output", str(folder / "report.html")]
    command += [] if options.video else ["--no-video"]
    inputs = [folder / "toy_seed0.json", folder / "low.json", contest / REPORT_FILE, *weights]
    return [*evaluations, Evaluation("report", command, inputs, folder / "report.html")]


def open_summary(folder: Path) -> dict:
    """The summary that lies in ``folder``, or a first one. Raises RunError if the folder is something else's."""
    if (folder / SUMMARY_FILE).exists():
        return load_json(folder / SUMMARY_FILE, ("steps", "wall_s"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"out: folder {folder} cannot be made: {error.strerror}") from error
    # A killed process leaves hidden, half-written files.
    if any(not path.name.startswith(".") for path in folder.iterdir()):
        raise RunError(f"out: {folder} holds no {SUMMARY_FILE}, but other files; nothing was overwritten")
    return {"steps": {}, "wall_s": 0.0}


def write_summary(folder: Path, summary: dict) -> None:
    """Write the summary, its total brought up to date."""
    summary["seconds"] = round(sum(step["seconds"] for step in summary["steps"].values()), 3)
    replace_file(folder / SUMMARY_FILE, to_json(summary))


def figures(folder: Path, options: ReproduceOptions) -> dict:
    """The figures by which all of it is judged, SI units; lists are over seeds."""
    toys = [load_json(folder / f"toy_seed{seed}.json", ("return_mean",)) for seed in range(options.seeds)]
    low = load_json(folder / "low.json", ("fall_rate",))
    contest = load_json(folder / "transfer" / REPORT_FILE, ("position", "velocity"))
    position, velocity = contest["position"], contest["velocity"]
    return {
        "toy_return": [toy["return_mean"] for toy in toys],
        "toy_target_error_10_rows": [toy["target_error_by_rows"]["10"] for toy in toys],
        "low_goal_error_m": low["goal_error_m"],
        "low_speed_error": low["speed_error_windowed"],
        "low_fall_rate": low["fall_rate"],
        "position_settled_error_m": position["settled_error_m"],
        "position_settled_fraction": position["settled_fraction"],
        "velocity_windowed_error": velocity["windowed_relative_error"],
        "velocity_settled_fraction": velocity["settled_fraction"],
        "transfer_fall_rate": contest["fall_rate"],
    }


def lines(summary: dict) -> list[str]:
    """For a person: seconds per step, then the figures."""
    table = [f"{title:<24} {step['seconds']:>8.1f} s" for title, step in summary["steps"].items()]
    found = [f"{name}: {value}" for name, value in summary["figures"].items()]
    totals = [f"{'in all':<24} {summary['seconds']:>8.1f} s", f"{'wall clock':<24} {summary['wall_s']:>8.1f} s"]
    return ["", *table, *totals, "", *found, ""]
