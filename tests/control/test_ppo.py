"""Proximal policy optimisation: each formula against an independent one, then learning itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from reinfer.control.networks import apply_mlp, init_mlp, mlp_arrays, mlp_from_arrays
from reinfer.control.normalisation import init_moments, normalise, update_moments
from reinfer.control.ppo import (
    Hyperparameters,
    Rollout,
    Samples,
    Schedule,
    advantages,
    gaussian_kl,
    init_actor_critic,
    init_learner,
    log_probability,
    loss,
    mean_action,
    update,
)

HYPER = Hyperparameters(
    policy_inputs=1,
    epochs=4,
    minibatches=4,
    discount=0.9,
    trace=0.8,
    clip=0.2,
    value_weight=0.5,
    max_gradient_norm=1.0,
    lowest_learning_rate=1e-5,
)
SCHEDULE = Schedule(*map(np.float32, (0.01, 0.0, 1e-2, 1.0)))


def brute_force_advantages(rewards, values, next_values, terminal, cut, discount, trace):
    """Discounted surprises summed up to the end of the trajectory that each step belongs to."""
    result = np.zeros_like(rewards)
    steps, copies = rewards.shape
    for n in range(copies):
        for t in range(steps):
            weight = 1.0
            for later in range(t, steps):
                follow = 0.0 if terminal[later, n] else next_values[later, n]
                result[t, n] += weight * (rewards[later, n] + discount * follow - values[later, n])
                if terminal[later, n] or cut[later, n]:
                    break
                weight *= discount * trace
    return result


def test_advantages_against_brute_force():
    rng = np.random.default_rng(0)
    rewards, values, next_values = rng.normal(size=(3, 12, 5))
    terminal, cut = (rng.random((2, 12, 5)) < 0.2).astype(float)
    rows = (rewards, values, next_values, terminal, cut)
    expected = brute_force_advantages(*rows, 0.9, 0.8)
    np.testing.assert_allclose(advantages(*map(jnp.asarray, rows), 0.9, 0.8), expected, rtol=1e-5, atol=1e-5)


def test_a_time_limit_is_not_a_termination():
    """Reward 1 for ever is worth 1 / (1 - discount): a cut keeps that, a fall does not."""
    worth, ones, zeros = jnp.full((1, 1), 10.0), jnp.ones((1, 1)), jnp.zeros((1, 1))
    assert float(advantages(ones, worth, worth, zeros, ones, 0.9, 0.8)[0, 0]) == pytest.approx(0, abs=1e-5)
    assert float(advantages(ones, worth, worth, ones, ones, 0.9, 0.8)[0, 0]) == pytest.approx(-9.0)


def test_gaussian_formulas_against_scipy():
    rng = np.random.default_rng(1)
    mean, old_mean, actions, log_std, old_log_std = rng.normal(size=(5, 6))
    expected = stats.norm(mean, np.exp(log_std)).logpdf(actions).sum() + 3 * np.log(2 * np.pi)
    assert float(log_probability(actions, mean, log_std)) == pytest.approx(expected, rel=1e-5)
    old = stats.norm(old_mean, np.exp(old_log_std))
    draws = old.rvs((400_000, 6), random_state=2)
    sampled = (old.logpdf(draws) - stats.norm(mean, np.exp(log_std)).logpdf(draws)).sum(1)
    exact = float(gaussian_kl(old_mean, old_log_std, mean, log_std))
    assert exact == pytest.approx(sampled.mean(), abs=5 * sampled.std() / len(sampled) ** 0.5)
    assert float(gaussian_kl(mean, log_std, mean, log_std)) == pytest.approx(0, abs=1e-6)


def samples_with_ratio(networks, log_ratio, advantage):
    inputs = jnp.linspace(-1, 1, len(advantage))[:, None]
    actions = apply_mlp(networks.policy, inputs) + 0.3
    log_prob = log_probability(actions, apply_mlp(networks.policy, inputs), networks.log_std) - log_ratio
    value = apply_mlp(networks.value, inputs)[:, 0]
    return Samples(inputs, actions, actions, log_prob, jnp.asarray(advantage), value)


def test_no_gradient_where_the_ratio_left_the_clip_range_in_the_good_direction():
    networks = init_actor_critic(jax.random.key(0), 1, 1, 1, (8,), std=0.5)
    gradient = jax.grad(lambda n, s: loss(n, s, 0.0, HYPER)[0])
    advantage = jnp.array([1.0, 1.0, -1.0, -1.0])
    done = gradient(networks, samples_with_ratio(networks, jnp.array([0.5, 0.5, -0.5, -0.5]), advantage))
    for leaf in jax.tree.leaves((done.policy, done.log_std)):
        np.testing.assert_allclose(leaf, 0, atol=1e-7)
    wrong_way = gradient(networks, samples_with_ratio(networks, jnp.array([-0.5, -0.5, 0.5, 0.5]), advantage))
    assert np.abs(wrong_way.policy[-1].bias).max() > 1e-2, "a mistake is always corrected"


def test_critic_only_columns_reach_no_action():
    networks = init_actor_critic(jax.random.key(1), 2, 3, 1, (8,), std=0.5)
    inputs = jnp.ones((4, 3))
    moments = init_moments(3)
    np.testing.assert_array_equal(
        mean_action(networks, moments, inputs), mean_action(networks, moments, inputs.at[:, 2].set(5.0))
    )


def test_moments_match_numpy_however_the_data_is_cut():
    data = np.random.default_rng(3).normal(3.0, 2.0, (1000, 4)).astype(np.float32)
    moments = init_moments(4)
    for part in np.split(data, [10, 400, 401]):
        moments = update_moments(moments, part)
    np.testing.assert_allclose(moments.mean, data.mean(0), rtol=1e-4)
    np.testing.assert_allclose(moments.variance, data.var(0), rtol=1e-3)
    np.testing.assert_allclose(normalise(moments, data).std(0), 1.0, rtol=1e-3)
    assert np.abs(normalise(moments, 1e6 * data)).max() <= 8.0


def test_networks_are_orthogonal_and_survive_naming():
    mlp = init_mlp(jax.random.key(2), (5, 16, 3), output_scale=0.01)
    np.testing.assert_allclose(mlp[0].weight @ mlp[0].weight.T, 2 * np.eye(5), atol=1e-5)
    np.testing.assert_allclose(mlp[1].weight.T @ mlp[1].weight, 1e-4 * np.eye(3), atol=1e-8)
    arrays = mlp_arrays("policy", mlp)
    assert set(arrays) == {f"policy/{layer}/{part}" for layer in (0, 1) for part in ("weight", "bias")}
    again = mlp_from_arrays("policy", arrays)
    for a, b in zip(jax.tree.leaves(mlp), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="critic: no such network"):
        mlp_from_arrays("critic", arrays)


def one_step_rollout(rng, state, copies=256, steps=4):
    """Actions should equal the input: reward -(a - x)^2; every step is an episode of its own."""
    inputs = rng.uniform(-1, 1, (steps, copies, 1)).astype(np.float32)
    flat = np.asarray(mean_action(state.networks, state.moments, inputs.reshape(-1, 1)))
    std = np.exp(np.asarray(state.networks.log_std))
    actions = flat.reshape(steps, copies, 1) + std * rng.standard_normal((steps, copies, 1), np.float32)
    rewards = -np.square(actions - inputs)[..., 0]
    ends = np.ones((steps, copies), np.float32)
    return Rollout(inputs, inputs, actions, rewards, ends, ends)


def test_learns_the_identity_and_its_value_and_compiles_once():
    state = init_learner(init_actor_critic(jax.random.key(3), 1, 1, 1, (32,), std=0.5), 1, 3e-3)
    rng = np.random.default_rng(4)
    traces = update._cache_size()
    for step in range(150):
        state, metrics = update(jax.random.key(step), state, one_step_rollout(rng, state), SCHEDULE, HYPER)
    assert update._cache_size() == traces + 1, "shapes and hyperparameters are constant: one compilation"
    x = np.linspace(-0.9, 0.9, 50, dtype=np.float32)[:, None]
    np.testing.assert_allclose(mean_action(state.networks, state.moments, x), x, atol=0.05)
    expected_value = -float(np.exp(2 * state.networks.log_std[0]))
    value = apply_mlp(state.networks.value, normalise(state.moments, x))
    np.testing.assert_allclose(value.mean(), expected_value, atol=0.02)
    assert 0.001 < float(metrics["kl"]) < 0.05


def test_update_is_a_function_of_its_arguments():
    state = init_learner(init_actor_critic(jax.random.key(5), 1, 1, 1, (8,), std=0.5), 1, 1e-3)
    rollout = one_step_rollout(np.random.default_rng(6), state, copies=32)
    results = [update(jax.random.key(k), state, rollout, SCHEDULE, HYPER)[0] for k in (0, 0, 1)]
    same = [
        all(np.array_equal(a, b) for a, b in zip(*map(jax.tree.leaves, pair), strict=True))
        for pair in (results[:2], results[1:])
    ]
    assert same == [True, False]


def test_standard_deviation_obeys_its_ceiling():
    state = init_learner(init_actor_critic(jax.random.key(7), 1, 1, 1, (8,), std=0.5), 1, 1e-3)
    rollout = one_step_rollout(np.random.default_rng(8), state, copies=32)
    state, _ = update(jax.random.key(0), state, rollout, SCHEDULE._replace(highest_std=np.float32(0.2)), HYPER)
    assert float(jnp.exp(state.networks.log_std[0])) <= 0.2 + 1e-6
