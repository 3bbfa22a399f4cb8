"""Running mean and variance of observations (Chan, Golub & LeVeque 1979: parallel moments)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

#: Normalised observations are clipped to +- this many standard deviations.
CLIP = 8.0


class Moments(NamedTuple):
    """``mean`` and ``variance`` of shape (features,) over ``count`` (scalar) samples."""

    mean: jax.Array
    variance: jax.Array
    count: jax.Array


def init_moments(features: int) -> Moments:
    """Mean 0, variance 1, and so little weight that the first batch replaces them."""
    return Moments(jnp.zeros(features), jnp.ones(features), jnp.float32(1e-4))


def update_moments(moments: Moments, batch) -> Moments:
    """Moments after also seeing ``batch`` (samples, features)."""
    size = jnp.float32(batch.shape[0])
    mean, variance = batch.mean(0), batch.var(0)
    total = moments.count + size
    shift = mean - moments.mean
    squares = moments.variance * moments.count + variance * size + shift**2 * moments.count * size / total
    return Moments(moments.mean + shift * size / total, squares / total, total)


def normalise(moments: Moments, observation):
    """Zero-mean, unit-variance ``observation`` (..., features), clipped to +-``CLIP``."""
    return jnp.clip((observation - moments.mean) * jax.lax.rsqrt(moments.variance + 1e-6), -CLIP, CLIP)
