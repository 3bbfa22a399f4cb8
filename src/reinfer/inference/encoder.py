"""The task encoder: rows (s, r, s') -> posterior over the latent task, by a GRU.

Rewards are relative errors, so what a row says about a target is multiplicative (g = x' / (1 + r) before the target);
rows are therefore given as logarithms beside the raw numbers, and the newest row reaches the read-out directly, so that
a target can be expressed as a small correction of where the agent is. Padded rows leave the hidden state untouched.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from reinfer.control.networks import MLP, Layer, apply_mlp, init_mlp, normal
from reinfer.inference.context import ContextWindow
from reinfer.inference.recurrent import GRU, gru_step, init_gru, project_inputs

FEATURES = 13
_LOWEST_LOG_VARIANCE, _HIGHEST_LOG_VARIANCE = -12.0, 2.0


class Encoder(NamedTuple):
    """Weights of the encoder; see ``init_encoder`` for the sizes."""

    embedding: MLP
    gru: GRU
    readout: MLP
    shortcut: Layer


class Posterior(NamedTuple):
    """Diagonal Gaussian over the latent task: ``mean`` (..., D) and ``log_variance`` (..., D)."""

    mean: jax.Array
    log_variance: jax.Array


def init_encoder(key, hidden: int, latent: int) -> Encoder:
    """Row embedding (13-H-H), GRU (H), read-out (H + 13)-H-2D and a linear shortcut 13-D."""
    keys = jax.random.split(key, 4)
    return Encoder(
        embedding=init_mlp(keys[0], (FEATURES, hidden, hidden), weights=normal),
        gru=init_gru(keys[1], hidden, hidden),
        readout=init_mlp(keys[2], (hidden + FEATURES, hidden, 2 * latent), output_scale=0.3, weights=normal),
        shortcut=init_mlp(keys[3], (FEATURES, latent), output_scale=0.3, weights=normal)[0],
    )


def row_features(rows) -> jax.Array:
    """Numbers a network can use, (..., 13), from rows (..., 5): scaled values, logarithms, signs and differences."""
    x, velocity, reward, next_x, next_velocity = (rows[..., i] for i in range(5))

    def logarithm(value, floor):
        return 0.5 * jnp.log(jnp.abs(value) + floor)

    columns = (
        jnp.arcsinh(next_x) / 2.0,
        next_velocity / 3.0,
        logarithm(next_x, 0.03),
        logarithm(next_velocity, 0.03),
        jnp.tanh(next_x / 0.1),
        jnp.tanh(next_velocity / 0.1),
        reward / 2.0,
        logarithm(reward, 0.01),
        logarithm(1.0 + reward, 0.01),
        logarithm(1.0 - reward, 0.01),
        jnp.tanh((1.0 + reward) / 0.05),
        next_x - x,
        (next_velocity - velocity) / 3.0,
    )
    return jnp.stack(columns, axis=-1)


def start(count: int, encoder: Encoder) -> tuple[jax.Array, jax.Array]:
    """What the encoder carries before any row: hidden state (count, H) and newest row's features (count, 13)."""
    return jnp.zeros((count, encoder.gru.hidden_size)), jnp.zeros((count, FEATURES))


def advance(encoder: Encoder, hidden, row) -> tuple[jax.Array, jax.Array]:
    """The carry after one more row (..., 5)."""
    features = row_features(row)
    return gru_step(encoder.gru, hidden, _gate_inputs(encoder, features)), features


def read(encoder: Encoder, hidden, newest) -> Posterior:
    """Posterior after the rows summarised by ``hidden`` (..., H) and the newest row's features (..., 13)."""
    output = apply_mlp(encoder.readout, jnp.concatenate([hidden, newest], axis=-1), jax.nn.silu)
    mean, log_variance = jnp.split(output, 2, axis=-1)
    mean = mean + newest @ encoder.shortcut.weight + encoder.shortcut.bias
    return Posterior(mean, jnp.clip(log_variance - 4.0, _LOWEST_LOG_VARIANCE, _HIGHEST_LOG_VARIANCE))


def encode_prefixes(encoder: Encoder, rows) -> Posterior:
    """Posteriors after 0, 1, ..., T rows of each sequence: (B, T, 5) -> leaves (B, T + 1, D), in one pass."""
    hidden, newest = start(rows.shape[0], encoder)
    features = row_features(rows)

    def step(hidden, projected):
        hidden = gru_step(encoder.gru, hidden, projected)
        return hidden, hidden

    _, hiddens = jax.lax.scan(step, hidden, _gate_inputs(encoder, features).swapaxes(0, 1))
    hiddens = jnp.concatenate([hidden[:, None], hiddens.swapaxes(0, 1)], axis=1)
    return read(encoder, hiddens, jnp.concatenate([newest[:, None], features], axis=1))


def encode_window(encoder: Encoder, window: ContextWindow) -> Posterior:
    """Posteriors after the real rows of each window; leaves (N, D). Equal to ``encode_prefixes`` of those rows."""
    hidden, _ = start(window.rows.shape[0], encoder)
    features = row_features(window.rows)

    def step(hidden, row):
        projected, valid = row
        return jnp.where(valid[:, None], gru_step(encoder.gru, hidden, projected), hidden), None

    rows = (_gate_inputs(encoder, features).swapaxes(0, 1), window.valid.T)
    hidden, _ = jax.lax.scan(step, hidden, rows)
    return read(encoder, hidden, features[:, -1] * (window.count > 0)[:, None])


def _gate_inputs(encoder: Encoder, features):
    return project_inputs(encoder.gru, jax.nn.silu(apply_mlp(encoder.embedding, features, jax.nn.silu)))
