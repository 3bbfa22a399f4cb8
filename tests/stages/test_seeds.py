"""Many agents in one program: each is what it would be alone, and one run holds, resumes and exports them all.

That this holds for the toy is tested beside its own stage.
"""

import csv
import itertools
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from walk_stage import WalkConfig, WalkStage

from reinfer.cli import stages
from reinfer.cli.main import main
from reinfer.cli.train import read_training
from reinfer.runs.config import digest
from reinfer.runs.models import load_model
from reinfer.stages.many import many, with_seeds
from reinfer.stages.toy import ToyConfig

OPTIONS = "--no-progress --checkpoint-interval-s 0"


@pytest.fixture
def walk(monkeypatch, tmp_path):
    """``main`` with the stage of random walks, in a folder of its own."""
    monkeypatch.setitem(stages.STAGES, "walk", ("walk_stage:WalkStage", "random walks"))
    monkeypatch.setenv("REINFER_COMPILATION_CACHE", "0")
    monkeypatch.chdir(tmp_path)
    return lambda typed: main(typed.split())


def same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-5, atol=1e-6, err_msg=name)


def test_every_seed_becomes_what_it_would_be_alone(walk, capsys):
    assert walk(f"train walk --seeds 3 --seed 5 --name all {OPTIONS}") == 0
    models = [f"runs/walk/all/model/seed{seed}" for seed in (5, 6, 7)]
    assert capsys.readouterr().out.splitlines() == ["run: runs/walk/all", *(f"model: {model}" for model in models)]
    manifest = json.loads(Path("runs/walk/all/manifest.json").read_text())
    assert manifest["config"]["seeds"] == 3 and manifest["config"]["seed"] == 5
    for seed, folder in zip((5, 6, 7), models, strict=True):
        assert walk(f"train walk --seed {seed} --name {seed} {OPTIONS}") == 0
        together, alone = load_model(folder), load_model(f"runs/walk/{seed}/model")
        same(together.arrays, alone.arrays)
        assert together.config == alone.config and together.config["training"]["seed"] == seed
        marked = dict(together.provenance)
        assert marked.pop("trained_together") == {"seeds": [5, 6, 7], "config_sha256": manifest["config_sha256"]}
        same(marked.pop("last_metrics"), alone.provenance["last_metrics"])
        assert marked == {key: value for key, value in alone.provenance.items() if key != "last_metrics"}
        assert marked["config_sha256"] == digest(WalkConfig(seed=seed))


def test_settings_in_one_program_are_what_they_would_be_alone(walk):
    assert walk(f"train walk --seeds 2 --over pace=0.5,2 --over host=0,3 --name all {OPTIONS}") == 0
    manifest = json.loads(Path("runs/walk/all/manifest.json").read_text())
    assert manifest["config"]["over"] == ["pace=0.5,2", "host=0,3"]
    folders = sorted(path.name for path in Path("runs/walk/all/model").iterdir())
    assert len(folders) == 8 and folders[0] == "pace-0.5_host-0_seed0"
    for pace, host, seed in itertools.product((0.5, 2), (0, 3), (0, 1)):
        together = load_model(f"runs/walk/all/model/pace-{pace}_host-{host}_seed{seed}")
        walk(f"train walk --pace {pace} --host {host} --seed {seed} --name {pace}-{host}-{seed} {OPTIONS}")
        alone = load_model(f"runs/walk/{pace}-{host}-{seed}/model")
        same(together.arrays, alone.arrays)
        assert together.config == alone.config
        assert together.provenance["config_sha256"] == digest(WalkConfig(pace=pace, host=host, seed=seed))
        assert together.provenance["trained_together"]["over"] == ["pace=0.5,2", "host=0,3"]


def test_settings_in_one_program_survive_a_restart(walk, monkeypatch):
    healthy = WalkStage.conclude

    def dies(stage, *found):
        if (found[-1], stage.config.pace) == (2, 2.0):
            raise KeyboardInterrupt
        return healthy(stage, *found)

    walk(f"train walk --over pace=1,2 --name whole {OPTIONS}")
    monkeypatch.setattr(WalkStage, "conclude", dies)
    assert walk(f"train walk --over pace=1,2 --name broken {OPTIONS}") == 130
    monkeypatch.setattr(WalkStage, "conclude", healthy)
    assert walk("resume runs/walk/broken --no-progress") == 0
    for name in ("pace-1_seed0", "pace-2_seed0"):
        whole, broken = (Path(f"runs/walk/{run}/model/{name}/model.safetensors") for run in ("whole", "broken"))
        assert whole.read_bytes() == broken.read_bytes()


