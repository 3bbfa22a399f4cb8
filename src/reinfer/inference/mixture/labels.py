"""What the components say about task families: assignments, purity, and agreement after merging components.

A family with a continuous target is a curved set of latents and takes several Gaussians, so the number of
components is not the number of families. Components are therefore first merged by estimated
misclassification: Hennig, Methods for merging Gaussian mixture components (2010), "DEMP".
"""

import numpy as np
from scipy.special import softmax

from reinfer.inference.mixture.prior import fitted_prior
from reinfer.inference.mixture.state import MixtureConfig, MixtureState

MERGE_THRESHOLD = 0.02


def component_responsibilities(latents, state: MixtureState, config: MixtureConfig) -> np.ndarray:
    """Responsibilities (N, K_active) of the active components, in slot order, for ``latents`` (N, D).

    The component for unseen families takes no part. Raises ValueError before the first fit.
    """
    prior = fitted_prior(state, config)
    active = np.flatnonzero(state.active)
    points = np.asarray(latents, np.float64)
    logits = np.empty((len(points), len(active)))
    for column, slot in enumerate(active):
        whitened = (points - prior.mean[slot]) @ prior.inverse_cholesky[slot].T
        squared = np.einsum("nd,nd->n", whitened, whitened)
        logits[:, column] = prior.log_weight[slot] - 0.5 * (squared + prior.log_determinant[slot])
    return softmax(logits, axis=1)


def assign_components(latents, state: MixtureState, config: MixtureConfig) -> np.ndarray:
    """The id (``uid``) of the most probable component of each of ``latents`` (N, D), shape (N,)."""
    responsibility = component_responsibilities(latents, state, config)
    return state.uid[state.active][responsibility.argmax(axis=1)]


def merge_overlapping(responsibility, threshold: float = MERGE_THRESHOLD) -> np.ndarray:
    """Group of each component, shape (K,), after merging while any pair is confused more often than
    ``threshold``.

    The confusion of i by j is the share of i's mass that belongs to j: sum_n r_ni r_nj / sum_n r_ni.
    """
    shared = responsibility.T @ responsibility
    group = np.arange(len(shared))
    while len(shared) > 1:
        mass = np.maximum(shared.sum(axis=1), 1e-12)
        confusion = shared / mass[:, None]
        np.fill_diagonal(confusion, 0.0)
        one, other = sorted(np.unravel_index(np.argmax(confusion), confusion.shape))
        if confusion.max() <= threshold:
            break
        shared[one] += shared[other]
        shared[:, one] += shared[:, other]
        shared = np.delete(np.delete(shared, other, axis=0), other, axis=1)
        group[group == other] = one
        group[group > other] -= 1
    return group


def purity(labels, clusters) -> float:
    """Share of points that belong to the most frequent label of their cluster; both (N,) integers."""
    _, cluster_index = np.unique(clusters, return_inverse=True)
    _, label_index = np.unique(labels, return_inverse=True)
    table = np.zeros((cluster_index.max() + 1, label_index.max() + 1))
    np.add.at(table, (cluster_index, label_index), 1.0)
    return float(table.max(axis=1).sum() / len(label_index))


def cluster_report(latents, family_labels, state: MixtureState, config: MixtureConfig | None = None) -> dict:
    """How the components of ``state`` relate to task families.

    Args:
        latents: (N, D).
        family_labels: (N,) integer family of each latent.
        state: a fitted mixture.
        config: the settings it was fitted with (the defaults if not given).

    Returns:
        ``purity`` of the components, ``nmi`` and ``ari`` of the merged components against the families,
        ``components`` (K), ``effective_components`` (exp of the entropy of their shares of ``latents``),
        ``merged_components``.
    """
    return agreement(component_responsibilities(latents, state, config or MixtureConfig()), family_labels)


def agreement(responsibility, family_labels) -> dict:
    """``cluster_report`` from responsibilities (N, K) of the components, however they were computed."""
    # Imported here because it takes longer than everything else that training needs together.
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    labels = np.asarray(family_labels)
    if labels.shape != (len(responsibility),):
        raise ValueError(f"family_labels: shape {labels.shape} must be ({len(responsibility)},), one per latent")
    component = responsibility.argmax(axis=1)
    group = merge_overlapping(responsibility)
    share = np.bincount(component) / len(labels)
    share = share[share > 0.0]
    return {
        "purity": purity(labels, component),
        "nmi": float(normalized_mutual_info_score(labels, group[component])),
        "ari": float(adjusted_rand_score(labels, group[component])),
        "components": responsibility.shape[1],
        "effective_components": float(np.exp(-(share * np.log(share)).sum())),
        "merged_components": int(group.max()) + 1,
    }
