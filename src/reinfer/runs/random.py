"""Randomness without state: every key or generator derives from (seed, stream name, iteration).

Streams are named, so adding one never shifts another, and nothing about randomness has to be saved.
"""

import zlib

import jax
import numpy as np

from reinfer.runs.errors import ConfigError

_SEED_LIMIT = 2**32


def key(seed: int, stream: str, iteration: int = 0) -> jax.Array:
    """Typed JAX key of ``stream`` at ``iteration``; ``seed`` and ``iteration`` may be traced (vmap, scan)."""
    check_seed(seed)
    root = jax.random.fold_in(jax.random.key(seed), zlib.crc32(stream.encode()))
    return jax.random.fold_in(root, iteration)


def generator(seed: int, stream: str, iteration: int = 0) -> np.random.Generator:
    """NumPy generator of ``stream`` at ``iteration``."""
    check_seed(seed)
    return np.random.default_rng([seed, zlib.crc32(stream.encode()), iteration])


def check_seed(seed) -> None:
    """Raise ConfigError if the number ``seed`` is not between 0 and 2^32 - 1; one that is traced is not looked at."""
    if isinstance(seed, int) and not 0 <= seed < _SEED_LIMIT:
        raise ConfigError(f"seed: {seed} is not allowed; it must be between 0 and {_SEED_LIMIT - 1}")
