"""Fitting the Dirichlet-process Gaussian mixture: one warm-started fit per call, with stable component ids.

Model, updates and ELBO follow Hughes and Sudderth (2013) with Normal-Wishart components. New here: the prior
scales with the latents, components keep an integer id over all fits, and a component that a fit's points do
not touch is remembered for a while (its decayed statistics count as data).
"""

from typing import NamedTuple

import numpy as np

from reinfer.inference.mixture.components import (
    GaussianFamily,
    allocation_evidence,
    expected_log_weights,
    respond,
)
from reinfer.inference.mixture.search import MOST_PASSES, SMALL_GAIN_NATS, Search
from reinfer.inference.mixture.state import Frame, MixtureConfig, MixtureState, frame_of, with_components
from reinfer.runs.config import validate

CHUNK = 8192
FEWEST_POINTS_KEPT = 1.0
# Moments of points this many standard deviations away have lost too many digits to describe a component.
FARTHEST_MEAN_SD = 1e4


class FitReport(NamedTuple):
    """What a fit did. ELBO traces are in nats per point, in the units of the latents; neither ever falls.

    ``elbo_trace`` covers the search for components (on at most ``growth_points`` points), ``polish_trace``
    the passes over all points that follow when there are more (else it is empty).
    """

    elbo_trace: np.ndarray
    polish_trace: np.ndarray
    components: int
    births: int
    merges: int
    passes: int

    @property
    def elbo(self) -> float:
        """The final ELBO in nats per point."""
        return float((self.polish_trace if len(self.polish_trace) else self.elbo_trace)[-1])


def make_family(dimension: int, config: MixtureConfig) -> GaussianFamily:
    """The component family of ``config``, in the standardised coordinates of a fit."""
    return GaussianFamily(dimension, config.covariance, config.prior_scale, config.mean_precision)


def fit(
    state: MixtureState, latents, config: MixtureConfig, rng: np.random.Generator
) -> tuple[MixtureState, FitReport]:
    """One fit to ``latents`` (N, D), warm-started from ``state``; deterministic given ``rng``.

    Args:
        state: the previous state, or ``init_state(D, config.max_components)``.
        latents: points, finite, at least ``2 * min_count`` of them; computed on in float64.
        config: settings.
        rng: draws the minibatches, the points of the search and the seeds of births.

    Raises:
        ValueError: on latents of the wrong shape, too few or not finite, or a state of another size than the
            config's.
        ConfigError: on settings that are not allowed.
    """
    points = checked_latents(latents, state, config)
    centre, variance = points.mean(axis=0), points.var(axis=0)
    frame = frame_of(centre, variance)
    family = make_family(points.shape[1], config)
    points = (points - frame.centre) / frame.scale
    growth = points[rng.permutation(len(points))[: config.growth_points]]
    growth_share = len(growth) / len(points)

    statistics, memory, uid = _components_to_start_from(state, family, frame, growth, config)
    next_uid = max(int(state.next_uid), max(uid) + 1)
    search = Search(family, growth, statistics, growth_share * memory, uid, next_uid, config)
    search.run(rng)

    statistics, polish_trace = search.statistics, []
    if len(growth) < len(points):
        memory = search.memory / growth_share
        statistics, polish_trace = _polish(family, points, statistics, memory, config.concentration)
    log_volume = np.log(frame.scale).sum()
    new_state = _written(state, family, frame, variance, statistics, search)
    report = FitReport(
        elbo_trace=np.array(search.trace) / len(growth) - log_volume,
        polish_trace=np.array(polish_trace) / len(points) - log_volume,
        components=int(new_state.active.sum()),
        births=search.births,
        merges=search.merges,
        passes=search.passes + len(polish_trace),
    )
    return new_state, report


