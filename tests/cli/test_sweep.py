"""``reinfer sweep``: every combination is checked before one is tried, and the same command does what is left."""

import csv
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import sweep_launcher
from line_stage import LineConfig, fingerprint

from reinfer.cli import sweep, trials
from reinfer.cli.main import main
from reinfer.cli.trials import option
from reinfer.runs import ray_pool
from reinfer.runs.axes import combinations, parse_axes
from reinfer.runs.directory import RunDirectory
from reinfer.runs.errors import ConfigError
from reinfer.runs.files import hold
from reinfer.runs.loop import fit
from reinfer.runs.processes import Job, Supervisor

RUNS = Path("runs/sweep")


def rows(folder=RUNS) -> dict[str, dict]:
    with open(folder / "trials.csv", newline="") as file:
        return {row["trial"]: row for row in csv.DictReader(file)}


class OneAfterTheOther:
    """In place of ``RayPool``: each job runs while it is waited for. ``faults`` are put in place of what ends it."""

    faults: list = []
    started: list[tuple] = []

    def __init__(self, address, cores, gpus):
        self.jobs, self.gpus = [], gpus

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def __len__(self):
        return len(self.jobs)

    def room(self):
        return 2

    def stop(self):
        raise AssertionError

    def start(self, key, program, folder, output):
        self.started.append(program)
        self.jobs.append((key, Job(program, folder, output, 1, {})))

    def wait(self, seconds):
        key, job = self.jobs.pop(0)
        fault = self.faults.pop(0) if self.faults else None
        return fault(key, job) if fault else ray_pool.Ended(key, Supervisor().run(job))


@pytest.fixture
def typed(monkeypatch, tmp_path, capsys):
    """The command without Ray: returns (exit code, output, errors)."""
    sweep_launcher.install(monkeypatch.setitem)
    monkeypatch.setattr(sweep, "PROGRAM", (sweep_launcher.__file__, "trial"))
    monkeypatch.setattr(ray_pool, "RayPool", OneAfterTheOther)
    monkeypatch.setattr(ray_pool, "require_ray", lambda: None)
    monkeypatch.setattr(OneAfterTheOther, "faults", [])
    monkeypatch.setattr(OneAfterTheOther, "started", [])
    monkeypatch.setenv("REINFER_COMPILATION_CACHE", "0")
    monkeypatch.chdir(tmp_path)

    def call(*words):
        code = main(["sweep", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_axes_multiply_and_names_joined_by_plus_go_together():
    axes = parse_axes(("seed=0..2", "body+low=ant+a/b,hopper+shipped:hopper/low", "hidden=8 8,16"))
    found = combinations(axes)
    assert len(found) == 12
    assert found[0] == {"seed": "0", "body": "ant", "low": "a/b", "hidden": "8 8"}
    assert found[-1] == {"seed": "2", "body": "hopper", "low": "shipped:hopper/low", "hidden": "16"}
    assert combinations(parse_axes(("x-y=-1..1,7",))) == [{"x_y": text} for text in ("-1", "0", "1", "7")]


def test_a_value_becomes_the_words_that_a_user_would_type():
    assert option("learning_rate", "-1e-3") == ["--learning-rate=-1e-3"]
    assert option("hidden", "8 8") == ["--hidden", "8", "8"]
    assert option("low", "'my runs/a'") == ["--low=my runs/a"]
    assert option("keep", "true") == ["--keep"] and option("a.keep", "false") == ["--a.no-keep"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("plane --over seed=0..4", "unknown stage 'plane'; did you mean 'plain'?"),
        ("plain --over sed=0..4", "trial sed=0: unknown option '--sed'; did you mean '--seed'?"),
        (
            "plain --over seed=0..4 --over learning_rate=0.1,2",
            "trial seed=0 learning_rate=2: learning_rate: 2.0",
        ),
        ("plain --over seed=0,x", "trial seed=x: "),
        ("plain --over preset=default,fast", "trial preset=fast: unknown preset 'fast'"),
        ("plain --over seed=", "over: 'seed=' has no values"),
        ("plain --over seed=0,,1", "over: 'seed=0,,1' has an empty value"),
        ("plain --over seed=4..0", "over: 'seed=4..0': '4..0' is empty; FIRST must be at most LAST"),
        ("plain --over seed", "over: 'seed' is not allowed; it must be NAME=VALUE,VALUE or NAME=FIRST..LAST"),
        ("plain --over seed=0..3,2", "over: 'seed=0..3,2' has '2' more than once"),
        ("plain --over seed=0 --over seed=1", "over: seed is named more than once"),
        ("plain --over seed+bad_at=0+1,2", "'2' has 1 values for 2 names joined by +"),
        ("plain", "over: nothing is named to go over"),
        ("plain --over name=a,b", "over: name is not allowed; it does not change what is learned"),
        ("plain --over progress=true", "over: progress is not allowed"),
        ("plain --over seed=0 -- --seed 3", "over: seed is also given behind --; leave it out there"),
        ("plain --over seed=0 -- --runs x", "--runs is not allowed behind --"),
        ("plain --over seed=0 -- --iterations none", "trial seed=0: "),
        ("plain --over seed=0 --preset long", "unknown option '--preset'; did you mean"),
        ("plain --over seed=0 --preset long", "options of reinfer train go behind --"),
        ("plain --over seed=0 --cpus 0", "cpus: 0 is not allowed; it must be at least 1"),
        ("plain --over seed=0 --gpus 1.5", "gpus: 1.5 is not allowed; it must be a whole number, or a fraction"),
        ("plain --over seed=0 --trials-at-once 0", "trials_at_once: 0 is not allowed; it must be at least 1"),
        ("plain --over seed=0 --runs mine", "runs: mine holds no sweep.toml, but other files"),
        ("plain --over seed=0 --runs mine/file", "runs: folder mine/file cannot be made"),
    ],
)
def test_mistakes_stop_it_before_anything_is_made(typed, words, says):
    Path("mine").mkdir()
    Path("mine/file").write_text("precious")
    code, output, error = typed(*words.split())
    assert code == 2 and output == "" and error.count("\n") == 1 and says in error
    assert not Path("runs").exists() and not OneAfterTheOther.started


def test_without_ray_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"pip install -e '\.\[sweep\]'"):
        ray_pool.require_ray()


