"""Checkpoints: whole or absent, exact, and refused by name when they are not what they should be."""

import json
import logging
import shutil
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from line_stage import LineConfig

from reinfer.runs import checkpoint, trees
from reinfer.runs.directory import RunDirectory
from reinfer.runs.errors import ArtifactError, NonFiniteError, RunError
from reinfer.runs.files import seal


class State(NamedTuple):
    weight: jax.Array
    half: jax.Array
    key: jax.Array
    replay: np.ndarray
    cursor: int
    best: float
    flag: bool
    nothing: None = None


def make_state(value=1.0, seed=0):
    return State(
        weight=jnp.full((2, 3), value) / 3,
        half=jnp.full((2,), value, jnp.bfloat16),
        key=jax.random.split(jax.random.key(seed), 2),
        replay=np.full((4, 2), value) / 7,
        cursor=2**40 + int(value),
        best=value / 11,
        flag=value > 1,
    )


def assert_same(one, other):
    assert trees.signature(one) == trees.signature(other)
    for a, b in zip(trees.to_host(one).values(), trees.to_host(other).values(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture
def run(tmp_path):
    return RunDirectory.create(tmp_path, "line", LineConfig(), [], [], name="r")


def test_every_kind_of_leaf_comes_back_exactly(run):
    checkpoint.save(run, 4, make_state(2.0, 5), {"note": [1]})
    found = checkpoint.latest(run)
    assert (found.iteration, found.extra) == (4, {"note": [1]})
    restored = checkpoint.restore(found, make_state())
    assert_same(restored, make_state(2.0, 5))
    assert [type(leaf) for leaf in (restored.cursor, restored.best, restored.flag)] == [int, float, bool]
    assert isinstance(restored.replay, np.ndarray)
    restored.replay[0] = 5.0
    np.testing.assert_array_equal(
        jax.random.normal(restored.key[1], (3,)), jax.random.normal(make_state(2.0, 5).key[1], (3,))
    )


def test_the_last_two_are_kept_and_latest_points_at_the_last(run):
    assert checkpoint.latest(run) is None
    for iteration in (4, 8, 100, 12):
        checkpoint.save(run, iteration, make_state(iteration), {})
    assert sorted(p.name for p in run.checkpoints.iterdir()) == ["000000012", "000000100", "latest"]
    assert (run.checkpoints / "latest").read_text() == "000000012\n"


def test_canonical_state_is_what_a_checkpoint_gives_back():
    state = {
        "weak": jnp.asarray(1.0),
        "order": np.zeros((2, 3)).T,
        "scalar": np.float32(2),
        "view": np.arange(9)[::2],
    }
    assert state["weak"].weak_type
    canonical = trees.canonical(state)
    assert not canonical["weak"].weak_type
    assert canonical["order"].flags.c_contiguous
    assert canonical["view"].flags.c_contiguous
    again = trees.from_host(trees.to_host(canonical), trees.signature(canonical), canonical, "test")
    assert jax.tree.map(type, again) == jax.tree.map(type, canonical)


def test_numpy_and_jax_may_swap_places(run):
    """A leaf comes back in the hands that held it when it was saved, whatever the first state had."""
    checkpoint.save(run, 4, make_state(), {})
    template = make_state()._replace(weight=np.zeros((2, 3), np.float32), replay=np.zeros((4, 2)))
    assert_same(checkpoint.restore(checkpoint.latest(run), template), make_state())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"weight": jnp.zeros((3, 2))},
            r"leaf 'weight' is jax float32 \(2, 3\), expected jax float32 \(3, 2\)",
        ),
        ({"replay": np.zeros((4, 2), np.float32)}, "leaf 'replay' is numpy float64"),
        ({"key": jax.random.split(jax.random.key(0, impl="rbg"), 2)}, "leaf 'key' is key threefry2x32"),
        ({"nothing": np.zeros(1)}, "leaf 'nothing' .* is missing"),
        ({"weight": None}, "leaf 'weight' .* is unexpected"),
        ({"weight": {"w": jnp.zeros((2, 3))}}, "leaf 'weight/w' .* is missing"),
    ],
)
def test_a_state_of_another_form_is_refused_by_leaf(run, change, words):
    checkpoint.save(run, 4, make_state(), {})
    with pytest.raises(ArtifactError, match=words):
        checkpoint.restore(checkpoint.latest(run), make_state()._replace(**change))


