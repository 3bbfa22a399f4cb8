"""The trained low level as a policy: kept, loaded, and judged by unseen commands."""

import json
from dataclasses import replace

import numpy as np
import pytest
from small_low_level import RANGES, SMALL, random_policy, run

from reinfer.bodies import HALF_CHEETAH, CommandRange
from reinfer.control import low_level_policy
from reinfer.control.commands import Commands
from reinfer.control.curriculum import no_practice
from reinfer.control.following import follow
from reinfer.control.low_level_policy import LowLevelPolicy
from reinfer.evaluation.low_level import evaluate_low_level, unseen_commands
from reinfer.runs.errors import ArtifactError
from reinfer.simulation import BatchSimulation
from reinfer.stages.low_level import LowLevelStage
from reinfer.tasks import GOAL, VELOCITY


def test_policy_survives_export(tmp_path):
    stage = LowLevelStage(SMALL)
    state, _ = run(stage, stage.init(), range(2))
    stage.export(state, tmp_path / "model", {"stage": "low"})
    policy, loaded = stage.policy(state), LowLevelPolicy.load(tmp_path / "model")
    assert (loaded.body, loaded.ranges) == (HALF_CHEETAH.id, stage.ranges) and len(loaded.sha256) == 64
    rng = np.random.default_rng(0)
    observation, task_state = rng.normal(size=(5, 17)), rng.normal(size=(5, 6))
    commands = Commands(np.array([0, 1, 0, 1, 0]), rng.normal(size=5))
    actions = loaded.act(observation, task_state, commands)
    assert actions.shape == (5, 6) and np.abs(actions).max() <= 1.0
    np.testing.assert_array_equal(actions, policy.act(observation, task_state, commands))


def test_other_models_are_not_policies(tmp_path):
    with pytest.raises(ArtifactError):
        LowLevelPolicy.load(tmp_path)


def test_policy_compiles_once_per_number_of_simulations():
    policy, traced = random_policy(), low_level_policy._mean_action._cache_size()
    for count in (7, 9, 7, 7, 9):
        policy.act(np.zeros((count, 17)), np.zeros((count, 6)), Commands(np.zeros(count, int), np.ones(count)))
    assert low_level_policy._mean_action._cache_size() == traced + 2


def test_speeds_are_learned_with_a_reserve_and_judged_by_what_is_promised():
    stage = LowLevelStage(replace(SMALL, speed_reserve=1.5))
    promised = HALF_CHEETAH.commands.speed_mps
    assert stage.ranges.speed_mps == (promised[0], 1.5 * promised[1])
    demand = stage._demand(0, no_practice())
    assert demand.ranges == stage.ranges and demand.promised == pytest.approx(promised[1])
    found = evaluate_low_level(stage.policy(stage.init()), HALF_CHEETAH, 0, per_kind=64, threads=1)
    asked = [abs(row["target"]) for row in found["by_command"] if row["kind"] == "velocity"]
    assert max(asked) <= promised[1]


def test_unseen_commands_lie_in_the_test_range_both_ways():
    x, rng = np.full(400, 2.0), np.random.default_rng(0)
    for kind, origin in ((GOAL, 2.0), (VELOCITY, 0.0)):
        asked = unseen_commands(kind, x, CommandRange(), rng).target - origin
        assert 0.3 <= np.abs(asked).min() < 0.35 and 2.95 < np.abs(asked).max() <= 3.0
        assert (asked > 0).sum() == 200


class Teleport:
    """A policy whose body is moved by the test instead: exact and late followers with known errors."""

    ranges = RANGES

    def __init__(self, offset, factor):
        self.offset, self.factor = offset, factor

    def move(self, simulation, commands, step):
        goal = commands.kind == GOAL
        x = np.where(goal, commands.target + self.offset, self.factor * commands.target * 0.05 * step)
        simulation.qpos[:], simulation.qvel[:] = 0.0, 0.0
        simulation.qpos[:, 0] = x


def test_errors_are_those_of_the_motion(monkeypatch):
    """Goals missed by 4 cm and speeds 5 % low score exactly that."""
    follower = Teleport(offset=0.04, factor=0.95)
    steps = {"count": 0}

    def act(observation, task_state, commands):
        follower.commands = commands
        return np.zeros((len(observation), 6))

    def step(simulation, action):
        steps["count"] += 1
        follower.move(simulation, follower.commands, steps["count"])

    follower.act = act
    monkeypatch.setattr("reinfer.simulation.BatchSimulation.step", step)
    result = evaluate_low_level(follower, HALF_CHEETAH, 3, per_kind=8, threads=1)
    assert result["goal_error_m"] == pytest.approx(0.04)
    assert result["speed_error_windowed"] == pytest.approx(0.05)
    assert result["fall_rate"] == 0 and result["stand_error_rad"] is None


def test_diverged_physics_is_a_fall_with_a_finite_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MuJoCo notes the event in MUJOCO_LOG.TXT where it is
    simulation = BatchSimulation(HALF_CHEETAH, 4, threads=1)
    simulation.reset(np.random.default_rng(0))
    policy = random_policy()
    act = policy.act

    def diverge(observation, task_state, commands):
        simulation.qvel[2] = np.nan
        return act(observation, task_state, commands)

    monkeypatch.setattr(policy, "act", diverge)
    before = simulation.task_state()
    states, fallen = follow(policy, simulation, Commands(np.full(4, GOAL), np.ones(4)), 0.5)
    assert fallen[2] and np.isfinite(states).all()
    np.testing.assert_array_equal(states[:, 2], np.tile(before[2], (10, 1)))


def test_result_is_plain_json_and_repeats():
    first, second = (evaluate_low_level(random_policy(), HALF_CHEETAH, 2, per_kind=3) for _ in range(2))
    assert first == second
    assert list(first) == [
        "body",
        "goal_error_m",
        "speed_error_windowed",
        "stand_error_rad",
        "jump_peak_error",
        "jump_mean_ratio",
        "fall_rate",
        "by_command",
    ]
    assert json.loads(json.dumps(first, allow_nan=False)) == first
    assert len(first["by_command"]) == 6
