"""The high-level stage: resumable to the byte, blind to the task, its parents frozen, better where the toy misleads."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from transfer_doubles import FilterAgent, PointLowLevel, PointSimulation, point_body, untrained_low_level, untrained_toy

from reinfer.bodies import HALF_CHEETAH
from reinfer.inference.agent import ToyAgent
from reinfer.runs.directory import RunDirectory
from reinfer.runs.errors import ArtifactError, ConfigError, RunError
from reinfer.runs.files import file_sha256
from reinfer.runs.loop import fit
from reinfer.stages import high
from reinfer.stages.high import EPISODES, PRESETS, HighConfig, HighStage
from reinfer.tasks import make_tasks, reward
from reinfer.transfer import RelearnedAgent

BODIES = ("half_cheetah", "walker2d")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A tiny config over real, untrained parents: 5 episodes, the last of which judges."""
    folder = tmp_path_factory.mktemp("parents")
    story = {"config": {}, "metrics": {}, "provenance": {}}
    untrained_toy().save(folder / "toy", **story)
    untrained_low_level().save(folder / "low", **story)
    return replace(
        PRESETS["quick"],
        toy=str(folder / "toy"),
        low=str(folder / "low"),
        robot_steps=650,
        simulations=6,
        episode_s=1.0,
        judging=1,
        warm_up=1,
        hidden=(8, 8),
        batch=32,
        updates=5,
        threads=1,
    )


def run_of(root, config, name):
    stage = HighStage(config)
    return stage, RunDirectory.create(root, "high", config, ["test"], stage.parents(), name)


def outcome(run):
    """Everything that must not depend on interruptions."""
    files = [run.path / "metrics.csv", *sorted(run.model.iterdir())]
    files.append(max(run.checkpoints.glob("[0-9]*")) / "state.safetensors")
    return {str(file.relative_to(run.path)): file_sha256(file) for file in files}


class Killed(BaseException):
    """Stands for the death of the process: nothing may handle it."""


def test_killed_and_resumed_is_the_same_bytes(tmp_path, small):
    stage, whole = run_of(tmp_path, small, "whole")
    assert stage.iterations == 5 and stage.iterations * stage.steps_per_iteration == 600 <= small.robot_steps
    fit(stage, whole, progress=False, checkpoint_interval_s=0.0)
    stage, killed = run_of(tmp_path, small, "killed")
    iterate, calls = stage.iterate, []

    def dying(state, iteration):
        calls.append(iteration)
        if iteration == 2:
            raise Killed
        return iterate(state, iteration)

    stage.iterate = dying
    with pytest.raises(Killed):
        fit(stage, killed, progress=False, checkpoint_interval_s=0.0)
    again = HighStage(small)
    fit(again, killed, resume=True, progress=False, checkpoint_interval_s=0.0)
    assert calls == [0, 1, 2] and outcome(whole) == outcome(killed)
    agent = RelearnedAgent.load(whole.model, ToyAgent.load(small.toy), again.low_level.ranges)
    assert agent.body == HALF_CHEETAH.id
    roles = {parent["role"]: parent["sha256"] for parent in again.parents()}
    assert roles == {role: file_sha256(f"{getattr(small, role)}/model.safetensors") for role in ("toy", "low")}


def state_after(stage, iterations):
    state = stage.init()
    for iteration in range(iterations):
        stage.begin(iteration)
        state, metrics = stage.iterate(state, iteration)
    return state, metrics


def test_learning_sees_the_task_through_rewards_only(small, monkeypatch):
    common = make_tasks([("goal_forward", 2.0)] * 6)

    def seen(name, target, own_rewards):
        tasks = make_tasks([(name, target)] * 6)
        monkeypatch.setattr(HighStage, "training_tasks", lambda *_: tasks)
        monkeypatch.setattr(high, "reward", lambda t, state: reward(t if own_rewards else common, state))
        return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(state_after(HighStage(small), 5)[0])]

    assert seen("velocity_forward", 1.5, False) == seen("goal_backward", -5.0, False)
    assert seen("velocity_forward", 1.5, True) != seen("goal_backward", -5.0, True)


