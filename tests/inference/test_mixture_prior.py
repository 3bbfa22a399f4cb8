"""The export to the learner."""

import numpy as np
import pytest
from mixture_studies import cold_fit, planted
from scipy.stats import multivariate_normal

from reinfer.inference.mixture import (
    MixtureConfig,
    export_prior,
    init_state,
    log_density,
    responsibilities,
    standard_normal_prior,
)

CONFIG = MixtureConfig()


@pytest.fixture(scope="module")
def fitted():
    data = planted("unbalanced", 0)
    return data, cold_fit(data.points, CONFIG, 0)[0]


def test_before_the_first_fit_the_prior_is_standard_normal():
    prior = export_prior(init_state(4, 64), CONFIG)
    for exported, expected in zip(prior, standard_normal_prior(4, 64), strict=True):
        np.testing.assert_array_equal(exported, expected)
    z = np.random.default_rng(0).standard_normal((10, 4)).astype(np.float32)
    expected = multivariate_normal(np.zeros(4)).logpdf(z)
    np.testing.assert_allclose(log_density(z, prior), expected, rtol=1e-5)


def test_shapes_and_types_are_those_before_the_first_fit(fitted):
    for before, after in zip(standard_normal_prior(4, 64), export_prior(fitted[1], CONFIG), strict=True):
        assert (before.shape, before.dtype) == (after.shape, after.dtype)


def test_exported_components_describe_the_data(fitted):
    data, state = fitted
    prior = export_prior(state, CONFIG)
    weights = np.exp(prior.log_weight.astype(float))
    assert weights.sum() == pytest.approx(1.0, abs=1e-6)
    assert weights[-1] == pytest.approx(5.0 / (4096 + 5.0), rel=1e-5)
    assert (prior.log_weight[:-1][~state.active] == -1e9).all()
    np.testing.assert_array_equal(prior.uid[:-1], state.uid)
    assert prior.uid[-1] == -1
    factor = np.linalg.inv(prior.inverse_cholesky.astype(float))
    covariance = factor @ factor.transpose(0, 2, 1)
    np.testing.assert_allclose(prior.log_determinant, np.linalg.slogdet(covariance)[1], atol=1e-5)
    np.testing.assert_allclose(prior.mean[-1], data.points.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(covariance[-1], 4.0 * np.diag(data.points.var(axis=0)), rtol=1e-4, atol=1e-4)
    for label in range(8):
        members = data.points[data.labels == label]
        nearest = np.argmin(np.linalg.norm(prior.mean[:-1] - members.mean(axis=0), axis=1))
        assert state.active[nearest]
        share = len(members) / len(data.points)
        assert weights[nearest] == pytest.approx(share, rel=0.1)
        if len(members) > 500:
            np.testing.assert_allclose(covariance[nearest], np.cov(members.T), atol=0.15)


def test_density_and_responsibilities_match_scipy(fitted):
    data, state = fitted
    prior = export_prior(state, CONFIG)
    z = data.points[:50].astype(np.float32)
    columns = []
    for k in range(65):
        factor = np.linalg.inv(prior.inverse_cholesky[k].astype(float))
        component = multivariate_normal(prior.mean[k], factor @ factor.T)
        columns.append(prior.log_weight[k] + component.logpdf(z))
    joint = np.stack(columns, axis=1)
    np.testing.assert_allclose(log_density(z, prior), np.logaddexp.reduce(joint, axis=1), atol=2e-4)
    expected = np.exp(joint - np.logaddexp.reduce(joint, axis=1, keepdims=True))
    np.testing.assert_allclose(responsibilities(z, prior), expected, atol=2e-4)


def test_without_the_new_component_the_weights_are_those_of_the_data(fitted):
    _, state = fitted
    prior = export_prior(state, MixtureConfig(new_component=False))
    assert prior.log_weight[-1] == np.float32(-1e9)
    weights = np.exp(prior.log_weight.astype(float))
    np.testing.assert_allclose(weights[:-1], state.count / state.count.sum(), atol=1e-6)
