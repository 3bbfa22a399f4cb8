"""What networks are shown of a row (s, r, s').

Rewards are relative errors, so what a row says about a target is multiplicative (g = x' / (1 + r) before the target);
rows are therefore given as logarithms beside the raw numbers.
"""

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.inference.context import LINE_ROWS, RowLayout
from reinfer.tasks.families import CHANNEL_MIRROR
from reinfer.tasks.mirror import Mirror, signed

#: By what channels are divided to be of order one (rad, m/s), but for places without bounds.
_SCALE = {"pitch": 1.0, "vx": 3.0, "vz": 3.0, "vy": 3.0}
_UNBOUNDED = ("x", "y")


def feature_size(layout: RowLayout) -> int:
    """Number K of ``row_features``: 13 on toy1d."""
    return 4 * len(layout.channels) + 5


def row_features(rows, layout: RowLayout = LINE_ROWS) -> jax.Array:
    """Numbers a network can use, (..., K), from rows (..., R): scaled values, logarithms, signs and differences."""
    channels = len(layout.channels)
    before, reward, after = rows[..., :channels], rows[..., channels], rows[..., channels + 1 :]

    def logarithm(value, floor):
        return 0.5 * jnp.log(jnp.abs(value) + floor)

    def scaled(values, of_place):
        parts = zip(layout.channels, jnp.moveaxis(values, -1, 0), strict=True)
        return [of_place(value) if name in _UNBOUNDED else value / _SCALE[name] for name, value in parts]

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


def row_mirror(layout: RowLayout) -> Mirror:
    """How the mirror acts on rows (..., R)."""
    signs = CHANNEL_MIRROR[layout.index]
    return signed(np.concatenate([signs, [1.0], signs]))


def feature_mirror(layout: RowLayout) -> Mirror:
    """How it acts on their features (..., K): values, signs and differences are odd where their channel is."""
    signs = CHANNEL_MIRROR[layout.index]
    return signed(np.concatenate([signs, np.ones_like(signs), signs, np.ones(5), signs]))
