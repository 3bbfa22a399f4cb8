"""Gaussian components with a Normal-Wishart prior, written as one exponential family.

A point x becomes the feature row ``[1, x_i, x_i x_j]``. A component's sufficient statistics are the
responsibility-weighted sum of such rows and its expected log density is linear in them, so the E-step and
the M-step are one matrix product each. Formulas: Bishop, Pattern Recognition and Machine Learning (2006),
section 10.2.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import betaln, gammaln, psi

LOG_2PI = float(np.log(2.0 * np.pi))


class Posterior(NamedTuple):
    """Normal-Wishart posteriors of K components: ``mean_precision`` (K,), ``degrees`` (K,), ``mean`` (K, D),
    ``scatter`` (K, D, D), the inverse of the Wishart scale matrix."""

    mean_precision: np.ndarray
    degrees: np.ndarray
    mean: np.ndarray
    scatter: np.ndarray


class GaussianFamily:
    """Conjugate Gaussian components; in its coordinates the prior mean is 0 and the prior scatter round.

    Args:
        dimension: D, at least 1.
        covariance: ``"full"`` (Normal-Wishart) or ``"diagonal"`` (one Normal-Gamma per axis).
        prior_variance: prior expectation of every component variance.
        mean_precision: pseudo-count kappa0 of the prior mean.
    """

    def __init__(self, dimension: int, covariance: str, prior_variance: float, mean_precision: float):
        self.dimension = dimension
        self.mean_precision = mean_precision
        self.degrees = dimension + 2.0
        if covariance == "full":
            self._rows, self._columns = np.triu_indices(dimension)
            self._gamma_offsets = np.arange(dimension)
            self._mean_offset = dimension + 1.0
        else:
            self._rows = self._columns = np.arange(dimension)
            self._gamma_offsets = np.zeros(dimension)
            self._mean_offset = 2.0
        self._pair_factor = np.where(self._rows == self._columns, 1.0, 2.0)
        self.prior_scatter = prior_variance * (self.degrees - self._mean_offset) * np.eye(dimension)
        empty = np.zeros((1, 1 + dimension + len(self._rows)))
        self._log_normaliser_prior = self._log_normaliser(self.posterior(empty))[0]

    @property
    def feature_count(self) -> int:
        """Length F of a feature row."""
        return 1 + self.dimension + len(self._rows)

    def features(self, points) -> np.ndarray:
        """Feature rows of ``points`` (N, D), shape (N, F)."""
        ones = np.ones((len(points), 1))
        return np.concatenate([ones, points, points[:, self._rows] * points[:, self._columns]], axis=1)

    def pack(self, count, first, second) -> np.ndarray:
        """Statistics rows (K, F) from counts (K,), first moments (K, D) and second moments (K, D, D)."""
        return np.concatenate([count[:, None], first, second[:, self._rows, self._columns]], axis=1)

    def unpack(self, statistics) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Counts (K,), first moments (K, D) and symmetric second moments (K, D, D) of statistics rows (K,
        F)."""
        dimension = self.dimension
        second = np.zeros((len(statistics), dimension, dimension))
        second[:, self._rows, self._columns] = statistics[:, 1 + dimension :]
        second[:, self._columns, self._rows] = statistics[:, 1 + dimension :]
        return statistics[:, 0], statistics[:, 1 : 1 + dimension], second

    def posterior(self, statistics) -> Posterior:
        """The exact posterior given statistics (K, F)."""
        count, first, second = self.unpack(statistics)
        mean_precision = self.mean_precision + count
        mean = first / mean_precision[:, None]
        spread = mean_precision[:, None, None] * mean[:, :, None] * mean[:, None, :]
        scatter = np.zeros_like(second)
        scatter[:, self._rows, self._columns] = (second - spread)[:, self._rows, self._columns]
        scatter[:, self._columns, self._rows] = scatter[:, self._rows, self._columns]
        return Posterior(mean_precision, self.degrees + count, mean, scatter + self.prior_scatter)

    def log_evidence(self, statistics) -> np.ndarray:
        """Log marginal likelihood (K,), in nats, of the points summed up in rows of ``statistics``."""
        change = self._log_normaliser(self.posterior(statistics)) - self._log_normaliser_prior
        return change - 0.5 * self.dimension * LOG_2PI * statistics[:, 0]

    def natural_parameters(self, statistics) -> np.ndarray:
        """Coefficients (K, F) with which ``features @ coefficients.T`` is E_q[ln N(x; mu_k, Sigma_k)]."""
        posterior = self.posterior(statistics)
        degrees = posterior.degrees
        precision = degrees[:, None, None] * np.linalg.inv(posterior.scatter)
        linear = np.einsum("kij,kj->ki", precision, posterior.mean)
        log_determinant = (
            psi((degrees[:, None] - self._gamma_offsets) / 2.0).sum(axis=1)
            + self.dimension * np.log(2.0)
            - _log_determinant(posterior.scatter)
        )
        constant = 0.5 * (
            log_determinant
            - self.dimension * (LOG_2PI + 1.0 / posterior.mean_precision)
            - np.einsum("ki,ki->k", linear, posterior.mean)
        )
        pairs = -0.5 * self._pair_factor * precision[:, self._rows, self._columns]
        return np.concatenate([constant[:, None], linear, pairs], axis=1)

    def expected_covariance(self, posterior: Posterior) -> np.ndarray:
        """Posterior expectation of each covariance, shape (K, D, D)."""
        return posterior.scatter / (posterior.degrees - self._mean_offset)[:, None, None]

    def _log_normaliser(self, posterior: Posterior) -> np.ndarray:
        """Log normaliser (K,) of each Normal-Wishart, without the constant that prior and posterior share."""
        degrees = posterior.degrees
        return (
            -0.5 * self.dimension * np.log(posterior.mean_precision)
            + 0.5 * degrees * self.dimension * np.log(2.0)
            + gammaln((degrees[:, None] - self._gamma_offsets) / 2.0).sum(axis=1)
            - 0.5 * degrees * _log_determinant(posterior.scatter)
        )


