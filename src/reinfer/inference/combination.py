"""How an encoder's summaries of single rows become one posterior: the modes of ``--context-mode``.

* ``trajectory``: the newest summary, which has seen the rows before it, goes to the read-out of ``readout``.
* ``product``: every summary gives a Gaussian factor; the posterior is their product with N(0, I) (PEARL, Rakelly et al.
  2019, equation 3, whose product lacks the prior; with it an empty context has a posterior).
* ``learned``: every summary gives values and scores; the posterior is read from the softmax-weighted mean of the values
  (attention pooling, Ilse et al. 2018), so that what a row counts for is learned.

A mode prepares each row by itself and adds it to what it holds, so the last two do not depend on the order of rows
beyond what a trunk makes of it.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from reinfer.control.equivariance import layer_mirrors, mlp_mirrors
from reinfer.control.networks import MLP, Layer, apply_mlp, init_mlp, normal
from reinfer.inference.readout import (
    PROJECTIONS,
    Posterior,
    Readout,
    add_row,
    bounded,
    init_readout,
    read_out,
    readout_mirrors,
)
from reinfer.tasks.mirror import Mirror, fixed, joined, swapped

#: Bounds of a factor's log precision, and of the scores by which rows are weighed.
HIGHEST_LOG_PRECISION, HIGHEST_SCORE = 8.0, 8.0
#: Sets of scores and values of mode ``learned``.
POOLS = 4


class TrajectoryMode(NamedTuple):
    """The newest summary; held: it (N, W), mean features (N, K) and scatter of their projections (N, 16)."""

    readout: Readout

    @classmethod
    def init(cls, key, width: int, hidden: int, features: int, latent: int) -> "TrajectoryMode":
        """Fresh weights for summaries of ``width``, H ``hidden`` units, K ``features`` and D latents."""
        return cls(init_readout(jax.random.split(key, 3), hidden, features, latent, width))

    def mirrors(self, width: int, features: Mirror) -> "TrajectoryMode":
        """How the mirror acts on the weights, given how it does on features."""
        return TrajectoryMode(readout_mirrors(self.readout, features))

    def start(self, count: int, width: int):
        """What is held of ``count`` contexts without a row."""
        features = self.readout.projection.shape[0]
        return tuple(jnp.zeros((count, size)) for size in (width, features, PROJECTIONS))

    def prepare(self, summary, features):
        """What is added of rows with summaries (..., W) and features (..., K)."""
        return summary, features

    def add(self, held, prepared, seen):
        """What is held after one more row than the ``seen`` (N, 1) ones."""
        summary, features = prepared
        return summary, *add_row(self.readout, *held[1:], seen, features)

    def read(self, held, newest, count) -> Posterior:
        """Posterior after ``count`` (..., 1) rows, the features of the newest of which are ``newest`` (..., K)."""
        summary, mean, scatter = held
        return read_out(self.readout, summary, newest, mean, scatter, count)


class ProductMode(NamedTuple):
    """A product of Gaussians; held: summed precisions and precision-weighted means, each (N, D)."""

    factor: MLP

    @classmethod
    def init(cls, key, width: int, hidden: int, features: int, latent: int) -> "ProductMode":
        """Fresh weights, as in ``TrajectoryMode.init``."""
        return cls(init_mlp(key, (width, hidden, 2 * latent), output_scale=0.3, weights=normal))

    def mirrors(self, width: int, features: Mirror) -> "ProductMode":
        """How the mirror acts on the weights, given how it does on features."""
        latent = swapped(self.factor[-1].bias.shape[0] // 2)
        return ProductMode(mlp_mirrors(self.factor, swapped(width), joined(latent, latent)))

    def start(self, count: int, width: int):
        """What is held of ``count`` contexts without a row."""
        empty = jnp.zeros((count, self.factor[-1].bias.shape[0] // 2))
        return empty, empty

    def prepare(self, summary, features):
        """Precisions and precision-weighted means of the factors of rows with summaries (..., W)."""
        mean, log_precision = jnp.split(apply_mlp(self.factor, summary, jax.nn.silu), 2, axis=-1)
        precision = jnp.exp(jnp.clip(log_precision, -HIGHEST_LOG_PRECISION, HIGHEST_LOG_PRECISION))
        return precision, precision * mean

    def add(self, held, prepared, seen):
        """What is held after one more row."""
        return jax.tree.map(jnp.add, held, prepared)

    def read(self, held, newest, count) -> Posterior:
        """The product of the factors and N(0, I)."""
        precision, weighted = held
        precision = 1.0 + precision
        return Posterior(weighted / precision, bounded(-jnp.log(precision)))


class LearnedMode(NamedTuple):
    """Attention pooling; held: summed weights (N, 4) and weighted values (N, 4, H / 4)."""

    score: Layer
    value: Layer
    readout: MLP

    @classmethod
    def init(cls, key, width: int, hidden: int, features: int, latent: int) -> "LearnedMode":
        """Fresh weights, as in ``TrajectoryMode.init``."""
        keys = jax.random.split(key, 3)
        return cls(
            init_mlp(keys[0], (width, POOLS), weights=normal)[0],
            init_mlp(keys[1], (width, hidden), weights=normal)[0],
            init_mlp(keys[2], (hidden + 1, hidden, 2 * latent), output_scale=0.3, weights=normal),
        )

    def mirrors(self, width: int, features: Mirror) -> "LearnedMode":
        """How the mirror acts on the weights, given how it does on features."""
        hidden, latent = swapped(self.value.bias.shape[0]), swapped(self.readout[-1].bias.shape[0] // 2)
        return LearnedMode(
            layer_mirrors(swapped(width), swapped(POOLS)),
            layer_mirrors(swapped(width), hidden),
            mlp_mirrors(self.readout, joined(hidden, fixed(1)), joined(latent, latent)),
        )

    def start(self, count: int, width: int):
        """What is held of ``count`` contexts without a row."""
        return jnp.zeros((count, POOLS)), jnp.zeros((count, POOLS, self.value.bias.shape[0] // POOLS))

    def prepare(self, summary, features):
        """Weights and weighted values of rows with summaries (..., W)."""
        score = summary @ self.score.weight + self.score.bias
        weight = jnp.exp(HIGHEST_SCORE * jnp.tanh(score / HIGHEST_SCORE))
        value = summary @ self.value.weight + self.value.bias
        return weight, weight[..., None] * value.reshape(*value.shape[:-1], POOLS, -1)

    def add(self, held, prepared, seen):
        """What is held after one more row."""
        return jax.tree.map(jnp.add, held, prepared)

    def read(self, held, newest, count) -> Posterior:
        """Posterior read from the weighted means and the number of rows."""
        weight, weighted = held
        # Weights are at least exp(-8); where there is no row, the mean is zero.
        mean = weighted / jnp.maximum(weight, 1e-4)[..., None]
        inputs = jnp.concatenate([mean.reshape(*mean.shape[:-2], -1), jnp.log1p(count)], axis=-1)
        latent, log_variance = jnp.split(apply_mlp(self.readout, inputs, jax.nn.silu), 2, axis=-1)
        return Posterior(latent, bounded(log_variance - 4.0))


MODES = {"trajectory": TrajectoryMode, "product": ProductMode, "learned": LearnedMode}
