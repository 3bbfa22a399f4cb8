"""``reinfer transfer`` and ``reinfer eval transfer`` as a user types them, with small untrained models."""

import json
import shlex

import pytest
from transfer_doubles import untrained_correction, untrained_low_level, untrained_toy

from reinfer.bodies import HALF_CHEETAH
from reinfer.cli import eval_transfer, transfer
from reinfer.control.commands import COMMAND_KINDS
from reinfer.evaluation.transfer import Contest
from reinfer.inference.agent import ToyAgent
from reinfer.runs.errors import ArtifactError, ConfigError, RunError
from reinfer.transfer import RelearnedAgent, load_record
from reinfer.transfer.relearned import feature_size


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    story = {"config": {}, "metrics": {}, "provenance": {}}
    untrained_toy(3).save(folder / "toy", **story)
    untrained_low_level().save(folder / "low", **story)
    return ["--toy", str(folder / "toy"), "--low", str(folder / "low"), "--threads", "1"]


def test_transfer_keeps_records_and_prints_a_table(models, tmp_path, capsys):
    out = tmp_path / "the out"
    typed = [f"--toy={models[1]}", *models[2:], "--stride", "20", "--out", str(out)]
    assert transfer.run(typed) == 0
    text = capsys.readouterr().out
    assert "half_cheetah, 12 standard tasks, 1 seed, stride 20" in text and f"`reinfer report '{out}'`" in text
    assert all(name in text for name in ("toy", "oracle", "random", "zero", "goal_forward +9.02"))
    report = json.loads((out / "transfer.json").read_text())
    assert report["position"]["settled_error_m"] > 0 and 10.0 < report["mean_stride"] <= 20.0
    assert report["toys"] == [{"reference": models[1], "sha256": ToyAgent.load(models[1]).sha256}]
    assert shlex.split(report["command"]) == ["reinfer", "transfer", *typed]
    records = {path.stem: load_record(path) for path in out.glob("*.safetensors")}
    assert set(records) == {f"{agent}_stride_20_seed0" for agent in ("toy", "oracle", "random", "zero")}
    assert records["toy_stride_20_seed0"].task_state.shape == (481, 12, 6)
    assert {record.toy_sha256 for record in records.values()} == {ToyAgent.load(models[1]).sha256, ""}
    assert records["toy_stride_20_seed0"].toy_sha256, "whose latents are on record"
    with pytest.raises(RunError, match="already exists"):
        transfer.run([*models, "--stride", "20", "--out", str(out)])


