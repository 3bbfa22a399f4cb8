"""What the mixture prior is set to (``MixtureConfig``) and what it remembers (``MixtureState``)."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from reinfer.runs.config import setting

COVARIANCES = ("full", "diagonal")


@dataclass(frozen=True, slots=True)
class MixtureConfig:
    """Settings of the Dirichlet-process mixture; the defaults are scale-free."""

    covariance: str = setting("full", "component covariance", choices=COVARIANCES)
    concentration: float = setting(5.0, "Dirichlet-process concentration gamma0", low=1e-6, high=1e6)
    prior_scale: float = setting(
        0.1, "prior component variance as a fraction of the variance of the latents", low=1e-6, high=1e3
    )
    mean_precision: float = setting(1e-4, "pseudo-count kappa0 of the prior mean", low=1e-12, high=1e3)
    min_count: int = setting(8, "fewest points of a new component", low=2, high=1_000_000)
    max_components: int = setting(64, "most components (slots of the state)", low=1, high=4096)
    minibatches: int = setting(4, "minibatches of one pass of memoized variational inference", low=1, high=64)
    rounds: int = setting(12, "most rounds of births and merges in one fit", low=0, high=1000)
    growth_points: int = setting(8192, "most points on which births and merges are searched", low=64, high=1 << 24)
    dormant_memory: float = setting(
        0.8, "share of a component's statistics kept by a fit whose points do not touch it", low=0.0, high=1.0
    )
    new_component: bool = setting(True, "export a broad component with the weight of a still unseen family")
    new_component_scale: float = setting(
        4.0, "variance of that component as a multiple of the variance of the latents", low=1e-3, high=1e6
    )


class MixtureState(NamedTuple):
    """Everything a later fit needs, as arrays of fixed shape (K slots, dimension D); it lives on the host.

    ``count`` (K,), ``mean`` (K, D) and ``scatter`` (K, D, D), the sum of (x - mean)(x - mean)^T, are the
    responsibility-weighted moments of each component's points, decayed memory included (about the mean, not
    the origin, so that an offset of the latents costs no precision); ``uid`` (K,) identifies a component for
    its whole life (-1: slot empty); ``active`` (K,) marks the slots in use; ``centre`` (D,) and ``variance``
    (D,) are moments of the latents of the last fit, from which the prior is made; ``next_uid`` (the first id
    never used) and ``fits`` (how many there were) are scalars.
    """

    count: np.ndarray
    mean: np.ndarray
    scatter: np.ndarray
    uid: np.ndarray
    active: np.ndarray
    centre: np.ndarray
    variance: np.ndarray
    next_uid: np.ndarray
    fits: np.ndarray

    @property
    def max_components(self) -> int:
        """Number of slots K."""
        return len(self.count)

    @property
    def dimension(self) -> int:
        """Latent dimension D."""
        return self.mean.shape[1]


def init_state(dimension: int, max_components: int) -> MixtureState:
    """A state without components. Raises ValueError when a size is below 1."""
    for name, value in (("dimension", dimension), ("max_components", max_components)):
        if value < 1:
            raise ValueError(f"{name}: {value!r} must be at least 1")
    return MixtureState(
        count=np.zeros(max_components),
        mean=np.zeros((max_components, dimension)),
        scatter=np.zeros((max_components, dimension, dimension)),
        uid=np.full(max_components, -1, np.int64),
        active=np.zeros(max_components, bool),
        centre=np.zeros(dimension),
        variance=np.ones(dimension),
        next_uid=np.array(0, np.int64),
        fits=np.array(0, np.int64),
    )


def with_components(state: MixtureState, slots, uid, moments, centre, variance, next_uid: int) -> MixtureState:
    """The state after one more fit, with components in ``slots`` (k,) and no others.

    Args:
        uid: their ids (k,).
        moments: counts (k,), means (k, D) and scatters (k, D, D) of raw latents.
        centre, variance: moments (D,) of all latents.
    """
    count, mean, scatter = (np.zeros_like(old) for old in (state.count, state.mean, state.scatter))
    ids, active = np.full_like(state.uid, -1), np.zeros_like(state.active)
    for array, values in zip((count, mean, scatter), moments, strict=True):
        array[slots] = values
    ids[slots] = uid
    active[slots] = True
    return MixtureState(
        count=count,
        mean=mean,
        scatter=scatter,
        uid=ids,
        active=active,
        centre=centre,
        variance=variance,
        next_uid=np.array(next_uid, np.int64),
        fits=np.array(state.fits + 1, np.int64),
    )


class Frame(NamedTuple):
    """The map to the coordinates of a fit, ``(x - centre) / scale``, where the prior is centred and round."""

    centre: np.ndarray
    scale: np.ndarray

    def enter(self, count, mean, scatter) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Counts and sums of y and y y^T of the mapped points y, from the moments of the raw points."""
        mean = (mean - self.centre) / self.scale
        first = count[:, None] * mean
        scatter = scatter / (self.scale[:, None] * self.scale)
        return count, first, scatter + first[:, :, None] * mean[:, None, :]

    def leave(self, count, first, second) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The inverse of ``enter``, for counts above 0."""
        mean = first / count[:, None]
        scatter = second - first[:, :, None] * mean[:, None, :]
        return count, self.centre + self.scale * mean, scatter * (self.scale[:, None] * self.scale)


def frame_of(centre, variance) -> Frame:
    """The frame for latents with this mean and variance; axes without spread are given a tiny one."""
    floor = max(1e-12 * float(np.max(variance)), 1e-12)
    return Frame(centre, np.sqrt(np.maximum(variance, floor)))
