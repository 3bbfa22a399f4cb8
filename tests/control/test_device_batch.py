"""Simulations on a device behind the interface of those in threads: the same starts, steps, and stages above them."""

from dataclasses import replace

import numpy as np
import pytest
from puck import write_puck

from reinfer.bodies import robot
from reinfer.cli.main import main
from reinfer.runs.errors import ConfigError
from reinfer.simulation import BatchSimulation, device_batch
from reinfer.simulation.device_batch import DeviceBatch, batch_on
from reinfer.stages import high, low_level, stride


@pytest.fixture(scope="module")
def puck(tmp_path_factory):
    return write_puck(tmp_path_factory.mktemp("puck"))


@pytest.fixture(scope="module")
def low(puck, tmp_path_factory):
    """A low level that knows nothing yet."""
    config = replace(low_level.PRESETS["quick"], body=puck, simulations=4, horizon=2, hidden=8, threads=1)
    stage, folder = low_level.LowLevelStage(config), tmp_path_factory.mktemp("low") / "model"
    stage.export(stage.init(), folder, {"parents": []})
    return str(folder)


def test_it_starts_and_steps_as_the_batch_in_threads(puck):
    device, host, rng = DeviceBatch(robot(puck), 6), BatchSimulation(robot(puck), 6, 1), np.random.default_rng(1)
    for simulation in (device, host):
        simulation.reset(np.random.default_rng(0))
    for step in range(20):
        if step == 10:
            before = device.qpos.copy()
            for simulation in (device, host):
                simulation.reset(np.random.default_rng(2), [4, 1])
            changed = (device.qpos != before).any(1)
            np.testing.assert_array_equal(changed, [False, True, False, False, True, False])
        action = rng.uniform(-1.5, 1.5, (6, device.action_size))
        for simulation in (device, host):
            simulation.step(action)
        for found in ("task_state", "observation", "fallen"):
            mine, its = (getattr(simulation, found)() for simulation in (device, host))
            assert type(mine) is np.ndarray
            np.testing.assert_allclose(mine, its, atol=1e-4)
    assert np.abs(device.qvel[:, 0]).max() > 0.5, "they moved"
    with pytest.raises(ValueError, match="num_simulations: 0"):
        DeviceBatch(robot(puck), 0)


@pytest.mark.parametrize("stage", [high, stride])
def test_stages_of_the_hierarchy_train_on_either(stage, puck, low, monkeypatch):
    """One episode of the same seed: the same metrics, but for the precision of the physics."""
    made = {high: high.HighStage, stride: stride.StrideStage}[stage]
    tiny = {"body": puck, "low": low, "simulations": 6, "episode_s": 0.5, "hidden": (8,), "updates": 2, "batch": 8}
    tiny |= {"robot_steps": 400} if stage is high else {"hidden": 8, "iterations": 2, "constant": 1, "replay": 1}
    monkeypatch.setattr(device_batch, "require_gpu", lambda: None)
    metrics = {}
    for device in ("cpu", "gpu"):
        trained = made(replace(stage.PRESETS["quick"], **tiny, device=device, threads=1))
        assert type(trained.hierarchy.simulation) is {"cpu": BatchSimulation, "gpu": DeviceBatch}[device]
        trained.begin(0)
        metrics[device] = trained.iterate(trained.init(), 0)[1]
    assert metrics["gpu"] == pytest.approx(metrics["cpu"], rel=1e-2, abs=1e-3)


def test_without_a_gpu_nothing_begins(puck, monkeypatch, tmp_path, capsys):
    def refuse():
        raise ConfigError("device: 'gpu' is not possible")

    monkeypatch.setattr(device_batch, "require_gpu", refuse)
    with pytest.raises(ConfigError, match="device"):
        batch_on("gpu", robot(puck), 2, 1)
    monkeypatch.chdir(tmp_path)
    assert main(["train", "high", "--device", "gpu"]) == 2
    assert "device: 'gpu'" in capsys.readouterr().err and not list(tmp_path.iterdir())