def test_metrics_are_those_of_each_seed_and_their_means(walk):
    walk(f"train walk --seeds 2 --name all {OPTIONS}")
    with open("runs/walk/all/metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["env_steps"] for row in rows] == ["1", "2", "3", "4"]
    for row in rows:
        for name in ("length", "far"):
            own = [float(row[f"seed{seed}/{name}"]) for seed in (0, 1)]
            assert own[0] != own[1] and float(row[name]) == pytest.approx(np.mean(own))


def test_a_killed_run_of_many_ends_in_the_same_bytes(walk, monkeypatch):
    walk(f"train walk --seeds 2 --name whole {OPTIONS}")
    healthy = WalkStage.conclude

    def dies(stage, *found):
        if (found[-1], stage.config.seed) == (2, 1):
            raise KeyboardInterrupt
        return healthy(stage, *found)

    monkeypatch.setattr(WalkStage, "conclude", dies)
    assert walk(f"train walk --seeds 2 --name broken {OPTIONS}") == 130
    monkeypatch.setattr(WalkStage, "conclude", healthy)
    assert walk("resume runs/walk/broken --no-progress") == 0
    whole, broken = Path("runs/walk/whole"), Path("runs/walk/broken")
    files = [path.relative_to(whole) for path in whole.rglob("model/*/*")]
    assert len(files) == 4
    for name in ["metrics.csv", "checkpoints/000000004/state.safetensors", *files]:
        assert (whole / name).read_bytes() == (broken / name).read_bytes(), name


def test_one_seed_is_an_ordinary_run_and_files_may_tell_how_many(walk):
    assert read_training(["walk", "--seeds", "1", "--seed", "3"]).config == WalkConfig(seed=3)
    assert walk(f"train walk --seeds 2 --preset long --name all {OPTIONS}") == 0
    written = Path("runs/walk/all/config.toml")
    assert tomllib.loads(written.read_text())["seeds"] == 2
    again = read_training(["walk", "--config", str(written)]).config
    assert again == with_seeds(WalkConfig(iterations=8), 2)
    assert read_training(["walk", "--config", str(written), "--seeds", "4"]).config.seeds == 4


def test_models_of_a_run_are_named_where_one_is_needed(walk, capsys):
    walk(f"train walk --seeds 2 --name all {OPTIONS}")
    capsys.readouterr()
    assert walk("eval toy --model runs/walk/all") == 2
    assert "holds 2 models; name one of them: runs/walk/all/model/seed0, runs/" in capsys.readouterr().err
    assert walk("info runs/walk/all/model --json") == 0
    assert list(json.loads(capsys.readouterr().out)["models"]) == ["seed0", "seed1"]
    for reference in ("runs/walk/all", "runs/walk/all/model/seed1"):
        assert walk(f"plot progress {reference} --output curve.svg") == 0


def test_a_seed_that_goes_wrong_is_named(walk, capsys):
    assert walk(f"train walk --seeds 3 --bad-seed 1 {OPTIONS}") == 2
    assert "metric 'seed1/length' is nan" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (
            "train low --seeds 2",
            "preset 'default' of stage low trains one seed at a time; many in one program: toy (def",
        ),
        ("train toy --preset reference --seeds=2", "preset 'reference' of stage toy trains one seed at a time"),
        ("train toy --seeds 0", "seeds: 0 is not allowed; it must be at least 1"),
        (
            "train walk --seeds 2 --seed 4294967295",
            "seed: 4294967296 is not allowed; it must be between 0 and 4294967295",
        ),
        ("train process --seeds two", "'two'; the option is --seeds INT"),
        ("train low --over hidden=1,2", "over: preset 'default' of stage low trains one seed at a time; many in one"),
        ("train walk --over iterations=4,8", "over: iterations may not differ between agents of one program; allowed:"),
        (
            "train walk --over pacee=1,2",
            "over: pacee may not differ between agents of one program; did you mean 'pace'",
        ),
        ("train walk --over pace=1,fast", "over: pace: 'fast' is not allowed; it must be a number"),
        ("train walk --over pace=1,-2", "pace: -2.0 is not allowed; it must be at least 0.0"),
        ("train walk --over seed=0..3", "over: seed may not be given so; --seeds N trains N seeds"),
        ("train walk --over pace", "over: 'pace' is not allowed; it must be NAME=VALUE,VALUE or"),
        ("train walk --over pace=1,2 --over pace=3,4", "over: pace is named more than once"),
    ],
)
def test_seeds_are_refused_where_they_cannot_be(walk, tmp_path, capsys, typed, words):
    assert walk(typed) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1
    assert "one seed" not in words or "process (default, quick)" in error
    assert not (tmp_path / "runs").exists()


def test_toys_take_many_seeds():
    wanted = read_training(["toy", "--seeds", "8", "--seed", "2", "--body", "toy3dof"])
    assert wanted.config == with_seeds(ToyConfig(body="toy3dof", iterations=56, seed=2), 8)
    assert wanted.classes[type(wanted.config)].score_key == "target_error"


SPREAD = """
import sys
import jax
from walk_stage import WalkConfig, WalkStage
from reinfer.stages.many import devices_for, many, with_seeds
assert [len(devices_for(count)) for count in (1, 2, 3, 4, 5, 6, 9)] == [1, 2, 3, 2, 3, 3, 3]
stage = many(WalkStage)(with_seeds(WalkConfig(), int(sys.argv[1])))
state = stage.init()
on_device = stage.programs(*stage.inputs(state), 0)
assert {len(leaf.sharding.device_set) for leaf in jax.tree.leaves(on_device)} == {3}
state, metrics = stage.iterate(state, 0)
print([part.place.tolist() for part in state])
"""


@pytest.mark.parametrize("seeds", [5, 6])
def test_seeds_are_spread_over_devices(seeds):
    stage = many(WalkStage)(with_seeds(WalkConfig(), seeds))
    state, _ = stage.iterate(stage.init(), 0)
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=3", "JAX_PLATFORMS": "cpu"}
    environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    line = [sys.executable, "-c", SPREAD, str(seeds)]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, check=True)
    np.testing.assert_allclose(json.loads(done.stdout), [part.place for part in state], rtol=1e-6)
