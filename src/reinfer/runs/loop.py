"""The only training loop: restore, iterate, check, log, checkpoint, obey signals, export."""

import csv
import logging
import math
import os
import shlex
import shutil
import time
import traceback
from pathlib import Path

import jax

from reinfer.runs import checkpoint, provenance, trees
from reinfer.runs.config import differences
from reinfer.runs.directory import RunDirectory
from reinfer.runs.errors import ArtifactError, NonFiniteError, RunError
from reinfer.runs.files import commit_folder, file_sha256, stage_folder
from reinfer.runs.logging import MetricsLog, TimingLog, log_to
from reinfer.runs.models import WEIGHTS_FILE
from reinfer.runs.progress import ProgressLine
from reinfer.runs.signals import Preempted, StopRequest, watch
from reinfer.runs.stage import Stage, State

CHECKPOINT_INTERVAL_S = 60.0

_log = logging.getLogger("reinfer")


def fit(
    stage: Stage,
    run: RunDirectory,
    *,
    resume: bool = False,
    progress: bool = True,
    checkpoint_interval_s: float = CHECKPOINT_INTERVAL_S,
) -> State:
    """Run ``stage`` to its end in the folder of ``run``, export its model, and return the final state.

    With ``resume`` it continues from the last whole checkpoint (or from the start if none was written), and
    ends in the same bytes of ``metrics.csv``, weights and model as if it had never stopped. Of a run that is done but
    whose model is damaged or gone, it exports that again.

    Raises:
        RunError: the run has another config, is held by another process, or was started before and ``resume``
            is False.
        ArtifactError: every checkpoint is damaged, or gone of a run that is done, or a parent is not the one the run
            was started with.
        NonFiniteError: a metric or a state leaf is NaN or infinite; the last checkpoint is untouched.
        Preempted: a stop signal came and the state was saved; uncaught, the program exits with code 75.
    """
    _check_stage(stage, run)
    with run.exclusive(), log_to(run.path / "log.txt"), watch() as stop:
        start = _starting_point(stage, run, resume)
        if resume and run.manifest()["status"] == "done":
            if start is None:
                raise ArtifactError(f"{run.path} is done, but has no checkpoint any more; start a new run")
            damage = run.damage()
            if start.iteration == stage.iterations and not damage:
                _log.info("already done")
                return checkpoint.restore(start, stage.init())
            if damage:
                _log.warning("%s; it is exported again", damage)
        _open_session(run, resume, start)
        try:
            state = _train(stage, run, start, stop, progress, checkpoint_interval_s)
            _check_parents(stage, run)
            _export(stage, run, state)
        except Preempted as stopped:
            run.update(status="preempted")
            _log.info("%s", stopped)
            raise
        except BaseException as error:
            (run.path / "error.txt").write_text(traceback.format_exc(), encoding="utf-8")
            run.update(status="failed")
            _log.info("failed: %s", error)
            raise
        run.update(status="done", models=run.models())
        _log.info("done after %d iterations", stage.iterations)
        return state


def _train(stage, run, start, stop: StopRequest, progress: bool, checkpoint_interval_s: float) -> State:
    state = trees.canonical(stage.init())
    form = trees.signature(state)
    iteration = start.iteration if start else 0
    if start:
        state = checkpoint.restore(start, state)
    metrics = MetricsLog(run.path / "metrics.csv", start.extra["metrics"] if start else None)
    timing = TimingLog(run.path / "timing.csv", iteration)
    line = ProgressLine(stage.name, stage.iterations, iteration, stage.steps_per_iteration, stage.score_key, progress)
    saved_at = time.monotonic()
    last_row: dict = {}
    try:
        with line:
            while iteration < stage.iterations:
                if iteration % stage.sync_interval == 0:
                    stage.begin(iteration)
                state, found = stage.iterate(state, iteration)
                state = trees.canonical(state)
                if not last_row:
                    trees.require_signature(state, form, f"stage {stage.name!r}, iteration {iteration + 1}")
                iteration += 1
                last_row = _finite(found, last_row, f"stage {stage.name!r}, iteration {iteration}")
                steps = {"iteration": iteration, "env_steps": iteration * stage.steps_per_iteration}
                metrics.append(steps | last_row)
                timing.append(iteration, stage.steps_per_iteration)
                line.update(iteration, last_row)
                ended = iteration == stage.iterations
                if not ended and iteration % stage.sync_interval:
                    continue
                if ended or stop or time.monotonic() - saved_at >= checkpoint_interval_s:
                    trees.require_signature(state, form, f"stage {stage.name!r}, iteration {iteration}")
                    # Whoever goes on from there counts on from these rows.
                    timing.flush()
                    checkpoint.save(run, iteration, state, {"metrics": metrics.position()})
                    saved_at = time.monotonic()
                if stop and not ended:
                    raise Preempted(
                        f"{stop.signal.name}: saved after iteration {iteration} of {stage.iterations}; "
                        f"continue with: reinfer resume {shlex.quote(str(run.path))}"
                    )
    finally:
        metrics.close()
        timing.close()
    return state


