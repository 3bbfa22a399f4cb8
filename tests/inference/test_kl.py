"""KL estimators against dense formulas, sampling and each other."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from mixture_studies import cold_fit, planted

from reinfer.inference.mixture import (
    METHODS,
    MixtureConfig,
    MixturePrior,
    export_prior,
    kl_to_components,
    kl_to_mixture,
    kl_to_standard_normal,
    responsibilities,
    standard_normal_prior,
)

CONFIG = MixtureConfig(max_components=16)
estimate = jax.jit(kl_to_mixture, static_argnames="method")
divergences = jax.jit(kl_to_components)


def prior_of(setting: str, config: MixtureConfig = CONFIG) -> tuple[np.ndarray, MixturePrior]:
    """Planted points and the mixture fitted to them, as JAX arrays."""
    points = planted(setting, 0).points
    prior = export_prior(cold_fit(points, config, 0)[0], config)
    return points.astype(np.float32), jax.tree.map(jnp.asarray, prior)


@pytest.fixture(scope="module")
def overlapping():
    return prior_of("overlapping")


@pytest.fixture(scope="module")
def separated():
    return prior_of("separated")


def posteriors(points, scale: float):
    """Forty means at data points and log variances around the logarithm of ``scale`` squared."""
    noise = np.random.default_rng(0).normal(0.0, 0.3, (40, points.shape[1]))
    return jnp.asarray(points[:40]), jnp.asarray(2.0 * np.log(scale) + noise, jnp.float32)


def draws(mean, log_variance, samples: int):
    noise = jax.random.normal(jax.random.key(1), (samples, *mean.shape))
    return mean + jnp.exp(0.5 * log_variance) * noise


@pytest.mark.parametrize("method", METHODS)
def test_one_standard_normal_component_gives_the_analytic_kl(method):
    rng = np.random.default_rng(0)
    mean = jnp.asarray(rng.standard_normal((500, 4)), jnp.float32)
    log_variance = jnp.asarray(rng.normal(-1.0, 0.5, (500, 4)), jnp.float32)
    expected = 0.5 * (np.exp(log_variance) + np.square(mean) - 1.0 - log_variance).sum(axis=1)
    np.testing.assert_allclose(kl_to_standard_normal(mean, log_variance), expected, rtol=1e-5)
    kl = estimate(mean, log_variance, standard_normal_prior(4, 16), jax.random.key(0), method)
    if method in ("gap", "monte_carlo"):
        error = kl - expected
        assert abs(error.mean()) < 5.0 * error.std() / np.sqrt(500)
    else:
        np.testing.assert_allclose(kl, expected, rtol=1e-4, atol=1e-4)


def test_divergence_from_each_component_matches_the_dense_formula(overlapping):
    points, prior = overlapping
    mean, log_variance = posteriors(points, 0.5)
    actual = np.asarray(divergences(mean, log_variance, prior))
    for k in np.flatnonzero(np.asarray(prior.log_weight) > -1e8):
        factor = np.linalg.inv(np.asarray(prior.inverse_cholesky[k], np.float64))
        covariance = factor @ factor.T
        precision = np.linalg.inv(covariance)
        for n in range(0, 40, 4):
            own = np.diag(np.exp(np.asarray(log_variance[n], np.float64)))
            offset = np.asarray(mean[n] - prior.mean[k], np.float64)
            ratio = np.linalg.slogdet(covariance)[1] - np.linalg.slogdet(own)[1]
            expected = 0.5 * (np.trace(precision @ own) + offset @ precision @ offset - 4.0 + ratio)
            assert actual[n, k] == pytest.approx(expected, rel=1e-4, abs=1e-3)


@jax.jit
def weighted_gradient(share, mean, log_variance, prior):
    """Gradients (n, 2 D) of sum_k share_k KL_k with the shares held constant."""

    def total(m, v):
        return (share * kl_to_components(m, v, prior)).sum()

    return jnp.concatenate(jax.grad(total, (0, 1))(mean, log_variance), axis=-1)


@pytest.mark.parametrize("scale", [0.1, 0.5, 1.0])
def test_gap_is_unbiased_and_upper_is_a_bound(overlapping, scale):
    points, prior = overlapping
    mean, log_variance = posteriors(points, scale)
    z = draws(mean, log_variance, 8000)
    sampled = jax.jit(jax.vmap(kl_to_mixture, (None, None, None, 0, None)), static_argnums=4)
    monte_carlo = np.asarray(sampled(mean, log_variance, prior, z, "monte_carlo"))
    gap = np.asarray(sampled(mean, log_variance, prior, z, "gap"))
    error = np.hypot(monte_carlo.std(axis=0), gap.std(axis=0)) / np.sqrt(len(z))
    assert (np.abs(gap.mean(axis=0) - monte_carlo.mean(axis=0)) < 5.0 * error + 1e-3).all()
    upper = np.asarray(estimate(mean, log_variance, prior, method="upper"))
    assert (upper >= gap.mean(axis=0) - 5.0 * gap.std(axis=0) / np.sqrt(len(z)) - 1e-3).all()
    if scale == 0.1:
        assert gap.std(axis=0).mean() < 0.5 * monte_carlo.std(axis=0).mean()


@partial(jax.jit, static_argnums=0)
def gradients(method, mean, log_variance, prior, noise):
    """Gradients (n, 2 D) of the sum over posteriors in mean and log variance, z reparametrised."""

    def total(m, v):
        z = m + jnp.exp(0.5 * v) * noise
        return kl_to_mixture(m, v, prior, z, method).sum()

    return jnp.concatenate(jax.grad(total, (0, 1))(mean, log_variance), axis=-1)


def test_gradient_of_gap_is_unbiased_with_little_noise(separated):
    points, prior = separated
    mean, log_variance = posteriors(points, 0.5)
    noise = jax.random.normal(jax.random.key(2), (4000, *mean.shape))
    by_method = {}
    for method in ("gap", "monte_carlo"):
        each = jax.jit(jax.vmap(lambda e, m=method: gradients(m, mean, log_variance, prior, e)))
        by_method[method] = np.asarray(each(noise), np.float64)
    error = by_method["monte_carlo"].std(axis=0) / np.sqrt(len(noise))
    difference = by_method["gap"].mean(axis=0) - by_method["monte_carlo"].mean(axis=0)
    assert (np.abs(difference) < 5.5 * error + 1e-3).all()
    noise_of = {m: np.median(np.sqrt(g.var(axis=0).sum(axis=1))) for m, g in by_method.items()}
    assert noise_of["gap"] < 0.1 * noise_of["monte_carlo"]


def test_gradient_of_upper_is_the_weighted_gradient_of_its_components(overlapping):
    points, prior = overlapping
    mean, log_variance = posteriors(points, 0.5)
    share = jax.nn.softmax(prior.log_weight - divergences(mean, log_variance, prior), axis=-1)
    actual = gradients("upper", mean, log_variance, prior, jnp.zeros_like(mean))
    expected = weighted_gradient(share, mean, log_variance, prior)
    np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-3)


def test_gap_is_the_weighted_sum_of_its_definition_with_constant_weights(overlapping):
    points, prior = overlapping
    prior = jax.tree.map(lambda leaf: leaf[np.asarray(prior.log_weight) > -1e8], prior)
    mean, log_variance = posteriors(points, 0.7)
    noise = jax.random.normal(jax.random.key(3), mean.shape)
    share = jax.nn.softmax(prior.log_weight - divergences(mean, log_variance, prior), axis=-1)

    @jax.jit
    def definition(m, v):
        z = m + jnp.exp(0.5 * v) * noise
        slack = jnp.log(responsibilities(z, prior)) - prior.log_weight
        return (share * (kl_to_components(m, v, prior) + slack)).sum()

    value = estimate(mean, log_variance, prior, mean + jnp.exp(0.5 * log_variance) * noise).sum()
    assert float(value) == pytest.approx(float(definition(mean, log_variance)), rel=1e-4)
    expected = jnp.concatenate(jax.grad(definition, (0, 1))(mean, log_variance), axis=-1)
    np.testing.assert_allclose(gradients("gap", mean, log_variance, prior, noise), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("method", ["soft", "hard"])
def test_responsibilities_of_the_published_forms_carry_no_gradient(overlapping, method):
    points, prior = overlapping
    mean, log_variance = posteriors(points, 0.7)
    z = draws(mean, log_variance, 1)[0]
    share = responsibilities(z, prior)
    if method == "hard":
        share = jax.nn.one_hot(share.argmax(axis=-1), share.shape[-1])
    np.testing.assert_allclose(
        gradients(method, mean, log_variance, prior, (z - mean) * jnp.exp(-0.5 * log_variance)),
        weighted_gradient(share, mean, log_variance, prior),
        rtol=1e-4,
        atol=1e-4,
    )


def test_the_published_forms_leave_out_the_weights(separated):
    points, prior = separated
    mean, log_variance = posteriors(points, 0.3)
    z = draws(mean, log_variance, 1)[0]
    gap = estimate(mean, log_variance, prior, z)
    for method in ("soft", "hard"):
        missing = gap - estimate(mean, log_variance, prior, z, method)
        assert missing.mean() == pytest.approx(np.log(8.0), abs=0.1)


def test_the_new_component_keeps_an_unseen_family_from_being_dragged():
    points, with_new = prior_of("separated")
    _, without = prior_of("separated", MixtureConfig(max_components=16, new_component=False))
    away = points[np.argmax(np.linalg.norm(points - points.mean(axis=0), axis=1))] - points.mean(axis=0)
    far = jnp.asarray(points.mean(axis=0) + away * (1.0 + 20.0 / np.linalg.norm(away)))[None]
    log_variance = jnp.full_like(far, -4.0)

    def pull(prior, mean):
        gradient = gradients("gap", mean, log_variance, prior, jnp.zeros_like(mean))
        return float(jnp.linalg.norm(gradient[0, :4]))

    assert pull(without, far) > 15.0
    assert pull(with_new, far) < 1.0
    inside = jnp.asarray(points[:1])
    assert pull(with_new, inside) == pytest.approx(pull(without, inside), abs=0.02)


def test_typed_and_raw_keys_make_the_draw(separated):
    points, prior = separated
    mean, log_variance = posteriors(points, 0.3)
    key = jax.random.key(5)
    z = mean + jnp.exp(0.5 * log_variance) * jax.random.normal(key, mean.shape)
    from_draw = estimate(mean, log_variance, prior, z, "monte_carlo")
    for given in (key, jax.random.PRNGKey(5)):
        from_key = estimate(mean, log_variance, prior, given, "monte_carlo")
        np.testing.assert_allclose(from_key, from_draw, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("method", ["gap", "hard"])
def test_batches_of_any_shape_keep_it(separated, method):
    points, prior = separated
    mean, log_variance = posteriors(points, 0.3)
    flat = estimate(mean, log_variance, prior, mean, method)
    folded = [array.reshape(5, 8, 4) for array in (mean, log_variance)]
    nested = estimate(*folded, prior, folded[0], method)
    assert nested.shape == (5, 8)
    np.testing.assert_allclose(nested.reshape(-1), flat, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_values_and_gradients_stay_finite_far_away_and_for_narrow_posteriors(separated, method):
    points, prior = separated
    mean = jnp.concatenate([jnp.asarray(points[:5]) * factor for factor in (1.0, 30.0, 1000.0)])
    for log_variance in (-20.0, 0.0, 5.0):
        spread = jnp.full_like(mean, log_variance)
        gradient = gradients(method, mean, spread, prior, jnp.ones_like(mean))
        assert jnp.isfinite(gradient).all()
        assert jnp.isfinite(estimate(mean, spread, prior, mean, method)).all()


def test_unknown_methods_and_missing_draws_are_refused():
    prior, zero = standard_normal_prior(2, 4), jnp.zeros((3, 2))
    with pytest.raises(ValueError, match="method: 'exact' must be one of gap, upper, soft, hard, monte_carlo"):
        estimate(zero, zero, prior, zero, "exact")
    with pytest.raises(ValueError, match="key_or_z: the method 'gap' needs"):
        estimate(zero, zero, prior)
