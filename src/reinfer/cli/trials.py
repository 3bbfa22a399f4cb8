"""Trials of a sweep: planned and checked before any starts, judged by what their run folders hold.

RUNS/sweep.toml                what was asked for
RUNS/trials.csv                a row per trial, rewritten whenever one changes
RUNS/console/<trial>.txt       what the processes of a trial printed
RUNS/<stage>/<trial>/          its run, an ordinary one
"""

import csv
import io
import shlex
import signal
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import tomli_w

from reinfer.cli import train
from reinfer.cli.parsing import flags
from reinfer.cli.steps import is_claimed, require_settings
from reinfer.runs.axes import Axis, combinations, folder_name
from reinfer.runs.config import differences, to_dict
from reinfer.runs.directory import MANIFEST_FILE, RunDirectory
from reinfer.runs.errors import ConfigError, RunError
from reinfer.runs.files import replace_file
from reinfer.runs.logging import read_times
from reinfer.runs.signals import PREEMPTED_EXIT_CODE
from reinfer.runs.tables import read_rows, to_number

SWEEP_FILE, TABLE_FILE, ERROR_FILE, CONSOLE = "sweep.toml", "trials.csv", "error.txt", "console"

#: What a trial may be. Killed: its process or its machine is gone. Stopped: it saved its state on request.
WAITING, RUNNING, DONE, FAILED, KILLED, STOPPED = "waiting", "running", "done", "failed", "killed", "stopped"

#: Signals that come from outside; others (e.g. SIGSEGV) are faults of the program.
_FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)


class Trial(NamedTuple):
    """One combination.

    Args:
        name: of the run, made of the settings.
        settings: what is swept over -> its text.
        words: what follows ``reinfer train``, save for how the run is kept.
        path: folder of the run.
        config: all settings, as plain values.
        score_key: the metric by which its stage is judged.
    """

    name: str
    settings: dict[str, str]
    words: tuple[str, ...]
    path: Path
    config: dict[str, Any]
    score_key: str

    @property
    def label(self) -> str:
        """For people."""
        return " ".join(f"{name}={text}" for name, text in self.settings.items())

    @property
    def console(self) -> Path:
        """Where the output of its processes is kept."""
        return self.path.parent.parent / CONSOLE / f"{self.name}.txt"


class Row(NamedTuple):
    """What is known of a trial: ``score`` once it is done, ``starts`` counts it being resumed."""

    status: str
    score: float | None = None
    seconds: float | None = None
    starts: int = 0
    error: str = ""


#: Columns of ``trials.csv`` behind the settings; those in the middle are numbers.
_FIGURES = Row._fields[1:-1]
_TOLD = ("status", "score_name", *_FIGURES, "folder", "error")


def plan(stage: str, axes: tuple[Axis, ...], words: list[str], runs: Path) -> list[Trial]:
    """All trials of a sweep. Raises ConfigError on the first combination that ``reinfer train`` would refuse."""
    _check_names(axes, words)
    trials = [_trial(stage, settings, words, runs) for settings in combinations(axes)]
    names = [trial.name for trial in trials]
    for trial in trials:
        if names.count(trial.name) > 1:
            raise ConfigError(f"over: two trials would be called {trial.name!r}; name their values otherwise")
    return trials


def _check_names(axes: tuple[Axis, ...], words: list[str]) -> None:
    """Raise ConfigError if a setting is not to be swept over, or not to be given besides."""
    own = [flag for flag in flags(train.TrainOptions) if flag not in ("--preset", "--config")]
    given = {word.partition("=")[0].replace("_", "-") for word in words if word.startswith("--")}
    for flag in own:
        if flag in given:
            raise ConfigError(f"{flag} is not allowed behind --; runs of a sweep are kept as the sweep says")
    for name in (name for axis in axes for name in axis.names):
        switches = {option(name, text)[0].partition("=")[0] for text in ("true", "false")}
        if switches & set(own):
            raise ConfigError(f"over: {name} is not allowed; it does not change what is learned")
        if switches & given:
            raise ConfigError(f"over: {name} is also given behind --; leave it out there")


def option(name: str, text: str) -> list[str]:
    """``name`` = ``text`` as words of ``reinfer train``; true and false switch, several words are a list."""
    flag = name.replace("_", "-")
    if text in ("true", "false"):
        stem, dot, leaf = flag.rpartition(".")
        return [f"--{flag}" if text == "true" else f"--{stem}{dot}no-{leaf}"]
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ConfigError(f"over: {name}: {text!r} is not allowed; its quotes do not match") from error
    return [f"--{flag}={words[0]}"] if len(words) == 1 else [f"--{flag}", *words]


def _trial(stage: str, settings: dict[str, str], words: list[str], runs: Path) -> Trial:
    swept = [word for name, text in settings.items() for word in option(name, text)]
    try:
        wanted = train.read_training([stage, *words, *swept])
    except ConfigError as error:
        label = " ".join(f"{name}={text}" for name, text in settings.items())
        raise ConfigError(f"trial {label}: {error}") from error
    name = folder_name(settings)
    score_key = wanted.classes[type(wanted.config)].score_key
    return Trial(name, settings, (stage, *words, *swept), runs / stage / name, to_dict(wanted.config), score_key)