def _finite(metrics: dict, previous: dict, where: str) -> dict[str, float]:
    row = {}
    for name, value in metrics.items():
        row[name] = float(value)
        if not math.isfinite(row[name]):
            before = f"; it was {previous[name]} before" if name in previous else ""
            raise NonFiniteError(f"{where}: metric {name!r} is {row[name]}{before}")
    return row


def _check_stage(stage: Stage, run: RunDirectory) -> None:
    if stage.name != run.stage:
        raise RunError(f"{run.path} is a run of stage {run.stage!r}, not {stage.name!r}")
    for name in ("iterations", "sync_interval"):
        if getattr(stage, name) < 1:
            raise RunError(f"stage {stage.name!r}: {name} is {getattr(stage, name)}; it must be at least 1")
    run.require_config(stage.config)
    _check_parents(stage, run)


def _starting_point(stage: Stage, run: RunDirectory, resume: bool) -> checkpoint.Checkpoint | None:
    if not resume:
        if run.checkpoints.exists() or (run.path / "metrics.csv").exists():
            raise RunError(f"{run.path} was started before; resume it, or start a new run")
        return None
    found = checkpoint.latest(run)
    if found and found.iteration > stage.iterations:
        raise RunError(f"{run.path} is at iteration {found.iteration}, beyond the {stage.iterations} of its stage")
    if found:
        checkpoint.set_aside_newer(run, found.iteration)
    return found


def _open_session(run: RunDirectory, resume: bool, start) -> None:
    """Note in the manifest that the run goes on here, and warn if here is not what it was started on."""
    sessions = run.manifest()["sessions"]
    if resume:
        sessions.append(provenance.session(provenance.command_line()))
        first, now = ({"code": s["code"]} | s["versions"] | s["machine"] for s in (sessions[0], sessions[-1]))
        changed = differences(first, now)
        if changed:
            _log.warning("not the code, versions or machine of the start (%s): bytes may differ", "; ".join(changed))
    device = jax.devices()[0]
    sessions[-1]["device"] = f"{jax.device_count()} x {device.platform} {device.device_kind}"
    sessions[-1]["from_iteration"] = start.iteration if start else 0
    (run.path / "error.txt").unlink(missing_ok=True)
    run.update(status="running", sessions=sessions)
    _log.info("process %d starts at iteration %d", os.getpid(), sessions[-1]["from_iteration"])


def _check_parents(stage: Stage, run: RunDirectory) -> None:
    """Parents are frozen: at every start and at the end their weights must have the hash first noted."""
    recorded = {parent["role"]: parent["sha256"] for parent in run.manifest()["parents"]}
    for parent in stage.parents():
        path = Path(parent["path"])
        weights = path / WEIGHTS_FILE if path.is_dir() else path
        if not weights.is_file():
            raise ArtifactError(f"parent {parent['role']!r} is gone: no file {weights}")
        if not parent["sha256"] == recorded.get(parent["role"]) == file_sha256(weights):
            raise ArtifactError(f"parent {parent['role']!r}: {weights} is not what the run was started with")


def _export(stage: Stage, run: RunDirectory, state: State) -> None:
    """Let the stage write its model beside its final place, then move it there."""
    manifest = run.manifest()
    versions = manifest["sessions"][0]["versions"]
    with open(run.path / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    story = {
        "code": manifest["sessions"][0]["code"],
        "versions": {name: versions[name] for name in ("reinfer", "jax", "numpy")},
        "stage": stage.name,
        "seed": manifest["seed"],
        "iterations": stage.iterations,
        "last_metrics": {name: float(value) for name, value in rows[-1].items() if value},
        "config_sha256": manifest["config_sha256"],
        "parents": [{"role": p["role"], "sha256": p["sha256"]} for p in manifest["parents"]],
    }
    if getattr(stage, "exports_scores", False):
        judged = [row for row in rows if row.get(stage.score_key)]
        story["scores"] = {key: [float(row[key]) for row in judged] for key in ("env_steps", stage.score_key)}
    staged = stage_folder(run.model)
    stage.export(state, staged, story)
    # Left over if a former process died between this move and the note that the run is done.
    if run.model.exists():
        shutil.rmtree(run.model)
    if any(staged.iterdir()):
        commit_folder(staged, run.model)
    else:
        staged.rmdir()