def test_what_ends_a_trial_decides_what_the_same_command_does_with_it(typed):
    def crash(key, job):
        return ray_pool.Ended(key, Supervisor().run(job._replace(program=("-c", "1 / 0"))))

    def lose(key, job):
        return ray_pool.Ended(key, None, "its machine is gone")

    def preempt(key, job):
        return ray_pool.Ended(key, 75)

    OneAfterTheOther.faults += [None, crash, lose, preempt]
    words = ("plain", "--over", "seed=0..3", "--resumes", "0", "--", "--iterations", "8")
    code, output, _ = typed(*words)
    assert code == 1
    found = rows()
    assert [row["status"] for row in found.values()] == ["done", "failed", "killed", "stopped"]
    first = found["seed-0"]
    assert first["score_name"] == "loss" and float(first["score"]) > 0 and first["starts"] == "1"
    assert first["folder"] == "runs/sweep/plain/seed-0" and RunDirectory.open(first["folder"]).status() == "done"
    assert found["seed-1"]["error"] == "ZeroDivisionError: division by zero"
    assert "seed=1: failed: ZeroDivisionError: division by zero; see runs/sweep/console/seed-1.txt" in output
    assert "failed again: reinfer sweep plain --over seed=0..3 --resumes 0 --retry-failed -- --iter" in output
    assert "seed=2: killed: its machine is gone" in output
    assert len([line for line in output.splitlines() if line.startswith(("0 ", "1 ", "2 ", "3 "))]) == 4
    code, output, _ = typed(*words)
    assert code == 1 and "4 trials in runs/sweep: 1 done, 1 failed, 2 waiting" in output
    assert [row["status"] for row in rows().values()] == ["done", "failed", "done", "done"]
    assert len(OneAfterTheOther.started) == 6
    code, output, _ = typed(*words[:3], "--retry-failed", *words[5:])
    assert code == 0 and {row["status"] for row in rows().values()} == {"done"}
    assert typed(*words)[0] == 0 and len(OneAfterTheOther.started) == 7
    assert main(["report", "runs/sweep", "--no-video", "--output", "report.html"]) == 0
    report = Path("report.html").read_text()
    assert "4 trials in runs/sweep: 4 done." in report and all(f"plain/seed-{seed}" in report for seed in range(4))


def test_another_sweep_in_the_same_folder_and_a_run_of_other_settings_are_refused(typed):
    words = ("plain", "--over", "seed=0", "--", "--iterations", "4")
    assert typed(*words)[0] == 0
    code, output, error = typed("plain", "--over", "seed=0..1", "--", "--iterations", "4")
    assert (code, output) == (2, "") and "runs/sweep holds another sweep (over.seed: ['0'] -> ['0', '1'])" in error
    assert typed("plain", "--over", "seed=0,0")[0] == 2
    Path(RUNS, "sweep.toml").write_text(Path(RUNS, "sweep.toml").read_text().replace('"4"', '"8"'))
    code, _, error = typed(*words[:-1], "8")
    assert code == 2 and "plain/seed-0 is a run with other settings (iterations: 4 -> 8)" in error
    with hold(RUNS):
        assert "is being written by another process" in typed(*words[:-1], "8")[2]