def open_folder(runs: Path, stage: str, axes: tuple[Axis, ...], words: list[str]) -> None:
    """Make the folder of a sweep, or take up the one there. Raises RunError if it is something else's."""
    over = {"+".join(axis.names): ["+".join(point) for point in axis.points] for axis in axes}
    asked = {"stage": stage, "train": words, "over": over}
    file = runs / SWEEP_FILE
    if file.exists():
        try:
            before = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(f"{file} is damaged: {error}") from error
        changed = differences(before, asked)
        if changed:
            raise RunError(f"{runs} holds another sweep ({'; '.join(changed)}); choose another --runs for this one")
        return
    try:
        (runs / CONSOLE).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"runs: folder {runs} cannot be made: {error.strerror}") from error
    if any(path.name != CONSOLE and not path.name.startswith(".") for path in runs.iterdir()):
        raise RunError(f"runs: {runs} holds no {SWEEP_FILE}, but other files; choose a folder for this sweep alone")
    replace_file(file, tomli_w.dumps(asked).encode())


def runs_of(folder: Path) -> list[Path]:
    """The runs that a sweep made so far."""
    return sorted(manifest.parent for manifest in folder.glob(f"*/*/{MANIFEST_FILE}"))


def read_table(runs: Path) -> list[dict[str, str]]:
    """The rows of ``trials.csv``, by column; none if there is no file. Raises ArtifactError if it is damaged."""
    path = runs / TABLE_FILE
    if not path.exists():
        return []
    rows = read_rows(path, ("trial", *_TOLD))
    for figure in (row[name] for row in rows for name in _FIGURES if row[name]):
        to_number(path, figure)
    return rows


def recorded(runs: Path) -> dict[str, str]:
    """Status by name of trial, as ``trials.csv`` has it; empty if there is none."""
    return {row["trial"]: row["status"] for row in read_table(runs)}


def standing(trial: Trial, before: str | None) -> Row:
    """Where ``trial`` stands when a sweep begins; ``before`` is its recorded status.

    Raises RunError if its run has other settings, or another process is at it.
    """
    require_settings(trial.path, trial.config)
    if not is_claimed(trial.path):
        return row(trial, FAILED) if before == FAILED else Row(WAITING)
    status = RunDirectory.open(trial.path).status()
    if status == "running":
        raise RunError(f"{trial.path} is being written by another process; stop it first")
    if status == "interrupted":
        return row(trial, FAILED if before == FAILED else KILLED)
    return row(trial, {"done": DONE, "failed": FAILED, "preempted": STOPPED}[status])


def ended(trial: Trial, code: int | None, reason: str, stopping: bool) -> Row:
    """What became of ``trial``, whose process ended with ``code``.

    Args:
        reason: if the code is not known, or tells nothing.
        stopping: it was asked to stop, which a process that is about to begin cannot obey but by dying.
    """
    if code == 0:
        return row(trial, DONE)
    if code == PREEMPTED_EXIT_CODE or (stopping and code == -signal.SIGTERM):
        return row(trial, STOPPED)
    for number in _FROM_OUTSIDE:
        if code in (-number, 128 + number):
            return row(trial, KILLED, f"by {number.name}")
    if code is None:
        return row(trial, KILLED, reason)
    return row(trial, FAILED, reason or (f"signal {-code}" if code < 0 else _last_error(trial, f"exit code {code}")))


def row(trial: Trial, status: str, error: str = "") -> Row:
    """A row with what the run folder holds."""
    times = read_times(trial.path / "timing.csv")
    seconds = times[-1][1] if times else None
    score = _score(trial) if status == DONE else None
    starts = len(RunDirectory.open(trial.path).manifest()["sessions"]) if is_claimed(trial.path) else 0
    if status == FAILED and not error:
        error = _last_error(trial, "")
    return Row(status, score, seconds, starts, error)


def error_file(trial: Trial) -> Path:
    """Where to read why ``trial`` failed: what its run wrote, if it came that far."""
    file = trial.path / ERROR_FILE
    return file if file.exists() else trial.console


def _last_error(trial: Trial, otherwise: str) -> str:
    try:
        lines = error_file(trial).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return otherwise
    last = next((line.strip() for line in reversed(lines) if line.strip()), otherwise)
    return last.removeprefix("reinfer: error: ")


def _score(trial: Trial) -> float | None:
    """The last that its run noted, if any."""
    file = trial.path / "metrics.csv"
    if not file.exists():
        return None
    values = [found[trial.score_key] for found in read_rows(file) if found.get(trial.score_key)]
    return to_number(file, values[-1]) if values else None


def write_table(runs: Path, rows: dict[str, Row], trials: list[Trial]) -> None:
    """Rewrite ``trials.csv``."""
    settings = list(trials[0].settings)
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\n")
    table.writerow(["trial", *settings, *_TOLD])
    for trial in trials:
        found = rows[trial.name]
        cells = ["" if cell is None else cell for cell in found]
        told = [cells[0], trial.score_key, *cells[1:-1], trial.path, cells[-1]]
        table.writerow([trial.name, *trial.settings.values(), *told])
    replace_file(runs / TABLE_FILE, written.getvalue().encode())
