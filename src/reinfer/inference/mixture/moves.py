"""Births and merges: changes of the number of components whose effect on the ELBO is computed exactly.

After Hughes and Sudderth, Memoized online variational inference for Dirichlet process mixture models (2013);
here a birth is a two-way split of one component, and since both children inherit the parent's
responsibilities its gain is exact.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import entr, expit

from reinfer.inference.mixture.components import GaussianFamily, allocation_evidence

SPLIT_STEPS = 8
MERGE_CANDIDATES = 10
NEGLIGIBLE_RESPONSIBILITY = 1e-3


class Split(NamedTuple):
    """A proposed birth: the points ``index`` hand ``responsibility`` of the parent over to the new component.

    ``gain`` is the ELBO change in nats apart from the allocation term, ``statistics`` (F,) those of the new
    component.
    """

    gain: float
    index: np.ndarray
    responsibility: np.ndarray
    entropy_change: np.ndarray
    statistics: np.ndarray


def propose_split(
    family: GaussianFamily, features, responsibility, statistics, min_count: int, rng: np.random.Generator
) -> Split | None:
    """The best of several two-way splits of one component; None if none leaves ``min_count`` points in both.

    Args:
        family: the component family.
        features: feature rows (N, F) of all points.
        responsibility: the parent's responsibilities (N,).
        statistics: the parent's statistics (F,), memory included; the first child keeps whatever the second
            is not given.
        min_count: fewest expected points per child.
        rng: draws the seeds.
    """
    index = np.flatnonzero(responsibility > NEGLIGIBLE_RESPONSIBILITY)
    if responsibility[index].sum() < 2 * min_count:
        return None
    weight, rows = responsibility[index], features[index]
    share = _seed_shares(rows[:, 1 : 1 + family.dimension], weight, rng)
    for _ in range(SPLIT_STEPS):
        second = (weight[:, None] * share).T @ rows
        first = statistics - second
        log_ratio = np.log(np.maximum(second[:, 0], 1e-12)) - np.log(np.maximum(first[:, 0], 1e-12))
        contrast = family.natural_parameters(second) - family.natural_parameters(first)
        share = expit(rows @ contrast.T + log_ratio)
    second = (weight[:, None] * share).T @ rows
    first = statistics - second
    entropy = weight[:, None] * (entr(share) + entr(1.0 - share))
    gain = family.log_evidence(first) + family.log_evidence(second) - family.log_evidence(statistics[None])
    gain = gain + entropy.sum(axis=0)
    gain[np.minimum(weight.sum() - second[:, 0], second[:, 0]) < min_count] = -np.inf
    best = int(np.argmax(gain))
    if not np.isfinite(gain[best]):
        return None
    return Split(float(gain[best]), index, weight * share[:, best], entropy[:, best], second[best])


def choose_splits(splits: dict[int, Split], count, concentration: float, capacity: int) -> list[int]:
    """Which of the ``splits`` (parent -> proposal) to apply together so that the ELBO rises.

    The proposals interact through the allocation term only, so the joint gain is exact; if all together do
    not raise the ELBO, the best one alone is tried. At most ``capacity`` are chosen.
    """
    before = allocation_evidence(count, concentration)

    def joint_gain(parents) -> float:
        after = np.concatenate([count, [splits[k].statistics[0] for k in parents]])
        for k in parents:
            after[k] -= splits[k].statistics[0]
        return sum(splits[k].gain for k in parents) + allocation_evidence(after, concentration) - before

    alone = {k: joint_gain([k]) for k in splits}
    rising = sorted((k for k in splits if alone[k] > 0.0), key=lambda k: -alone[k])[:capacity]
    if len(rising) > 1 and joint_gain(rising) <= alone[rising[0]]:
        return rising[:1]
    return rising


def choose_merges(family: GaussianFamily, statistics, responsibility, concentration: float) -> list[tuple[int, int]]:
    """Disjoint pairs of components whose merging, applied in this order, never lowers the ELBO.

    Pairs are ranked by the gain without the entropy term, which is an upper bound because merging only loses
    entropy; the exact gain is then computed for the first few. Merging away an empty component changes
    nothing and is accepted.
    """
    count = statistics[:, 0]
    first, second = np.triu_indices(len(count), 1)
    if len(first) == 0:
        return []
    evidence = family.log_evidence(statistics)
    fit_gain = family.log_evidence(statistics[first] + statistics[second]) - evidence[first] - evidence[second]
    merged = np.repeat(count[None], len(first), axis=0)
    pair = np.arange(len(first))
    merged[pair, first] += merged[pair, second]
    merged[pair, second] = 0.0
    bound = fit_gain + allocation_evidence(merged, concentration) - allocation_evidence(count, concentration)
    tolerance = -1e-12 * abs(evidence.sum())
    accepted, used = [], set()
    for candidate in np.argsort(-bound)[:MERGE_CANDIDATES]:
        a, b = int(first[candidate]), int(second[candidate])
        if bound[candidate] < tolerance or {a, b} & used:
            continue
        after = count.copy()
        after[a] += after[b]
        after[b] = 0.0
        gain = (
            fit_gain[candidate]
            + allocation_evidence(after, concentration)
            - allocation_evidence(count, concentration)
            + merge_entropy_change(responsibility[:, a], responsibility[:, b]).sum()
        )
        if gain >= tolerance:
            accepted.append((a, b))
            used |= {a, b}
            count = after
    return accepted


def merge_entropy_change(first, second) -> np.ndarray:
    """Change (N,), never positive, of the assignment entropy when two columns of responsibilities are
    added."""
    return entr(first + second) - entr(first) - entr(second)


def _seed_shares(points, weight, rng: np.random.Generator) -> np.ndarray:
    """Starting shares (n, 3) of the second child: one half across the principal axis, two k-means++ pairs."""
    probability = weight / weight.sum()
    centred = points - probability @ points
    _, axes = np.linalg.eigh((probability[:, None] * centred).T @ centred)
    shares = [centred @ axes[:, -1] > 0.0]
    for _ in range(2):
        one = points[rng.choice(len(points), p=probability)]
        distance = ((points - one) ** 2).sum(axis=1)
        mass = weight * distance
        other = points[rng.choice(len(points), p=mass / mass.sum())] if mass.sum() > 0.0 else one
        shares.append(((points - other) ** 2).sum(axis=1) < distance)
    return np.stack(shares, axis=1).astype(float)