def test_warm_up_leaves_the_policy_and_judging_leaves_everything(small):
    stage = HighStage(small)
    first = stage.init()
    warm, _ = stage.iterate(first, 0)
    trained, metrics = stage.iterate(warm, 1)
    policies = [np.asarray(state.sac.policy[0].weight) for state in (first, warm, trained)]
    assert np.array_equal(policies[0], policies[1]) and not np.array_equal(policies[1], policies[2])
    assert not np.array_equal(first.sac.critics[0].weight, warm.sac.critics[0].weight)
    assert all(type(value) is float and np.isfinite(value) for value in metrics.values())
    judged, metrics = stage.iterate(trained, 4)
    assert {"error_s", "toy_error_s"} <= set(metrics) and (judged.judged > 0).all()
    same = jax.tree.map(np.array_equal, judged._replace(judged=0), trained._replace(judged=0))
    assert all(jax.tree.leaves(same))


def test_corrections_are_averaged_over_the_steps_that_decide(small):
    stage, sizes = HighStage(replace(small, strides=(5,))), []
    choose = stage.hierarchy.choose

    def noting(always=False):
        due = choose(always)
        if due.any() and not always:
            sizes.append(np.abs(stage.hierarchy.decision.memo[1][due]).mean())
        return due

    stage.hierarchy.choose = noting
    _, metrics = stage.iterate(stage.init(), 0)
    assert 4 <= len(sizes) < stage.steps and metrics["correction"] == pytest.approx(np.mean(sizes))


def test_a_correction_that_lost_is_not_used(small):
    stage = HighStage(small)
    lost = stage.init()._replace(judged=np.array([2.0, 1.0]))
    assert stage.agent(lost).correction.trusted == 0.0
    assert stage.agent(lost._replace(judged=np.array([1.0, 2.0]))).correction.trusted == 1.0


def test_a_changed_toy_agent_is_not_exported(tmp_path, small):
    stage = HighStage(small)
    stage.toy.params = jax.tree.map(lambda leaf: leaf + 1, stage.toy.params)
    with pytest.raises(RunError, match="toy agent changed"):
        stage.export(stage.init(), tmp_path / "model", {})
    assert not (tmp_path / "model").exists()


def test_the_budget_makes_about_as_many_episodes_on_every_robot(small):
    stages = [HighStage(replace(small, body=body, low=None, simulations=None, robot_steps=9_000)) for body in BODIES]
    assert len({stage.simulations for stage in stages}) > 1, "their control steps differ"
    assert all(EPISODES <= stage.iterations <= 1.5 * EPISODES for stage in stages)
    assert all(stage.simulations % 2 == 0 for stage in stages)
    discounts = [stage.hyper.discount ** (1.0 / stage.control_dt_s) for stage in stages]
    np.testing.assert_allclose(discounts, np.exp(-1.0 / small.horizon_s), rtol=1e-6)


def test_every_stride_has_its_pair_however_small_the_budget(small):
    stage = HighStage(replace(small, body="walker2d", low=None, simulations=None, robot_steps=60_000, episode_s=12.0))
    assert set(stage._strides().lengths) == set(small.strides)


def test_bad_settings_are_refused_before_any_work(tmp_path, small):
    for change, error, message in (
        ({"body": "unicorn"}, ConfigError, "body: 'unicorn' .*half_cheetah"),
        ({"simulations": 5}, ConfigError, "simulations: 5 .*even"),
        ({"strides": (1, 21)}, ConfigError, "strides.*20"),
        ({"robot_steps": 200}, ConfigError, "robot_steps: 200 .*120 .*more than judging = 1"),
        ({"toy": str(tmp_path / "none")}, ArtifactError, "no such folder"),
        ({"toy": small.low}, ArtifactError, "'low_level'; 'toy_agent' is needed"),
    ):
        with pytest.raises(error, match=message):
            HighStage(replace(small, **change))


class Sliding(PointSimulation):
    """A point that takes its time to stop: its velocity follows the action with a lag of half a second."""

    def step(self, action):
        self.qvel[:, 0] += 0.1 * (4.0 * action[:, 0] - self.qvel[:, 0])
        self.qpos[:, 0] += self.control_dt_s * self.qvel[:, 0]


class SlidingStage(HighStage):
    """The stage on that point, which overshoots its goals: the toy, which stops at once, misleads."""

    def __init__(self, config):
        self.config = config
        self.body = point_body()
        self.toy, self.low_level, self._parents = FilterAgent(), PointLowLevel(), []
        self._plan(Sliding(config.simulations), 5)


def test_learns_to_brake_where_the_toy_misleads():
    stage = SlidingStage(
        HighConfig(robot_steps=70_000, simulations=32, episode_s=8.0, strides=(2,), judging=2, updates=300)
    )
    state, _ = state_after(stage, stage.iterations)
    corrected, toy = state.judged
    assert corrected < 0.95 * toy
