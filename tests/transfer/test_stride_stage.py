"""The stride stage: resumable to the byte, blind to the task, its parents frozen."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from transfer_doubles import untrained_low_level, untrained_toy

from reinfer.runs.directory import RunDirectory
from reinfer.runs.errors import ArtifactError, ConfigError, RunError
from reinfer.runs.files import file_sha256
from reinfer.runs.loop import fit
from reinfer.stages import stride
from reinfer.stages.stride import PRESETS, StrideStage
from reinfer.tasks import Tasks, make_tasks, reward
from reinfer.transfer import LearnedStride


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A tiny config over real, untrained parents."""
    folder = tmp_path_factory.mktemp("parents")
    story = {"config": {}, "metrics": {}, "provenance": {}}
    untrained_toy().save(folder / "toy", **story)
    untrained_low_level().save(folder / "low", **story)
    return replace(
        PRESETS["quick"],
        toy=str(folder / "toy"),
        low=str(folder / "low"),
        iterations=4,
        constant=1,
        simulations=5,
        episode_s=1.0,
        hidden=8,
        batch=32,
        updates=5,
        replay=3,
        threads=1,
    )


def run_of(root, config, name):
    stage = StrideStage(config)
    return stage, RunDirectory.create(root, "stride", config, ["test"], stage.parents(), name)


def outcome(run):
    """Everything that must not depend on interruptions."""
    files = [run.path / "metrics.csv", *sorted(run.model.iterdir())]
    files.append(max(run.checkpoints.glob("[0-9]*")) / "state.safetensors")
    return {str(file.relative_to(run.path)): file_sha256(file) for file in files}


class Killed(BaseException):
    """Stands for the death of the process: nothing may handle it."""


def test_killed_and_resumed_is_the_same_bytes(tmp_path, small):
    stage, whole = run_of(tmp_path, small, "whole")
    fit(stage, whole, progress=False, checkpoint_interval_s=0.0)
    stage, killed = run_of(tmp_path, small, "killed")
    learn, calls = stage.iterate, []

    def dying(state, iteration):
        calls.append(iteration)
        if iteration == 2:
            raise Killed
        return learn(state, iteration)

    stage.iterate = dying
    with pytest.raises(Killed):
        fit(stage, killed, progress=False, checkpoint_interval_s=0.0)
    again = StrideStage(small)
    fit(again, killed, resume=True, progress=False, checkpoint_interval_s=0.0)
    assert calls == [0, 1, 2] and outcome(whole) == outcome(killed)
    policy = LearnedStride.load(whole.model, again.low_level.ranges)
    assert policy.body.name == "half_cheetah"
    roles = {parent["role"]: parent["sha256"] for parent in again.parents()}
    assert roles == {role: file_sha256(f"{getattr(small, role)}/model.safetensors") for role in roles}
    assert set(roles) == {"toy", "low"}


def state_after(config, iterations=2):
    stage = StrideStage(config)
    state = stage.init()
    for iteration in range(iterations):
        stage.begin(iteration)
        state, metrics = stage.iterate(state, iteration)
    return state, metrics


def test_learning_sees_the_task_through_rewards_only(small, monkeypatch):
    common = make_tasks([("goal_forward", 2.0)] * 5)

    def seen(name, target, own_rewards):
        tasks = make_tasks([(name, target)] * 5)
        monkeypatch.setattr(StrideStage, "training_tasks", lambda *_: tasks)
        monkeypatch.setattr(stride, "reward", lambda t, state: reward(t if own_rewards else common, state))
        return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(state_after(small)[0])]

    assert seen("velocity_forward", 1.5, False) == seen("goal_backward", -5.0, False)
    assert seen("velocity_forward", 1.5, True) != seen("goal_backward", -5.0, True)


