"""Commands that give the speeds wanted."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from reinfer.bodies import HALF_CHEETAH, CommandRange
from reinfer.control.calibration import COPIES, SPEEDS, calibrate, calibrated, no_calibration
from reinfer.control.commands import Commands
from reinfer.control.low_level_policy import LowLevelPolicy
from reinfer.stages.low_level import PRESETS, LowLevelStage
from reinfer.tasks import GOAL, VELOCITY

RANGES = CommandRange(speed_mps=(0.3, 3.0))


class Biased:
    """Bodies that run at ``speed(command)``; those of the first ``falling`` of simulations fall."""

    ranges = RANGES

    def __init__(self, speed, falling=0):
        self.speed, self.falling = speed, falling

    def act(self, observation, task_state, commands):
        self.commands = commands
        return np.zeros((len(observation), HALF_CHEETAH.model().nu))


@pytest.fixture
def moved(monkeypatch):
    """Simulations moved by a ``Biased`` policy instead of physics."""

    def of(policy):
        def step(simulation, action):
            x = simulation.qpos[:, 0] + policy.speed(policy.commands.target) * simulation.control_dt_s
            simulation.qpos[:], simulation.qvel[:] = 0.0, 0.0
            simulation.qpos[:, 0] = x
            simulation.qpos[: policy.falling, 2] = np.pi

        monkeypatch.setattr("reinfer.simulation.BatchSimulation.step", step)
        return policy

    return of


def test_a_bias_is_taken_out(moved):
    policy = moved(Biased(lambda v: 0.95 * v + 0.02 * np.sign(v)))
    calibration = calibrate(policy, HALF_CHEETAH, np.random.default_rng(0), rounds=4, threads=1)
    wanted = np.array([-2.7, -0.35, 0.0, 0.3, 1.234, 2.7])
    commands = calibrated(calibration, Commands(np.full(6, VELOCITY), wanted))
    np.testing.assert_allclose(policy.speed(commands.target), wanted, atol=2e-3)
    assert np.abs(calibration.command).max() == 3.0, "no command beyond what was trained"
    goals = Commands(np.full(6, GOAL), wanted)
    np.testing.assert_array_equal(calibrated(calibration, goals).target, wanted)


def test_what_is_the_same_both_ways_is_measured_as_one(moved):
    uneven = moved(Biased(lambda v: np.where(v > 0, 0.9, 0.96) * v))
    found = calibrate(uneven, HALF_CHEETAH, np.random.default_rng(0), rounds=4, threads=1, same_both_ways=True)
    np.testing.assert_array_equal(found.command, -found.command[::-1])
    middle = found.command[-SPEEDS // 2] / found.wanted[-SPEEDS // 2]
    assert middle == pytest.approx(2 / (0.9 + 0.96), abs=2e-3)


def test_what_falls_or_does_not_run_is_left_alone(moved):
    still = calibrate(moved(Biased(np.zeros_like)), HALF_CHEETAH, np.random.default_rng(0), rounds=3, threads=1)
    assert np.abs(still.command / np.where(still.wanted, still.wanted, 1.0)).max() <= 1.2 + 1e-9
    policy = moved(Biased(lambda v: 0.9 * v, falling=COPIES))
    found = calibrate(policy, HALF_CHEETAH, np.random.default_rng(0), rounds=4, threads=1)
    assert found.command[0] == found.wanted[0]
    assert found.command[1] < found.wanted[1] and found.command[-SPEEDS // 2] > 1.1 * found.wanted[-SPEEDS // 2]


def test_no_rounds_change_nothing():
    found = calibrate(Biased(np.sin), HALF_CHEETAH, np.random.default_rng(0), rounds=0)
    np.testing.assert_array_equal(found, no_calibration(RANGES))


def test_a_stage_calibrates_what_it_exports(tmp_path):
    small = replace(PRESETS["quick"], simulations=8, horizon=8, iterations=2, hidden=16, threads=1)
    stage = LowLevelStage(replace(small, calibration_rounds=1))
    state = jax.device_get(stage.init())
    stage.export(state, tmp_path / "a", {"stage": "low"})
    stage.export(state, tmp_path / "b", {"stage": "low"})
    assert (tmp_path / "a" / "model.safetensors").read_bytes() == (tmp_path / "b" / "model.safetensors").read_bytes()
    policy = LowLevelPolicy.load(tmp_path / "a")
    assert len(policy.calibration.wanted) == 2 * SPEEDS + 1
    # Speeds told to the network are the corrected ones.
    observation, task_state = np.zeros((1, 17)), np.zeros((1, 6))
    policy.calibration = policy.calibration._replace(command=policy.calibration.wanted + 0.5)
    told = policy.act(observation, task_state, Commands(np.array([VELOCITY]), np.array([1.0])))
    policy.calibration = None
    plain = policy.act(observation, task_state, Commands(np.array([VELOCITY]), np.array([1.5])))
    np.testing.assert_array_equal(told, plain)
