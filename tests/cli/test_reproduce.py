"""``reinfer reproduce``: it does what is left to do and nothing else, whatever stopped it before."""

import json
import random
import shutil
import signal
import time
from pathlib import Path

import line_stages
import pytest
import tiny_presets
from line_stage import fingerprint

from reinfer.cli.main import main
from reinfer.runs.directory import RunDirectory
from reinfer.runs.errors import ConfigError

TITLES = ["train toy, seed 0", "train low", "train stride, seed 0", "eval toy, seed 0", "eval low", "eval transfer"]
TITLES += ["report"]
PLACES = ("toy/seed0", "low/half_cheetah", "stride/half_cheetah-seed0")


@pytest.fixture
def reproduce(monkeypatch, tmp_path, capsys):
    """The command with stages that draw lines: returns (exit code, step -> started, resumed or skipped; errors)."""
    line_stages.install(monkeypatch)
    monkeypatch.setenv("REINFER_COMPILATION_CACHE", "0")
    monkeypatch.chdir(tmp_path)

    def call(typed=""):
        code = main(["reproduce", "--preset", "quick", "--no-progress", *typed.split()])
        said = capsys.readouterr()
        return code, taken(said.out), said.err

    return call


def taken(output: str) -> dict[str, str]:
    """What the command said it did with each step."""
    steps = [line.split("] ", 1)[1].split(": ") for line in output.splitlines() if line.startswith("[")]
    return {title: rest[0].split(",")[0] for title, *rest in steps if not rest[0].startswith("done")}


def prints(runs: Path) -> list[str]:
    """Everything that must not depend on interruptions."""
    return [fingerprint(runs / place) for place in PLACES]


def test_from_nothing_to_the_report_and_then_nothing_more(reproduce, tmp_path):
    code, steps, _ = reproduce()
    assert code == 0 and steps == dict.fromkeys(TITLES, "started")
    folder = tmp_path / "runs/reproduce/half_cheetah"
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["finished"] and list(summary["steps"]) == sorted(TITLES)
    assert summary["figures"]["toy_return"] == [-1.0] and summary["figures"]["position_settled_error_m"] == 0.3
    assert all(step["seconds"] >= 0.0 for step in summary["steps"].values()) and summary["wall_s"] > 0.0
    stride = RunDirectory.open(tmp_path / "runs/reproduce/stride/half_cheetah-seed0")
    assert {parent["role"] for parent in stride.manifest()["parents"]} == {"toy", "low"}
    before = prints(tmp_path / "runs/reproduce")
    code, steps, _ = reproduce()
    assert code == 0 and steps == dict.fromkeys(TITLES, "skipped") and prints(tmp_path / "runs/reproduce") == before
    # One more seed needs its own runs, and a contest and a report of both.
    code, steps, _ = reproduce("--seeds 2")
    fresh = {title for title, done in steps.items() if done == "started"}
    assert fresh == {"train toy, seed 1", "train stride, seed 1", "eval toy, seed 1", "eval transfer", "report"}


def test_the_device_is_for_all_that_steps_a_robot():
    from reinfer.cli.reproduce import ReproduceOptions, plan_trainings

    asked = {device: plan_trainings(ReproduceOptions(device=device)) for device in ("cpu", "gpu")}
    on = {name: [" ".join(step.command) for step in steps] for name, steps in asked.items()}
    assert ["--device gpu" in line for line in on["gpu"]] == [False, True, True] and "--device" not in str(on["cpu"])


