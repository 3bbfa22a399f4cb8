"""The exponential family, the sticks and the moves against independent formulas."""

import numpy as np
import pytest
from mixture_studies import planted
from scipy.special import betaln, psi
from scipy.stats import multivariate_t

from reinfer.inference.mixture.components import (
    GaussianFamily,
    allocation_evidence,
    expected_log_weights,
    respond,
)
from reinfer.inference.mixture.moves import choose_merges, choose_splits, merge_entropy_change, propose_split
from reinfer.inference.mixture.search import Search
from reinfer.inference.mixture.state import COVARIANCES, MixtureConfig, frame_of


def chain_rule_evidence(points, covariance, prior_variance, mean_precision):
    """ln p(X) as a sum of Student-t predictive densities, one point after the other (Murphy 2007)."""
    dimension = points.shape[1]
    blocks = [np.arange(dimension)] if covariance == "full" else [[i] for i in range(dimension)]
    total = 0.0
    for axes in blocks:
        d = len(axes)
        kappa, degrees, mean = mean_precision, dimension + 2.0, np.zeros(d)
        scatter = prior_variance * (degrees - d - 1.0) * np.eye(d)
        for x in points[:, axes]:
            freedom = degrees - d + 1.0
            shape = scatter * (kappa + 1.0) / (kappa * freedom)
            total += multivariate_t.logpdf(x, mean, shape, df=freedom)
            scatter = scatter + kappa / (kappa + 1.0) * np.outer(x - mean, x - mean)
            mean = (kappa * mean + x) / (kappa + 1.0)
            kappa, degrees = kappa + 1.0, degrees + 1.0
    return total


@pytest.mark.parametrize("covariance", COVARIANCES)
@pytest.mark.parametrize("dimension", [1, 3])
def test_evidence_is_the_product_of_predictive_densities(covariance, dimension):
    points = np.random.default_rng(0).standard_normal((12, dimension)) * 0.7 + 0.3
    family = GaussianFamily(dimension, covariance, prior_variance=0.1, mean_precision=0.05)
    evidence = family.log_evidence(family.features(points).sum(axis=0)[None])[0]
    assert evidence == pytest.approx(chain_rule_evidence(points, covariance, 0.1, 0.05), abs=1e-8)


def test_natural_parameters_give_the_expected_log_density():
    rng = np.random.default_rng(1)
    family = GaussianFamily(3, "full", prior_variance=0.1, mean_precision=0.05)
    statistics = family.features(rng.standard_normal((40, 3)) + 0.5).sum(axis=0)[None]
    posterior = family.posterior(statistics)
    mean, kappa, degrees = posterior.mean[0], posterior.mean_precision[0], posterior.degrees[0]
    precision_scale = np.linalg.inv(posterior.scatter[0])
    queries = rng.standard_normal((5, 3))
    # Bishop (2006), equations 10.64 and 10.65.
    log_determinant = psi((degrees - np.arange(3)) / 2).sum() + 3 * np.log(2.0) + np.linalg.slogdet(precision_scale)[1]
    squared = np.einsum("ni,ij,nj->n", queries - mean, precision_scale, queries - mean)
    expected = 0.5 * (log_determinant - 3 * np.log(2 * np.pi) - 3 / kappa - degrees * squared)
    actual = family.features(queries) @ family.natural_parameters(statistics)[0]
    np.testing.assert_allclose(actual, expected, atol=1e-10)


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_pack_and_unpack_are_inverse_and_empty_components_are_the_prior(covariance):
    family = GaussianFamily(3, covariance, prior_variance=0.1, mean_precision=1e-4)
    statistics = np.random.default_rng(2).standard_normal((4, family.feature_count))
    np.testing.assert_array_equal(family.pack(*family.unpack(statistics)), statistics)
    empty = family.posterior(np.zeros((1, family.feature_count)))
    np.testing.assert_array_equal(empty.mean, 0.0)
    np.testing.assert_allclose(family.expected_covariance(empty)[0], 0.1 * np.eye(3))


def test_sticks_are_broken_from_large_to_small():
    count = np.array([3.0, 50.0, 0.0, 12.0])
    share, rest = 1.0 + np.array([50.0, 12.0, 3.0, 0.0]), 5.0 + np.array([15.0, 3.0, 0.0, 0.0])
    expected = psi(share) - psi(share + rest)
    expected[1:] += np.cumsum(psi(rest) - psi(share + rest))[:-1]
    np.testing.assert_allclose(expected_log_weights(count, 5.0), expected[[2, 0, 3, 1]])
    evidence = allocation_evidence(count, 5.0)
    assert evidence == pytest.approx((betaln(share, rest) - betaln(1.0, 5.0)).sum())
    rng = np.random.default_rng(3)
    for _ in range(20):
        order = rng.permutation(count)
        tail = np.append(np.cumsum(order[::-1])[::-1][1:], 0.0)
        assert evidence >= (betaln(1.0 + order, 5.0 + tail) - betaln(1.0, 5.0)).sum() - 1e-12


def test_frame_maps_moments_as_it_maps_points():
    rng = np.random.default_rng(4)
    points = rng.standard_normal((30, 2)) * [3.0, 0.2] + [5.0, -1.0]
    frame = frame_of(points.mean(axis=0), points.var(axis=0))
    raw = (np.array([30.0]), points.mean(axis=0)[None], 30.0 * np.cov(points.T, bias=True)[None])
    inside = (points - frame.centre) / frame.scale
    mapped = (np.array([30.0]), inside.sum(axis=0)[None], (inside.T @ inside)[None])
    for actual, expected in zip(frame.enter(*raw), mapped, strict=True):
        np.testing.assert_allclose(actual, expected, atol=1e-9)
    for actual, expected in zip(frame.leave(*mapped), raw, strict=True):
        np.testing.assert_allclose(actual, expected, atol=1e-9)


