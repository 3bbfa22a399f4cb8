"""The training loop in one process: what is written, when it stops, what it refuses."""

import dataclasses
import os
import signal
import threading

import numpy as np
import pytest
from line_stage import LineConfig, LineStage, fingerprint

from reinfer.runs import checkpoint
from reinfer.runs.directory import RunDirectory
from reinfer.runs.errors import ArtifactError, NonFiniteError, RunError
from reinfer.runs.loop import fit
from reinfer.runs.models import load_model, save_model
from reinfer.runs.signals import Preempted

QUICK = LineConfig(iterations=22, sync_interval=4)


def start(root, config=QUICK, parents=(), name=None, **options):
    run = RunDirectory.create(root, "line", config, ["test"], list(parents), name=name)
    return run, lambda stage=None, **more: fit(
        stage or LineStage(config), run, **{"progress": False, **options, **more}
    )


def test_a_run_leaves_everything_it_should(tmp_path):
    run, go = start(tmp_path)
    state = go()
    lines = (run.path / "metrics.csv").read_text().splitlines()
    assert lines[0] == "iteration,env_steps,loss,evaluation"
    assert [line.split(",")[:2] for line in lines[1:]] == [[str(i), str(8 * i)] for i in range(1, 23)]
    assert [i for i, line in enumerate(lines[1:], 1) if line.split(",")[3]] == [10, 20]
    assert len((run.path / "timing.csv").read_text().splitlines()) == 23
    assert run.manifest()["status"] == "done"
    assert run.manifest()["sessions"][0]["device"].startswith("1 x ")
    model = load_model(run.model, "line")
    np.testing.assert_array_equal(model.arrays["weight"], state.weight)
    assert model.provenance["config_sha256"] == run.manifest()["config_sha256"]
    assert checkpoint.latest(run).iteration == 22
    assert not list(run.path.glob("**/*.partial"))


def test_a_checkpoint_comes_after_the_times_that_led_to_it(tmp_path, monkeypatch):
    """A process that dies right after its last one has nothing left to train, and so no other time to tell."""
    run, go = start(tmp_path)
    save, seen = checkpoint.save, []

    def note(run, iteration, *rest):
        seen.append((iteration, len((run.path / "timing.csv").read_text().splitlines()) - 1))
        save(run, iteration, *rest)

    monkeypatch.setattr(checkpoint, "save", note)
    go(checkpoint_interval_s=0.0)
    assert seen == [(iteration, iteration) for iteration in (4, 8, 12, 16, 20, 22)]


def test_times_of_checkpoints_and_progress_change_no_byte(tmp_path):
    prints = set()
    for interval_s, progress in ((0.0, False), (60.0, True), (0.01, False)):
        run, go = start(tmp_path)
        go(checkpoint_interval_s=interval_s, progress=progress)
        prints.add(fingerprint(run.path))
    assert len(prints) == 1


def test_a_boundary_is_a_boundary_whether_or_not_it_was_saved(tmp_path):
    """The live resource is put back at every boundary; otherwise resuming would give other numbers."""
    begun = []

    class Spy(LineStage):
        def begin(self, iteration):
            begun.append(iteration)
            super().begin(iteration)

    start(tmp_path)[1](Spy(QUICK))
    assert begun == [0, 4, 8, 12, 16, 20]


@pytest.fixture
def own_handlers():
    """The application's own signal handlers, in place before the run."""
    handlers = {n: lambda *_: None for n in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)}
    former = {n: signal.signal(n, handler) for n, handler in handlers.items()}
    yield handlers
    for n, handler in former.items():
        signal.signal(n, handler)


class Stopping(LineStage):
    """Sends its own process a signal in a given iteration."""

    def __init__(self, config, at, number):
        super().__init__(config)
        self.at, self.number = at, number

    def iterate(self, state, iteration):
        if iteration + 1 == self.at:
            os.kill(os.getpid(), self.number)
            threading.Event().wait(0.1)
        return super().iterate(state, iteration)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
