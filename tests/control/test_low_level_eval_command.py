"""``eval low`` on the command line: one JSON object or a table, and one clear error for a wrong model."""

import json
from dataclasses import replace

import pytest

from reinfer.cli.eval_low import eval_low
from reinfer.runs.errors import ArtifactError, ConfigError
from reinfer.runs.models import load_model, save_model
from reinfer.stages.low_level import PRESETS, LowLevelStage


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    stage = LowLevelStage(replace(PRESETS["quick"], simulations=4, horizon=8, hidden=8, threads=1))
    folder = tmp_path_factory.mktemp("low") / "model"
    stage.export(stage.init(), folder, {"stage": "low"})
    return folder


def test_json_is_the_only_output(model, capsys):
    assert eval_low("half_cheetah", str(model), 0, json=True) == 0
    found = json.loads(capsys.readouterr().out)
    errors = {"goal_error_m", "speed_error_windowed", "stand_error_rad", "jump_peak_error", "jump_mean_ratio"}
    assert errors | {"body", "fall_rate", "by_command"} == set(found)
    assert len(found["by_command"]) >= 128


def test_summary(model, capsys):
    assert eval_low("half_cheetah", str(model), 0, json=False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["command", "goal", "velocity", "falls:"]


def test_wrong_models_are_named(model, tmp_path):
    with pytest.raises(ConfigError, match="body: 'unicorn'"):
        eval_low("unicorn", str(model), 0, json=True)
    with pytest.raises(ArtifactError, match="nowhere"):
        eval_low("half_cheetah", str(tmp_path / "nowhere"), 0, json=True)
    loaded = load_model(model)
    other = tmp_path / "other"
    config = loaded.config | {"body": "walker2d"}
    save_model(other, kind=loaded.kind, arrays=loaded.arrays, config=config, metrics={}, provenance={})
    with pytest.raises(ArtifactError, match="walker2d.*half_cheetah"):
        eval_low("half_cheetah", str(other), 0, json=True)
