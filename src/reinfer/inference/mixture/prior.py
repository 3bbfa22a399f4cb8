"""The fitted mixture as the learner sees it: float32 arrays of fixed shape, so a training step is compiled
once."""

from typing import NamedTuple

import numpy as np

from reinfer.inference.mixture.dpmm import make_family
from reinfer.inference.mixture.state import MixtureConfig, MixtureState, frame_of

INACTIVE_LOG_WEIGHT = -1e9
NO_UID = -1


class MixturePrior(NamedTuple):
    """p(z) = sum_k exp(log_weight_k) N(z; mean_k, Sigma_k) over K + 1 slots, float32 (``uid`` int32).

    ``log_weight`` (K+1,), ``mean`` (K+1, D), ``inverse_cholesky`` (K+1, D, D): L^-1 with Sigma = L L^T,
    ``log_determinant`` (K+1,): ln|Sigma|, ``uid`` (K+1,): component ids, -1 where there is none. The last
    slot is the component of families not seen yet; an inactive slot has log weight -1e9 and otherwise
    harmless finite values.
    """

    log_weight: np.ndarray
    mean: np.ndarray
    inverse_cholesky: np.ndarray
    log_determinant: np.ndarray
    uid: np.ndarray


def standard_normal_prior(dimension: int, max_components: int) -> MixturePrior:
    """N(0, I) with the shapes of an exported mixture, for use before the first fit."""
    slots = max_components + 1
    log_weight = np.full(slots, INACTIVE_LOG_WEIGHT)
    log_weight[-1] = 0.0
    identity = np.repeat(np.eye(dimension)[None], slots, axis=0)
    prior = MixturePrior(log_weight, np.zeros((slots, dimension)), identity, np.zeros(slots), np.full(slots, NO_UID))
    return _as_float32(prior)


def export_prior(state: MixtureState, config: MixtureConfig) -> MixturePrior:
    """The prior of the last fit, or N(0, I) before the first.

    Component k has the weight N_k / (N + gamma0) of the Chinese restaurant process and the posterior
    expectations of its mean and covariance. The last slot holds the remaining weight gamma0 / (N + gamma0)
    on the broad N(mean, ``new_component_scale`` diag(var)) of the latents; without ``config.new_component``
    it is inactive and the other weights are renormalised.
    """
    if not state.active.any():
        return standard_normal_prior(state.dimension, state.max_components)
    return _as_float32(fitted_prior(state, config))


def fitted_prior(state: MixtureState, config: MixtureConfig) -> MixturePrior:
    """What ``export_prior`` exports, in float64. Raises ValueError before the first fit."""
    active = np.flatnonzero(state.active)
    if len(active) == 0:
        raise ValueError("state: it has no components; fit the mixture first")
    slots, dimension = state.max_components + 1, state.dimension
    frame = frame_of(state.centre, state.variance)
    family = make_family(dimension, config)
    moments = frame.enter(state.count[active], state.mean[active], state.scatter[active])
    posterior = family.posterior(family.pack(*moments))

    spare = config.concentration if config.new_component else 0.0
    total = state.count[active].sum() + spare
    log_weight = np.full(slots, INACTIVE_LOG_WEIGHT)
    log_weight[active] = np.log(state.count[active] / total)
    if config.new_component:
        log_weight[-1] = np.log(spare / total)
    mean = np.repeat(frame.centre[None], slots, axis=0)
    mean[active] = frame.centre + frame.scale * posterior.mean
    broad = np.sqrt(config.new_component_scale) * frame.scale
    factor = np.repeat(np.diag(broad)[None], slots, axis=0)
    factor[active] = frame.scale[:, None] * np.linalg.cholesky(family.expected_covariance(posterior))
    log_determinant = 2.0 * np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
    uid = np.full(slots, NO_UID)
    uid[active] = state.uid[active]
    return MixturePrior(log_weight, mean, np.linalg.inv(factor), log_determinant, uid)


def _as_float32(prior: MixturePrior) -> MixturePrior:
    uid = np.asarray(prior.uid, np.int32)
    return MixturePrior(*(np.asarray(leaf, np.float32) for leaf in prior[:-1]), uid)
