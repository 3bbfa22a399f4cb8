"""Training on a device, here JAX's own: its rollouts are those of the CPU, and runs are as good as there."""

import csv
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from puck import write_puck

from reinfer.control import curriculum
from reinfer.control.commands import Commands
from reinfer.control.demands import changing
from reinfer.control.following import follow
from reinfer.control.low_level_policy import LowLevelPolicy
from reinfer.runs import compilation, random
from reinfer.runs.directory import RunDirectory
from reinfer.runs.loop import fit
from reinfer.runs.random import Draws
from reinfer.simulation import BatchSimulation
from reinfer.stages import low_level
from reinfer.stages.low_level import PRESETS, LowLevelStage
from reinfer.tasks import GOAL, JUMP, VELOCITY

#: Everything that may be asked of a body that falls, in episodes short enough to end.
HARD = replace(
    PRESETS["hopper"],
    kinds=("goal", "velocity", "jump"),
    device="gpu",
    simulations=64,
    horizon=32,
    hidden=16,
    episode_s=6.0,
    iterations=75,
    calibration_rounds=0,
)


@pytest.fixture(scope="module")
def puck(tmp_path_factory):
    return write_puck(tmp_path_factory.mktemp("puck"))


@pytest.fixture(scope="module")
def stage(puck):
    """A stage that trains on whatever device JAX has; all tests share it, since compiling is what takes time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(low_level, "require_gpu", lambda: None)
        quick = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
        patch.setattr(compilation, "training_options", lambda: quick)
        yield LowLevelStage(replace(HARD, body=puck))


def begun(stage, iteration=30):
    """The state before training, and everything live as it is when ``iteration`` begins."""
    state = stage.init()
    stage.begin(iteration)
    stage.exercise.ask(stage._demand(iteration, state.practice))
    return state


def test_a_rollout_is_that_of_the_cpu(stage, puck):
    """The same starts, commands and actions give the same inputs, rewards and falls, until a copy is first cut."""
    state, device = begun(stage), stage.exercise
    live = jax.tree.map(np.array, device.live)
    rollout = jax.tree.map(np.array, device.collect(state.learner, HARD.horizon, 0, 30)[0])
    host = LowLevelStage(replace(stage.config, device="cpu", threads=1)).exercise
    host.ask(device.demand)
    host.begin(0, 30)
    host.simulation.qpos[:], host.simulation.qvel[:] = live.physics.qpos, live.physics.qvel
    host.commands, host.bins, host.age = Commands(*live.commands), live.bins, live.age.copy()
    alike = np.ones(HARD.simulations, bool)
    for step in range(HARD.horizon):
        np.testing.assert_allclose(host.inputs()[alike], rollout.inputs[step, alike], atol=1e-3)
        rewards, fallen = host.step(np.clip(rollout.actions[step], -1.0, 1.0))
        np.testing.assert_array_equal(fallen[alike], rollout.terminal[step, alike] > 0)
        np.testing.assert_allclose(rewards[alike], rollout.rewards[step, alike], atol=1e-3)
        np.testing.assert_allclose(host.inputs()[alike], rollout.next_inputs[step, alike], atol=1e-3)
        over = fallen | (host.age >= host.episode_steps)
        assert (rollout.cut[step, alike & over] == 1).all()
        alike &= rollout.cut[step] == 0
    assert 0 < alike.sum() < HARD.simulations and rollout.terminal.sum() > 0
    assert (rollout.rewards[rollout.terminal > 0] < -20).all()


def test_copies_are_pushed_at_random(stage, monkeypatch):
    begun(stage)
    exercise, before = stage.exercise, stage.exercise.live.physics
    draws = Draws(random.key(0, "pushes"))
    assert exercise._push(draws, before) is before, "not unless asked for"
    monkeypatch.setattr(exercise, "terms", exercise.terms._replace(pushes_mps=3.0))
    monkeypatch.setattr(curriculum, "PUSH_HZ", 0.5 / exercise.simulation.control_dt_s)
    pushed = np.abs(np.array(exercise._push(draws, before).qvel) - np.array(before.qvel)).max(-1)
    assert 0.3 < (pushed > 0).mean() < 0.7 and 1.0 < pushed[pushed > 0].mean() < 4.0


def test_every_step_of_a_rollout_may_push(stage, monkeypatch):
    state, exercise, seen = begun(stage), stage.exercise, []
    monkeypatch.setattr(exercise, "_push", lambda rng, physics: seen.append(physics) or physics)
    given = (state.learner, exercise.live, exercise.demand, random.key(0, "rollout"))
    jax.eval_shape(partial(exercise._roll_out, horizon=2), *given)
    assert len(seen) == 1, "once in the step that is compiled"


def test_commands_of_young_episodes_change_more_often(stage):
    demand = stage._demand(60, begun(stage).practice)._replace(first_changes_hz=16.0)
    age_s = jnp.repeat(jnp.array([0.1, 0.2]), 4000)
    cut = changing(Draws(random.key(0, "changes")), np.zeros(8000), age_s, demand, 0.02)
    np.testing.assert_allclose(np.asarray(cut).reshape(2, 4000).mean(-1), [0.32, 0.0], atol=0.03)


def test_rows_are_cut_exactly_where_something_new_begins(stage):
    state = begun(stage)
    rollout, metrics = stage.exercise.collect(state.learner, HARD.horizon, 0, 30)
    inputs, next_inputs, _, _, terminal, cut = jax.tree.map(np.array, rollout)
    follows = np.isclose(inputs[1:], next_inputs[:-1], atol=1e-6).all(-1)
    cut = cut[:-1].astype(bool)
    assert 0.01 < cut.mean() < 0.2
    assert follows[~cut].all(), "without a cut the next row is the successor"
    assert not follows[cut].any(), "a cut row has a successor of its own"
    assert (rollout.cut >= terminal).all() and metrics["falls"] == terminal.sum() > 0
    tried = stage.exercise.count()
    assert tried.falls.sum() <= metrics["falls"] and 0.5 < tried.steps.sum() / terminal.size < 0.8, "jumps have no bin"
    assert stage.exercise.count().steps.sum() == 0


def test_fresh_commands_are_those_that_are_asked_for(stage):
    begun(stage)
    live = jax.tree.map(np.array, stage.exercise.live)
    kind, target = live.commands
    relative = np.where(kind == GOAL, target - live.physics.qpos[:, 0], target)
    asked = stage.exercise.demand.ranges
    assert set(kind) == {GOAL, VELOCITY, JUMP} and asked.speed_mps[1] < stage.ranges.speed_mps[1]
    assert 2.7 < np.abs(relative[kind == GOAL]).max() <= 12.0, "some lie out of sight"
    assert np.abs(target[kind == VELOCITY]).max() <= stage.ranges.speed_mps[1]
    assert ((target[kind == JUMP] >= 0.2) & (target[kind == JUMP] <= 0.5)).all()
    assert (np.abs(live.physics.qvel[:, 0]) > 0.4).mean() > 0.2, "some begin at speed"
    assert live.age.max() > 0.8 * stage.exercise.episode_steps and live.change_rate.max() > 10.0


def test_physics_that_went_non_finite_is_a_terminal_step_and_poisons_nothing(stage):
    state = begun(stage)
    physics = stage.exercise.live.physics
    stage.exercise.live = stage.exercise.live._replace(physics=physics._replace(qvel=physics.qvel.at[3].set(np.nan)))
    rollout, metrics = stage.exercise.collect(state.learner, HARD.horizon, 0, 30)
    assert rollout.terminal[0, 3] == 1 and rollout.rewards[0, 3] < 0
    assert all(np.isfinite(array).all() for array in rollout) and np.isfinite(metrics["reward"])


def test_it_learns_and_a_run_that_died_resumes_to_the_same_bytes(stage, tmp_path, monkeypatch):
    """The puck learns not to fall, also by the physics of C; what was live before a run begins does not matter."""
    whole, broken = (
        RunDirectory.create(tmp_path, "low", stage.config, ["test"], [*stage.parents()], name=name)
        for name in ("whole", "broken")
    )
    fit(stage, whole, progress=False)
    iterate = stage.iterate

    def die(state, iteration):
        if iteration == 60:
            raise KeyboardInterrupt
        return iterate(state, iteration)

    monkeypatch.setattr(stage, "iterate", die)
    with pytest.raises(KeyboardInterrupt):
        fit(stage, broken, progress=False, checkpoint_interval_s=0.0)
    monkeypatch.setattr(stage, "iterate", iterate)
    fit(stage, broken, resume=True, progress=False)
    for file in ("metrics.csv", "model/model.safetensors"):
        assert (broken.path / file).read_bytes() == (whole.path / file).read_bytes(), file

    with open(whole.path / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    falls, rewards = ([float(row[name]) for row in rows] for name in ("falls", "reward"))
    assert np.mean(falls[-10:]) < 0.5 * np.mean(falls[:10]) and np.mean(rewards[-10:]) > np.mean(rewards[:10]) + 0.2
    policy, c = LowLevelPolicy.load(whole.path / "model"), BatchSimulation(stage.body, 32, threads=1)
    c.reset(np.random.default_rng(0))
    asked = Commands(np.full(32, VELOCITY), np.linspace(-0.5, 0.5, 32))
    assert follow(policy, c, asked, 4.0)[1].mean() < 0.2