def _soft_assignment(components: int, seed: int = 0):
    """Standardised planted points with imperfect responsibilities, and their ELBO as a function of them."""
    points = planted("separated", seed, 600).points
    points = (points - points.mean(axis=0)) / points.std(axis=0)
    family = GaussianFamily(4, "full", prior_variance=0.1, mean_precision=1e-4)
    features = family.features(points)
    rng = np.random.default_rng([seed, 5])
    responsibility = rng.dirichlet(np.full(components, 0.3), len(points))
    for _ in range(3):
        statistics = responsibility.T @ features
        log_weights = expected_log_weights(statistics[:, 0], 5.0)
        responsibility, _ = respond(features, family.natural_parameters(statistics), log_weights)

    def elbo(r):
        statistics = r.T @ features
        entropy = -np.where(r > 0, r * np.log(np.where(r > 0, r, 1.0)), 0.0).sum()
        return family.log_evidence(statistics).sum() + allocation_evidence(statistics[:, 0], 5.0) + entropy

    return family, features, responsibility, elbo


def test_gain_of_splits_is_the_change_of_the_elbo():
    family, features, responsibility, elbo = _soft_assignment(3)
    statistics = responsibility.T @ features
    splits = {}
    for k in range(3):
        rng = np.random.default_rng(k)
        split = propose_split(family, features, responsibility[:, k], statistics[k], 8, rng)
        if split is not None:
            splits[k] = split
    for k, split in splits.items():
        column = np.zeros((len(features), 1))
        column[split.index, 0] = split.responsibility
        after = np.concatenate([responsibility, column], axis=1)
        after[:, k] -= column[:, 0]
        children = np.append(statistics[:, 0], split.statistics[0])
        children[k] -= split.statistics[0]
        allocation = allocation_evidence(children, 5.0) - allocation_evidence(statistics[:, 0], 5.0)
        assert elbo(after) - elbo(responsibility) == pytest.approx(split.gain + allocation, abs=1e-6)
        assert min(split.responsibility.sum(), children[k]) >= 8
    chosen = choose_splits(splits, statistics[:, 0], 5.0, capacity=64)
    assert len(chosen) >= 1
    assert len(choose_splits(splits, statistics[:, 0], 5.0, capacity=1)) == 1


def test_accepted_merges_never_lower_the_elbo():
    accepted = 0
    for seed in range(5):
        family, features, responsibility, elbo = _soft_assignment(14, seed)
        before = elbo(responsibility)
        for a, b in choose_merges(family, responsibility.T @ features, responsibility, 5.0):
            responsibility[:, a] += responsibility[:, b]
            responsibility[:, b] = 0.0
            assert elbo(responsibility) >= before - 1e-9 * abs(before)
            before = elbo(responsibility)
            accepted += 1
    assert accepted > 0


def test_identical_components_and_empty_ones_are_merged_away():
    family, features, responsibility, _ = _soft_assignment(1)
    halves = np.repeat(responsibility / 2.0, 2, axis=1)
    assert choose_merges(family, halves.T @ features, halves, 5.0) == [(0, 1)]
    with_empty = np.concatenate([responsibility, np.zeros_like(responsibility)], axis=1)
    assert choose_merges(family, with_empty.T @ features, with_empty, 5.0) == [(0, 1)]


def test_merging_only_loses_entropy():
    pair = np.random.default_rng(6).dirichlet([0.5, 0.5, 0.5], 1000)[:, :2]
    assert merge_entropy_change(pair[:, 0], pair[:, 1]).max() <= 0.0


def test_overlapping_components_that_explain_the_data_better_are_not_merged():
    rng = np.random.default_rng(7)
    labels = rng.integers(2, size=4000)
    points = rng.standard_normal((4000, 2)) * 0.5 + np.array([[-1.0, 0.0], [1.0, 0.0]])[labels] * 0.65
    family = GaussianFamily(2, "full", prior_variance=0.1, mean_precision=1e-4)
    features = family.features(points)
    responsibility = np.eye(2)[labels]
    for _ in range(50):
        statistics = responsibility.T @ features
        log_weights = expected_log_weights(statistics[:, 0], 5.0)
        responsibility, _ = respond(features, family.natural_parameters(statistics), log_weights)
    statistics = responsibility.T @ features
    together = statistics.sum(axis=0, keepdims=True)
    bound = family.log_evidence(together)[0] - family.log_evidence(statistics).sum()
    bound += allocation_evidence(together[:, 0], 5.0) - allocation_evidence(statistics[:, 0], 5.0)
    assert bound > 0.0, "without the entropy the merge would look like a gain"
    assert choose_merges(family, statistics, responsibility, 5.0) == []


def test_the_older_id_survives_a_merge():
    family, features, responsibility, _ = _soft_assignment(1)
    halves = np.repeat(responsibility / 2.0, 2, axis=1).T @ features
    points = features[:, 1:5]
    search = Search(
        family, points, halves, np.zeros_like(halves), uid=[7, 3], next_uid=8, config=MixtureConfig(rounds=1)
    )
    search.run(np.random.default_rng(0))
    assert search.merges >= 1
    assert 3 in search.uid
    assert 7 not in search.uid
