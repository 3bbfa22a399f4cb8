"""Run folders, their manifest, and references."""

import dataclasses
import errno
import multiprocessing
import tomllib

import numpy as np
import pytest
from line_stage import LineConfig

from reinfer.cli.resume import build_again
from reinfer.runs import directory
from reinfer.runs.directory import RunDirectory, resolve
from reinfer.runs.errors import ArtifactError, ConfigError, RunError
from reinfer.runs.files import seal
from reinfer.runs.models import save_model


def make(root, **options):
    return RunDirectory.create(root, "line", LineConfig(seed=5), ["reinfer", "train"], [], **options)


def test_a_new_run_tells_where_it_comes_from(tmp_path):
    manifest = make(tmp_path).manifest()
    assert manifest["stage"] == "line"
    assert manifest["status"] == "running"
    assert manifest["seed"] == 5
    assert manifest["config"] == dataclasses.asdict(LineConfig(seed=5))
    session = manifest["sessions"][0]
    assert session["argv"] == ["reinfer", "train"]
    assert {"python", "jax", "numpy", "mujoco", "reinfer"} <= session["versions"].keys()
    assert session["machine"]["cores"] >= 1
    assert session["code"] is None or len(session["code"]["commit"]) == 40


def test_names_and_places(tmp_path):
    run = make(tmp_path, name="mine")
    assert run.path == tmp_path / "line" / "mine"
    assert make(tmp_path).path.name.endswith(f"-s5-{run.manifest()['config_sha256'][:6]}")
    (run.path / "precious").write_text("1")
    with pytest.raises(RunError, match="already exists; nothing was overwritten"):
        make(tmp_path, name="mine")
    assert (run.path / "precious").read_text() == "1"
    for name in ("a/b", "../x", "", ".hidden", "a b"):
        with pytest.raises(ConfigError, match="name: .* is not allowed"):
            make(tmp_path, name=name)
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be made: Not a directory"):
        make(tmp_path / "file")


def test_config_file_is_the_config_and_an_edit_is_noticed(tmp_path):
    run = make(tmp_path)
    path = run.path / "config.toml"
    assert tomllib.loads(path.read_text()) == dataclasses.asdict(LineConfig(seed=5))
    assert run.load_config(LineConfig) == LineConfig(seed=5)
    path.write_text(path.read_text().replace("learning_rate = 0.1", "learning_rate = 0.2"))
    with pytest.raises(RunError, match=r"changed \(learning_rate: 0\.1 -> 0\.2\); a resumed run must keep"):
        run.load_config(LineConfig)


def test_damaged_and_foreign_manifests(tmp_path):
    run = make(tmp_path)
    assert RunDirectory.open(run.path) == run
    path = run.path / "manifest.json"
    path.write_text(path.read_text().replace('"seed": 5', '"seed": 6'))
    with pytest.raises(ArtifactError, match=r"manifest\.json is damaged"):
        RunDirectory.open(run.path)
    path.write_bytes(seal({}, "run", 2))
    with pytest.raises(ArtifactError, match="run schema 2; this reinfer reads schema 1"):
        RunDirectory.open(run.path)
    path.unlink()
    with pytest.raises(RunError, match="is not a run"):
        RunDirectory.open(run.path)
    with pytest.raises(RunError, match="no such folder"):
        RunDirectory.open(tmp_path / "absent")


def test_status(tmp_path):
    run = make(tmp_path)
    assert run.status() == "interrupted"
    with run.exclusive():
        assert run.status() == "running"
    run.update(status="done")
    assert run.status() == "done"
    with pytest.raises(RunError, match="status: 'finished' is not allowed"):
        run.update(status="finished")


def test_a_run_that_may_only_be_read_has_its_recorded_status(tmp_path, monkeypatch):
    run = make(tmp_path)

    # No folder is closed to the superuser, as whom tests may run.
    def refuse(path, *_):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("reinfer.runs.files.os.open", refuse)
    assert run.status() == "running"


def test_damage_to_any_of_the_models_of_a_run_is_told(tmp_path):
    story = {"kind": "k", "config": {}, "metrics": {}, "provenance": {}}
    run = make(tmp_path)
    assert run.damage() == f"{run.model} is gone"
    for name in ("seed0", "seed1"):
        save_model(run.model / name, arrays={"w": np.ones(1)}, **story)
    assert run.damage() is None
    run.update(status="done", models=run.models())
    assert run.damage() is None
    (run.model / "seed1" / "model.json").unlink()
    assert run.damage() == f"{run.model / 'seed1'} is gone, or is not the model that the run exported"
    (run.model / "seed0" / "model.safetensors").write_bytes(b"")
    assert "seed0/model.safetensors is damaged" in run.damage()


def _hold(run, ready, release):
    with run.exclusive():
        ready.set()
        release.wait(300)


def test_one_process_at_a_time(tmp_path):
    run = make(tmp_path)
    context = multiprocessing.get_context("spawn")
    ready, release = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(run, ready, release))
    holder.start()
    assert ready.wait(300)
    with pytest.raises(RunError, match="is being written by another process"), run.exclusive():
        pass
    holder.kill()
    holder.join()
    with run.exclusive():
        pass


def test_references(tmp_path, monkeypatch):
    story = {"kind": "k", "arrays": {"w": np.ones(1)}, "config": {}, "metrics": {}, "provenance": {}}
    run = make(tmp_path)
    with pytest.raises(ArtifactError, match="has no model yet: its status is running"):
        resolve(str(run.path))
    save_model(run.model, **story)
    assert resolve(str(run.path)) == run.model
    assert resolve(run.model) == run.model
    save_model(tmp_path / "pair" / "first", **story)
    assert resolve(tmp_path / "pair") == tmp_path / "pair"
    with pytest.raises(ArtifactError, match="no such folder"):
        resolve(str(tmp_path / "absent"))
    with pytest.raises(ArtifactError, match="neither a run nor a model"):
        resolve(str(tmp_path))
    monkeypatch.setattr(directory, "shipped_models", lambda: {"toy": tmp_path / "pair"})
    assert resolve("shipped:toy") == tmp_path / "pair"
    with pytest.raises(ArtifactError, match=r"called 'tyo'; did you mean 'toy'\? allowed: toy"):
        resolve("shipped:tyo")


def test_a_run_from_before_a_setting_goes_on_as_by_default(tmp_path):
    run = make(tmp_path)
    run.update(config={key: value for key, value in run.manifest()["config"].items() if key != "pause_s"})
    assert run.load_config(LineConfig) == LineConfig(seed=5)
    with pytest.raises(RunError, match=r"pause_s: 0.0 -> 1.0"):
        run.require_config(LineConfig(seed=5, pause_s=1.0))


def test_a_resume_from_elsewhere_says_where_paths_are_seen_from(tmp_path, monkeypatch):
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    run = make(tmp_path)

    def stage(config):
        raise ArtifactError("no run or model at runs/toy/a")

    def fails(words):
        with pytest.raises(ArtifactError, match=f"^no run or model at runs/toy/a{words}$"):
            build_again(run, {LineConfig: stage}, LineConfig(seed=5))

    fails("")
    monkeypatch.chdir(tmp_path / "there")
    fails(f"; paths of this run are as seen from {tmp_path / 'here'}: resume it there")
