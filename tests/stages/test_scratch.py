"""Meta-training on the robot itself: parts of each algorithm, that it learns, and that it resumes to the byte."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scratch_doubles import PointTasks, ignorant_return

from reinfer.bodies import HALF_CHEETAH
from reinfer.control.task_replay import TaskTransitions, add_steps, empty_task_replay, sample_steps
from reinfer.evaluation.scratch_teams import load_team
from reinfer.inference.adaptive.agent import ScratchAgent
from reinfer.inference.adaptive.pearl import add_evidence, gather_evidence, init_pearl, no_evidence, posterior_of
from reinfer.inference.agent import ToyAgent
from reinfer.runs.directory import RunDirectory
from reinfer.runs.errors import ArtifactError, ConfigError
from reinfer.runs.files import file_sha256
from reinfer.runs.loop import fit
from reinfer.stages import scratch, scratch_melts, scratch_pearl, scratch_rl2
from reinfer.tasks.protocols import protocol
from reinfer.transfer.trials import play_trials

#: Settings under which each algorithm learns the point in seconds.
POINT = {
    "pearl": replace(
        scratch_pearl.PearlConfig(),
        simulations=32,
        robot_steps=32 * 10 * 16,
        latent=2,
        encoder_hidden=(32,),
        hidden=(32, 32),
        context=10,
        batch=64,
        updates=100,
        learning_rate=3e-3,
        target_rate=0.05,
        discount=0.3,
        temperature=0.02,
        divergence_weight=0.01,
    ),
    "rl2": replace(
        scratch_rl2.Rl2Config(),
        simulations=64,
        robot_steps=64 * 20 * 60,
        memory=24,
        hidden=24,
        sequence=20,
        minibatches=4,
        discount=0.5,
        highest_learning_rate=3e-3,
        target_kl=0.03,
    ),
    "melts": replace(
        scratch_melts.MeltsRobotConfig(),
        simulations=32,
        robot_steps=32 * 10 * 36,
        latent=2,
        encoder_hidden=16,
        decoder_hidden=16,
        inference_steps=30,
        inference_batch=64,
        inference_learning_rate=4e-3,
        decoded=4,
        hidden=(32, 32),
        policy_steps=120,
        policy_batch=64,
        learning_rate=3e-3,
        target_rate=0.05,
        discount=0.3,
        temperature=0.02,
        evaluation_interval=8,
    ),
}
STAGES = {
    "pearl": scratch_pearl.PearlStage,
    "sac-told": scratch_pearl.PearlStage,
    "rl2": scratch_rl2.Rl2Stage,
    "melts": scratch_melts.MeltsRobotStage,
}
POINT["sac-told"] = replace(POINT["pearl"], algo="sac-told", robot_steps=32 * 10 * 12)
POINT = {name: replace(config, tasks="cheetah-vel") for name, config in POINT.items()}


@pytest.fixture
def point(monkeypatch):
    monkeypatch.setattr(scratch, "TaskSimulation", PointTasks)


def test_context_is_a_set_and_nothing_is_the_prior():
    encoder = init_pearl(jax.random.key(0), 3, 1, (8,), 2)
    rows = jax.random.normal(jax.random.key(1), (4, 6, 8))
    whole = posterior_of(encoder, gather_evidence(encoder, rows))
    shuffled = posterior_of(encoder, gather_evidence(encoder, rows[:, ::-1]))
    evidence = no_evidence(4, 2)
    empty = posterior_of(encoder, evidence)
    assert np.allclose(empty.mean, 0.0) and np.allclose(empty.log_variance, 0.0)
    for step in range(6):
        evidence = add_evidence(encoder, evidence, rows[:, step])
    for other in (shuffled, posterior_of(encoder, evidence)):
        assert all(np.allclose(a, b, atol=1e-5) for a, b in zip(whole, other, strict=True))
    assert (whole.log_variance < empty.log_variance).all()


def test_replay_keeps_the_newest_steps_of_every_task():
    replay = empty_task_replay(6, tasks=3, observation=1, actions=1)
    for start in (0, 4):
        values = np.arange(start, start + 4, dtype=np.float32)[:, None] + 100.0 * np.arange(3, dtype=np.float32)
        wide = values[..., None]
        replay = add_steps(replay, TaskTransitions(wide, wide, values, wide))
    assert replay.stored == 6
    tasks = jnp.array([2, 0])
    for newest, allowed in ((6, range(2, 8)), (2, range(6, 8))):
        drawn = sample_steps(jax.random.key(0), jax.tree.map(jnp.asarray, replay), tasks, 200, newest)
        for row, task in zip(np.asarray(drawn.reward), (2, 0), strict=True):
            assert set(row) == {100.0 * task + value for value in allowed}
    with pytest.raises(ValueError, match="7 steps at once exceed the capacity of 6"):
        add_steps(replay, jax.tree.map(lambda leaf: np.zeros((7, *leaf.shape[1:])), replay.transitions))


@pytest.mark.learning
@pytest.mark.parametrize(("algorithm", "share"), [("pearl", 0.5), ("rl2", 0.5), ("sac-told", 0.5), ("melts", 0.7)])
def test_learns_what_the_task_is(point, algorithm, share):
    stage = STAGES[algorithm](POINT[algorithm])
    state, rows = stage.init(), []
    for iteration in range(stage.iterations):
        state, metrics = stage.iterate(state, iteration)
        rows.append(metrics)
    assert all(type(value) is float and np.isfinite(value) for value in metrics.values())
    # Windows of MELTS begin anew with every episode: it always plays its first steps without knowing.
    assert metrics["return_held_out"] > share * ignorant_return()
    if algorithm == "melts":
        assert metrics["reward_error"] < min(0.15, 0.4 * rows[0]["reward_error"])
        assert metrics["components"] >= 2.0
    if algorithm == "pearl":
        # What it draws from the prior is another task's; it has to see one to know it.
        assert metrics["first_return_held_out"] < metrics["return_held_out"] - 1.0


def test_rl2_is_judged_within_trials_as_long_as_it_was_trained_for(point, tmp_path, monkeypatch):
    judged = []

    def noting(agent, simulation, tasks, episodes, *rest):
        judged.append(episodes)
        return play_trials(agent, simulation, tasks, episodes, *rest)

    monkeypatch.setattr(scratch, "play_trials", noting)
    small = replace(POINT["rl2"], simulations=4, robot_steps=80, trial=2, epochs=1)
    stage = scratch_rl2.Rl2Stage(small)
    state, metrics = stage.iterate(stage.init(), 0)
    assert stage.iterations == 1 and judged == [2] and "return_held_out" in metrics
    longer = scratch_rl2.Rl2Stage(replace(small, trial=4, robot_steps=160))
    for name, trained in (("two", stage), ("four", longer)):
        trained.export(state, tmp_path / name, {})
        agent, ground = ScratchAgent.load(tmp_path / name), trained.ground
        for asked in (1, 3):
            key = jax.random.key(0)
            trial = play_trials(agent, ground.simulation, ground.tasks, asked, np.random.default_rng(0), key)
            assert len(trial) == min(asked, trained.config.trial)
    with pytest.raises(ConfigError, match="four differs in longest_trial .*4 is not 2"):
        load_team([str(tmp_path / "two"), str(tmp_path / "four")])
    pearl = ScratchAgent("pearl", None, {}, "cheetah-vel", HALF_CHEETAH.id, "stock", story={"training": {"trial": 2}})
    assert pearl.longest_trial is None


class Killed(BaseException):
    """Stands for the death of the process: nothing may handle it."""


def test_killed_and_resumed_is_the_same_bytes(point, tmp_path):
    config = replace(POINT["pearl"], robot_steps=32 * 10 * 3)

    def outcome(run):
        files = [run.path / "metrics.csv", *sorted(run.model.iterdir())]
        files.append(max(run.checkpoints.glob("[0-9]*")) / "state.safetensors")
        return {str(file.relative_to(run.path)): file_sha256(file) for file in files}

    def start(name):
        stage = scratch_pearl.PearlStage(config)
        return stage, RunDirectory.create(tmp_path, "scratch", config, ["test"], stage.parents(), name)

    stage, whole = start("whole")
    fit(stage, whole, progress=False, checkpoint_interval_s=0.0)
    stage, killed = start("killed")
    iterate = stage.iterate

    def dying(state, iteration):
        if iteration == 1:
            raise Killed
        return iterate(state, iteration)

    stage.iterate = dying
    with pytest.raises(Killed):
        fit(stage, killed, progress=False, checkpoint_interval_s=0.0)
    fit(scratch_pearl.PearlStage(config), killed, resume=True, progress=False, checkpoint_interval_s=0.0)
    assert outcome(whole) == outcome(killed)
    agent = ScratchAgent.load(whole.model)
    assert agent.algorithm == "pearl" and agent.protocol == "cheetah-vel"
    with pytest.raises(TypeError, match="not told"):
        agent.tell(stage.ground.tasks)
    with pytest.raises(ArtifactError, match="'scratch_agent'"):
        ToyAgent.load(whole.model)


def test_bad_settings_are_refused_before_any_work():
    for algorithm, change, message in (
        ("pearl", {"body": "walker2d"}, "tasks: 'cheetah-vel' is not defined on walker2d"),
        ("pearl", {"batch": 100}, "batch: 100 .*multiple of tasks_per_step = 16"),
        ("pearl", {"simulations": 4}, "tasks_per_step: 16 .*4 simulations"),
        ("pearl", {"capacity": 1}, "capacity: 1 .*trial = 2"),
        ("pearl", {"robot_steps": 100}, "robot_steps: 100 .*takes 6400"),
        ("rl2", {"sequence": 30}, "sequence: 30 .*400 steps"),
        ("rl2", {"minibatches": 7}, "minibatches: 7 .*1280 sequences"),
        ("rl2", {"tasks": "ant-goal"}, "tasks: 'ant-goal' .*cheetah-dir"),
    ):
        with pytest.raises(ConfigError, match=message):
            STAGES[algorithm](replace(POINT[algorithm], **change))


def test_families_have_equal_shares_however_many_simulations_there_are():
    training = protocol("standard", HALF_CHEETAH.name, HALF_CHEETAH.tasks).train
    ordered = scratch.families_in_turn(training)
    assert sorted(zip(*ordered, strict=True)) == sorted(zip(*training, strict=True)), "no task is lost"
    for count in (4, 20, 100):
        shares = np.bincount(ordered[np.arange(count) % ordered.count].family, minlength=4)
        assert (shares[:4] == count // 4).all()
