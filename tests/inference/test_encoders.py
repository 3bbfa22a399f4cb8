"""Every encoder in every mode: acting and training see the same, and padding does not count."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from quick import quick_jit

from reinfer.inference.context import WINDOW, ContextWindow
from reinfer.inference.encoder import (
    ENCODERS,
    MODES,
    advance,
    carry_of_window,
    check_encoder,
    encode_prefixes,
    init_encoder,
    read,
    start,
)
from reinfer.inference.readout import LOWEST_LOG_VARIANCE, Posterior
from reinfer.inference.rows import row_features
from reinfer.runs.errors import ConfigError

#: Every trunk and every mode; neither knows of the other.
EVERY = [
    ("gru", "trajectory"),
    ("mlp", "trajectory"),
    ("mlp", "product"),
    ("mlp", "learned"),
    ("conv", "trajectory"),
    ("transformer", "product"),
    ("attention", "learned"),
]
ROWS, COUNTS = 37, (0, 5, WINDOW)


@pytest.fixture(scope="module")
def rows():
    """Rows (3, 37, 5) of no particular task."""
    return jax.random.normal(jax.random.key(1), (3, ROWS, 5))


def make(kind, mode):
    return init_encoder(jax.random.key(0), hidden=8, latent=3, kind=kind, mode=mode)


def window_of(rows, count):
    """A window that holds the first ``count`` rows, and rubbish where it is padded."""
    padded = jnp.pad(rows[:, :count], ((0, 0), (WINDOW - count, 0), (0, 0)), constant_values=7.0)
    return ContextWindow(padded, jnp.full(len(rows), count))


@pytest.mark.parametrize(("kind", "mode"), EVERY)
def test_row_by_row_window_and_prefixes_agree(rows, kind, mode):
    @quick_jit
    def everything(rows):
        encoder = make(kind, mode)

        def step(carry, row):
            carry = advance(encoder, carry, row)
            return carry, read(encoder, carry)

        begin = start(encoder, 3)
        carry, found = jax.lax.scan(step, begin, rows.swapaxes(0, 1))
        first = read(encoder, begin)
        by_row = jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]).swapaxes(0, 1), first, found)
        windows = jax.tree.map(lambda *leaves: jnp.stack(leaves, 1), *(window_of(rows, count) for count in COUNTS))
        flat = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), windows)
        of_windows = read(encoder, carry_of_window(encoder, flat))
        of_windows = jax.tree.map(lambda leaf: leaf.reshape(3, len(COUNTS), -1), of_windows)
        backwards = encode_prefixes(encoder, rows[:, 8::-1]).mean[:, -1]
        absurd = encode_prefixes(encoder, 1e6 * jnp.ones((2, 4, 5)))
        return carry, by_row, encode_prefixes(encoder, rows), of_windows, backwards, absurd

    carry, by_row, prefixes, of_windows, backwards, absurd = everything(rows)
    assert float(carry.count[0, 0]) == ROWS
    np.testing.assert_array_equal(carry.newest, rows[:, -1])
    for one, other, window in zip(prefixes, by_row, of_windows, strict=True):
        assert one.shape == (3, ROWS + 1, 3) and np.isfinite(one).all()
        np.testing.assert_allclose(one, other, atol=3e-5)
        np.testing.assert_allclose(one[:, COUNTS], window, atol=3e-5)
    assert np.abs(prefixes.mean[:, 5] - prefixes.mean[:, 6]).max() > 1e-4, "every row counts"
    order = np.abs(backwards - prefixes.mean[:, 9]).max()
    assert order < 1e-5 if kind == "mlp" and mode != "trajectory" else order > 1e-4
    assert np.isfinite(absurd.mean).all() and (absurd.log_variance >= LOWEST_LOG_VARIANCE).all()


def test_a_product_of_gaussians_is_that_of_the_factors_and_the_prior(rows):
    """Against the formula, in float64: precisions add up, means are weighted by them."""

    @quick_jit
    def encode(rows):
        encoder, features = make("mlp", "product"), row_features(rows)
        return encoder.mode.prepare(encoder.trunk.sequence(features), features), encode_prefixes(encoder, rows)

    (precision, weighted), posterior = encode(rows)
    precision, mean = np.asarray(precision, np.float64)[:, :7], np.asarray(weighted / precision, np.float64)[:, :7]
    total = 1.0 + precision.sum(axis=1)
    np.testing.assert_allclose(posterior.mean[:, 7], (precision * mean).sum(axis=1) / total, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(posterior.log_variance[:, 7], -np.log(total), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(posterior.mean[:, 0], 0.0)
    np.testing.assert_array_equal(posterior.log_variance[:, 0], 0.0)


def test_a_learned_combination_is_a_weighted_mean(rows):
    """Equal rows count as one does but for their number, and no weights can make a mean leave what is averaged."""

    @quick_jit
    def encode(rows):
        encoder, features = make("mlp", "learned"), row_features(rows)
        weight, weighted = encoder.mode.prepare(encoder.trunk.sequence(features), features)
        held = weight[:, :9].sum(1), weighted[:, :9].sum(1)
        same = encoder.mode.read((9.0 * weight[:, 0], 9.0 * weighted[:, 0]), None, jnp.full((3, 1), 1.0))
        return weighted / weight[..., None], held, encode_prefixes(encoder, rows), same

    value, (weight, weighted), posterior, same = encode(rows)
    mean = weighted / weight[..., None]
    assert (mean <= value[:, :9].max(1) + 1e-6).all() and (mean >= value[:, :9].min(1) - 1e-6).all()
    np.testing.assert_allclose(Posterior(*same).mean, posterior.mean[:, 1], atol=1e-5)


def test_what_left_the_window_is_forgotten():
    """By trunks that keep no more than the window; a GRU, and sums over rows, pass on what they have seen."""
    features = jax.random.normal(jax.random.key(2), (3, ROWS, 13))
    changed = features.at[:, : ROWS - WINDOW].set(9.0)
    for kind in ("mlp", "conv"):
        one, other = quick_jit(lambda *each, kind=kind: map_last(make(kind, "trajectory").trunk, each))(
            features, changed
        )
        np.testing.assert_allclose(one, other, atol=1e-6)


def map_last(trunk, sequences):
    return [trunk.sequence(features)[:, -1] for features in sequences]


def test_no_encoder_and_no_mode_is_left_out():
    assert {kind for kind, _ in EVERY} == set(ENCODERS) and {mode for _, mode in EVERY} == set(MODES)


def test_what_is_not_defined_is_refused():
    with pytest.raises(ConfigError, match="context_mode: 'product' .* 'gru'; allowed with it: trajectory"):
        check_encoder("gru", "product", 64)
    with pytest.raises(ConfigError, match="encoder: 'lstm' .* gru, mlp, conv, transformer, attention"):
        check_encoder("lstm", "trajectory", 64)
    with pytest.raises(ConfigError, match="hidden: 12 .*'conv'.* 8"):
        check_encoder("conv", "trajectory", 12)
    check_encoder("gru", "trajectory", 12)
