"""Stage and evaluation of the Neural Process, as a user types them: it learns, it resumes to the same bytes, and what
it learned moves a robot."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from reinfer.cli.main import main
from reinfer.evaluation.process import measure
from reinfer.inference.agent import ToyAgent
from reinfer.runs.directory import RunDirectory
from reinfer.runs.errors import ArtifactError, ConfigError
from reinfer.stages.process import ProcessConfig, ProcessStage
from reinfer.tasks import make_tasks

SETTINGS = {
    "iterations": 3,
    "updates": 120,
    "tasks": 64,
    "own_tasks": 16,
    "own_length": 24,
    "hidden": 16,
    "decoder_hidden": 16,
    "policy_hidden": 16,
    "inference_learning_rate": 0.01,
    "policy_learning_rate": 0.005,
}


def train(folder, name: str) -> int:
    options = [part for key, value in SETTINGS.items() for part in (f"--{key.replace('_', '-')}", str(value))]
    own = ["--runs", str(folder), "--name", name, "--checkpoint-interval-s", "0", "--no-progress"]
    return main(["train", "process", *options, *own])


@pytest.fixture(scope="module", autouse=True)
def no_cache():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REINFER_COMPILATION_CACHE", "0")
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> RunDirectory:
    folder = tmp_path_factory.mktemp("runs")
    assert train(folder, "whole") == 0
    return RunDirectory.open(folder / "process" / "whole")


class Died(Exception):
    """Stands for a process that is gone."""


def test_resuming_after_death_ends_in_the_same_bytes(run, tmp_path, monkeypatch):
    healthy = ProcessStage.iterate

    def dies(stage, state, iteration):
        if iteration == 2:
            raise Died
        return healthy(stage, state, iteration)

    monkeypatch.setattr(ProcessStage, "iterate", dies)
    with pytest.raises(Died):
        train(tmp_path, "broken")
    monkeypatch.setattr(ProcessStage, "iterate", healthy)
    programs = ProcessStage(ProcessConfig(**SETTINGS)).programs()
    before = programs.advance._cache_size()
    broken = tmp_path / "process" / "broken"
    assert main(["resume", str(broken), "--no-progress"]) == 0
    assert programs.advance._cache_size() == before > 0, "resuming must not compile again"
    for name in ("metrics.csv", "model/model.safetensors", "model/model.json"):
        assert (run.path / name).read_bytes() == (broken / name).read_bytes(), name


def test_it_learns_the_parameter_and_a_robot_is_moved_by_it(run, capsys):
    play = ["--body", "half_cheetah", "--steps", "5", "2x2", "7", "--seconds", "2", "--threads", "1"]
    assert main(["eval", "process", "--model", str(run.path), *play, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    toy, robot = found["toy"], found["robots"]["half_cheetah"]
    assert toy["r2"] > 0.9 and toy["reward_error"] < 0.5 and toy["elbo"] < toy["ceiling"]
    assert toy["return_mean"] > -250.0 and toy["best_return"] == pytest.approx(-31, abs=4)
    five, strided, longest = robot["plays"]
    assert longest["r2"] is not None
    assert (five["steps_per_sub_goal"], five["context_stride"]) == (5, 1)
    assert (strided["steps_per_sub_goal"], strided["context_stride"]) == (2, 2)
    assert five["moved_per_decision_m"] > 0.02 and five["fall_rate"] == 0.0
    assert robot["told"]["steady_error_m"] < five["steady_error_m"]


def test_without_a_full_context_there_is_no_fit():
    goal, moments = np.linspace(1.0, 9.0, 5), np.ones((12, 5), bool)
    record = SimpleNamespace(
        tasks=make_tasks([("goal_forward", target) for target in goal]),
        task_state=np.zeros((13, 5, 6)),
        steps=12,
        is_decision=moments,
        rows=np.tile(np.arange(12)[:, None], (1, 5)),
        latent=np.broadcast_to(goal[:, None], (12, 5, 1)),
        fallen=~np.ones((13, 5), bool),
    )
    assert measure(record, 10)["r2"] == pytest.approx(1.0)
    # All, or all but one, fell before that.
    assert measure(record, 12)["r2"] is None
    record.is_decision = moments & (np.arange(5) == 2)
    assert measure(record, 10)["r2"] is None


def test_an_agent_of_one_family_is_refused_where_all_are_needed(run, capsys):
    with pytest.raises(ArtifactError, match="knows only goal_forward"):
        ToyAgent.load(run.model)
    assert main(["eval", "toy", "--model", str(run.path)]) == 2
    assert main(["transfer", "--toy", str(run.path)]) == 2
    assert capsys.readouterr().err.count("knows only goal_forward; one that knows all families is needed") == 2
    agent = ToyAgent.load(run.model, partial=True)
    assert agent.width == 5 and agent.remember(stride=4).width == 20
    assert agent.body.name == "toy1d" and np.shape(agent.params.goal.weight) == (1, 1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["train", "process", "--own-tasks", "500"], "own_tasks: 500 is not allowed; it must be at most 128"),
        (["train", "process", "--latent", "3"], "latent: 3 is not allowed; it must be between 1 and 2"),
        (["train", "process", "--bound", "tight"], "bound"),
        (["eval", "process", "--steps", "30"], "steps: '30' is not allowed; it must be 1 to 20, or that x 1 to 20"),
        (["eval", "process", "--body", "hopper", "--low", "a", "b"], "low: 2 given for 1 robots"),
        (
            ["eval", "process", "--body", "half_cheetah", "--steps", "20x20"],
            "steps: 20x20 is not allowed; with seconds =",
        ),
        (
            ["eval", "process", "--body", "half_cheetah", "--steps", "5", "8", "--seconds", "2"],
            "steps: 8x1 is not allowed; with seconds = 2 an episode on half_cheetah ends before the context is full:"
            " STEPS times SPAN must be at most 7",
        ),
        (["eval", "process", "--model", "shipped:toy/seed0"], "architecture 'belief'; needed: process"),
    ],
)
def test_mistakes_are_told_in_one_line(options, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(options) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_configurations_have_defaults_of_the_published_protocol():
    config = ProcessConfig()
    assert (config.prior, config.bound, config.targets, config.deviation) == ("context", "elbo", 5, 0.1)
    with pytest.raises(ConfigError, match="own_tasks"):
        ProcessStage(ProcessConfig(tasks=4))
