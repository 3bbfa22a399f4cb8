"""A truncated stick-breaking mixture of Gaussians, by plain mean-field variational inference.

Blei and Jordan, Variational inference for Dirichlet process mixtures (2006): a fixed number T of components, weights
``pi_k = v_k prod_{j<k} (1 - v_j)`` with ``v_k ~ Beta(1, gamma0)`` and ``q(v_T = 1) = 1``, and coordinate ascent; sticks
are reordered by size, which raises the bound (Kurihara et al. 2007). Beside ``dpmm``: no births, no merges, no memory.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import betaln, psi

from reinfer.inference.mixture.components import GaussianFamily, respond
from reinfer.inference.mixture.dpmm import FEWEST_POINTS_KEPT, checked_latents, make_family
from reinfer.inference.mixture.search import SMALL_GAIN_NATS
from reinfer.inference.mixture.state import MixtureConfig, MixtureState, frame_of, with_components

#: A fit is warm-started by the one before, so few passes do.
MOST_PASSES = 20


class StickReport(NamedTuple):
    """What a fit did: bound after each pass, in nats per point, and the number of components that have points."""

    elbo_trace: np.ndarray
    components: int


def stick_log_weights(count, concentration: float) -> np.ndarray:
    """E_q[ln pi_k] for counts (T,), the largest first; the last stick takes all that is left (equation 18)."""
    order = np.argsort(-count, kind="stable")
    share, rest = _beta_parameters(count[order], concentration)
    total = psi(share + rest)
    remaining = np.concatenate([[0.0], np.cumsum(psi(rest) - total)])
    log_weights = np.empty(len(count))
    log_weights[order] = remaining + np.append(psi(share) - total, 0.0)
    return log_weights


def stick_evidence(count, concentration: float) -> float:
    """The sticks' part of the bound for counts (T,), in nats."""
    share, rest = _beta_parameters(-np.sort(-count), concentration)
    return float((betaln(share, rest) - betaln(1.0, concentration)).sum())


def _beta_parameters(sorted_count, concentration: float) -> tuple[np.ndarray, np.ndarray]:
    """Beta parameters of the first T - 1 sticks, for counts in falling order."""
    after = np.cumsum(sorted_count[::-1])[::-1] - sorted_count
    return 1.0 + sorted_count[:-1], concentration + np.maximum(after[:-1], 0.0)


def fit_sticks(
    state: MixtureState, latents, config: MixtureConfig, rng: np.random.Generator
) -> tuple[MixtureState, StickReport]:
    """One fit to ``latents`` (N, D) with T = ``config.max_components``, warm-started from ``state``.

    ``rng`` draws the points around which the components of the first fit begin. Raises as ``dpmm.fit`` does.
    """
    points = checked_latents(latents, state, config)
    centre, variance = points.mean(axis=0), points.var(axis=0)
    frame, family = frame_of(centre, variance), make_family(points.shape[1], config)
    points = (points - frame.centre) / frame.scale
    features = family.features(points)
    if state.active.any():
        statistics = np.zeros((state.max_components, family.feature_count))
        moments = state.count[state.active], state.mean[state.active], state.scatter[state.active]
        statistics[state.active] = family.pack(*frame.enter(*moments))
    else:
        statistics = _around_random_points(points, features, state.max_components, rng)
    trace: list[float] = []
    while len(trace) < MOST_PASSES:
        statistics, bound = _pass(family, features, statistics, config.concentration)
        trace.append(bound / len(points))
        if len(trace) > 1 and trace[-1] - trace[-2] < SMALL_GAIN_NATS:
            break
    slots = np.flatnonzero(statistics[:, 0] >= FEWEST_POINTS_KEPT)
    moments = frame.leave(*family.unpack(statistics[slots]))
    fitted = with_components(state, slots, slots, moments, centre, variance, state.max_components)
    return fitted, StickReport(np.array(trace) - np.log(frame.scale).sum(), len(slots))


def _around_random_points(points, features, components: int, rng: np.random.Generator) -> np.ndarray:
    """Statistics of the points nearest to each of some points drawn with odds as their squared distance to those
    drawn before (k-means++, Arthur and Vassilvitskii 2007)."""
    squared = np.full(len(points), np.inf)
    nearest = np.zeros(len(points), int)
    chosen = rng.integers(len(points))
    for component in range(components):
        distance = np.square(points - points[chosen]).sum(axis=1)
        nearest[distance < squared] = component
        squared = np.minimum(squared, distance)
        if squared.sum() == 0.0:
            break
        chosen = rng.choice(len(points), p=squared / squared.sum())
    return np.eye(components)[nearest].T @ features


def _pass(family: GaussianFamily, features, statistics, concentration: float) -> tuple[np.ndarray, float]:
    """Statistics after one round of coordinate ascent, and the bound at them in nats."""
    log_weights = stick_log_weights(statistics[:, 0], concentration)
    responsibility, entropy = respond(features, family.natural_parameters(statistics), log_weights)
    statistics = responsibility.T @ features
    evidence = family.log_evidence(statistics).sum() + stick_evidence(statistics[:, 0], concentration)
    return statistics, float(evidence + entropy.sum())
