"""The command as a user types it: help, precedence, and one line per mistake."""

import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
from dataclasses import replace

import pytest
import tomli_w

from reinfer.cli import doctor, stages
from reinfer.cli.main import COMMANDS, main
from reinfer.cli.parsing import flags, parse
from reinfer.cli.train import TrainOptions, read_training
from reinfer.runs.config import to_dict
from reinfer.runs.errors import ConfigError
from reinfer.stages import low_level


def test_help_is_quick_and_imports_no_jax(command):
    program = "import sys; from reinfer.cli.main import main; code = main(['--help']); print('jax' in sys.modules)"
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert time.monotonic() - started < 2.0
    *text, jax_imported = done.stdout.splitlines()
    assert jax_imported == "False"
    for name in COMMANDS:
        assert any(line.strip().startswith(name) for line in text)


def test_the_installed_script_runs():
    script = sys.executable.rsplit("/", 1)[0] + "/reinfer"
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("reinfer ")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help(name, capsys):
    try:
        code = main([name, "--help"])
    except SystemExit as leaving:
        code = leaving.code
    assert code == 0
    assert f"usage: reinfer {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("trian", "unknown command 'trian'; did you mean 'train'? allowed: train, resume, eval, transfer"),
        ("train tyo", "unknown stage 'tyo'; did you mean 'toy'? allowed: toy, process, low, stride"),
        ("resume absent", "no run at absent: no such folder"),
        ("resume .", ". is not a run: it has no manifest.json"),
        ("resume", "Folder of the run"),
        ("resume run --sede 3", "unknown option '--sede'; allowed: --checkpoint-interval-s"),
        ("info absent", "no run or model at absent"),
        ("info shipped:absent", "no shipped model is called 'absent'"),
        ("info . --jsn", "unknown option '--jsn'; did you mean '--json'?"),
        ("doctor extra", "Unrecognized options: extra"),
    ],
)
def test_a_mistake_is_one_line_and_code_2(typed, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(typed.split()) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("reinfer: error: ")
    assert output.err.count("\n") == 1
    assert words in output.err


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(13, "Permission denied", "/closed/manifest.json"), "/closed/manifest.json: Permission denied"),
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
        (OSError("ffmpeg\nfailed"), "ffmpeg failed"),
    ],
)
def test_what_the_machine_refuses_is_one_line_and_code_2(error, words, monkeypatch, capsys):
    def refuse(_):
        raise error

    monkeypatch.setattr("reinfer.cli.info.run", refuse)
    assert main(["info", "run"]) == 2
    assert capsys.readouterr().err == f"reinfer: error: {words}\n"


def test_options_are_found_by_their_names():
    assert flags(TrainOptions) == [
        "--preset", "--config", "--runs", "--name", "--checkpoint-interval-s", "--progress", "--no-progress",
    ]  # fmt: skip
    assert parse(TrainOptions, "t", ["--no-progress", "--checkpoint_interval_s=3"]).checkpoint_interval_s == 3.0
    with pytest.raises(ConfigError, match=r"invalid literal|could not convert.*'soon'.*--checkpoint-interval-s FLOAT"):
        parse(TrainOptions, "t", ["--checkpoint-interval-s", "soon"])


@pytest.fixture
def line(monkeypatch, tmp_path):
    """``main`` with the diagnostic stage, in a folder of its own, in this process."""
    monkeypatch.setitem(stages.STAGES, "line", ("line_stage:LineStage", "a diagnostic line"))
    monkeypatch.setenv("REINFER_COMPILATION_CACHE", "0")
    monkeypatch.chdir(tmp_path)
    return lambda typed: main(typed.split())


def test_preset_then_file_then_options(line, tmp_path, capsys):
    (tmp_path / "mine.toml").write_text("iterations = 8\nlearning_rate = 0.05\n")
    typed = "train line --preset long --config mine.toml --learning-rate 0.01 --runs kept --name a --no-progress"
    assert line(typed) == 0
    written = tomllib.loads((tmp_path / "kept" / "line" / "a" / "config.toml").read_text())
    assert (written["sync_interval"], written["iterations"], written["learning_rate"]) == (5, 8, 0.01)
    assert capsys.readouterr().out == "run: kept/line/a\nmodel: kept/line/a/model\n"