@pytest.mark.parametrize("at", [3, 8, 11])
def test_a_stop_signal_saves_at_the_next_boundary_and_resumes_to_the_same_bytes(tmp_path, own_handlers, number, at):
    whole, go = start(tmp_path, name="whole")
    go()
    run, go = start(tmp_path, name="stopped")
    with pytest.raises(Preempted) as caught:
        go(Stopping(QUICK, at, number))
    assert caught.value.code == 75
    boundary = -(-at // 4) * 4
    assert f"saved after iteration {boundary} of 22" in str(caught.value)
    assert {n: signal.getsignal(n) for n in own_handlers} == own_handlers
    assert run.manifest()["status"] == "preempted"
    assert checkpoint.latest(run).iteration == boundary
    assert not run.model.exists()
    go(resume=True)
    assert run.manifest()["status"] == "done"
    assert [s["from_iteration"] for s in run.manifest()["sessions"]] == [0, boundary]
    assert fingerprint(run.path) == fingerprint(whole.path)
    elapsed = [float(line.split(",")[1]) for line in (run.path / "timing.csv").read_text().splitlines()[1:]]
    assert len(elapsed) == 22
    assert elapsed == sorted(elapsed)


def test_a_signal_in_the_last_iteration_lets_the_run_end(tmp_path):
    run, go = start(tmp_path)
    go(Stopping(QUICK, 22, signal.SIGTERM))
    assert run.manifest()["status"] == "done"


def test_outside_the_main_thread_signals_are_left_alone(tmp_path):
    run, go = start(tmp_path)
    thread = threading.Thread(target=go)
    thread.start()
    thread.join()
    assert run.manifest()["status"] == "done"


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("metric", r"stage 'line', iteration 10: metric 'loss' is nan; it was \d+\.\d+ before"),
        ("state", "stage 'line', iteration 12: state leaf 'weight' has [123] of 3 values not finite"),
    ],
)
def test_a_non_finite_value_stops_the_run_before_it_is_saved(tmp_path, bad, words):
    config = dataclasses.replace(QUICK, bad=bad, bad_at=10 if bad == "metric" else 12)
    run, go = start(tmp_path, config, checkpoint_interval_s=0.0)
    with pytest.raises(NonFiniteError, match=words):
        go()
    assert run.manifest()["status"] == "failed"
    assert "NonFiniteError" in (run.path / "error.txt").read_text()
    assert checkpoint.latest(run).iteration == 8
    assert not run.model.exists()
    with pytest.raises(NonFiniteError, match=words):
        go(resume=True)
    assert checkpoint.latest(run).iteration == 8


def test_a_non_finite_state_that_no_boundary_saw_is_never_exported(tmp_path):
    config = dataclasses.replace(QUICK, bad="state", bad_at=22)
    run, go = start(tmp_path, config)
    with pytest.raises(NonFiniteError, match="iteration 22"):
        go()
    assert not run.checkpoints.exists()
    assert not run.model.exists()


def test_a_crash_is_recorded_and_a_resume_clears_it(tmp_path):
    run, go = start(tmp_path, dataclasses.replace(QUICK, bad="crash", bad_at=10), checkpoint_interval_s=0.0)
    with pytest.raises(ZeroDivisionError):
        go()
    assert run.manifest()["status"] == "failed"
    assert "the stage itself failed" in (run.path / "error.txt").read_text()
    stage = LineStage(run.load_config(LineConfig))
    stage._go_wrong = lambda *unchanged: unchanged
    go(stage, resume=True)
    assert run.manifest()["status"] == "done"
    assert not (run.path / "error.txt").exists()


def test_a_state_that_changes_its_form_is_refused_at_once(tmp_path):
    run, go = start(tmp_path, dataclasses.replace(QUICK, bad="shape", bad_at=1))
    with pytest.raises(RunError, match=r"iteration 1: the training state changed its form: leaf 'weight'"):
        go()


