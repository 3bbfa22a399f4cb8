"""Windows and encoder: what is seen when, and that acting and training see the same."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reinfer.bodies import Toy1d, Toy3dof
from reinfer.inference.context import LINE_ROWS, WINDOW, ContextWindow, RowLayout, append, empty_window, make_rows
from reinfer.inference.encoder import (
    advance,
    carry_of_window,
    encode_prefixes,
    feature_size,
    init_encoder,
    read,
    row_features,
    start,
)
from reinfer.tasks import make_tasks, reward


@pytest.fixture(scope="module")
def encoder():
    return init_encoder(jax.random.key(0), hidden=12, latent=3)


@pytest.fixture(scope="module")
def rows():
    """Rows (4, 40, 5) of a random walk on the toy."""
    toy, tasks = (
        Toy1d(),
        make_tasks(
            [("velocity_forward", 1.0), ("velocity_backward", -2.0), ("goal_forward", 4.0), ("goal_backward", -9.0)]
        ),
    )
    state, found = toy.reset(jax.random.key(1), (4,)), []
    for key in jax.random.split(jax.random.key(2), 40):
        following = toy.step(state, jax.random.uniform(key, (4, 1), minval=-1.0))
        found.append((state, reward(tasks, following), following))
        state = following
    return found


def window_after(rows, count):
    window = empty_window(4)
    for row in rows[:count]:
        window = append(window, *row)
    return window


@pytest.mark.parametrize("count", [0, 1, 5, WINDOW, 40])
def test_window_holds_the_last_rows_padded_on_the_left(rows, count):
    window = window_after(rows, count)
    kept = min(count, WINDOW)
    assert np.all(window.count == kept)
    assert np.all(np.asarray(window.rows[:, : WINDOW - kept]) == 0.0)
    expected = [make_rows(*row) for row in rows[count - kept : count]]
    for slot, row in zip(range(WINDOW - kept, WINDOW), expected, strict=True):
        np.testing.assert_array_equal(window.rows[:, slot], row)
    assert np.all(np.asarray(window.valid).sum(axis=1) == kept)


def test_row_is_channels_reward_channels_without_the_other_coordinates():
    before, after = np.arange(6.0)[None], 10.0 + np.arange(6.0)[None]
    np.testing.assert_array_equal(make_rows(before, np.array([-0.5]), after), [[0.0, 3.0, -0.5, 10.0, 13.0]])
    assert LINE_ROWS.size == 5


def test_rows_of_a_toy_hold_what_its_families_reward():
    layout = RowLayout.of(Toy3dof.tasks)
    assert layout.channels == ("x", "pitch", "vx", "vz")
    before, after = np.arange(6.0)[None], 10.0 + np.arange(6.0)[None]
    row = make_rows(before, np.array([-0.5]), after, layout)
    np.testing.assert_array_equal(row, [[0.0, 2.0, 3.0, 4.0, -0.5, 10.0, 12.0, 13.0, 14.0]])
    np.testing.assert_array_equal(row[0, layout.reached], [13.0, 13.0, 10.0, 10.0, 12.0, 12.0, 14.0])
    assert row_features(row, layout).shape == (1, feature_size(layout)) and feature_size(LINE_ROWS) == 13


def test_append_only_where_asked(rows):
    window = window_after(rows, 3)
    moved = append(window, *rows[3], where=np.array([True, False, True, False]))
    assert moved.count.tolist() == [4, 3, 4, 3]
    np.testing.assert_array_equal(moved.rows[1], window.rows[1])


@pytest.mark.parametrize("count", [0, 1, 7, WINDOW])
def test_acting_and_training_encode_alike(encoder, rows, count):
    window = window_after(rows, count)
    sequence = jnp.stack([make_rows(*row) for row in rows[:WINDOW]], axis=1)
    by_window = read(encoder, carry_of_window(encoder, window))
    by_prefix = jax.tree.map(lambda leaf: leaf[:, count], encode_prefixes(encoder, sequence))
    carry = start(encoder, 4)
    for row in rows[:count]:
        carry = advance(encoder, carry, make_rows(*row))
    for other in (by_prefix, read(encoder, carry)):
        for one, two in zip(by_window, other, strict=True):
            np.testing.assert_allclose(one, two, atol=2e-5)


def test_carry_holds_mean_and_spread_of_the_rows(encoder, rows):
    carry = carry_of_window(encoder, window_after(rows, 9))
    features = np.asarray(row_features(jnp.stack([make_rows(*row) for row in rows[:9]])))
    np.testing.assert_allclose(carry.mean, features.mean(axis=0), atol=1e-5)
    projected = features @ np.asarray(encoder.projection)
    np.testing.assert_allclose(carry.scatter / carry.count, projected.var(axis=0), rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(carry.newest, make_rows(*rows[8]))


def test_padding_content_is_not_seen(encoder, rows):
    for count in (0, 4):
        window = window_after(rows, count)
        dirty = ContextWindow(jnp.where(window.valid[..., None], window.rows, 7.0), window.count)
        pairs = zip(carry_of_window(encoder, window), carry_of_window(encoder, dirty), strict=True)
        for one, two in pairs:
            np.testing.assert_array_equal(one, two)


def test_full_window_forgets_what_left_it(encoder, rows):
    fresh, old = window_after(rows[8:], WINDOW), window_after(rows, 40)
    for one, two in zip(carry_of_window(encoder, old), carry_of_window(encoder, fresh), strict=True):
        np.testing.assert_array_equal(one, two)