def test_a_body_with_a_preset_of_its_own_takes_that_for_the_default():
    def wanted(*options):
        return read_training(["low", *options]).config

    own = wanted("--body", "hopper")
    assert own == low_level.PRESETS["hopper"] != replace(low_level.PRESETS["default"], body="hopper")
    assert wanted("--body", "hopper", "--far-goals", "0.1") == replace(own, far_goals=0.1)
    assert wanted("--body", "half_cheetah") == low_level.PRESETS["default"]
    assert wanted("--body", "hopper", "--preset", "quick") == replace(low_level.PRESETS["quick"], body="hopper")


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("--preset lnog", "unknown preset 'lnog' of stage line; did you mean 'long'? allowed: default, long"),
        (
            "--lerning-rate 1",
            "unknown option '--lerning-rate'; did you mean '--learning-rate'? allowed: --preset",
        ),
        ("--learning-rate 3", "learning_rate: 3.0 is not allowed; it must be between 0.0 and 1.0"),
        ("--seed 99999999999", "seed: 99999999999 is not allowed; it must be between 0 and 4294967295"),
        ("--learning-rate nan", "learning_rate: nan is not allowed; it must be finite"),
        ("--iterations 1.5", "'1.5'; the option is --iterations INT"),
        ("--bad evil", "bad: 'evil' is not allowed; it must be one of metric, state, shape, crash"),
        ("--iterations", "Missing value for argument '--iterations'"),
        ("--checkpoint-interval-s -1", "checkpoint_interval_s: -1.0 is not allowed; it must be at least 0.0"),
        ("--config absent.toml", "config file absent.toml cannot be read: No such file"),
        ("--config bad.toml", "bad.toml: unknown key 'lerning_rate'; did you mean 'learning_rate'?"),
        ("--name ../evil", "name: '../evil' is not allowed"),
        ("stray", "Unrecognized options: stray"),
        ("--algo rl2", "unknown option '--algo'"),
    ],
)
def test_a_bad_training_option_stops_before_anything_is_made(line, tmp_path, capsys, typed, words):
    (tmp_path / "bad.toml").write_text("lerning_rate = 0.1\n")
    assert line(f"train line {typed}") == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("typed", ["toy --preset reference", "scratch --algo rl2", "scratch --algo sac-told", "toy"])
def test_the_config_of_a_run_is_enough_to_train_its_like(typed, tmp_path):
    stage, *words = typed.split()
    wanted = read_training([stage, *words, "--seed", "7"]).config
    file = tmp_path / "config.toml"
    file.write_text(tomli_w.dumps({key: value for key, value in to_dict(wanted).items() if value is not None}))
    assert read_training([stage, "--config", str(file)]).config == wanted


def test_help_of_a_training_names_its_presets(line, capsys):
    with pytest.raises(SystemExit, match="0"):
        line("train line --help")
    assert "Presets: default, long." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("typed", "setting"),
    [
        ("high --strides", "strides"),
        ("high --hidden", "hidden"),
        ("toy --preset reference --policy-hidden", "policy_hidden"),
        ("scratch --preset pearl --hidden", "hidden"),
        ("scratch --preset pearl --encoder-hidden", "encoder_hidden"),
        ("scratch --preset melts --hidden", "hidden"),
    ],
)
def test_an_empty_list_is_refused_where_it_makes_no_sense(typed, setting):
    with pytest.raises(ConfigError, match=rf"{setting}: \(\) is not allowed; it must have at least 1 value"):
        read_training(typed.split())


@pytest.mark.parametrize("typed", ["toy", "process", "low", "stride", "high", "scratch --preset pearl"])
def test_no_stage_takes_a_seed_out_of_range(typed):
    assert read_training([*typed.split(), "--seed", "4294967295"]).config.seed == 2**32 - 1
    with pytest.raises(ConfigError, match="seed: 4294967296 is not allowed; it must be between 0 and 4294967295"):
        read_training([*typed.split(), "--seed", "4294967296"])


def test_a_taken_name_is_refused_and_nothing_overwritten(line, tmp_path, capsys):
    assert line("train line --iterations 2 --name a --no-progress") == 0
    before = (tmp_path / "runs/line/a/metrics.csv").read_bytes()
    assert line("train line --iterations 3 --name a --no-progress") == 2
    assert "runs/line/a already exists; nothing was overwritten" in capsys.readouterr().err
    assert (tmp_path / "runs/line/a/metrics.csv").read_bytes() == before


def test_info_tells_of_runs_and_models(line, tmp_path, capsys):
    line("train line --iterations 10 --name a --no-progress --seed 4")
    capsys.readouterr()
    assert line("info runs/line/a --json") == 0
    run = json.loads(capsys.readouterr().out)
    assert (run["type"], run["stage"], run["status"], run["seed"]) == ("run", "line", "done", 4)
    assert run["checkpoint_iteration"] == run["metrics"]["iteration"] == 10
    assert run["sessions"][0]["versions"]["jax"]
    assert line(f"info {run['model']} --json") == 0
    model = json.loads(capsys.readouterr().out)
    assert (model["type"], model["kind"], model["parameters"]) == ("model", "line", 3)
    assert model["provenance"]["config_sha256"] == run["config_sha256"]
    assert line("resume runs/line/a") == 0
    assert "nothing to resume" in capsys.readouterr().out
    assert line("info runs/line/a") == 0
    assert "status: done" in capsys.readouterr().out


