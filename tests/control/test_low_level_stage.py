"""The low-level stage: deterministic, resumable at boundaries, learning; its policy, its evaluation."""

import json
from dataclasses import replace

import jax
import numpy as np
import pytest

from reinfer.bodies import HALF_CHEETAH, ROBOTS, CommandRange, robot
from reinfer.control import low_level_policy
from reinfer.control.commands import COMMAND_KINDS, Commands, restrict
from reinfer.control.curriculum import PUSH_HZ, no_practice
from reinfer.control.demands import input_mirror, judged, no_progress
from reinfer.control.equivariance import reflect
from reinfer.control.following import follow
from reinfer.control.low_level_policy import LowLevelPolicy
from reinfer.control.networks import init_mlp
from reinfer.control.normalisation import init_moments
from reinfer.control.ppo import update
from reinfer.evaluation import low_level as low_level_evaluation
from reinfer.evaluation.low_level import evaluate_low_level, unseen_commands
from reinfer.runs.directory import RunDirectory
from reinfer.runs.errors import ArtifactError, ConfigError
from reinfer.runs.loop import fit
from reinfer.simulation import BatchSimulation
from reinfer.stages.low_level import PRESETS, LowLevelStage
from reinfer.tasks import GOAL, STAND, VELOCITY
from reinfer.tasks.families import CHANNEL_MIRROR
from reinfer.tasks.mirror import fixed

RANGES = restrict(HALF_CHEETAH.commands, ("goal", "velocity"))
SMALL = replace(PRESETS["quick"], simulations=16, horizon=8, iterations=60, hidden=16, threads=1)


def random_policy(ranges=RANGES, seed=0):
    inputs = HALF_CHEETAH.observation_size(HALF_CHEETAH.model()) + 8
    return LowLevelPolicy(
        HALF_CHEETAH.id, ranges, init_moments(inputs), init_mlp(jax.random.key(seed), (inputs, 16, 6))
    )


def run(stage, state, iterations):
    metrics = []
    for iteration in iterations:
        if iteration % stage.sync_interval == 0:
            stage.begin(iteration)
        state, row = stage.iterate(state, iteration)
        metrics.append(row)
    return state, metrics


def same(a, b):
    return all(
        x.tobytes() == y.tobytes()
        for x, y in zip(*(map(np.asarray, jax.tree.leaves(tree)) for tree in (a, b)), strict=True)
    )


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


def test_speeds_asked_for_grow_and_episodes_begin_at_speed():
    stage = LowLevelStage(replace(SMALL, speed_ramp=0.5, moving_starts=1.0, relative_speed=True, hard_commands=0.5))
    fastest = []
    for iteration in (0, 50):
        stage.begin(iteration)
        fastest.append(np.abs(stage.exercise.commands.target[stage.exercise.commands.kind == VELOCITY]).max())
    assert fastest[0] <= 0.75 < fastest[1]
    assert np.median(np.abs(stage.simulation.qvel[:, 0])) > 0.3
    whole, _ = run(stage, stage.init(), range(2))
    again, _ = run(LowLevelStage(stage.config), stage.init(), range(2))
    assert same(whole, again)


def test_what_shall_hold_a_pitch_may_begin_near_it():
    with pytest.raises(ConfigError, match="posed_starts: 0.5 is not allowed with ant: it is not planar"):
        LowLevelStage(replace(PRESETS["ant"], posed_starts=0.5))
    kinds = ("goal", "velocity", "stand")
    stage = LowLevelStage(replace(SMALL, kinds=kinds, posed_starts=1.0, simulations=64))
    stage.begin(0)
    pitch, standing = stage.simulation.task_state()[:, 2], stage.exercise.commands.kind == STAND
    asked = stage.exercise.commands.target
    assert np.abs(pitch - asked)[standing].max() < 1.0 and np.abs(pitch[standing]).mean() > 0.5
    assert np.abs(pitch[~standing]).max() < 0.2


@pytest.mark.parametrize("std_mps", [0.0, 3.0])
def test_bodies_are_pushed_while_they_learn(std_mps, monkeypatch):
    stage = LowLevelStage(replace(SMALL, simulations=64, horizon=32, pushes_mps=std_mps))
    stage.begin(0)
    pushed, push = [], stage.simulation.push
    monkeypatch.setattr(stage.simulation, "push", lambda ids, speed: (pushed.extend(speed), push(ids, speed)))
    stage.exercise.collect(stage.init().learner, stage.config.horizon, 0, 0)
    expected = PUSH_HZ * stage.simulation.control_dt_s * 64 * 32 * (std_mps > 0)
    assert 0.5 * expected <= len(pushed) <= 1.5 * expected
    if pushed:
        assert 0.7 * std_mps < np.std(pushed) < 1.3 * std_mps


def test_commands_may_change_at_once_when_an_episode_is_young():
    changes = []
    stage = LowLevelStage(replace(SMALL, simulations=256, first_changes_hz=16.0, iterations=100, anneal_from=0.5))
    exercise = stage.exercise
    for iteration in (49, 50):
        stage.begin(iteration)
        exercise.change_rate[:] = 0.0
        exercise.age[:] = np.repeat([1, 20], 128)
        before = exercise.commands.target.copy()
        exercise.renew(np.random.default_rng(0), np.zeros(256, bool), exercise.inputs())
        changes.append((exercise.commands.target != before).reshape(2, 128).mean(-1))
    assert (changes[0] == 0).all() and changes[1][0] > 0.5 and changes[1][1] == 0


