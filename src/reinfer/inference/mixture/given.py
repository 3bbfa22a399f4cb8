"""A Gaussian mixture with given classes: one component per family label, as in TIGR (Bing et al. 2021).

Components have the conjugate posterior that those of the Dirichlet-process mixture have, given the latents of their
class. Labels serve training only: the prior is no input of an agent.
"""

import numpy as np

from reinfer.inference.mixture.dpmm import FEWEST_POINTS_KEPT, checked_latents
from reinfer.inference.mixture.state import MixtureConfig, MixtureState, with_components


def fit_given_classes(state: MixtureState, latents, families, config: MixtureConfig) -> MixtureState:
    """The mixture of ``latents`` (N, D) with labels ``families`` (N,); component and id of a family are its index.

    A family without latents keeps no component. Raises ValueError as ``dpmm.fit`` does, and where a label has no slot.
    """
    points, families = checked_latents(latents, state, config), np.asarray(families)
    if families.shape != (len(points),) or families.min() < 0 or families.max() >= state.max_components:
        raise ValueError(
            f"families: shape {families.shape} with labels up to {families.max(initial=0)} must be ({len(points)},), "
            f"below the {state.max_components} components of the state"
        )
    count = np.bincount(families, minlength=state.max_components).astype(float)
    slots = np.flatnonzero(count >= FEWEST_POINTS_KEPT)
    means = np.stack([points[families == slot].mean(axis=0) for slot in slots])
    apart = [points[families == slot] - mean for slot, mean in zip(slots, means, strict=True)]
    moments = count[slots], means, np.stack([rows.T @ rows for rows in apart])
    return with_components(state, slots, slots, moments, points.mean(0), points.var(0), state.max_components)
