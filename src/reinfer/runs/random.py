"""Randomness without state: every key or generator derives from (seed, stream name, iteration).

Streams are named, so adding one never shifts another, and nothing about randomness has to be saved.
"""

import zlib

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.runs.config import HIGHEST_SEED
from reinfer.runs.errors import ConfigError


def key(seed: int, stream: str, iteration: int = 0) -> jax.Array:
    """Typed JAX key of ``stream`` at ``iteration``; ``seed`` and ``iteration`` may be traced (vmap, scan)."""
    check_seed(seed)
    root = jax.random.fold_in(jax.random.key(seed), zlib.crc32(stream.encode()))
    return jax.random.fold_in(root, iteration)


def generator(seed: int, stream: str, iteration: int = 0) -> np.random.Generator:
    """NumPy generator of ``stream`` at ``iteration``."""
    check_seed(seed)
    return np.random.default_rng([seed, zlib.crc32(stream.encode()), iteration])


class Draws:
    """What our programs use of ``numpy.random.Generator``, from a JAX ``key``: one function draws for both.

    Every call takes another key, counted as the function is traced; make one of these per key, inside the function that
    is compiled, and do not keep it. Sizes are integers or tuples; bounds and weights may be traced.
    """

    def __init__(self, key):
        self._key, self._calls = key, 0

    def _next(self):
        self._calls += 1
        return jax.random.fold_in(self._key, self._calls)

    def random(self, size) -> jax.Array:
        """Uniform in [0, 1)."""
        return jax.random.uniform(self._next(), _shape(size))

    def uniform(self, low, high, size) -> jax.Array:
        """Uniform in [low, high)."""
        return low + (high - low) * self.random(size)

    def standard_normal(self, size) -> jax.Array:
        """Of mean 0 and variance 1."""
        return jax.random.normal(self._next(), _shape(size))

    def integers(self, low: int, high: int, size) -> jax.Array:
        """Integers in [low, high)."""
        return jax.random.randint(self._next(), _shape(size), low, high)

    def choice(self, options, size, p=None) -> jax.Array:
        """Of ``options``, or of 0 ... ``options`` - 1, with replacement; all as often, or with probabilities ``p``."""
        options = jnp.arange(options) if isinstance(options, int) else jnp.asarray(options)
        return jax.random.choice(self._next(), options, _shape(size), p=None if p is None else jnp.asarray(p))


def _shape(size) -> tuple[int, ...]:
    return (size,) if isinstance(size, int) else tuple(size)


def check_seed(seed) -> None:
    """Raise ConfigError if the number ``seed`` is not between 0 and 2^32 - 1; one that is traced is not looked at."""
    if isinstance(seed, int) and not 0 <= seed <= HIGHEST_SEED:
        raise ConfigError(f"seed: {seed} is not allowed; it must be between 0 and {HIGHEST_SEED}")