def test_a_non_finite_leaf_is_named_and_nothing_written(run):
    checkpoint.save(run, 4, make_state(), {})
    bad = make_state()._replace(half=jnp.array([1.0, jnp.inf], jnp.bfloat16))
    with pytest.raises(NonFiniteError, match="stage 'line', iteration 8: state leaf 'half' has 1 of 2"):
        checkpoint.save(run, 8, bad, {})
    assert sorted(p.name for p in run.checkpoints.iterdir()) == ["000000004", "latest"]


def test_leaves_that_cannot_be_saved_are_refused(run):
    with pytest.raises(RunError, match="a leaf is str"):
        checkpoint.save(run, 4, {"name": "x"}, {})
    with pytest.raises(RunError, match="two leaves are called 'a/b'"):
        checkpoint.save(run, 4, {"a/b": np.zeros(1), "a": {"b": np.zeros(1)}}, {})


def test_any_damage_is_named_and_the_previous_checkpoint_used(run, caplog):
    checkpoint.save(run, 4, make_state(4.0), {})
    checkpoint.save(run, 8, make_state(8.0), {})
    newest = run.checkpoints / "000000008"
    rng = np.random.default_rng(1)
    for path in sorted(newest.iterdir()):
        whole = path.read_bytes()
        for trial in range(40):
            damaged = bytearray(whole)
            if trial % 3:
                damaged[int(rng.integers(len(damaged)))] ^= 1 << int(rng.integers(8))
            else:
                del damaged[int(rng.integers(len(damaged))) :]
            path.write_bytes(damaged)
            caplog.clear()
            found = checkpoint.latest(run)
            if path.suffix == ".json" and found.iteration == 8:
                assert json.loads(damaged) == json.loads(whole)
                continue
            assert found.iteration == 4
            assert str(path) in caplog.text
            assert "using the checkpoint of iteration 4" in caplog.text
            assert_same(checkpoint.restore(found, make_state()), make_state(4.0))
        path.unlink()
        assert checkpoint.latest(run).iteration == 4
        path.write_bytes(whole)
    assert checkpoint.latest(run).iteration == 8


def test_a_checkpoint_that_vanished_is_named(run, caplog):
    checkpoint.save(run, 4, make_state(), {})
    checkpoint.save(run, 8, make_state(), {})
    shutil.rmtree(run.checkpoints / "000000008")
    with caplog.at_level(logging.WARNING):
        assert checkpoint.latest(run).iteration == 4
    assert "names '000000008', which is not there" in caplog.text


def test_no_whole_checkpoint_left_is_an_error_not_a_fresh_start(run):
    checkpoint.save(run, 4, make_state(), {})
    (run.checkpoints / "000000004" / "manifest.json").write_text("{")
    with pytest.raises(ArtifactError, match=r"no whole checkpoint is left.*000000004/manifest\.json is damaged"):
        checkpoint.latest(run)


def test_foreign_checkpoints_are_passed_over(run, tmp_path, caplog):
    other = RunDirectory.create(tmp_path, "line", LineConfig(seed=1), [], [], name="other")
    checkpoint.save(run, 4, make_state(), {})
    checkpoint.save(other, 8, make_state(), {})
    stolen = run.checkpoints / "000000008"
    shutil.copytree(other.checkpoints / "000000008", stolen)
    assert checkpoint.latest(run).iteration == 4
    assert "belongs to a run with another config" in caplog.text
    (stolen / "manifest.json").write_bytes(seal({}, "checkpoint", 7))
    caplog.clear()
    assert checkpoint.latest(run).iteration == 4
    assert "has checkpoint schema 7; this reinfer reads schema 1" in caplog.text
    shutil.copy(run.checkpoints / "000000004" / "manifest.json", stolen)
    caplog.clear()
    assert checkpoint.latest(run).iteration == 4
    assert "is not the manifest of 000000008" in caplog.text


def test_a_full_disk_is_one_sentence(run, monkeypatch):
    checkpoint.save(run, 4, make_state(), {})

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.numpy.save_file", refuse)
    with pytest.raises(RunError, match="000000008 cannot be written: .*No space left"):
        checkpoint.save(run, 8, make_state(), {})
    assert checkpoint.latest(run).iteration == 4
