"""The task encoder: rows (s, r, s') -> posterior over the latent task, by a GRU.

Rewards are relative errors, so what a row says about a target is multiplicative (g = x' / (1 + r) before the target);
rows are therefore given as logarithms beside the raw numbers, and the newest row reaches the read-out directly, so that
a target can be expressed as a small correction of where the agent is. What a family predicts of a row *varies* from row
to row unless the family is the true one; so, beside the mean of the features, the read-out gets the standard deviation
of learned projections of them (statistics pooling, Snyder et al. 2018). Padded rows leave the hidden state untouched.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import jax
import jax.numpy as jnp

from reinfer.control.networks import MLP, Layer, apply_mlp, init_mlp, normal
from reinfer.inference.context import LINE_ROWS, ContextWindow, RowLayout
from reinfer.inference.recurrent import GRU, gru_step, init_gru, project_inputs

PROJECTIONS = 16
#: By what the channels other than x are divided to be of order one (rad, m/s).
_SCALE = {"pitch": 1.0, "vx": 3.0, "vz": 3.0}
#: Added to the variance of a projection before its logarithm: spreads below 0.003 (0.6 %) are all alike.
_LEAST_VARIANCE = 1e-5
_LOWEST_LOG_VARIANCE, _HIGHEST_LOG_VARIANCE = -12.0, 2.0


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Encoder:
    """Weights of the encoder, see ``init_encoder`` for the sizes, and the ``layout`` of the rows it reads."""

    embedding: MLP
    gru: GRU
    projection: jax.Array
    readout: MLP
    shortcut: Layer
    layout: RowLayout = field(metadata={"static": True})


class Carry(NamedTuple):
    """What the encoder knows of N contexts: the GRU's state ``hidden`` (N, H), the ``newest`` row (N, R), the
    ``mean`` features of all rows (N, K), ``scatter``, the summed squared deviation of their projections (N, 16), and
    their number ``count`` (N, 1)."""

    hidden: jax.Array
    newest: jax.Array
    mean: jax.Array
    scatter: jax.Array
    count: jax.Array


class Posterior(NamedTuple):
    """Diagonal Gaussian over the latent task: ``mean`` (..., D) and ``log_variance`` (..., D)."""

    mean: jax.Array
    log_variance: jax.Array


def feature_size(layout: RowLayout) -> int:
    """Number K of ``row_features``: 13 on toy1d."""
    return 4 * len(layout.channels) + 5


def init_encoder(key, hidden: int, latent: int, layout: RowLayout = LINE_ROWS) -> Encoder:
    """Row embedding (K-H-H), GRU (H), projections K-16, read-out (H + 2K + 16)-H-2D and a linear shortcut K-D."""
    keys = jax.random.split(key, 5)
    features = feature_size(layout)
    inputs = hidden + 2 * features + PROJECTIONS
    return Encoder(
        embedding=init_mlp(keys[0], (features, hidden, hidden), weights=normal),
        gru=init_gru(keys[1], hidden, hidden),
        projection=jax.random.normal(keys[4], (features, PROJECTIONS)) / jnp.sqrt(features),
        readout=init_mlp(keys[2], (inputs, hidden, 2 * latent), output_scale=0.3, weights=normal),
        shortcut=init_mlp(keys[3], (features, latent), output_scale=0.3, weights=normal)[0],
        layout=layout,
    )


def row_features(rows, layout: RowLayout = LINE_ROWS) -> jax.Array:
    """Numbers a network can use, (..., K), from rows (..., R): scaled values, logarithms, signs and differences."""
    channels = len(layout.channels)
    before, reward, after = rows[..., :channels], rows[..., channels], rows[..., channels + 1 :]

    def logarithm(value, floor):
        return 0.5 * jnp.log(jnp.abs(value) + floor)

    def scaled(values, of_x):
        parts = zip(layout.channels, jnp.moveaxis(values, -1, 0), strict=True)
        return [of_x(value) if name == "x" else value / _SCALE[name] for name, value in parts]

    of_reward = (
        reward / 2.0,
        logarithm(reward, 0.01),
        logarithm(1.0 + reward, 0.01),
        logarithm(1.0 - reward, 0.01),
        jnp.tanh((1.0 + reward) / 0.05),
    )
    parts = (
        jnp.stack(scaled(after, lambda x: jnp.arcsinh(x) / 2.0), axis=-1),
        logarithm(after, 0.03),
        jnp.tanh(after / 0.1),
        jnp.stack(of_reward, axis=-1),
        jnp.stack(scaled(after - before, lambda x: x), axis=-1),
    )
    return jnp.concatenate(parts, axis=-1)


def start(encoder: Encoder, count: int) -> Carry:
    """The carry of ``count`` contexts without a row."""
    sizes = (encoder.gru.hidden_size, encoder.layout.size, feature_size(encoder.layout), PROJECTIONS, 1)
    return Carry(*(jnp.zeros((count, size)) for size in sizes))


def advance(encoder: Encoder, carry: Carry, row) -> Carry:
    """The carry after one more row (N, R)."""
    features = row_features(row, encoder.layout)
    return _advance(encoder, carry, row, features, _gate_inputs(encoder, features))


def read(encoder: Encoder, carry: Carry) -> Posterior:
    """Posterior after the rows that ``carry`` has seen; leading axes as in its leaves."""
    variance = carry.scatter / jnp.maximum(carry.count, 1.0)
    spread = 0.5 * jnp.log(variance + _LEAST_VARIANCE) / 2.0 + 1.0
    newest = row_features(carry.newest, encoder.layout) * (carry.count > 0)
    inputs = jnp.concatenate([carry.hidden, newest, carry.mean, spread], axis=-1)
    output = apply_mlp(encoder.readout, inputs, jax.nn.silu)
    mean, log_variance = jnp.split(output, 2, axis=-1)
    mean = mean + newest @ encoder.shortcut.weight + encoder.shortcut.bias
    return Posterior(mean, jnp.clip(log_variance - 4.0, _LOWEST_LOG_VARIANCE, _HIGHEST_LOG_VARIANCE))


def encode_prefixes(encoder: Encoder, rows) -> Posterior:
    """Posteriors after 0, 1, ..., T rows of each sequence: (B, T, R) -> leaves (B, T + 1, D), in one pass."""
    features = row_features(rows, encoder.layout)
    begin = start(encoder, rows.shape[0])

    def step(carry, row):
        carry = _advance(encoder, carry, *row)
        return carry, carry

    by_row = (rows.swapaxes(0, 1), features.swapaxes(0, 1), _gate_inputs(encoder, features).swapaxes(0, 1))
    _, carries = jax.lax.scan(step, begin, by_row)
    carries = jax.tree.map(lambda first, rest: jnp.concatenate([first[None], rest]).swapaxes(0, 1), begin, carries)
    return read(encoder, carries)


def carry_of_window(encoder: Encoder, window: ContextWindow) -> Carry:
    """The carry after the real rows of each window, equal to that after ``advance`` by each of them."""
    features = row_features(window.rows, encoder.layout)

    def step(carry, row):
        *row, valid = row
        return choose(valid, _advance(encoder, carry, *row), carry), None

    gates = _gate_inputs(encoder, features)
    by_row = (*(leaf.swapaxes(0, 1) for leaf in (window.rows, features, gates)), window.valid.T)
    carry, _ = jax.lax.scan(step, start(encoder, window.rows.shape[0]), by_row)
    return carry


def choose(condition, one: Carry, other: Carry) -> Carry:
    """The carries ``one`` where ``condition`` (N,) holds, else ``other``."""
    return jax.tree.map(lambda a, b: jnp.where(condition[:, None], a, b), one, other)


def _advance(encoder: Encoder, carry: Carry, row, features, projected) -> Carry:
    count = carry.count + 1.0
    deviation = features - carry.mean
    # Welford's update: what was added is (p - old mean)(p - new mean), exact also where the spread is tiny.
    added = jnp.square(deviation @ encoder.projection) * (carry.count / count)
    return Carry(
        gru_step(encoder.gru, carry.hidden, projected),
        row,
        carry.mean + deviation / count,
        carry.scatter + added,
        count,
    )


def _gate_inputs(encoder: Encoder, features):
    return project_inputs(encoder.gru, jax.nn.silu(apply_mlp(encoder.embedding, features, jax.nn.silu)))
