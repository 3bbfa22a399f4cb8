"""Components against families: purity, merging by misclassification, the report."""

import numpy as np
import pytest
from mixture_studies import SEEDS, cold_fit, curved, planted

from reinfer.inference.mixture import (
    MixtureConfig,
    cluster_report,
    component_responsibilities,
    init_state,
    merge_overlapping,
    purity,
)

CONFIG = MixtureConfig()


@pytest.mark.parametrize("seed", SEEDS)
def test_curved_families_take_many_components_and_merge_back_into_families(seed):
    data = curved(seed)
    state, _ = cold_fit(data.points, CONFIG, seed)
    report = cluster_report(data.points, data.labels, state, CONFIG)
    assert report["components"] > 12
    assert report["merged_components"] == 8
    assert report["purity"] > 0.995
    assert min(report["ari"], report["nmi"]) > 0.99
    assert 12 < report["effective_components"] <= report["components"]


def test_report_of_separated_families():
    data = planted("separated", 0)
    state, _ = cold_fit(data.points, CONFIG, 0)
    report = cluster_report(data.points, data.labels, state)
    assert report["components"] == report["merged_components"] == 8
    assert report["effective_components"] == pytest.approx(8.0, abs=0.1)
    responsibility = component_responsibilities(data.points, state, CONFIG)
    np.testing.assert_allclose(responsibility.sum(axis=1), 1.0)


def test_shuffled_labels_are_reported_as_unrelated():
    data = planted("separated", 0)
    state, _ = cold_fit(data.points, CONFIG, 0)
    shuffled = np.random.default_rng(0).permutation(data.labels)
    report = cluster_report(data.points, shuffled, state, CONFIG)
    assert report["purity"] < 0.25
    assert abs(report["ari"]) < 0.01


def test_purity_counts_the_most_frequent_label_of_each_cluster():
    assert purity([0, 0, 1, 1, 2, 2], [5, 5, 5, 9, 9, 9]) == pytest.approx(4 / 6)
    assert purity([3, 3, 7], [0, 1, 2]) == 1.0


def test_merging_is_transitive_and_groups_are_numbered_without_gaps():
    # Three overlapping neighbours in a chain and one component apart, listed in mixed order.
    responsibility = np.zeros((400, 4))
    responsibility[:100] = [0.9, 0.0, 0.1, 0.0]
    responsibility[100:200] = [0.05, 0.0, 0.85, 0.1]
    responsibility[200:300] = [0.0, 0.0, 0.1, 0.9]
    responsibility[300:] = [0.0, 1.0, 0.0, 0.0]
    np.testing.assert_array_equal(merge_overlapping(responsibility, 0.02), [0, 1, 0, 0])
    np.testing.assert_array_equal(merge_overlapping(responsibility, 1.0), [0, 1, 2, 3])


def test_a_mixture_without_components_and_wrong_labels_are_refused():
    data = planted("separated", 0, 500)
    with pytest.raises(ValueError, match="state: it has no components"):
        cluster_report(data.points, data.labels, init_state(4, 64), CONFIG)
    state, _ = cold_fit(data.points, CONFIG, 0)
    with pytest.raises(ValueError, match=r"family_labels: shape \(499,\) must be \(500,\)"):
        cluster_report(data.points, data.labels[1:], state, CONFIG)
