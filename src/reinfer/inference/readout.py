"""From a summary of the context to the posterior: the read-out of encoders that read a trajectory.

The newest row reaches it directly, so that a target can be expressed as a small correction of where the agent is. What
a family predicts of a row *varies* from row to row unless the family is the true one; so, beside the mean of the
features, it gets the standard deviation of learned projections of them (statistics pooling, Snyder et al. 2018).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.control.equivariance import layer_mirrors, mlp_mirrors
from reinfer.control.networks import MLP, Layer, apply_mlp, init_mlp, normal
from reinfer.tasks.mirror import Mirror, joined, swapped

PROJECTIONS = 16
#: Added to the variance of a projection before its logarithm: spreads below 0.003 (0.6 %) are all alike.
_LEAST_VARIANCE = 1e-5
LOWEST_LOG_VARIANCE, HIGHEST_LOG_VARIANCE = -12.0, 2.0


class Posterior(NamedTuple):
    """Diagonal Gaussian over the latent task: ``mean`` (..., D) and ``log_variance`` (..., D)."""

    mean: jax.Array
    log_variance: jax.Array


class Readout(NamedTuple):
    """``projection`` (K, 16) of row features, a perceptron (W + 2K + 16)-H-2D and a linear ``shortcut`` K-D."""

    projection: jax.Array
    readout: MLP
    shortcut: Layer


def init_readout(keys, hidden: int, features: int, latent: int, width: int | None = None) -> Readout:
    """A read-out of summaries (of ``width`` W, by default H) and features (K).

    ``keys``: of its perceptron, its shortcut and its projection.
    """
    inputs = (hidden if width is None else width) + 2 * features + PROJECTIONS
    return Readout(
        projection=jax.random.normal(keys[2], (features, PROJECTIONS)) / jnp.sqrt(features),
        readout=init_mlp(keys[0], (inputs, hidden, 2 * latent), output_scale=0.3, weights=normal),
        shortcut=init_mlp(keys[1], (features, latent), output_scale=0.3, weights=normal)[0],
    )


def readout_mirrors(readout, features: Mirror) -> Readout:
    """Mirrors of a read-out (see ``control.equivariance``): latents change places in pairs."""
    latent = swapped(readout.shortcut.bias.shape[0])
    width = readout.readout[0].weight.shape[0] - 2 * features.size - PROJECTIONS
    inputs = joined(swapped(width), features, features, swapped(PROJECTIONS))
    return Readout(
        projection=(features, swapped(PROJECTIONS)),
        readout=mlp_mirrors(readout.readout, inputs, joined(latent, latent)),
        shortcut=layer_mirrors(features, latent),
    )


def add_row(readout, mean, scatter, seen, features):
    """Mean of the features and scatter of their projections after one more row than the ``seen`` (N, 1) ones.

    Welford's update: what is added is (p - old mean)(p - new mean), exact also where the spread is tiny.
    """
    count = seen + 1.0
    deviation = features - mean
    added = jnp.square(deviation @ readout.projection) * (seen / count)
    return mean + deviation / count, scatter + added


def moments_of_prefixes(readout, features):
    """Means (B, T + 1, K) and scatters (B, T + 1, 16), as of ``add_row``, of the first 0, 1, ..., T of the rows (B, T).

    All at once, as products with triangular matrices: one after the other, rows take several times as long.
    """
    length = features.shape[1]
    count = np.arange(length + 1, dtype=np.float32)[:, None]
    sums = np.tri(length + 1, length, -1, np.float32)
    means = (sums / np.maximum(count, 1.0)) @ features
    added = jnp.square((features - means[:, :-1]) @ readout.projection) * (count[:-1] / count[1:])
    return means, sums @ added


def read_out(readout, hidden, newest, mean, scatter, count) -> Posterior:
    """Posterior (..., D) from a summary ``hidden`` (..., W), the ``newest`` row's features, and the moments.

    ``readout``: anything with the fields of ``Readout``.
    """
    variance = scatter / jnp.maximum(count, 1.0)
    spread = 0.5 * jnp.log(variance + _LEAST_VARIANCE) / 2.0 + 1.0
    inputs = jnp.concatenate([hidden, newest, mean, spread], axis=-1)
    output = apply_mlp(readout.readout, inputs, jax.nn.silu)
    latent, log_variance = jnp.split(output, 2, axis=-1)
    latent = latent + newest @ readout.shortcut.weight + readout.shortcut.bias
    return Posterior(latent, bounded(log_variance - 4.0))


def bounded(log_variance) -> jax.Array:
    """Log variances within what a posterior may have."""
    return jnp.clip(log_variance, LOWEST_LOG_VARIANCE, HIGHEST_LOG_VARIANCE)
