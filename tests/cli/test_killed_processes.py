"""Real processes, killed and stopped at random moments, end in the bytes of a run that was left alone."""

import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from line_stage import PRESETS, LineStage, fingerprint

from reinfer.runs.directory import RunDirectory
from reinfer.runs.loop import fit


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """Fingerprint of the uninterrupted run, made in this process."""
    config = PRESETS["long"]
    run = RunDirectory.create(tmp_path_factory.mktemp("whole"), "line", config, [], [])
    fit(LineStage(config), run, progress=False)
    return fingerprint(run.path)


def wait_for(process, path, pattern="checkpoints/0*"):
    """Wait until the run in ``path`` has a file like ``pattern``."""
    while not any(path.glob(pattern)):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


@pytest.mark.kill
@pytest.mark.timeout(600)
def test_kill_9_at_random_moments(command, expected):
    def torment(seed):
        moments = random.Random(seed)
        run = command.folder / "runs" / "line" / f"k{seed}"
        options = ("--checkpoint-interval-s", "0", "--no-progress")
        process = command.start("train", "line", "--preset", "long", "--name", run.name, *options)
        for _ in range(2):
            wait_for(process, run)
            time.sleep(moments.uniform(0.0, 0.9))
            process.kill()
            process.communicate()
            process = command.start("resume", run, *options)
        output, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        assert fingerprint(run) == expected
        return errors

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(torment, range(3))) == [""] * 3


@pytest.mark.kill
@pytest.mark.timeout(600)
def test_sigterm_saves_exits_75_and_resumes(command, expected):
    run = command.folder / "runs/line/a"
    process = command.start("train", "line", "--preset", "long", "--name", "a", "--checkpoint-interval-s", "0.2")
    wait_for(process, run)
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 75
    assert output == "run: runs/line/a\n"
    assert "SIGTERM: saving at the next boundary" in errors
    assert errors.splitlines()[-1].endswith("continue with: reinfer resume runs/line/a")
    assert "Traceback" not in errors
    assert RunDirectory.open(run).status() == "preempted"
    assert command("resume", "runs/line/a").stdout == "run: runs/line/a\nmodel: runs/line/a/model\n"
    assert fingerprint(run) == expected


@pytest.mark.kill
@pytest.mark.timeout(600)
def test_a_second_signal_exits_at_once_even_inside_a_long_computation(command):
    run = command.folder / "runs/line/a"
    process = command.start("train", "line", "--name", "a", "--pause-s", "60", "--sync-interval", "1", "--no-progress")
    wait_for(process, run, "metrics.csv")
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    assert "SIGINT: saving" in process.stderr.readline()
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=300)
    assert process.returncode == 128 + signal.SIGTERM
    assert RunDirectory.open(run).status() == "interrupted"


def test_errors_of_a_run_are_one_line(command):
    error = command("train", "line", "--bad-at", "3", "--name", "a", "--no-progress", code=2).stderr
    assert error.startswith("reinfer: error: stage 'line', iteration 3: metric 'loss' is nan; it was ")
    assert error.count("\n") == 1
    run = command.folder / "runs/line/a"
    assert RunDirectory.open(run).status() == "failed"
    assert "NonFiniteError" in (run / "error.txt").read_text()
    (run / "manifest.json").write_text("{}")
    assert "manifest.json is foreign or damaged: it is not a reinfer run" in command.refused("resume", run)