def test_hard_commands_give_way_to_a_share_that_remains():
    stage = LowLevelStage(replace(SMALL, hard_commands=0.4, last_hard_commands=0.1, iterations=100, anneal_from=0.5))
    shares = [stage._demand(iteration, no_practice()).hard_share for iteration in (0, 50, 75, 100)]
    np.testing.assert_allclose(shares, [0.4, 0.4, 0.25, 0.1])
    assert LowLevelStage(SMALL)._demand(0, no_practice()).hard_share is None


def test_a_fall_costs_more_as_training_goes_on():
    """The same rollout earns less only where it ends in a fall: its cost, which grows until annealing begins."""
    rewards = {}
    for cost in (0.0, 20.0):
        settings = {"first_fall_cost": cost, "last_fall_cost": 2.0 * cost, "iterations": 100, "anneal_from": 0.5}
        stage = LowLevelStage(replace(SMALL, body="hopper", simulations=32, horizon=64, **settings))
        stage.begin(25)
        rollout, _ = stage.exercise.collect(stage.init().learner, stage.config.horizon, 0, 0)
        rewards[cost] = rollout.rewards
    assert 0 < rollout.terminal.sum() < rollout.terminal.size
    np.testing.assert_allclose(rewards[20.0] - rewards[0.0], -30.0 * rollout.terminal, atol=1e-6)
    assert [stage._demand(i, no_practice()).fall_cost for i in (0, 50, 99)] == [20.0, 40.0, 40.0]


def test_speeds_are_learned_with_a_reserve_and_judged_by_what_is_promised():
    stage = LowLevelStage(replace(SMALL, speed_reserve=1.5))
    promised = HALF_CHEETAH.commands.speed_mps
    assert stage.ranges.speed_mps == (promised[0], 1.5 * promised[1])
    demand = stage._demand(0, no_practice())
    assert demand.ranges == stage.ranges and demand.promised == pytest.approx(promised[1])
    found = evaluate_low_level(stage.policy(stage.init()), HALF_CHEETAH, 0, per_kind=64, threads=1)
    asked = [abs(row["target"]) for row in found["by_command"] if row["kind"] == "velocity"]
    assert max(asked) <= promised[1]


def test_every_step_under_a_command_is_counted_and_every_fall():
    stage = LowLevelStage(replace(SMALL, body="hopper", simulations=32, horizon=64))
    stage.begin(0)
    rollout, metrics = stage.exercise.collect(stage.init().learner, stage.config.horizon, 0, 0)
    tried = stage.exercise.count()
    assert tried.falls.sum() == metrics["falls"] > 0
    assert tried.steps.sum() == rollout.terminal.size
    assert 0.4 < tried.steps[:12].sum() / rollout.terminal.size < 0.6, "half of them are speeds"


def test_some_goals_are_out_of_sight_and_some_commands_never_stay():
    stage = LowLevelStage(replace(SMALL, simulations=400, far_goals=0.5, restless=0.25, episode_s=60.0))
    stage.begin(0)
    exercise = stage.exercise
    distance = np.abs(exercise.commands.target - stage.simulation.task_state()[:, 0])[exercise.commands.kind == GOAL]
    assert 0.4 < (distance > 4.0).mean() < 0.6 and distance.max() < 18.1
    assert 0.2 < (exercise.change_rate > 10.0).mean() < 0.3
    plain = LowLevelStage(replace(SMALL, simulations=400, episode_s=60.0))
    plain.begin(0)
    goals = plain.exercise.commands.kind == GOAL
    assert np.abs(plain.exercise.commands.target - plain.simulation.task_state()[:, 0])[goals].max() <= 4.0
    assert plain.exercise.change_rate.max() == 4.0


def test_other_models_are_not_policies(tmp_path):
    with pytest.raises(ArtifactError):
        LowLevelPolicy.load(tmp_path)


def test_policy_compiles_once_per_number_of_simulations():
    policy, traced = random_policy(), low_level_policy._mean_action._cache_size()
    for count in (7, 9, 7, 7, 9):
        policy.act(np.zeros((count, 17)), np.zeros((count, 6)), Commands(np.zeros(count, int), np.ones(count)))
    assert low_level_policy._mean_action._cache_size() == traced + 2


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


def test_goals_are_approached_at_the_share_of_the_highest_speed_that_was_asked_for():
    """Far from its goal a body earns most at that speed, be it 0.6 or 0.8 of the 3 m/s that are promised."""
    speeds = np.linspace(0.5, 3.0, 26)
    reached = np.zeros((len(speeds), 6))
    reached[:, 3] = speeds
    commands = Commands(np.full(len(speeds), GOAL), np.full(len(speeds), 5.0))
    for share in (0.6, 0.8):
        stage = LowLevelStage(replace(SMALL, goal_share=share))
        progress, demand = no_progress(len(speeds), 0.05), stage._demand(0, no_practice())
        given = (np.zeros_like(reached), reached, np.zeros((len(speeds), 6)), commands, progress, demand)
        earned, _ = judged(*given, stage.exercise.terms, 0.05)
        assert speeds[earned.argmax()] == pytest.approx(share * 3.0)