def checked_latents(latents, state: MixtureState, config: MixtureConfig) -> np.ndarray:
    """``latents`` (N, D) in float64. Raises ValueError and ConfigError as ``fit`` does."""
    validate(config)
    points = np.asarray(latents, np.float64)
    if points.ndim != 2 or points.shape[1] != state.dimension:
        raise ValueError(f"latents: shape {points.shape} must be (N, {state.dimension})")
    if len(points) < 2 * config.min_count:
        raise ValueError(f"latents: {len(points)} points, at least 2 * min_count = {2 * config.min_count} are needed")
    if not np.isfinite(points).all():
        raise ValueError(f"latents: {np.count_nonzero(~np.isfinite(points))} values are not finite")
    if state.max_components != config.max_components:
        raise ValueError(f"max_components: {config.max_components} must equal the {state.max_components} of the state")
    return points


def _components_to_start_from(
    state: MixtureState, family: GaussianFamily, frame: Frame, points, config: MixtureConfig
) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Statistics, memory (K, F) and ids of the components a fit starts from; one component if there is none
    yet.

    A component to which the previous posterior assigns fewer than ``min_count`` of ``points`` is dormant: it
    keeps a decayed copy of its statistics as memory, and goes when fewer than ``min_count`` points of memory
    are left. One that now lies absurdly far away, because the latents have moved or shrunk, goes at once.
    """
    slots = np.flatnonzero(state.active)
    means = (state.mean[slots] - frame.centre) / frame.scale
    slots = slots[np.abs(means).max(axis=1, initial=0.0) < FARTHEST_MEAN_SD]
    if len(slots) == 0:
        return (
            family.features(points).sum(axis=0)[None],
            np.zeros((1, family.feature_count)),
            [int(state.next_uid)],
        )
    old = family.pack(*frame.enter(state.count[slots], state.mean[slots], state.scatter[slots]))
    log_weights = expected_log_weights(old[:, 0], config.concentration)
    responsibility, _ = respond(family.features(points), family.natural_parameters(old), log_weights)
    touched = responsibility.sum(axis=0)
    dormant = touched < config.min_count
    memory = np.where(dormant[:, None], config.dormant_memory * old, 0.0)
    keep = ~dormant | (memory[:, 0] >= config.min_count)
    keep[np.argmax(touched)] = True
    return old[keep], memory[keep], state.uid[slots][keep].tolist()


def _polish(family: GaussianFamily, points, statistics, memory, concentration: float) -> tuple[np.ndarray, list[float]]:
    """Variational passes over all ``points`` at a fixed number of components: final statistics and ELBO
    after each."""
    trace: list[float] = []
    for _ in range(MOST_PASSES):
        coefficients = family.natural_parameters(statistics)
        log_weights = expected_log_weights(statistics[:, 0], concentration)
        statistics, entropy = memory.copy(), 0.0
        for start in range(0, len(points), CHUNK):
            rows = family.features(points[start : start + CHUNK])
            responsibility, row_entropy = respond(rows, coefficients, log_weights)
            statistics += responsibility.T @ rows
            entropy += row_entropy.sum()
        allocation = allocation_evidence(statistics[:, 0], concentration)
        trace.append(float(family.log_evidence(statistics).sum() + allocation + entropy))
        if len(trace) > 1 and trace[-1] - trace[-2] < SMALL_GAIN_NATS * len(points):
            break
    return statistics, trace


def _written(
    state: MixtureState, family: GaussianFamily, frame: Frame, variance, statistics, search: Search
) -> MixtureState:
    """The state after a fit: surviving components stay in their slots, new ones take the free slots in
    order."""
    alive = [k for k in range(len(search.uid)) if statistics[k, 0] >= FEWEST_POINTS_KEPT]
    moments = frame.leave(*family.unpack(statistics[alive]))
    slot_of = {int(uid): slot for slot, uid in enumerate(state.uid) if uid >= 0}
    taken = {slot_of[search.uid[k]] for k in alive if search.uid[k] in slot_of}
    free = iter(slot for slot in range(state.max_components) if slot not in taken)
    slots = [slot_of[search.uid[k]] if search.uid[k] in slot_of else next(free) for k in alive]
    uid = [search.uid[k] for k in alive]
    return with_components(state, slots, uid, moments, frame.centre, variance, search.next_uid)
