"""The races behind the claims of speed: turns, pairs, what is compared, and the page that shows it."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from reinfer.bodies import robot
from reinfer.simulation import BatchSimulation

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"

NOISY = """
import sys
def build(name, log):
    def work():
        print("chatter")
        with open(log, "a") as file:
            file.write(name)
        return 3
    return work
def broken():
    sys.exit("no such engine")
CONTESTANTS = {"noisy": build, "broken": broken}
"""


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


@pytest.fixture
def module(tmp_path):
    (tmp_path / "noisy_engine.py").write_text(NOISY)
    return {"PYTHONPATH": str(tmp_path)}


def test_contestants_take_turns_and_may_print(tmp_path, module):
    from race import Contestant, race

    log = tmp_path / "log"
    entries = {
        name: Contestant("noisy_engine", "noisy", {"name": name, "log": str(log)}, environment=module) for name in "ab"
    }
    found = race(entries, seconds=0.0, rounds=3)
    # One warm-up each, then one call per slice.
    assert log.read_text() == "ab" + "ab" * 3
    assert all(len(part["rates"]) == 3 and part["rate"]["median"] > 0 for part in found.values())


def test_a_contestant_that_ends_early_is_named_with_what_it_said(module):
    from race import Contestant, race

    with pytest.raises(RuntimeError, match=r"(?s)noisy_engine broken .*no such engine"):
        race({"a": Contestant("noisy_engine", "broken", {}, environment=module)}, seconds=0.0, rounds=1)


def test_ratios_pair_what_ran_in_the_same_round():
    from race import ratio

    # The machine was half as fast in the second round, for both alike.
    found = {"one": {"rates": [6.0, 3.0, 8.0]}, "other": {"rates": [3.0, 1.5, 2.0]}}
    assert ratio(found, "one", "other") == {"median": 2.0, "low": 2.0, "high": 4.0}


def test_peers_step_the_same_physics_as_ours():
    import mujoco

    from speed_physics import BODIES, gymnasium_model

    for body in BODIES:
        ours, theirs = robot(body, "stock").model(), gymnasium_model(body)
        assert ours.opt.timestep == theirs.opt.timestep and ours.opt.integrator == theirs.opt.integrator
        simulation = BatchSimulation(robot(body, "stock"), 1, threads=1)
        data = mujoco.MjData(theirs)
        data.qpos[:], data.qvel[:] = simulation.qpos[0], simulation.qvel[0]
        data.ctrl[:] = 0.5
        simulation.step(np.full((1, theirs.nu), 0.5))
        mujoco.mj_step(theirs, data, robot(body, "stock").frame_skip)
        np.testing.assert_array_equal(simulation.qpos[0], data.qpos)


def test_who_stands_still_tracks_no_speed():
    from speed_tracking import Judge

    judge = Judge()
    found = judge(lambda rows: np.zeros((len(rows), judge.track.simulation.action_size)))
    assert 0.9 < found["error"] < 1.1 and found["fallen"] == 0.0 and found["reward"] < 0.1


def test_time_limits_and_falls_start_over_with_another_speed():
    from speed_tracking import SpeedTracking

    track = SpeedTracking(BatchSimulation(robot("half_cheetah", "stock"), 3, threads=1))
    rng = np.random.default_rng(0)
    track.start(rng)
    asked, present = track.commands.target.copy(), track.inputs()
    track.age[:] = 0, track.episode_steps, 0
    over, fresh = track.renew(rng, np.array([True, False, False]), present)
    assert over.tolist() == [True, True, False]
    assert (track.commands.target != asked).tolist() == [True, True, False]
    np.testing.assert_array_equal(fresh[2], present[2])
    np.testing.assert_array_equal(fresh, track.inputs())


def test_the_low_level_stage_trains_at_the_task():
    from reinfer.stages.low_level import LowLevelConfig, LowLevelStage
    from speed_tracking import BODY, SpeedTracking

    stage = LowLevelStage(LowLevelConfig(body=BODY, timing="stock", iterations=1, simulations=8, horizon=4, threads=1))
    stage.exercise = SpeedTracking(stage.simulation)
    stage.begin(0)
    _, metrics = stage.iterate(stage.init(), 0)
    assert np.isfinite(list(metrics.values())).all() and metrics["reward"] <= 1.0


def test_the_clock_stands_still_while_judging(monkeypatch):
    import speed_tracked
    import speed_tracking

    now = [0.0]

    def judge(act):
        now[0] += 100.0
        return {"error": act}

    monkeypatch.setattr(speed_tracked.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(speed_tracking, "Judge", lambda: judge)
    clock = speed_tracked.Clock(64.0)
    now[0] = 7.0  # imports
    assert not clock.over("early", 0, 0) and clock.curve == []
    now[0] += 5.0  # past the marks of 1, 2 and 4 s
    assert not clock.over("first", 10, 1)
    assert [row["wall_s"] for row in clock.curve] == [5.0] * 3 and now[0] == 112.0
    assert clock.elapsed() == 5.0
    now[0] += 59.0
    assert clock.over("last", 20, 2)
    assert len(clock.curve) == len(speed_tracked.MARKS) and clock.curve[-1]["error"] == "last"


def test_the_page_shows_ratios_and_where_they_come_from():
    from speed_section import speed_lines

    machine = {"processor": "CPU X", "cores": 2, "system": "Linux", "python": "3.11", "load_before": 0.1}
    spread = {"median": 2.5, "low": 2.0, "high": 3.0}

    def who(rate):
        return {"rate": {"median": rate}, "versions": {"jax": "1.2"}, "compile_s": 4.0}

    contestants = {"ours": who(100.0), "sb3, one thread": who(40.0), "sbx": who(50.0)}
    part = {"updates_per_call": 64, "best_sb3": "sb3, one thread", "contestants": contestants}
    part["ratio"] = {"sb3": spread, "sbx": spread}
    start = {"wall_s": 0, "updates": 0, "steps": 0, "error": 1.0, "reward": 0.0}
    end = {"wall_s": 60, "updates": 80, "steps": 90, "error": 0.0, "reward": 0.9}
    runs = [{"curve": [start, end]}]
    found = {
        "sac": {"command": "python x", "machine": machine, "found": {"256 x 256": part}},
        "wallclock": {
            "command": "python y",
            "machine": machine,
            "found": {"minutes": 1, "seeds": 1, "cores": 2, "contestants": {"our SAC": runs, "our PPO": runs}},
        },
        "updates": {
            "command": "python z",
            "machine": machine,
            "found": {"updates": 80, "seeds": 1, "hidden": 64, "contestants": {"sb3 SAC": runs}},
        },
    }
    page = "\n".join(speed_lines(json.loads(json.dumps(found))))
    assert "| 256 x 256 | 64 | 100 | 40 (one thread) | 50 | 2.50 (2.00 to 3.00) | >= 2 |" in page
    assert "`python x` on CPU X, 2 cores, Linux, Python 3.11, load before 0.1; jax 1.2." in page
    assert "| our SAC | 87.5 % | 75.0 % | 50.0 % | 0.0 % | 90 | 80 |" in page
    assert "| sb3 SAC | 75.0 % (75.0 to 75.0) | 50.0 % (50.0 to 50.0) |" in page and "0.90 (0.90 to 0.90)" in page


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["fast"], "PART: fast is not allowed"),
        (["wallclock"], "--minutes"),
        (["updates", "--minutes", "3"], "--minutes: is for wallclock"),
        (["updates"], "--updates"),
        (["toy", "--seconds", "0"], "--seconds: 0.0 is not allowed"),
        (["physics", "--at-once", "0"], "--at-once: 0 is not allowed"),
        (["physics", "--at-once", "9999"], "--at-once: 9999 is not allowed"),
        (["sac", "--peer-python", "/nowhere"], "--peer-python: '/nowhere'"),
    ],
)
def test_a_wrong_command_line_says_so(line, said, monkeypatch, capsys):
    import speed

    monkeypatch.setattr(sys, "argv", ["speed.py", *line])
    with pytest.raises(SystemExit) as ended:
        speed.parse()
    assert ended.value.code == 2 and said in capsys.readouterr().err


def test_the_page_on_scale_follows_from_what_was_measured():
    from scale_page import scale_page, step_time

    # 2 ms, and 10 microseconds for each robot.
    robots = [
        {"count": n, "steps_per_s": {"median": n / (2e-3 + 1e-5 * n)}, "peak_mib": 500.0 + 0.5 * n}
        for n in (1, 10, 100, 1000)
    ]
    np.testing.assert_allclose(step_time(robots), (2e-3, 1e-5))
    machine = {"processor": "CPU X", "cores": 2}
    toy = {"preset": "default", "updates_per_s": {"median": 20.0}, "iteration_s": 6.5, "first_iteration_s": 56.5}
    scaling = {
        "body": "half_cheetah",
        "control_dt_s": 0.02,
        "hierarchy": robots,
        "mixture": [{"points": 8192, "components": 8, "seconds": {"median": 0.25}}],
    }
    speed = {"toy": {"found": toy}, "scaling": {"found": scaling, "machine": machine}}
    training = {
        name: {"seconds": seconds}
        for name, seconds in {
            "toy/seed0": 150.0,
            "toy/seed1": 170.0,
            "half_cheetah/low": 180.0,
            "hopper/low": 840.0,
        }.items()
    }
    seeds = {"seeds": 8, "ratio_of_preset": 4.0, "settings": {"ratio_of_preset": 4.5}}
    page = scale_page(speed, seeds | {"by_count": {"16": {"ratio_of_preset": 7.2}}}, training)
    # 50 s before the first update; 160 tasks each; 625 updates at 20 per second.
    assert "| 100,000 | 625 | 81.2 s |" in page
    # A machine has 18 ms for its robots: 1800 of them. Half a MiB each.
    assert "| 100,000 (extrapolated) | 1 s | 49 GiB | 56 |" in page
    assert "| 10 | 12 ms |" not in page and "| 1,000 | 12 ms | 1,000 MiB | 1 |" in page
    # Alone 160 s, eight at once 80 s each.
    assert "| 10 | 26.7 min | 13.3 min | 30 min | 2.33 h |" in page
    assert "| 8,192 | 8 | 0.25 |" in page
    assert "| toys | 1 | 8 | 16 |" in page and "| each | 1.00 | 0.50 | 0.45 |" in page and "take 4.50 times" in page


def test_a_whole_training_is_reckoned_from_its_parts():
    from seeds import PRESET, of_preset

    assert of_preset({"seconds": 60.0, "after_first_iteration_s": 10.0}, 6) == 50.0 + 2.0 * (PRESET.iterations - 1)


def test_one_command_runs_all_and_says_what_failed(monkeypatch, capsys):
    import all as everything

    assert all((BENCHMARKS / script).exists() for script, *_ in everything.COMMANDS)
    ran = []

    def run(line, **_):
        ran.append(line[2:] if "-c" not in line else ["gpu?"])
        return SimpleNamespace(returncode=int("-c" in line or "seeds.py" in line[1]))

    monkeypatch.setattr(everything.subprocess, "run", run)
    assert everything.main(["--list"]) == 0 and ran == [["gpu?"]]
    assert everything.main([]) == 1
    assert len(ran) == 1 + len(everything.COMMANDS), "all but those for a GPU, and once more whether there is one"
    assert capsys.readouterr().err == "failed: seeds.py\n"


def test_what_a_gpu_did_is_on_the_page_or_said_to_be_missing():
    from device_section import device_lines

    assert "Not measured: `python benchmarks/device.py --train`" in device_lines(None)[2]
    rows = [
        {"physics": "c", "simulations": 256, "steps_per_s": 3e4},
        {"physics": "mjx", "simulations": 256, "steps_per_s": 5e4, "compile_s": 31.4},
    ]
    training = {"command": "reinfer train low", "train_s": 90.0, "goal_error_m": 0.001, "speed_error_windowed": 0.01}
    found = {"device": "gpu X", "machine": {"cores": 16}, "body": "hopper", "speed": rows}
    text = "\n".join(device_lines(found | {"training": training | {"fall_rate": 0.0}}))
    assert "on gpu X, 16" in text and "| 256 | 30,000 | 50,000 | 31 |" in text and "cold start: 1.5 min" in text


def test_time_is_of_the_function_that_spends_it(monkeypatch):
    from speed_costs import Stopwatch

    clock = iter(range(100))
    monkeypatch.setattr("speed_costs.time.perf_counter", lambda: float(next(clock)))
    watch, here = Stopwatch(), SimpleNamespace()
    monkeypatch.setitem(sys.modules, "watched_module", here)
    here.inner, here.outer = lambda: 1, lambda: here.inner() + here.inner()
    originals = here.inner, here.outer
    undo = [watch.watch("watched_module:inner", "inside"), watch.watch("watched_module:outer", "around")]
    assert here.outer() == 2
    # One tick passes from one look at the clock to the next: five in all, of which each inner call has one.
    assert watch.seconds == {"inside": 2.0, "around": 3.0}
    for put_back in undo:
        put_back()
    assert (here.inner, here.outer) == originals


def test_costs_are_of_functions_that_stages_call():
    from speed_costs import STAGES, Stopwatch

    for _, _, parts, rest in STAGES.values():
        for place, part in parts.items():
            Stopwatch().watch(place, part)()
        assert rest not in parts.values()


def test_the_page_tells_what_takes_most_first():
    from speed_section import costs_lines

    found = {"low": {"body": "hopper", "iteration_s": 0.2, "compile_s": 3.0, "parts": {"a": 0.05, "b": 0.15}}}
    assert costs_lines(found)[-2:] == ["| low hopper | b | 150.0 | 75 % | 3.0 |", "|  | a | 50.0 | 25 % |  |"]
