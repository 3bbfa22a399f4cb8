"""The default toy stage: it learns, it resumes to the same bytes, it compiles once, alone or many seeds at a time."""

import dataclasses
from functools import partial

import jax
import numpy as np
import pytest

from reinfer.evaluation.toy import evaluate_toy
from reinfer.inference.agent import ToyAgent
from reinfer.inference.context import empty_window
from reinfer.runs import loop
from reinfer.runs.directory import RunDirectory
from reinfer.runs.errors import ArtifactError
from reinfer.stages.many import many, with_seeds
from reinfer.stages.process import ProcessConfig, ProcessStage
from reinfer.stages.toy import PRESETS, ToyStage
from tiny_toy import TINY


def run_of(folder, config=TINY):
    return RunDirectory.create(folder, "toy", config, ["test"], [], "run")


class Died(Exception):
    """Stands for a process that is gone."""


def test_resuming_after_death_ends_in_the_same_bytes(tmp_path, monkeypatch):
    whole = run_of(tmp_path / "whole")
    loop.fit(ToyStage(TINY), whole, progress=False, checkpoint_interval_s=0.0)
    broken, stage = run_of(tmp_path / "broken"), ToyStage(TINY)
    healthy = stage.iterate

    def dies(state, iteration):
        if iteration == 2:
            raise Died
        return healthy(state, iteration)

    monkeypatch.setattr(stage, "iterate", dies)
    with pytest.raises(Died):
        loop.fit(stage, broken, progress=False, checkpoint_interval_s=0.0)
    programs = stage.programs()
    before = programs.advance._cache_size()
    loop.fit(ToyStage(TINY), broken, resume=True, progress=False, checkpoint_interval_s=0.0)
    assert ToyStage(TINY).programs() is programs
    assert programs.advance._cache_size() == before, "resuming must not compile again"
    for name in ("metrics.csv", "model/model.safetensors", "model/model.json"):
        assert (whole.path / name).read_bytes() == (broken.path / name).read_bytes(), name

    agent = ToyAgent.load(whole.model)
    belief = agent.infer(empty_window(2))
    assert np.allclose(belief.family_probability.sum(axis=-1), 1.0)
    assert np.all(np.sign(belief.target) == [1.0, -1.0, 1.0, -1.0])


def test_agents_in_one_program_do_what_they_do_alone(tmp_path):
    """From the same state: rounding is amplified by rollouts and wherever a gradient is next to nothing."""
    over = ("inference_learning_rate+prior=0.01+dpmm,0.03+normal",)
    stage = many(ToyStage)(with_seeds(dataclasses.replace(TINY, seed=1), 2, over))
    states = stage.init()
    for iteration in range(2):
        alone = [one.iterate(state, iteration) for one, state in zip(stage.stages.values(), states, strict=True)]
        together, metrics = stage.iterate(states, iteration)
        for name, found, (state, row) in zip(stage.stages, together, alone, strict=True):
            assert {key: metrics[f"{name}/{key}"] for key in row} == pytest.approx(row, rel=1e-4, abs=1e-6)
            jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-5), found.learned, state.learned)
        states = tuple(state for state, _ in alone)
    costs = [metrics[f"{name}/control_cost"] for name in stage.stages]
    assert min(costs) > 0 and len(set(costs)) == 4, "seeds and settings matter"
    assert [state.mixture.active.any() for state in states] == [True, True, False, False]
    stage.export(together, tmp_path / "model", {"config_sha256": "", "last_metrics": {"iteration": 2, "env_steps": 1}})
    model = tmp_path / "model" / "inference_learning_rate-0.03_prior-normal_seed2"
    assert ToyAgent.load(model).infer(empty_window(2)).target.shape == (2, 4)


@pytest.mark.parametrize(("kind", "config"), [(ToyStage, TINY), (ProcessStage, ProcessConfig(iterations=5))])
def test_all_that_may_differ_in_one_program_can(kind, config):
    """Traced: a setting by which the program were chosen would raise an error."""
    over = tuple(f"{name}={getattr(config, name)}" for name in kind.numbers)
    stage = many(kind)(with_seeds(config, 2, over))
    for program in (stage.programs.advance, stage.programs.observe):
        program.trace(*stage.inputs(stage.init()), 0)


def test_seeds_in_one_program_do_not_act_before_they_must():
    """A condition that could differ between seeds would become a choice between two results, both computed."""
    stage = many(ToyStage)(with_seeds(TINY, 2))
    program = str(stage.programs.advance.trace(*stage.inputs(stage.init()), 0).jaxpr)
    assert program.count("cond[") == 1


@pytest.mark.parametrize(
    ("body", "actions", "signs"), [("toy3dof", 3, [1, -1, 1, -1, 1, -1, 1]), ("toy2d", 2, [1, -1] * 4)]
)
def test_an_agent_of_another_toy_learns_and_survives_export(body, actions, signs, tmp_path):
    stage = ToyStage(dataclasses.replace(TINY, body=body, iterations=1, policy_from=0.0))
    state, metrics = stage.iterate(stage.init(), 0)
    assert all(np.isfinite(value) for value in metrics.values()) and metrics["control_cost"] > 0
    stage.export(state, tmp_path / "model", {})
    agent = ToyAgent.load(tmp_path / "model")
    assert agent.body.name == body and agent.layout.size == 9
    belief = agent.infer(empty_window(2, agent.width, agent.layout))
    assert np.all(np.sign(belief.target) == signs)
    assert agent.act(agent.body.reset(jax.random.key(0), (2,)), belief).shape == (2, actions)
    found = evaluate_toy(agent, mixture=False)
    assert found["n_tasks"] == 10 * len(signs) == 10 * len(found["return_by_family"]) and found["body"] == body
    assert found["purity"] is None


def test_an_agent_of_an_unknown_toy_is_refused(tmp_path):
    stage = ToyStage(TINY)
    agent = stage.agent(stage.init())
    agent.sizes = {**agent.sizes, "body": "toy9d"}
    agent.save(tmp_path / "model", config={}, metrics={}, provenance={})
    with pytest.raises(ArtifactError, match="toy 'toy9d' is not known; allowed: toy1d, toy2d, toy3dof"):
        ToyAgent.load(tmp_path / "model")


def test_unknown_architecture_is_refused(tmp_path):
    stage = ToyStage(TINY)
    agent = stage.agent(stage.init())
    agent.architecture = "oracle"
    agent.save(tmp_path / "model", config={}, metrics={}, provenance={})
    with pytest.raises(ArtifactError, match="'oracle'.*belief"):
        ToyAgent.load(tmp_path / "model")


@pytest.mark.learning
def test_quick_preset_learns_to_infer_and_to_act():
    stage = ToyStage(dataclasses.replace(PRESETS["quick"], seed=1))
    state = stage.init()
    untrained = evaluate_toy(stage.agent(state), mixture=False)
    for iteration in range(stage.iterations):
        state, metrics = stage.iterate(state, iteration)
    found = evaluate_toy(stage.agent(jax.block_until_ready(state)))
    assert untrained["return_mean"] < -150.0
    assert found["return_mean"] > -20.0
    assert found["class_accuracy_by_rows"]["5"] >= 0.95
    assert found["target_error_by_rows"]["10"] < 0.05
    assert metrics["components"] > 1
