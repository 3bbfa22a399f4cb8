"""``reinfer sweep STAGE --over NAME=VALUES... [-- OPTIONS OF TRAIN]``: many trainings, by Ray.

Every trial is ``reinfer train``, or ``reinfer resume``, in a process of its own and an ordinary run folder. The same
command again skips what is done and resumes what is not. Files: see ``cli.trials``. Exit code 1 if any trial failed or
was killed, 75 if the sweep was stopped on request.
"""

import collections
import os
import shlex
from dataclasses import dataclass
from pathlib import Path

import tyro

from reinfer.cli import trials
from reinfer.cli.parsing import parse
from reinfer.cli.steps import is_claimed
from reinfer.cli.trials import DONE, FAILED, KILLED, RUNNING, STOPPED, Row, Trial
from reinfer.runs.axes import parse_axes
from reinfer.runs.config import setting, validate
from reinfer.runs.errors import ConfigError
from reinfer.runs.files import hold
from reinfer.runs.signals import Preempted, watch

#: How Python runs a trial.
PROGRAM = ("-m", "reinfer.cli.trial")

_POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class SweepOptions:
    """Train a stage with every combination of settings; the same command again goes on where it stopped.

    Options of `reinfer train` that hold for all trials follow behind `--`.
    """

    stage: tyro.conf.Positional[str]
    """Stage to train, as for `reinfer train`."""
    over: tyro.conf.UseAppendAction[tuple[str, ...]] = setting(
        (), "NAME=VALUE,VALUE or NAME=FIRST..LAST, once per setting; NAME+NAME=VALUE+VALUE,... changes them together"
    )
    runs: str = setting("runs/sweep", "folder for this sweep alone: its table and its runs")
    cpus: int = setting(1, "cores of each trial", low=1)
    gpus: float = setting(0.0, "GPUs of each trial; a fraction shares one, 0 trains on the CPU", low=0.0)
    trials_at_once: int | None = setting(None, "never more trials at once; by default as many as find room", low=1)
    address: str | None = setting(None, "Ray cluster: auto, or HOST:PORT of its head; by default this machine alone")
    resumes: int = setting(1, "how often a trial that is killed is resumed within this command", low=0)
    retry_failed: bool = setting(False, "try trials that failed once more, from their last checkpoints")
    checkpoint_interval_s: float = setting(60.0, "wall-clock seconds between checkpoints", low=0.0)


class Sweep:
    """Trials, what is known of each, and the table of it on disk."""

    def __init__(self, options: SweepOptions, planned: list[Trial]):
        self.options, self.trials, self.runs = options, planned, Path(options.runs)
        before = trials.recorded(self.runs)
        self.rows = {trial.name: trials.standing(trial, before.get(trial.name)) for trial in planned}
        self._by_name = {trial.name: trial for trial in planned}
        self._resumes = collections.Counter()
        trials.write_table(self.runs, self.rows, planned)

    def left(self) -> list[Trial]:
        """Trials to start or resume."""
        settled = (DONE,) if self.options.retry_failed else (DONE, FAILED)
        return [trial for trial in self.trials if self.rows[trial.name].status not in settled]

    def perform(self, pool, stop) -> None:
        """Run what is left in ``pool`` until all have ended, or all have stopped because of ``stop``."""
        waiting, asked = collections.deque(self.left()), False
        while len(pool) or (waiting and not stop):
            most = min(pool.room(), self.options.trials_at_once or len(self.trials))
            while waiting and not stop and len(pool) < most:
                self._start(pool, waiting.popleft())
            if stop and not asked:
                pool.stop()
                asked = True
            ended = pool.wait(_POLL_S)
            if ended is None:
                continue
            trial = self._by_name[ended.key]
            found = trials.ended(trial, ended.code, ended.reason, bool(stop))
            self._put(trial, found)
            self._say(trial, _story(trial, found))
            if found.status in (KILLED, STOPPED) and not stop and self._resumes[trial.name] < self.options.resumes:
                self._resumes[trial.name] += 1
                waiting.append(trial)

    def _start(self, pool, trial: Trial) -> None:
        loop = ("--checkpoint-interval-s", str(self.options.checkpoint_interval_s))
        again = is_claimed(trial.path)
        # If this attempt fails before the run begins, the error of the last one must not be taken for its own.
        (trial.path / trials.ERROR_FILE).unlink(missing_ok=True)
        if again:
            command = ("resume", str(trial.path), *loop)
        else:
            command = ("train", *trial.words, "--runs", self.options.runs, "--name", trial.name, *loop)
        self._put(trial, self.rows[trial.name]._replace(status=RUNNING, error=""))
        self._say(trial, "resumed" if again else "started")
        pool.start(trial.name, (*PROGRAM, *command), os.getcwd(), str(trial.console.absolute()))

    def _put(self, trial: Trial, found: Row) -> None:
        self.rows[trial.name] = found
        trials.write_table(self.runs, self.rows, self.trials)

    def _say(self, trial: Trial, what: str) -> None:
        settled = sum(row.status in (DONE, FAILED) for row in self.rows.values())
        print(f"[{settled}/{len(self.trials)}] {trial.label}: {what}", flush=True)


