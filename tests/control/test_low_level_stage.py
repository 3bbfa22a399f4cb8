"""The low-level stage: deterministic, resumable at boundaries, learning."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from small_low_level import SMALL, run, same

from reinfer.bodies import HALF_CHEETAH, ROBOTS, robot
from reinfer.control.commands import COMMAND_KINDS, Commands, restrict
from reinfer.control.demands import input_mirror
from reinfer.control.equivariance import reflect
from reinfer.control.low_level_policy import LowLevelPolicy
from reinfer.control.ppo import update
from reinfer.evaluation import low_level as low_level_evaluation
from reinfer.evaluation.low_level import evaluate_low_level
from reinfer.runs.directory import RunDirectory
from reinfer.runs.errors import ArtifactError, ConfigError
from reinfer.runs.loop import fit
from reinfer.simulation import BatchSimulation
from reinfer.stages.low_level import PRESETS, LowLevelStage
from reinfer.tasks import GOAL, VELOCITY
from reinfer.tasks.families import CHANNEL_MIRROR
from reinfer.tasks.mirror import fixed


def test_resuming_at_a_boundary_changes_no_byte():
    whole_stage = LowLevelStage(SMALL)
    boundary = whole_stage.sync_interval
    middle, _ = run(whole_stage, whole_stage.init(), range(boundary))
    end, metrics = run(whole_stage, middle, range(boundary, boundary + 5))
    resumed, again = run(LowLevelStage(SMALL), middle, range(boundary, boundary + 5))
    assert same(end, resumed) and metrics == again
    assert all(type(value) is float and np.isfinite(value) for row in metrics for value in row.values())


def test_a_run_that_died_resumes_to_the_same_bytes(tmp_path, monkeypatch):
    config = replace(SMALL, iterations=60)
    whole = RunDirectory.create(tmp_path, "low", config, ["test"], [], name="whole")
    fit(LowLevelStage(config), whole, progress=False)

    broken = RunDirectory.create(tmp_path, "low", config, ["test"], [], name="broken")
    stage = LowLevelStage(config)
    iterate = stage.iterate

    def die(state, iteration):
        if iteration == 40:
            raise KeyboardInterrupt
        return iterate(state, iteration)

    monkeypatch.setattr(stage, "iterate", die)
    with pytest.raises(KeyboardInterrupt):
        fit(stage, broken, progress=False, checkpoint_interval_s=0.0)
    fit(LowLevelStage(config), broken, resume=True, progress=False)
    for file in ("metrics.csv", "model/model.safetensors"):
        assert (broken.path / file).read_bytes() == (whole.path / file).read_bytes(), file


def test_seed_and_threads():
    (first, _), (other_threads, _), (other_seed, _) = (
        run(stage, stage.init(), range(3))
        for stage in map(LowLevelStage, (SMALL, replace(SMALL, threads=2), replace(SMALL, seed=1)))
    )
    assert same(first, other_threads) and not same(first, other_seed)


def test_evaluation_changes_no_training_byte():
    plain, evaluated = LowLevelStage(SMALL), LowLevelStage(SMALL)
    expected, _ = run(plain, plain.init(), range(4))
    state, _ = run(evaluated, evaluated.init(), range(2))
    evaluate_low_level(evaluated.policy(state), HALF_CHEETAH, 0, per_kind=2, threads=1)
    state, _ = run(evaluated, state, range(2, 4))
    assert same(expected, state)


def test_update_compiles_once():
    stage = LowLevelStage(replace(SMALL, simulations=12))
    before = update._cache_size()
    run(stage, stage.init(), range(6))
    assert update._cache_size() == before + 1


def test_rows_are_cut_exactly_where_something_new_begins():
    stage = LowLevelStage(replace(SMALL, simulations=64, horizon=32, episode_s=2.0))
    stage.begin(0)
    rollout, _ = stage.exercise.collect(stage.init().learner, stage.config.horizon, 0, 0)
    follows = (rollout.inputs[1:] == rollout.next_inputs[:-1]).all(-1)
    cut = rollout.cut[:-1].astype(bool)
    assert 0.02 < cut.mean() < 0.2
    assert follows[~cut].all(), "without a cut the next row is the successor"
    assert not follows[cut].any(), "a cut row has a successor of its own"
    assert (rollout.cut >= rollout.terminal).all()


def test_diverged_physics_is_a_terminal_step_and_poisons_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MuJoCo notes the event in MUJOCO_LOG.TXT where it is
    stage = LowLevelStage(SMALL)
    stage.begin(0)
    stage.simulation.qvel[3] = np.nan
    state = stage.init()
    rollout, metrics = stage.exercise.collect(state.learner, stage.config.horizon, 0, 0)
    assert rollout.terminal[0, 3] == 1 and rollout.rewards[0, 3] == 0
    assert all(np.isfinite(array).all() for array in rollout) and np.isfinite(metrics["reward"])


def test_bad_settings_are_refused_before_any_work():
    for change, message in (
        ({"body": "unicorn"}, "body: 'unicorn' .*half_cheetah"),
        ({"simulations": 0}, "simulations: 0 .*at least 1"),
        ({"minibatches": 3}, "minibatches: 3 .*128"),
    ):
        with pytest.raises(ConfigError, match=message):
            LowLevelStage(replace(SMALL, **change))
    with pytest.raises(ValueError, match="timing: 'slow' .*hopper; allowed: fast, stock, thesis"):
        LowLevelStage(replace(SMALL, body="hopper", timing="slow"))


def test_a_known_policy_is_gone_on_from(tmp_path):
    first = LowLevelStage(replace(SMALL, seed=3))
    known = first.policy(jax.device_get(run(first, first.init(), range(3))[0]))
    known.save(tmp_path / "known", config={}, metrics={}, provenance={})
    stage = LowLevelStage(replace(SMALL, start=str(tmp_path / "known")))
    simulation = BatchSimulation(HALF_CHEETAH, 4, threads=1)
    simulation.reset(np.random.default_rng(0))
    commands = Commands(np.array([GOAL, VELOCITY] * 2), np.array([2.0, -1.0, 0.5, 2.5]))
    asked = simulation.observation(), simulation.task_state(), commands
    state = stage.init()
    assert np.allclose(stage.policy(jax.device_get(state)).act(*asked), known.act(*asked), atol=1e-6)
    state, _ = run(stage, state, range(2))
    assert not np.allclose(stage.policy(jax.device_get(state)).act(*asked), known.act(*asked), atol=1e-5)
    assert stage.parents()[0]["role"] == "start"
    for change in ({"hidden": 24}, {"speed_reserve": 1.5}):
        with pytest.raises(ConfigError, match="start: .*which must be the same"):
            LowLevelStage(replace(stage.config, **change))
    with pytest.raises(ArtifactError, match="start: .*half_cheetah"):
        LowLevelStage(replace(stage.config, body="hopper"))


@pytest.mark.learning
def test_learns_to_follow(monkeypatch):
    """After a few per cent of the default training, errors are far below those of doing nothing."""
    stage = LowLevelStage(replace(PRESETS["default"], iterations=240, simulations=128, horizon=16, anneal_from=0.7))
    state, metrics = run(stage, stage.init(), range(stage.iterations))
    rewards = [row["reward"] for row in metrics]
    assert np.mean(rewards[-10:]) > np.mean(rewards[:10]) + 0.06
    monkeypatch.setattr(low_level_evaluation, "FALL_S", low_level_evaluation.ERROR_S)
    result = evaluate_low_level(stage.policy(state), HALF_CHEETAH, 1, per_kind=32)
    assert result["goal_error_m"] < 0.4, "standing still scores 1.65 m"
    assert result["speed_error_windowed"] < 0.7, "standing still scores 1"


def test_an_equivariant_policy_is_the_same_both_ways(tmp_path):
    tiny = replace(PRESETS["ant"], simulations=8, horizon=8, iterations=3, hidden=16, threads=1, calibration_rounds=0)
    stage = LowLevelStage(tiny)
    state, _ = run(stage, stage.init(), range(3))
    policy = stage.policy(state)
    observation = np.random.default_rng(0).normal(0, 1, (6, 30)).astype(np.float32)
    task_state = np.random.default_rng(1).normal(0, 1, (6, 6))
    commands = Commands(np.array([GOAL, VELOCITY] * 3), np.linspace(-1.0, 1.5, 6))
    ways = stage.body.mirror(stage.simulation.model)
    there = commands._replace(target=-commands.target)
    image = policy.act(reflect(observation, ways.observation), task_state * CHANNEL_MIRROR[:6], there)
    action = policy.act(observation, task_state, commands)
    np.testing.assert_allclose(reflect(action, ways.action), image, atol=1e-5)
    assert np.abs(action).max() > 1e-3 and not np.allclose(action, image, atol=1e-3)

    stage.export(state, tmp_path / "tied", {"parents": []})
    assert LowLevelStage(replace(tiny, start=str(tmp_path / "tied"))).known
    free = LowLevelStage(replace(tiny, equivariant=False))
    free.export(free.init(), tmp_path / "free", {"parents": []})
    with pytest.raises(ConfigError, match="start: .*was not trained equivariant"):
        LowLevelStage(replace(tiny, start=str(tmp_path / "free")))


def test_equivariance_needs_a_body_and_commands_that_have_a_mirror():
    with pytest.raises(ConfigError, match="equivariant: half_cheetah is not the same forward and backward"):
        LowLevelStage(replace(SMALL, equivariant=True))
    with pytest.raises(ValueError, match="equivariant: is not allowed with jumps"):
        input_mirror(fixed(17), restrict(HALF_CHEETAH.commands, COMMAND_KINDS))


def test_stands_and_jumps_can_be_learned_and_evaluated_too():
    stage = LowLevelStage(replace(SMALL, kinds=COMMAND_KINDS))
    state, metrics = run(stage, stage.init(), range(2))
    assert np.isfinite(metrics[-1]["reward"])
    result = evaluate_low_level(stage.policy(state), HALF_CHEETAH, 0, per_kind=2)
    assert 0 < result["stand_error_rad"] < np.pi
    assert result["jump_peak_error"] > 0 and 0 < result["jump_mean_ratio"] < 2
    assert [row["kind"] for row in result["by_command"]] == [kind for kind in COMMAND_KINDS for _ in range(2)]


@pytest.mark.parametrize(("name", "timing"), [(name, None) for name in sorted(ROBOTS)] + [("hopper", "thesis")])
def test_every_robot_trains_and_its_policy_remembers_the_timing(name, timing, tmp_path):
    stage = LowLevelStage(replace(SMALL, body=name, timing=timing))
    state, metrics = run(stage, stage.init(), range(2))
    assert np.isfinite(metrics[-1]["reward"])
    stage.export(state, tmp_path / "model", {"stage": "low"})
    policy = LowLevelPolicy.load(tmp_path / "model")
    assert policy.timing == (timing or ROBOTS[name].timing)
    found = evaluate_low_level(policy, robot(policy.body.name, policy.timing), 0, per_kind=2, threads=1)
    assert found["goal_error_m"] > 0
