"""The latent map: where the encoder puts tasks, and where the mixture prior says families live."""

from typing import NamedTuple

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Ellipse
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from reinfer.inference.mixture.prior import MixturePrior
from reinfer.tasks import FAMILY_NAMES, Tasks
from reinfer.viewing.style import (
    FAMILY_COLOUR,
    FAMILY_MARKER,
    INK,
    SOFT_INK,
    family_label,
    new_figure,
    shades,
    style,
)

#: Most points that t-SNE is given; it needs about 3 s for these.
_TSNE_POINTS = 800


class Components(NamedTuple):
    """Components: ``mean`` (K, D), ``covariance`` (K, D, D), ``weight`` (K,) summing to at most 1."""

    mean: np.ndarray
    covariance: np.ndarray
    weight: np.ndarray


def components_of(prior: MixturePrior) -> Components:
    """The active components of an exported mixture, without the broad one for families not yet seen."""
    active = np.flatnonzero(np.asarray(prior.uid) >= 0)
    factor = np.linalg.inv(np.asarray(prior.inverse_cholesky, np.float64)[active])
    covariance = factor @ factor.transpose(0, 2, 1)
    weight = np.exp(np.asarray(prior.log_weight, np.float64)[active])
    return Components(np.asarray(prior.mean, np.float64)[active], covariance, weight)


def outline(covariance) -> tuple[float, float, float]:
    """Width, height and angle (degrees, counter-clockwise) of the 2-sigma ellipse of a ``covariance`` (2, 2)."""
    variances, directions = np.linalg.eigh(covariance)
    angle = np.degrees(np.arctan2(directions[1, 1], directions[0, 1]))
    width, height = 4.0 * np.sqrt(np.maximum(variances[::-1], 0.0))
    return float(width), float(height), float(angle)


def latent_figure(
    latents,
    tasks: Tasks,
    components: Components | None = None,
    *,
    guests=None,
    guest_tasks: Tasks | None = None,
    methods=("pca", "tsne"),
    names=("toy", "robot"),
):
    """PCA and t-SNE of latents, hue by family, brightness by |target|; components as 2-sigma ellipses on PCA.

    Args:
        latents: (N, D) latents of tasks on the body where inference was learned; they define the projection.
        tasks: their true tasks, leaves (N,).
        components: of the mixture prior, or None.
        guests: (M, D) latents of another body, drawn on top with a dark rim; their tasks are ``guest_tasks``.
        methods: panels, of "pca" and "tsne".
        names: what to call the first and the second body.
    Raises ValueError if there are fewer than three latents.
    """
    latents = np.asarray(latents, np.float64)
    if len(latents) < 3:
        raise ValueError(f"latents: {len(latents)} rows are too few for a map; at least 3 are needed")
    guests = np.zeros((0, latents.shape[1])) if guests is None else np.asarray(guests, np.float64)
    families = np.concatenate([np.ravel(tasks.family), np.ravel(guest_tasks.family) if len(guests) else []])
    everything = Tasks(
        families.astype(int),
        np.concatenate([np.ravel(tasks.target), np.ravel(guest_tasks.target) if len(guests) else []]),
    )
    is_guest = np.arange(len(everything.family)) >= len(latents)
    with style():
        figure, axes = new_figure(len(methods), panel_inches=(5.2, 4.3))
        for panel, method in zip(axes, methods, strict=True):
            draw = {"pca": _draw_pca, "tsne": _draw_tsne}[method]
            draw(panel, latents, guests, everything, is_guest, components)
        _legend(figure, everything, len(guests) > 0, names)
    return figure


