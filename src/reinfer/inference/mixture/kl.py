"""KL divergence from a diagonal Gaussian posterior q = N(m, diag(s^2)) to the mixture prior, in JAX.

With KL_k = KL(q || N_k) and p(k|z) the prior's responsibilities:

* ``gap``: sum_k r_k [KL_k - ln pi_k + ln p(k|z)], z ~ q reparametrised, r = softmax(ln pi - KL_k) held
  constant. Unbiased, because ln p(z) = ln pi_k N_k(z) - ln p(k|z) for every k; with the quadratic part
  analytic it has little noise.
* ``upper``: -ln sum_k pi_k exp(-KL_k), an upper bound without noise (Hershey and Olsen, 2007).
* ``monte_carlo``: ln q(z) averaged analytically minus ln p(z), unbiased and noisy.
* ``soft`` and ``hard``: sum_k p(k|z) KL_k and KL_{argmax p(k|z)}, p(k|z) held constant: the published MELTS
  forms, which leave out the weights and are not bounds.
"""

import jax
import jax.numpy as jnp
from jax.lax import Precision, stop_gradient
from jax.nn import logsumexp, softmax

from reinfer.inference.mixture.components import LOG_2PI
from reinfer.inference.mixture.prior import MixturePrior

METHODS = ("gap", "upper", "soft", "hard", "monte_carlo")


def kl_to_standard_normal(mean, log_variance) -> jax.Array:
    """KL(N(mean, diag(exp(log_variance))) || N(0, I)) in nats; (..., D) -> (...)."""
    return 0.5 * jnp.sum(jnp.exp(log_variance) + jnp.square(mean) - 1.0 - log_variance, axis=-1)


def responsibilities(z, prior: MixturePrior) -> jax.Array:
    """p(k|z), shape (..., K+1) for ``z`` (..., D); the last column is the component of unseen families."""
    return softmax(_log_joint(z, prior), axis=-1)


def log_density(z, prior: MixturePrior) -> jax.Array:
    """ln p(z) in nats; (..., D) -> (...)."""
    return logsumexp(_log_joint(z, prior), axis=-1)


def kl_to_components(mean, log_variance, prior: MixturePrior) -> jax.Array:
    """KL from each posterior (..., D) to each component, shape (..., K+1)."""
    # A component's trace term sum_ij (L^-1)_ij^2 s_j^2 needs only the diagonal of its precision.
    precision_diagonal = jnp.sum(jnp.square(prior.inverse_cholesky), axis=1)
    trace = jnp.matmul(jnp.exp(log_variance), precision_diagonal.T, precision=Precision.HIGHEST)
    log_ratio = prior.log_determinant - jnp.sum(log_variance, axis=-1, keepdims=True)
    return 0.5 * (trace + _mahalanobis(mean, prior) - mean.shape[-1] + log_ratio)


def kl_to_mixture(mean, log_variance, prior: MixturePrior, key_or_z=None, method: str = "gap") -> jax.Array:
    """KL(q || p) of each posterior, or its estimate, in nats; (..., D) -> (...).

    Args:
        mean: posterior means (..., D).
        log_variance: logarithms of the posterior variances (..., D).
        prior: the mixture.
        key_or_z: the draw z = mean + exp(log_variance / 2) * noise that the decoder uses (..., D), so that
            its gradient is kept, or a JAX key with which to make one; ``upper`` needs neither.
        method: one of ``METHODS``.

    Raises:
        ValueError: on an unknown method or a missing draw.
    """
    if method not in METHODS:
        raise ValueError(f"method: {method!r} must be one of {', '.join(METHODS)}")
    if method == "upper":
        return -logsumexp(prior.log_weight - kl_to_components(mean, log_variance, prior), axis=-1)
    if key_or_z is None:
        raise ValueError(f"key_or_z: the method {method!r} needs the draw z or a key to make one")
    z = _draw(mean, log_variance, key_or_z)
    if method == "monte_carlo":
        negative_entropy = -0.5 * jnp.sum(1.0 + LOG_2PI + log_variance, axis=-1)
        return negative_entropy - log_density(z, prior)
    divergence = kl_to_components(mean, log_variance, prior)
    if method == "soft":
        return jnp.sum(stop_gradient(responsibilities(z, prior)) * divergence, axis=-1)
    if method == "hard":
        nearest = jnp.argmax(_log_joint(z, prior), axis=-1)
        return jnp.take_along_axis(divergence, nearest[..., None], axis=-1)[..., 0]
    # The weights inside -ln pi_k + ln p(k|z) cancel; without them an inactive slot's -1e9 costs no precision.
    share = stop_gradient(softmax(prior.log_weight - divergence, axis=-1))
    log_component = _log_component(z, prior)
    log_evidence = logsumexp(prior.log_weight + log_component, axis=-1)
    return jnp.sum(share * (divergence + log_component), axis=-1) - log_evidence


def _draw(mean, log_variance, key_or_z) -> jax.Array:
    """The given draw, or one made from a typed or raw (uint32) key."""
    given = jnp.asarray(key_or_z)
    if jnp.issubdtype(given.dtype, jax.dtypes.prng_key) or given.dtype == jnp.uint32:
        return mean + jnp.exp(0.5 * log_variance) * jax.random.normal(given, mean.shape, mean.dtype)
    return given


def _log_component(z, prior: MixturePrior) -> jax.Array:
    """ln N_k(z), shape (..., K+1)."""
    constant = z.shape[-1] * LOG_2PI + prior.log_determinant
    return -0.5 * (_mahalanobis(z, prior) + constant)


def _log_joint(z, prior: MixturePrior) -> jax.Array:
    """ln pi_k N_k(z), shape (..., K+1)."""
    return prior.log_weight + _log_component(z, prior)


def _mahalanobis(points, prior: MixturePrior) -> jax.Array:
    """|L_k^-1 (x - mu_k)|^2, shape (..., K+1)."""
    # One row of L^-1 at a time: the whitened points (..., K+1, D) are never formed, which is 2 to 4 times
    # faster on a CPU.
    total = 0.0
    for row in range(points.shape[-1]):
        weights = prior.inverse_cholesky[:, row, : row + 1]
        centre = jnp.sum(prior.mean[:, : row + 1] * weights, axis=-1)
        whitened = jnp.matmul(points[..., : row + 1], weights.T, precision=Precision.HIGHEST) - centre
        total = total + jnp.square(whitened)
    return total