HEAD = "trial,seed,status,score_name,score,seconds,starts,folder,error\n"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("name,value\na,1\n", "is damaged or foreign: it has no column 'trial'"),
        (HEAD.replace("score_name,", ""), "is damaged or foreign: it has no column 'score_name'"),
        (HEAD + "seed-0,0,done,loss,high,1.0,1,runs,\n", "is damaged: 'high' is not a number"),
        ("\udcff\n", "is damaged: it is not a table of values separated by commas"),
    ],
)
def test_a_damaged_table_is_named(typed, capsys, content, says):
    trials.open_folder(RUNS, "plain", parse_axes(("seed=0",)), [])
    (RUNS / "trials.csv").write_bytes(content.encode(errors="surrogateescape"))
    assert typed("plain", "--over", "seed=0") == (2, "", f"reinfer: error: runs/sweep/trials.csv {says}\n")
    assert main(["report", "runs/sweep"]) == 2
    assert capsys.readouterr().err == f"reinfer: error: runs/sweep/trials.csv {says}\n"
    assert not OneAfterTheOther.started


def test_without_gpus_trials_leave_them_alone():
    asked = [(1.0, 0.1), (1.0, 0.2), (2.0, 0.6), (4.0, 0.5), (4.0, 1.0), (5.0, 2.0), (0.0, 0.5)]
    assert [ray_pool.places(there, wanted) for there, wanted in asked] == [10, 5, 2, 8, 4, 2, 0]
    assert ray_pool.gpu_environment(0.0) == {"JAX_PLATFORMS": "cpu"}
    assert ray_pool.gpu_environment(0.25) == {"XLA_PYTHON_CLIENT_MEM_FRACTION": "0.225"}
    assert ray_pool.gpu_environment(1.0) == ray_pool.gpu_environment(2.0) == {}


def process_of(trial: str) -> int | None:
    """The training process of a trial."""
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if "trial" in words and any(word.endswith(trial) for word in words):
            return int(place.name)
    return None


def parent_of(process: int) -> int:
    stat = Path(f"/proc/{process}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[1])


@pytest.mark.kill
@pytest.mark.timeout(600)
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are found in /proc")
def test_twenty_trials_with_ray_some_killed_one_crashing_all_of_it_interrupted(sweep_command, tmp_path, request):
    pytest.importorskip("ray", reason="the extra `sweep` is not installed")
    slow = LineConfig(iterations=12, sync_interval=1, pause_s=0.5, bad="crash")
    points = ["0+0+0.5", "1+3+0", "2+0+0.5", *(f"{seed}+0+0" for seed in range(3, 20))]
    own = ("--runs", "runs/sweep", "--trials-at-once", "2", "--checkpoint-interval-s", "0")
    words = ("sweep", "plain", "--over", f"seed+bad_at+pause_s={','.join(points)}", *own)
    words += ("--", "--bad", "crash", "--sync-interval", "1")
    names = [f"seed-{point.replace('+', '_bad_at-', 1).replace('+', '_pause_s-')}" for point in points]
    first, third = (tmp_path / RUNS / "plain" / names[index] for index in (0, 2))

    def begin(true):
        """The sweep, once ``true`` holds. Ray is given further tries: it gives itself but half a minute to start."""
        for _ in range(4):
            running = sweep_command.start(*words, start_new_session=True)
            request.addfinalizer(running.kill)
            while running.poll() is None:
                if true():
                    return running
                time.sleep(0.02)
            errors = running.communicate()[1]
            assert "Ray does not start" in errors, errors
        raise AssertionError(errors)

    running = begin(lambda: any(first.glob("checkpoints/0*")))
    os.kill(process_of(names[0]), signal.SIGKILL)
    while not any(third.glob("checkpoints/0*")):
        assert running.poll() is None, running.communicate()
        time.sleep(0.02)
    # As Ctrl-C does: the signal reaches all processes of the terminal.
    os.killpg(running.pid, signal.SIGINT)
    output, errors = running.communicate(timeout=200)
    assert running.returncode == 75, errors
    assert "trials save their state and stop" in errors and "continue with: reinfer sweep plain" in errors
    found = rows(tmp_path / RUNS)
    assert [found[name]["status"] for name in names[:3]] == ["killed", "failed", "stopped"]
    assert RunDirectory.open(third).status() == "preempted"

    running = begin(lambda: len(RunDirectory.open(third).manifest()["sessions"]) == 2)
    os.kill(parent_of(process_of(names[2])), signal.SIGKILL)
    output, errors = running.communicate(timeout=400)
    assert running.returncode == 1, errors
    found = rows(tmp_path / RUNS)
    assert [found[name]["status"] for name in names] == ["done", "failed", *["done"] * 18]
    assert [found[name]["starts"] for name in names[:3]] == ["2", "1", "3"]
    assert process_of(names[2]) is None and "killed: the process that watched it is gone" in output
    assert "ZeroDivisionError: the stage itself failed; see runs/sweep/plain/seed-1_bad_at-3_pause_s-0/err" in output
    for seed, run in ((0, first), (2, third)):
        whole = RunDirectory.create(tmp_path / "whole", "plain", replace(slow, seed=seed), [], [], f"{seed}")
        fit(sweep_launcher.PlainStage(replace(slow, seed=seed)), whole, progress=False)
        assert fingerprint(run) == fingerprint(whole.path)
    again = sweep_command(*words, code=1).stdout
    assert "20 trials in runs/sweep: 19 done, 1 failed" in again and "started" not in again