def _draw_pca(panel, latents, guests, tasks, is_guest, components) -> None:
    latents, guests = _at_least_two(latents), _at_least_two(guests)
    projection = PCA(2).fit(latents)
    if components is not None:
        for mean, covariance, weight in zip(*components, strict=True):
            place = projection.transform(_at_least_two(mean[None]))[0]
            _ellipse(panel, place, _projected(projection, covariance), weight)
    _scatter(panel, projection.transform(np.concatenate([latents, guests])), tasks, is_guest)
    first, second = 100.0 * projection.explained_variance_ratio_
    panel.set_xlabel(f"first principal component ({first:.0f} % of variance)")
    panel.set_ylabel(f"second ({second:.0f} %)")
    panel.set_title("PCA" + (" and mixture components" if components is not None else ""))


def _draw_tsne(panel, latents, guests, tasks, is_guest, _components) -> None:
    points = _at_least_two(np.concatenate([latents, guests]))
    # Evenly spaced rows keep the shares of families where there are too many points.
    chosen = np.unique(np.linspace(0, len(points) - 1, min(len(points), _TSNE_POINTS)).round().astype(int))
    perplexity = min(30.0, (len(chosen) - 1) / 3)
    # Its threads spin while they wait, which on a busy machine takes a hundred times as long as one alone.
    with threadpool_limits(1):
        method = TSNE(2, perplexity=perplexity, init="pca", random_state=0, n_jobs=1)
        embedded = method.fit_transform(points[chosen].astype(np.float32))
    _scatter(panel, embedded, Tasks(tasks.family[chosen], tasks.target[chosen]), is_guest[chosen])
    panel.set_title("t-SNE (only neighbourhoods mean anything)")
    panel.set_xticks([])
    panel.set_yticks([])


def _at_least_two(latents) -> np.ndarray:
    """Latents (N, D), with a second dimension of zeros where they have but one: maps have two axes."""
    return latents if latents.shape[1] > 1 else np.pad(latents, ((0, 0), (0, 1)))


def _projected(projection: PCA, covariance) -> np.ndarray:
    axes = projection.components_[:, : len(covariance)]
    return axes @ covariance @ axes.T


def _ellipse(panel, centre, covariance, weight) -> None:
    """The 2-sigma outline of a projected component, the bolder the heavier."""
    width, height, angle = outline(covariance)
    share = float(np.clip(weight * 4.0, 0.15, 1.0))
    panel.add_patch(
        Ellipse(centre, width, height, angle=angle, facecolor=SOFT_INK, alpha=0.06 + 0.10 * share, zorder=1)
    )
    panel.add_patch(
        Ellipse(centre, width, height, angle=angle, fill=False, edgecolor=INK, alpha=share, lw=1.0, zorder=2)
    )


def _scatter(panel, points, tasks: Tasks, is_guest) -> None:
    for family in np.unique(tasks.family):
        name, member = FAMILY_NAMES[family], tasks.family == family
        size = np.abs(tasks.target[member])
        colours = shades(FAMILY_COLOUR[name], (size - size.min()) / max(float(np.ptp(size)), 1e-9))
        for who, marker_size, rim, width in ((~is_guest, 16, "none", 0.0), (is_guest, 34, INK, 0.9)):
            pick = who[member]
            panel.scatter(
                *points[member][pick].T,
                s=marker_size,
                c=colours[pick],
                marker=FAMILY_MARKER[name],
                edgecolors=rim,
                linewidths=width,
                zorder=4 if rim == INK else 3,
            )


def _legend(figure, tasks: Tasks, with_guests: bool, names) -> None:
    def key(label: str, **looks):
        return Line2D([], [], linestyle="", label=label, **looks)

    families = [FAMILY_NAMES[family] for family in np.unique(tasks.family)]
    handles = [key(family_label(name), marker=FAMILY_MARKER[name], color=FAMILY_COLOUR[name]) for name in families]
    if with_guests:
        handles.append(key(f"on the {names[0]}", marker="o", color=SOFT_INK, markersize=4))
        handles.append(key(f"on the {names[1]}", marker="o", color=SOFT_INK, markeredgecolor=INK))
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=2 * len(figure.axes),
        title="deeper colour: larger |target|",
        title_fontsize=8,
    )
