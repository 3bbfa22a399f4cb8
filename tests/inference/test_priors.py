"""Priors behind one interface: each finds what it should in data of known make, and refuses what it cannot do."""

import jax
import numpy as np
import pytest
from scipy.special import betaln, digamma

from reinfer.inference.mixture import PRIORS, MixtureConfig, check_prior, init_state, kl_to_mixture, log_density, refit
from reinfer.inference.mixture.given import fit_given_classes
from reinfer.inference.mixture.sticks import fit_sticks, stick_evidence, stick_log_weights
from reinfer.runs.errors import ConfigError

CONFIG = MixtureConfig(max_components=8)
CENTRES = np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 6.0], [6.0, 6.0]])


@pytest.fixture(scope="module")
def latents():
    """Four round groups of 2-D latents with standard deviation 0.5, and the family that each is of: 0, 1, 2 or 5."""
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(4), [400, 200, 300, 100])
    return CENTRES[group] + 0.5 * rng.standard_normal((1000, 2)), np.array([0, 1, 2, 5])[group]


@pytest.mark.parametrize("kind", PRIORS)
def test_every_prior_fits_refits_and_is_a_density(latents, kind):
    points, families = latents
    state = init_state(2, CONFIG.max_components)
    for seed in range(3):
        state, prior = refit(kind, state, points, families, CONFIG, np.random.default_rng(seed))
    assert prior.log_weight.shape == (9,) and prior.mean.shape == (9, 2)
    assert np.isclose(np.exp(np.float64(prior.log_weight)).sum(), 1.0, atol=1e-5)
    assert (prior.uid >= 0).sum() == state.active.sum()
    near, far = (float(log_density(at, prior).mean()) for at in (CENTRES, CENTRES + 3.0))
    if kind == "normal":
        assert state.active.sum() == 0 and np.array_equal(prior.mean, np.zeros((9, 2)))
    else:
        assert near > far + 2.0
    mean, log_variance = np.float32(CENTRES), np.full((4, 2), -4.0, np.float32)
    divergence = kl_to_mixture(mean, log_variance, prior, jax.random.key(0))
    assert np.isfinite(divergence).all() and (divergence > 0.0).all()


def test_given_classes_have_a_component_each_with_the_moments_of_their_latents(latents):
    points, families = latents
    state = fit_given_classes(init_state(2, 8), points, families, CONFIG)
    assert state.uid.tolist() == [0, 1, 2, -1, -1, 5, -1, -1]
    assert state.count[state.active].tolist() == [400, 200, 300, 100]
    np.testing.assert_allclose(state.mean[5], points[families == 5].mean(axis=0))
    np.testing.assert_allclose(state.scatter[5] / 100, np.cov(points[families == 5].T, bias=True), rtol=1e-9)
    with pytest.raises(ValueError, match="families: .* below the 8 components"):
        fit_given_classes(init_state(2, 8), points, families + 3, CONFIG)


def test_stick_weights_follow_the_formula_and_the_last_stick_takes_the_rest():
    """Blei and Jordan (2006), equation 18, for counts 5, 3, 1 given out of order; q(v_3 = 1) = 1."""
    gamma = 2.0
    first, second = (6.0, gamma + 4.0), (4.0, gamma + 1.0)

    def log_share(a, b):
        return digamma(a) - digamma(a + b)

    expected = [
        log_share(*first),
        log_share(*second) + log_share(*first[::-1]),
        log_share(*first[::-1]) + log_share(*second[::-1]),
    ]
    np.testing.assert_allclose(stick_log_weights(np.array([3.0, 5.0, 1.0]), gamma), np.array(expected)[[1, 0, 2]])
    evidence = betaln(*first) + betaln(*second) - 2.0 * betaln(1.0, gamma)
    np.testing.assert_allclose(stick_evidence(np.array([3.0, 5.0, 1.0]), gamma), evidence)


def test_sticks_raise_their_bound_and_leave_components_without_points(latents):
    points, _ = latents
    state, report = fit_sticks(init_state(2, 8), points, CONFIG, np.random.default_rng(0))
    assert len(report.elbo_trace) > 2 and np.diff(report.elbo_trace).min() > -1e-9
    again, warm = fit_sticks(state, points, CONFIG, np.random.default_rng(1))
    assert warm.elbo_trace[0] >= report.elbo_trace[-1] - 1e-6
    assert int(again.fits) == 2 and again.active.sum() == warm.components
    share = again.count[again.active] / again.count.sum()
    assert np.isclose(again.count.sum(), 1000.0)
    for centre in CENTRES:
        nearest = np.square(again.mean[again.active] - centre).sum(axis=1).argmin()
        assert share[nearest] > 0.03 and np.abs(again.mean[again.active][nearest] - centre).max() < 1.0


def test_what_a_prior_cannot_do_is_refused():
    with pytest.raises(ConfigError, match="mixture.max_components: 3 .*'gmm'.* at least 4"):
        check_prior("gmm", MixtureConfig(max_components=3), 4, 1000, "points")
    with pytest.raises(ConfigError, match="mixture.max_components: 1 .*'stick-breaking'"):
        check_prior("stick-breaking", MixtureConfig(max_components=1), 4, 1000, "points")
    with pytest.raises(ConfigError, match="prior: 'flow' .* dpmm, gmm, stick-breaking, normal"):
        check_prior("flow", CONFIG, 4, 1000, "points")
    with pytest.raises(ConfigError, match="^points: 100 is not allowed; .* 2 x mixture.min_count = 128 latents"):
        check_prior("dpmm", MixtureConfig(min_count=64), 4, 100, "points")
    check_prior("normal", MixtureConfig(max_components=1, min_count=64), 7, 100, "points")