def run(arguments: list[str]) -> int:
    """Run the trials that are not done; prints what becomes of each, and the table."""
    import jax

    from reinfer.runs.ray_pool import RayPool, require_ray

    # Only trials train: this process must not take memory of a GPU.
    jax.config.update("jax_platforms", "cpu")
    options, axes, words, planned = read_sweep(arguments)
    require_ray()
    runs = Path(options.runs)
    trials.open_folder(runs, options.stage, axes, words)
    typed = shlex.join(["reinfer", "sweep", *arguments])
    with hold(runs):
        sweep = Sweep(options, planned)
        print(_beginning(sweep), flush=True)
        if sweep.left():
            with (
                RayPool(options.address, options.cpus, options.gpus) as pool,
                watch("trials save their state and stop") as stop,
            ):
                sweep.perform(pool, stop)
            if stop and sweep.left():
                raise Preempted(f"stopped on request, all that is done is kept; continue with: {typed}")
    print("\n".join(["", *table(sweep), "", f"table: {runs / trials.TABLE_FILE}"]))
    return _verdict(sweep, typed)


def read_sweep(arguments: list[str]):
    """``SweepOptions``, axes, words behind ``--``, and trials. Raises ConfigError on any mistake; nothing is made."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    own, words = arguments[:end], arguments[end + 1 :]
    try:
        options = validate(parse(SweepOptions, "reinfer sweep", own))
    except ConfigError as error:
        if "unknown option" not in str(error):
            raise
        raise ConfigError(f"{error}; options of reinfer train go behind --") from error
    if options.gpus > 1 and not options.gpus.is_integer():
        raise ConfigError(f"gpus: {options.gpus} is not allowed; it must be a whole number, or a fraction of one")
    axes = parse_axes(options.over)
    return options, axes, words, trials.plan(options.stage, axes, words, Path(options.runs))


def _beginning(sweep: Sweep) -> str:
    counts = collections.Counter(row.status for row in sweep.rows.values())
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    return f"{len(sweep.trials)} trials in {sweep.runs}: {told}"


def _story(trial: Trial, row: Row) -> str:
    if row.status == DONE:
        score = "" if row.score is None else f", {trial.score_key} {row.score:.4g}"
        return f"done in {row.seconds or 0.0:.0f} s{score}"
    if row.status == FAILED:
        return f"failed: {row.error}; see {trials.error_file(trial)}"
    return f"{row.status}: {row.error}" if row.error else row.status


def table(sweep: Sweep) -> list[str]:
    """Lines for people: a row per trial."""
    keys = {trial.score_key for trial in sweep.trials}
    score = keys.pop() if len(keys) == 1 else "score"
    lines = [[*sweep.trials[0].settings, "status", score, "seconds", "starts", "folder"]]
    for trial in sweep.trials:
        row = sweep.rows[trial.name]
        figures = ["" if figure is None else f"{figure:.4g}" for figure in (row.score, row.seconds)]
        lines.append([*trial.settings.values(), row.status, *figures, str(row.starts), str(trial.path)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def _verdict(sweep: Sweep, typed: str) -> int:
    bad = [trial for trial in sweep.trials if sweep.rows[trial.name].status != DONE]
    for trial in bad:
        print(f"{trial.label}: {_story(trial, sweep.rows[trial.name])}")
    if any(sweep.rows[trial.name].status == FAILED for trial in bad):
        print(f"to try what failed again: {typed if '--retry-failed' in typed else _retrying(typed)}")
    if any(sweep.rows[trial.name].status in (KILLED, STOPPED) for trial in bad):
        print(f"to resume what was killed: {typed}")
    return 1 if bad else 0


def _retrying(typed: str) -> str:
    own, dashes, words = typed.partition(" -- ")
    return f"{own} --retry-failed{dashes}{words}"
