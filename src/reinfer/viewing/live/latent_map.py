"""The plane on which the page shows where the latent is: principal axes of the mixture itself, with its components."""

from typing import NamedTuple

import numpy as np

from reinfer.inference.decoder import decode_family
from reinfer.viewing.latent import components_of, outline


class Outline(NamedTuple):
    """A component on the map: 2-sigma ellipse, ``angle`` in degrees; the ``family`` it decodes to, or None."""

    centre: np.ndarray
    width: float
    height: float
    angle: float
    weight: float
    family: int | None

    def reach(self) -> np.ndarray:
        """How far it extends from its centre along both axes, (2,)."""
        turn = np.radians(self.angle)
        return 0.5 * np.hypot(
            [self.width * np.cos(turn), self.width * np.sin(turn)],
            [self.height * np.sin(turn), self.height * np.cos(turn)],
        )


class LatentMap(NamedTuple):
    """A projection of latents (D,) to the plane, and the outlines of the components on it.

    ``centre`` (D,); ``axes`` (2, D) orthonormal, the second zero where D is 1; ``explained`` (2,) shares of the
    mixture's variance.
    """

    centre: np.ndarray
    axes: np.ndarray
    explained: np.ndarray
    outlines: tuple[Outline, ...]

    def project(self, latents) -> np.ndarray:
        """Points (..., 2) of latents (..., D)."""
        return (np.asarray(latents, np.float64) - self.centre) @ self.axes.T


def latent_map_of(toy) -> LatentMap | None:
    """The map of the mixture of ``toy`` (``inference.agent.ToyAgent``); None if none was fitted.

    Its axes are those of PCA on draws from the mixture, which need not be drawn: mean and covariance are known.
    """
    components = components_of(toy.params.prior)
    if len(components.weight) == 0:
        return None
    share = components.weight / components.weight.sum()
    centre = share @ components.mean
    offset = components.mean - centre
    spread = np.einsum("k,kij->ij", share, components.covariance + offset[:, :, None] * offset[:, None, :])
    variances, directions = np.linalg.eigh(spread)
    # A latent of one dimension has no second axis: nothing extends along it.
    (axes, explained), main = (np.zeros((2, len(centre))), np.zeros(2)), min(2, len(centre))
    axes[:main], explained[:main] = directions[:, :-3:-1].T, variances[:-3:-1] / variances.sum()
    families = _decoded(toy, components.mean)
    outlines = tuple(
        Outline(axes @ away, *outline(axes @ covariance @ axes.T), float(weight), family)
        for away, covariance, weight, family in zip(offset, components.covariance, share, families, strict=True)
    )
    return LatentMap(centre, axes, explained, outlines)


def _decoded(toy, latents) -> list:
    """Family that each latent (K, D) decodes to; None where the architecture has no head for it."""
    if toy.architecture != "belief":
        return [None] * len(latents)
    logits = decode_family(toy.params.inference.decoder, np.asarray(latents, np.float32))
    return [int(family) for family in np.argmax(logits, axis=-1)]