def test_damaged_models_and_changed_configs_are_refused(line, tmp_path, capsys):
    line("train line --iterations 4 --name a --no-progress --learning-rate 0.1")
    run = tmp_path / "runs/line/a"
    (run / "model/model.safetensors").write_bytes(b"")
    assert line("info runs/line/a/model") == 2
    assert "runs/line/a/model/model.safetensors is damaged" in capsys.readouterr().err
    (run / "config.toml").write_text((run / "config.toml").read_text().replace("0.1", "0.2"))
    assert line("resume runs/line/a") == 2
    assert "changed (learning_rate: 0.1 -> 0.2)" in capsys.readouterr().err


@pytest.mark.parametrize("harm", ["damaged", "gone", "another's"])
def test_the_model_of_a_run_that_is_done_is_verified_and_can_be_mended(line, tmp_path, capsys, harm):
    line("train line --iterations 4 --name a --no-progress")
    line("train line --iterations 4 --name b --no-progress --seed 1")
    model = tmp_path / "runs/line/a/model"
    whole = {path.name: path.read_bytes() for path in model.iterdir()}
    if harm == "damaged":
        (model / "model.safetensors").write_bytes(b"")
    else:
        shutil.rmtree(model)
    if harm == "another's":
        shutil.copytree(tmp_path / "runs/line/b/model", model)
    capsys.readouterr()
    assert line("info runs/line/a") == 2
    said = capsys.readouterr().err
    assert "runs/line/a/model" in said and "it is exported again by: reinfer resume runs/line/a" in said
    assert line("resume runs/line/a --no-progress") == 0
    assert "nothing to resume" not in capsys.readouterr().out
    assert {path.name: path.read_bytes() for path in model.iterdir()} == whole
    assert line("info runs/line/a") == 0
    assert line("resume runs/line/a") == 0
    assert "nothing to resume" in capsys.readouterr().out


@pytest.mark.parametrize(
    "content", [b"hello\nworld\n", b"iteration,env_steps\n1,\xff\n", b"iteration,env_steps\n1,x\n"]
)
@pytest.mark.parametrize("command", ["info", "plot progress"])
def test_damaged_metrics_are_named(line, tmp_path, capsys, command, content):
    line("train line --iterations 1 --name a --no-progress")
    (tmp_path / "runs/line/a/metrics.csv").write_bytes(content)
    capsys.readouterr()
    assert line(f"{command} runs/line/a") == 2
    said = capsys.readouterr().err
    assert "runs/line/a/metrics.csv is damaged" in said and said.count("\n") == 1


def test_a_run_without_checkpoints_cannot_be_mended(line, tmp_path, capsys):
    line("train line --iterations 4 --name a --no-progress")
    shutil.rmtree(tmp_path / "runs/line/a/checkpoints")
    shutil.rmtree(tmp_path / "runs/line/a/model")
    assert line("resume runs/line/a") == 2
    assert "runs/line/a is done, but has no checkpoint any more; start a new run" in capsys.readouterr().err


def test_a_run_of_an_unknown_stage_is_refused(line, tmp_path, capsys, monkeypatch):
    line("train line --iterations 1 --name a --no-progress")
    monkeypatch.delitem(stages.STAGES, "line")
    assert line("resume runs/line/a") == 2
    assert "unknown stage 'line'" in capsys.readouterr().err


def test_doctor_reports_and_leaves_the_environment_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(doctor, "GL_BACKENDS", ("no-such-backend",))
    before = dict(os.environ)
    assert main(["doctor", "--json", "--runs", str(tmp_path / "new")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert dict(os.environ) == before
    assert found["rendering"] == {"no-such-backend": False}
    assert found["runs"] == {"path": str(tmp_path / "new"), "state": "writable"}
    assert not (tmp_path / "new").exists()
    assert found["versions"]["jax"]
    assert "cpu" in found["jax_devices"]
    monkeypatch.setattr(doctor, "shipped_models", lambda: {"toy": tmp_path})
    (tmp_path / "model.json").write_text("{}")
    assert main(["doctor"]) == 1
    assert "PROBLEM      shipped model toy: " in capsys.readouterr().out