def test_a_share_is_of_the_iterations_of_every_stage():
    from reinfer.cli.reproduce import ReproduceOptions, plan_trainings
    from reinfer.cli.train import read_training

    for body in ("half_cheetah", "walker2d"):
        whole, half = (plan_trainings(ReproduceOptions(body=body, share=share)) for share in (1.0, 0.5))
        counts = [[read_training(step.settings).config.iterations for step in steps] for steps in (whole, half)]
        assert counts[1] == [count // 2 for count in counts[0]] and "--iterations" not in str(whole)


def test_a_gpu_that_is_missing_is_missed_before_anything_is_made(reproduce, monkeypatch, tmp_path):
    def refuse():
        raise ConfigError("device: 'gpu' is not possible")

    monkeypatch.setattr("reinfer.simulation.device.require_gpu", refuse)
    code, steps, error = reproduce("--device gpu")
    assert code == 2 and steps == {} and "device: 'gpu'" in error and not (tmp_path / "runs").exists()


def test_a_run_with_other_settings_is_never_reused(reproduce, tmp_path):
    reproduce()
    code, steps, error = reproduce("--preset default")
    assert code == 2 and steps == {} and error.count("\n") == 1
    assert "runs/reproduce/toy/seed0 is a run with other settings (iterations: 12 -> 40; pause_s: 0.0 -> 0.02)" in error
    assert "choose another --runs" in error


def test_models_named_by_another_path_are_the_same_models(reproduce, tmp_path):
    reproduce()
    _, steps, _ = reproduce(f"--runs {tmp_path}/runs/reproduce --out runs/reproduce/half_cheetah")
    assert {steps[title] for title in TITLES[:3]} == {"skipped"}


def test_a_run_built_from_other_models_is_refused(reproduce, tmp_path):
    reproduce()
    shutil.rmtree(tmp_path / "runs/reproduce/toy")
    line_stages.Toy.steps_per_iteration = 9
    try:
        code, steps, error = reproduce()
    finally:
        del line_stages.Toy.steps_per_iteration
    assert code == 2 and steps["train toy, seed 0"] == "started"
    assert "stride/half_cheetah-seed0 was built from another toy model" in error


def test_results_are_made_again_when_what_they_are_made_of_changes(reproduce, tmp_path):
    reproduce()
    folder = tmp_path / "runs/reproduce/half_cheetah"
    (folder / "low.json").unlink()
    (folder / "transfer/leftover").write_text("of an older contest")
    _, steps, _ = reproduce()
    assert [title for title, done in steps.items() if done == "started"] == ["eval low"]
    (folder / "transfer/transfer.json").unlink()
    _, steps, _ = reproduce()
    assert [title for title, done in steps.items() if done == "started"] == ["eval transfer"]
    assert not (folder / "transfer/leftover").exists()
    _, steps, _ = reproduce("--no-video")
    assert [title for title, done in steps.items() if done == "started"] == ["report"]


def test_the_folder_of_a_process_that_died_while_making_it_is_taken_over(reproduce, tmp_path):
    (tmp_path / "runs/reproduce/low/half_cheetah").mkdir(parents=True)
    assert reproduce()[1]["train low"] == "started"


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("--body unicorn", "body: 'unicorn' is not allowed; it must be one of half_cheetah"),
        ("--seeds 0", "seeds: 0 is not allowed; it must be between 1 and 100"),
        ("--preset fast", "preset: 'fast' is not allowed; it must be one of default, quick"),
        ("--checkpoint-interval-s -1", "checkpoint_interval_s: -1.0 is not allowed; it must be at least 0.0"),
        ("--run here", "unknown option '--run'; did you mean '--runs'?"),
        ("--out mine", "out: mine holds no summary.json, but other files; nothing was overwritten"),
        ("--out mine/file", "out: folder mine/file cannot be made: File exists"),
    ],
)
def test_mistakes_stop_it_before_anything_is_made(reproduce, tmp_path, typed, words):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").write_text("precious")
    code, steps, error = reproduce(typed)
    assert code == 2 and steps == {} and words in error and error.count("\n") == 1
    assert not (tmp_path / "runs").exists()


@pytest.mark.kill
@pytest.mark.timeout(600)
def test_killed_again_and_again_it_ends_in_the_same_bytes(line_command, reproduce, tmp_path, monkeypatch):
    (tmp_path / "whole").mkdir()
    monkeypatch.chdir(tmp_path / "whole")
    assert reproduce()[0] == 0
    typed = ("reproduce", "--preset", "quick", "--no-progress", "--checkpoint-interval-s", "0")
    moments = random.Random(0)
    for place in PLACES:
        running = line_command.start(*typed)
        while not (tmp_path / "runs/reproduce" / place / "metrics.csv").exists():
            assert running.poll() is None, running.communicate()
            time.sleep(0.01)
        time.sleep(moments.uniform(0.0, 0.2))
        running.kill()
        running.communicate()
    last = taken(line_command(*typed).stdout)
    assert last["train toy, seed 0"] == last["train low"] == "skipped"
    assert prints(tmp_path / "runs/reproduce") == prints(tmp_path / "whole/runs/reproduce")


@pytest.mark.kill
@pytest.mark.timeout(600)
def test_sigterm_exits_75_and_the_same_command_goes_on(line_command, tmp_path):
    typed = ("reproduce", "--no-progress")
    running = line_command.start(*typed)
    while not (tmp_path / "runs/reproduce/toy/seed0/metrics.csv").exists():
        assert running.poll() is None, running.communicate()
        time.sleep(0.01)
    running.send_signal(signal.SIGTERM)
    output, errors = running.communicate(timeout=300)
    assert running.returncode == 75 and "Traceback" not in errors
    assert errors.splitlines()[-1].endswith("continue with: reinfer reproduce --no-progress")
    assert taken(output) == {"train toy, seed 0": "started"}
    assert RunDirectory.open(tmp_path / "runs/reproduce/toy/seed0").status() == "preempted"
    assert list(taken(line_command(*typed).stdout).values()) == ["resumed"] + 6 * ["started"]


@pytest.mark.timeout(900)
def test_the_real_stages_from_nothing_to_the_report(monkeypatch, tmp_path, capsys):
    tiny_presets.install(monkeypatch.setitem)
    monkeypatch.setenv("REINFER_COMPILATION_CACHE", "0")
    monkeypatch.chdir(tmp_path)
    assert main(["reproduce", "--preset", "quick", "--no-progress", "--no-video"]) == 0
    said = capsys.readouterr().out
    assert list(taken(said).values()) == 7 * ["started"] and said.rstrip().endswith("half_cheetah/report.html")
    folder = tmp_path / "runs/reproduce/half_cheetah"
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["figures"]["position_settled_error_m"] > 0.0 and len(summary["figures"]["toy_return"]) == 1
    assert "<h2>What the encoder knows</h2>" in (folder / "report.html").read_text()
