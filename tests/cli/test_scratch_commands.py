"""``train scratch``, ``eval scratch`` and ``compare`` as a user types them, on the half-cheetah, with tiny settings."""

import contextlib
import dataclasses
import io
import json
import shutil
from types import SimpleNamespace

import pytest

from reinfer.cli import compare
from reinfer.cli.main import main
from reinfer.cli.stages import load_stage_of
from reinfer.cli.train import read_training
from reinfer.evaluation.scratch import Bench
from reinfer.runs.errors import ConfigError
from reinfer.stages.scratch_melts import MeltsRobotConfig
from reinfer.stages.scratch_pearl import PearlConfig
from reinfer.stages.scratch_rl2 import Rl2Config
from reinfer.tasks import protocols

TINY = (
    "--tasks cheetah-vel --robot-steps 240 --simulations 2 --trial 1 --tasks-per-step 2 --batch 4 --updates 1"
    " --context 4 --hidden 8 --encoder-hidden 8 --evaluation-interval 1 --threads 1 --no-progress"
)


def typed(line: str) -> str:
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        assert main(line.split()) == 0
    return output.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scratch")
    with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.setenv("REINFER_COMPILATION_CACHE", "0")
        patch.setattr(protocols, "EPISODE_S", 3.0)
        typed(f"train scratch --algo pearl --name pearl {TINY}")
        yield folder


def test_eval_prints_few_shot_curves(folder, monkeypatch):
    monkeypatch.chdir(folder)
    runs = "runs/scratch/pearl runs/scratch/pearl"
    found = json.loads(typed(f"eval scratch {runs} --episodes 2 --threads 1 --json"))
    assert found["algorithm"] == "pearl" and not found["told"] and found["seeds"] == 2 and found["n_tasks"] == 30
    assert found["robot_steps"] == 240 and found["contest"] is None
    assert len(found["return_by_episode"]) == 2 and found["reuse"] is None
    assert found["belief_by_episode"][0] == pytest.approx(1.0) and found["belief_by_episode"][1] < 1.0


def test_compare_tells_what_reuse_saves(folder, monkeypatch):
    monkeypatch.chdir(folder)
    # A model away from its run still knows what its training cost.
    shutil.copytree("runs/scratch/pearl/model", "away")
    runs, low = "runs/scratch/pearl away", "--low shipped:half_cheetah/low"
    found = json.loads(typed(f"compare {runs} {low} --episodes 1 --threads 1 --output cost.svg --json"))
    assert list(found["agents"]) == ["reuse", "reuse, low", "pearl"]
    reuse, above, pearl = found["agents"].values()
    assert above == reuse and above["low_level_steps"] > 1e6 and pearl["low_level_steps"] is None
    assert reuse["robot_steps"] == 0 and pearl["robot_steps"] == 240
    assert not pearl["told"] and pearl["seeds"] == 2
    assert pearl["curve"]["robot_steps"] == [120, 240] and pearl["steps_to"] == {
        name: {"first": None, "stays": None} for name in ("reuse", "reuse, low")
    }
    # A low level that follows commands, told by rewards alone which speed is wanted, against two gradient steps.
    assert reuse["per_step"]["iqm"] < pearl["per_step"]["iqm"] and found["lower_is_better"]
    assert reuse["profile"][0] == pearl["profile"][0] == 1.0 and sum(reuse["profile"]) > sum(pearl["profile"])
    assert (folder / "cost.svg").read_text().count("reuse") >= 1


def test_a_model_that_does_not_tell_its_scores_is_refused():
    old = SimpleNamespace(algorithm="pearl", story={"provenance": {}})
    with pytest.raises(ConfigError, match="a model of pearl does not tell its scores in training"):
        compare._learning_curve(old)


def test_algorithms_have_settings_of_their_own():
    for words, kind in (
        ((), PearlConfig),
        (("--algo", "rl2", "--memory", "32"), Rl2Config),
        (("--algo=melts", "--preset", "quick"), MeltsRobotConfig),
        (("--algo", "sac-told", "--latent", "3"), PearlConfig),
    ):
        wanted = read_training(["scratch", *words])
        assert type(wanted.config) is kind and (not words or wanted.config.algo in words[0] + words[-1] + words[1])
    with pytest.raises(ConfigError, match="unknown preset 'trpo' of stage scratch.*pearl.*rl2"):
        read_training(["scratch", "--algo", "trpo"])
    with pytest.raises(ConfigError, match="unknown option '--memory'"):
        read_training(["scratch", "--algo", "pearl", "--memory", "32"])


def test_what_does_not_fit_together_is_refused(folder, monkeypatch):
    monkeypatch.chdir(folder)
    for line, message in (
        ("eval scratch shipped:toy/seed0", "'scratch_agent' is needed"),
        ("compare runs/scratch/pearl --output cost.bmp", "output: 'cost.bmp' must end in one of png, svg, pdf"),
        ("compare", "runs"),
    ):
        errors = io.StringIO()
        with contextlib.redirect_stderr(errors):
            assert main(line.split()) == 2
        assert message in errors.getvalue()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("eval scratch runs/scratch/pearl --reuse 99", "toy/seed"),
        ("compare runs/scratch/pearl --reuse 1 --high missing", "no run or model at missing"),
        ("compare runs/scratch/pearl --low missing", "no run or model at missing"),
        ("compare runs/scratch/pearl --reuse 0 --low shipped:half_cheetah/low", "low: given, but reuse is 0"),
        ("compare runs/scratch/pearl --low a/low b/low", "low: a/low, b/low do not all differ in name"),
        ("compare runs/scratch/pearl --reuse 0 --output runs/scratch/pearl/metrics.csv/cost.svg", "is not a folder"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_played(folder, monkeypatch, line, message):
    monkeypatch.chdir(folder)
    for play in ("play", "play_reused"):
        monkeypatch.setattr(Bench, play, lambda *_: pytest.fail("it was played"))
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors):
        assert main([*line.split(), "--threads", "1"]) == 2
    assert message in errors.getvalue() and errors.getvalue().count("\n") == 1


@pytest.mark.parametrize("kind", [PearlConfig, Rl2Config, MeltsRobotConfig])
def test_a_run_of_an_older_version_is_of_its_own_algorithm(kind):
    """One that lacks the newest setting, and has one that has gone since."""
    settings = {field.name: None for field in dataclasses.fields(kind)}
    settings.pop("evaluation_interval")
    run = SimpleNamespace(stage="scratch", manifest=lambda: {"config": settings | {"gone": 1}})
    assert load_stage_of(run)[1] is kind