def test_seed_matters_and_metrics_are_plain_numbers(small):
    (one, metrics), (other, _) = state_after(small), state_after(replace(small, seed=1))
    leaves = zip(*(jax.tree.leaves(state.learner) for state in (one, other)), strict=True)
    assert any(not np.array_equal(a, b) for a, b in leaves)
    assert all(type(value) is float and np.isfinite(value) for value in metrics.values())
    assert 1.0 <= metrics["mean_stride"] <= 20.0


def test_episodes_hold_the_discounted_rewards_of_each_prefix(small):
    stage = StrideStage(small)
    state, _ = stage.iterate(stage.init(), 0)
    episodes = state.episodes
    assert episodes.count == 1 and (episodes.valid[0] == 1).all() and not episodes.terminal.any()
    start, steps = episodes.start[0], np.arange(stage.steps)[:, None]
    assert (start <= steps).all() and (steps - start < 20).all() and (start[0] == 0).all()
    # From the gain of a prefix and of the next longer one follows the reward in between.
    longer = start[1:] == start[:-1]
    length = (steps - start)[1:]
    step_reward = (episodes.gain[0, 1:] - episodes.gain[0, :-1]) / small.discount**length / (1 - small.discount)
    assert longer.any() and (step_reward[longer] <= 1e-4).all() and (step_reward[longer] > -30).all()
    assert len(np.unique(episodes.features[0].reshape(-1, stage.features), axis=0)) > 4


def test_robots_that_fall_spoil_nothing(small):
    """After a fall no stride begins for longer than any stride is; nothing is learned from those steps."""
    stage = StrideStage(replace(small, episode_s=3.0, batch=256))
    simulation, calls = stage.hierarchy.simulation, []

    def fallen():
        calls.append(1)
        return np.arange(5) < 2 if len(calls) > 5 else np.zeros(5, bool)

    simulation.fallen = fallen
    state, metrics = stage.iterate(stage.init(), 0)
    assert metrics["falls"] == 2 and state.episodes.valid[0, -1].tolist() == [0, 0, 1, 1, 1]
    assert np.isfinite(list(metrics.values())).all()
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state.learner.network))
    fell = int(state.episodes.valid[0, :, 0].sum())
    parts = state.episodes.features[0, :fell, :2], state.episodes.features[0, :, 2:]
    stood = np.concatenate([part.reshape(-1, stage.features) for part in parts])
    assert 0 < fell < stage.steps and state.learner.moments.count == pytest.approx(len(stood), abs=0.01)
    np.testing.assert_allclose(state.learner.moments.mean, stood.mean(0), rtol=1e-3, atol=1e-4)


def test_training_tasks_are_goals_and_velocities_in_range(small):
    stage = StrideStage(replace(small, simulations=256))
    tasks = stage.training_tasks(0)
    assert isinstance(tasks, Tasks) and set(tasks.family) == {0, 1, 2, 3}
    goal = tasks.family >= 2
    assert (np.abs(tasks.target[goal]) <= 10).all() and (np.abs(tasks.target[~goal]) <= 2.5).all()
    assert not np.array_equal(tasks.target, stage.training_tasks(1).target)


def test_a_changed_toy_agent_is_not_exported(tmp_path, small):
    stage = StrideStage(small)
    stage.toy.params = jax.tree.map(lambda leaf: leaf + 1, stage.toy.params)
    with pytest.raises(RunError, match="toy agent changed"):
        stage.export(stage.init(), tmp_path / "model", {})
    assert not (tmp_path / "model").exists()


def test_bad_settings_are_refused_before_any_work(tmp_path, small):
    for change, error, message in (
        ({"body": "unicorn"}, ConfigError, "body: 'unicorn' .*half_cheetah"),
        ({"simulations": 1}, ConfigError, "simulations: 1 .*at least 5"),
        ({"toy": str(tmp_path / "none")}, ArtifactError, "no such folder"),
        ({"toy": small.low}, ArtifactError, "'low_level'; 'toy_agent' is needed"),
        ({"low": small.toy}, ArtifactError, "'toy_agent'; 'low_level' is needed"),
    ):
        with pytest.raises(error, match=message):
            StrideStage(replace(small, **change))