def expected_log_weights(count, concentration: float) -> np.ndarray:
    """E_q[ln pi_k] of the stick-breaking posterior for counts (K,), the largest component's stick first.

    Blei and Jordan, Variational inference for Dirichlet process mixtures (2006), equation 18.
    """
    order = np.argsort(-count, kind="stable")
    share, rest = _stick_parameters(count[order], concentration)
    total = psi(share + rest)
    log_remaining = np.cumsum(psi(rest) - total) - (psi(rest) - total)
    log_weights = np.empty(len(count))
    log_weights[order] = psi(share) - total + log_remaining
    return log_weights


def allocation_evidence(count, concentration: float) -> np.ndarray:
    """The sticks' part of the ELBO for counts (..., K), shape (...), largest first, which maximises it."""
    share, rest = _stick_parameters(-np.sort(-count, axis=-1), concentration)
    return (betaln(share, rest) - betaln(1.0, concentration)).sum(axis=-1)


def respond(features, coefficients, log_weights) -> tuple[np.ndarray, np.ndarray]:
    """Responsibilities (N, K) and their entropies (N,) in nats; coefficients (K, F), log weights (K,)."""
    logits = features @ coefficients.T
    logits += log_weights
    logits -= logits.max(axis=1, keepdims=True)
    responsibility = np.exp(logits)
    normaliser = responsibility.sum(axis=1)
    responsibility /= normaliser[:, None]
    return responsibility, np.log(normaliser) - np.einsum("nk,nk->n", responsibility, logits)


def _stick_parameters(sorted_count, concentration: float) -> tuple[np.ndarray, np.ndarray]:
    """Beta parameters of the sticks for counts in falling order."""
    tail = np.cumsum(sorted_count[..., ::-1], axis=-1)[..., ::-1] - sorted_count
    return 1.0 + sorted_count, concentration + np.maximum(tail, 0.0)


def _log_determinant(matrices) -> np.ndarray:
    factor = np.linalg.cholesky(matrices)
    return 2.0 * np.log(np.diagonal(factor, axis1=-2, axis2=-1)).sum(axis=-1)