def test_damage_is_named_and_the_previous_checkpoint_leads_to_the_same_bytes(tmp_path, caplog):
    whole, go = start(tmp_path, name="whole")
    go()
    run, go = start(tmp_path, name="damaged", checkpoint_interval_s=0.0)
    with pytest.raises(Preempted):
        go(Stopping(QUICK, 11, signal.SIGTERM))
    weights = run.checkpoints / "000000012" / "state.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    go(resume=True)
    assert f"{weights} is damaged" in caplog.text
    assert "using the checkpoint of iteration 8" in caplog.text
    assert run.manifest()["sessions"][-1]["from_iteration"] == 8
    assert (run.checkpoints / "damaged-000000012").is_dir()
    assert fingerprint(run.path) == fingerprint(whole.path)


def test_damaged_metrics_are_named(tmp_path):
    run, go = start(tmp_path)
    with pytest.raises(Preempted):
        go(Stopping(QUICK, 11, signal.SIGTERM))
    path = run.path / "metrics.csv"
    whole = path.read_bytes()
    for damaged in (whole[:-5], whole.replace(b"8", b"9", 1), b""):
        path.write_bytes(damaged)
        with pytest.raises(ArtifactError, match=r"metrics\.csv is damaged: it does not begin with the 12 rows"):
            go(resume=True)
    path.write_bytes(whole + b"13,a torn row")
    go(resume=True)
    assert run.manifest()["status"] == "done"


def test_a_run_cannot_be_started_twice_or_with_another_config(tmp_path):
    run, go = start(tmp_path)
    with pytest.raises(RunError, match=r"changed \(iterations: 22 -> 23\)"):
        go(LineStage(dataclasses.replace(QUICK, iterations=23)), resume=True)
    assert run.manifest()["status"] == "running"
    before = go()
    with pytest.raises(RunError, match="was started before; resume it"):
        go()
    print_before = fingerprint(run.path)
    again = go(resume=True)
    np.testing.assert_array_equal(again.weight, before.weight)
    assert fingerprint(run.path) == print_before
    assert len(run.manifest()["sessions"]) == 1
    other = LineStage(QUICK)
    other.name = "other"
    with pytest.raises(RunError, match="is a run of stage 'line', not 'other'"):
        go(other)
    other.name, other.sync_interval = "line", 0
    with pytest.raises(RunError, match="sync_interval is 0; it must be at least 1"):
        go(other)


def test_a_resume_without_a_checkpoint_starts_over(tmp_path):
    whole, go = start(tmp_path, name="whole")
    go()
    run, go = start(tmp_path, name="young")
    (run.path / "metrics.csv").write_text("iteration,env_steps,loss\n1,8,torn")
    go(resume=True)
    assert fingerprint(run.path) == fingerprint(whole.path)


def test_parents_are_frozen(tmp_path):
    story = {"kind": "k", "config": {}, "metrics": {}, "provenance": {}}
    save_model(tmp_path / "p", arrays={"w": np.ones(2)}, **story)
    save_model(tmp_path / "q", arrays={"w": np.zeros(2)}, **story)
    weights = tmp_path / "p" / "model.safetensors"
    parent = load_model(tmp_path / "p").parent("encoder")

    class Child(LineStage):
        touch = False

        def parents(self):
            return [parent]

        def iterate(self, state, iteration):
            if self.touch and iteration == 5:
                weights.write_bytes((tmp_path / "q" / "model.safetensors").read_bytes())
            return super().iterate(state, iteration)

    run, go = start(tmp_path, parents=[parent], name="good")
    go(Child(QUICK))
    assert load_model(run.model).provenance["parents"] == [{"role": "encoder", "sha256": parent["sha256"]}]
    run, go = start(tmp_path, parents=[parent], name="touched")
    stage = Child(QUICK)
    stage.touch = True
    with pytest.raises(ArtifactError, match="'encoder': .* is not what the run was started with"):
        go(stage)
    assert run.manifest()["status"] == "failed"
    assert not run.model.exists()
    run, go = start(tmp_path, parents=[parent], name="late")
    with pytest.raises(ArtifactError, match="'encoder': .* is not what the run was started with"):
        go(Child(QUICK))
    weights.unlink()
    with pytest.raises(ArtifactError, match="'encoder' is gone"):
        go(Child(QUICK))