def test_eval_prints_exactly_one_json_object(models, capsys):
    assert eval_transfer.run([*models, "--stride", "20", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["tasks"] == "standard" and len(report["by_task"]) == 12 and report["ablation"] == {}
    assert [toy["reference"] for toy in report["toys"]] == [models[1]]


def test_the_relearned_high_level_is_judged_beside_the_toy(models, tmp_path, capsys):
    toy = ToyAgent.load(models[1])
    correction = untrained_correction(feature_size(17))
    agent = RelearnedAgent(toy, 6, HALF_CHEETAH.id, HALF_CHEETAH.commands, correction)
    agent.save(tmp_path / "high", config={}, metrics={}, provenance={})
    chosen = [*models, "--policy", "relearned", "--high", str(tmp_path / "high"), "--stride", "20"]
    assert transfer.run([*chosen, "--out", str(tmp_path / "out")]) == 0
    text = capsys.readouterr().out
    assert "relearned is told rewards only" in text and text.index("relearned") < text.index("toy ")
    report = json.loads((tmp_path / "out" / "transfer.json").read_text())
    assert report["policy"] == "relearned" and set(report["position"]) == set(report["toy"]["position"])
    judged, beside = (load_record(tmp_path / "out" / f"{n}_stride_20_seed0.safetensors") for n in ("relearned", "toy"))
    assert not (judged.command_target == beside.command_target).all()
    untrained_toy(1).save(tmp_path / "toy", config={}, metrics={}, provenance={})
    chosen[1] = str(tmp_path / "toy")
    with pytest.raises(ArtifactError, match="learned above another toy agent"):
        transfer.run([*chosen, "--out", str(tmp_path / "other")])


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        (["--body", "unicorn"], ConfigError, "body: 'unicorn' .*half_cheetah"),
        (["--tasks", "easy"], ConfigError, "tasks: 'easy' .*standard, heldout, multi"),
        (["--tasks", "multi", "--policy", "relearned"], ConfigError, "policy: 'relearned' .*multi.*'toy'"),
        (["--policy", "magic"], ConfigError, "policy: 'magic' .*toy, relearned"),
        (["--policy", "relearned", "--high", "a", "b"], ConfigError, "high: 2 given for 1 toy agents"),
        (["--high", "a"], ConfigError, "high: given, but policy is 'toy'; it must be 'relearned'"),
        (["--policy", "relearned", "--high", "nowhere"], ArtifactError, "nowhere: no such folder"),
        (["--stride", "0"], ConfigError, "stride: '0' .*learned, rule or 1 to 20"),
        (["--stride", "fast"], ConfigError, "stride: 'fast' .*learned, rule or 1 to 20"),
        (["--seeds", "0"], ConfigError, "seeds: 0 .*between 1 and 100"),
        (["--toy", "a", "b", "--seeds", "3"], ConfigError, "seeds: 3 does not fit the 2"),
        (["--toy", "a", "b", "--stride-model", "c"], ConfigError, "stride_model: 1 given for 2"),
        (["--stride", "5", "--stride-model", "c"], ConfigError, "stride_model: given, but stride is '5'"),
        (["--toy-steps", "99"], ConfigError, "toy_steps: 99 .*between 1 and 20"),
        (["--low", "nowhere"], ArtifactError, "nowhere: no such folder"),
        (["--strides", "5"], ConfigError, "unknown option '--strides'.*--stride"),
    ],
)
@pytest.mark.parametrize("command", [transfer, eval_transfer])
def test_mistakes_are_named_before_any_work(command, arguments, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        command.run(arguments)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("command", [transfer, eval_transfer])
def test_a_folder_that_cannot_be_made_is_refused_before_anything_is_played(command, models, tmp_path, monkeypatch):
    monkeypatch.setattr(Contest, "play", lambda *_: pytest.fail("it was played"))
    (tmp_path / "file").write_text("a file")
    for out in (tmp_path / "file" / "out", "/proc/out"):
        with pytest.raises(RunError, match=f"{out}.* cannot be (made|written): "):
            command.run([*models, "--stride", "20", "--out", str(out)])


def test_eval_prints_its_results_even_where_they_cannot_be_kept(models, tmp_path, monkeypatch, capsys):
    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(eval_transfer, "keep", full)
    with pytest.raises(OSError, match="No space left"):
        eval_transfer.run([*models, "--stride", "20", "--out", str(tmp_path / "out")])
    assert "half_cheetah, 12 standard tasks" in capsys.readouterr().out


def test_tasks_of_all_families(tmp_path, capsys):
    story = {"config": {}, "metrics": {}, "provenance": {}}
    untrained_toy(0, "toy3dof").save(tmp_path / "toy", **story)
    untrained_low_level(kinds=COMMAND_KINDS).save(tmp_path / "low", **story)
    chosen = ["--tasks", "multi", "--toy", str(tmp_path / "toy"), "--low", str(tmp_path / "low"), "--stride", "20"]
    assert eval_transfer.run([*chosen, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert len(report["by_family"]) == 7 and report["n_tasks"] == 140
    for part in (report, report["oracle"], report["random"], report["zero"]):
        assert part["stand"]["settled_error_rad"] > 0 and part["jump"]["peak_relative_error"] > 0
        assert 0 < part["jump"]["mean_ratio"] < 1.5


def test_agents_and_low_levels_must_know_the_tasks(models, tmp_path):
    with pytest.raises(ConfigError, match="toy: .* agent of toy1d, which does not know stand_front, stand_back, jump"):
        eval_transfer.run([*models, "--tasks", "multi", "--stride", "1"])
    untrained_toy(0, "toy3dof").save(tmp_path / "toy", config={}, metrics={}, provenance={})
    with pytest.raises(ConfigError, match="low: .* not trained on stand, jump, which an agent of toy3dof may ask for"):
        eval_transfer.run(["--toy", str(tmp_path / "toy"), "--low", models[3], "--stride", "1"])
    untrained_toy(0, "toy2d").save(tmp_path / "plane", config={}, metrics={}, provenance={})
    with pytest.raises(ConfigError, match="low: .* not trained on lateral_goal, lateral_velocity, .* agent of toy2d"):
        eval_transfer.run(["--toy", str(tmp_path / "plane"), "--low", models[3], "--stride", "1"])
    untrained_low_level(kinds=COMMAND_KINDS).save(tmp_path / "low", config={}, metrics={}, provenance={})
    with pytest.raises(ArtifactError, match="learned with a toy agent or a low level that knows other kinds of task"):
        eval_transfer.run(["--toy", str(tmp_path / "toy"), "--low", str(tmp_path / "low")])


def test_models_of_another_kind_are_refused(models, tmp_path):
    toy, low = models[1], models[3]
    with pytest.raises(ArtifactError, match="'toy_agent'; 'low_level' is needed"):
        transfer.run(["--toy", toy, "--low", toy, "--stride", "1", "--out", str(tmp_path / "a")])
    with pytest.raises(ArtifactError, match="'low_level'; 'stride' is needed"):
        transfer.run([*models, "--stride-model", low, "--out", str(tmp_path / "b")])
