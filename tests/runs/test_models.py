"""Model folders: whole and verified, or refused by name."""

import json
import shutil

import numpy as np
import pytest
import safetensors.numpy

from reinfer.runs.errors import ArtifactError, NonFiniteError
from reinfer.runs.files import seal
from reinfer.runs.models import file_sha256, load_model, save_model

ARRAYS = {"b/weight": np.arange(6, dtype=np.float32).reshape(2, 3).T, "a": np.array(3), "c": np.ones(3, bool)}
STORY = {
    "kind": "encoder",
    "config": {"hidden": 8, "t": (1, 2)},
    "metrics": {"m": np.float32(0.5)},
    "provenance": {},
}


@pytest.fixture
def folder(tmp_path):
    save_model(tmp_path / "m", arrays=ARRAYS, **STORY)
    return tmp_path / "m"


def test_a_model_comes_back_as_it_was(folder):
    model = load_model(folder, "encoder")
    assert model.arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(model.arrays[name], array)
        assert model.arrays[name].dtype == array.dtype
    assert model.config == {"hidden": 8, "t": [1, 2]}
    assert model.metrics == {"m": 0.5}
    assert model.sha256 == file_sha256(folder / "model.safetensors")
    assert model.parent("encoder") == {"role": "encoder", "path": str(folder), "sha256": model.sha256}
    assert sorted(path.name for path in folder.iterdir()) == ["model.json", "model.safetensors"]


def test_identical_models_are_identical_bytes(folder, tmp_path):
    save_model(tmp_path / "again", arrays=dict(reversed(ARRAYS.items())), **STORY)
    for name in ("model.json", "model.safetensors"):
        assert (folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_nothing_is_overwritten(folder):
    before = file_sha256(folder / "model.json")
    with pytest.raises(ArtifactError, match="already exists"):
        save_model(folder, arrays={}, **STORY)
    assert file_sha256(folder / "model.json") == before


def test_what_cannot_be_saved_leaves_no_folder(tmp_path):
    with pytest.raises(NonFiniteError, match="'w' is not finite"):
        save_model(tmp_path / "m", arrays={"w": np.array([1.0, np.nan])}, **STORY)
    for metrics in ({"m": float("nan")}, {"m": object()}):
        with pytest.raises(ArtifactError, match="cannot be written"):
            save_model(tmp_path / "m", arrays={}, **{**STORY, "metrics": metrics})
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
def test_any_changed_or_missing_byte_is_noticed(folder, tmp_path, name):
    whole = (folder / name).read_bytes()
    rng = np.random.default_rng(0)
    copy = tmp_path / "copy"
    for trial in range(60):
        damaged = bytearray(whole)
        if trial % 3:
            place = int(rng.integers(len(damaged)))
            damaged[place] ^= 1 << int(rng.integers(8))
        else:
            del damaged[int(rng.integers(len(damaged))) :]
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder, copy)
        (copy / name).write_bytes(damaged)
        if name == "model.json" and _same_json(whole, damaged):
            continue
        with pytest.raises(ArtifactError) as caught:
            load_model(copy)
        assert str(copy) in str(caught.value)


def test_a_missing_file_is_named(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(ArtifactError, match=r"model\.safetensors cannot be read: No such file"):
        load_model(folder)
    shutil.rmtree(folder)
    with pytest.raises(ArtifactError, match=r"is not a model: it has no model\.json"):
        load_model(folder)


def test_foreign_schema_and_kind_are_told_apart(folder):
    with pytest.raises(ArtifactError, match="kind 'encoder'; 'policy' is needed"):
        load_model(folder, "policy")
    (folder / "model.json").write_text(json.dumps({"weights": 3}))
    with pytest.raises(ArtifactError, match="not a reinfer model"):
        load_model(folder)
    (folder / "model.json").write_bytes(seal(STORY, "model", 2))
    with pytest.raises(ArtifactError, match="schema 2; this reinfer reads schema 1"):
        load_model(folder)
    (folder / "model.json").write_bytes(seal(STORY, "checkpoint", 1))
    with pytest.raises(ArtifactError, match="not a reinfer model"):
        load_model(folder)
    (folder / "model.json").write_bytes(seal({"kind": "encoder"}, "model", 1))
    with pytest.raises(ArtifactError, match="damaged"):
        load_model(folder)


def test_weights_are_plain_safetensors_that_any_library_reads(folder):
    np.testing.assert_array_equal(
        safetensors.numpy.load_file(folder / "model.safetensors")["b/weight"], ARRAYS["b/weight"]
    )


def _same_json(one: bytes, other: bytes) -> bool:
    """Whether the damage hit only white space, which means nothing."""
    try:
        return json.loads(one) == json.loads(other)
    except ValueError:
        return False
