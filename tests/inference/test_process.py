"""Bounds and contexts of the Neural Process: formulas against their definitions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reinfer.inference.context import ContextWindow, append, empty_window, merge_rows
from reinfer.inference.process_loss import (
    Objective,
    ProcessBatch,
    ceiling,
    gaussian_divergence,
    log_density,
    log_likelihood,
    process_bound,
)
from reinfer.inference.process_networks import GOALS, decode, encode, init_process
from reinfer.inference.readout import Posterior
from reinfer.stages.process_contexts import make_batch, random_walks, targets, walk_contexts
from reinfer.tasks import distance_reward, make_tasks


@pytest.fixture(scope="module")
def networks():
    return init_process(jax.random.key(0), 8, 8, 2)


@pytest.fixture(scope="module")
def batch() -> ProcessBatch:
    keys = jax.random.split(jax.random.key(1), 4)
    tasks = GOALS.sample(keys[0], (16,))
    walks = random_walks(keys[1], tasks, published=False)
    return make_batch(*walk_contexts(keys[2], walks, tasks, published=False), *targets(keys[3], walks, tasks, 5))


def test_distance_reward_is_in_metres_and_allows_a_goal_at_zero():
    tasks = make_tasks([("goal_forward", 5.0), ("velocity_backward", -2.0)])
    state = np.array([4.0, 0.0, 0.0, 1.5, 0.0, 0.0], np.float32)
    assert np.allclose(distance_reward(tasks, np.stack([state, state])), [-1.0, -3.5])
    assert np.allclose(distance_reward(tasks._replace(target=np.zeros(2, np.float32)), np.stack([state] * 2))[0], -4.0)


def test_the_ceiling_is_that_of_the_published_decoder(networks, batch):
    assert ceiling(5, 0.1) == pytest.approx(13.84, abs=0.005)
    # A decoder that is right about everything reaches it.
    latent = jnp.zeros((3, 16, 2))
    reward, position = decode(networks.decoder, batch.target_rows[..., 0], batch.action, jnp.zeros((16, 5, 2)))
    perfect = batch._replace(target_rows=jnp.stack([batch.target_rows[..., 0], reward, position], axis=-1))
    assert np.allclose(log_likelihood(networks.decoder, perfect, latent, 0.1), ceiling(5, 0.1), atol=1e-4)
    assert (log_likelihood(networks.decoder, batch, latent, 0.1) < ceiling(5, 0.1)).all()


def test_the_divergence_is_the_expected_difference_of_densities():
    one = Posterior(jnp.array([0.3, -1.0]), jnp.array([-0.5, 0.2]))
    other = Posterior(jnp.array([0.0, -0.4]), jnp.array([0.4, -0.3]))
    draws = one.mean + jnp.exp(0.5 * one.log_variance) * jax.random.normal(jax.random.key(0), (200_000, 2))
    sampled = (log_density(one, draws) - log_density(other, draws)).mean()
    assert float(gaussian_divergence(one, other)) == pytest.approx(float(sampled), abs=0.01)
    assert float(gaussian_divergence(one, one)) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("prior", ["context", "normal"])
def test_the_importance_weighted_bound_is_the_higher(networks, batch, prior):
    key = jax.random.key(2)
    # So wide that no term of the likelihood drowns the others.
    elbo, importance = (
        process_bound(networks, batch, key, Objective(prior, bound, 64, 1.0, 5.0))[0].mean()
        for bound in ("elbo", "importance")
    )
    assert elbo < importance < ceiling(5, 5.0) + 1.0


def test_padding_says_nothing_and_random_order_of_targets_changes_the_joint_context_only(networks, batch):
    rows = jnp.where(batch.valid[..., None], batch.rows, 7.0)
    for one, two in zip(
        encode(networks.encoder, rows, batch.valid), encode(networks.encoder, batch.rows, batch.valid), strict=True
    ):
        assert np.array_equal(one, two)
    nothing = encode(networks.encoder, rows, jnp.zeros_like(batch.valid))
    assert np.allclose(nothing.mean, nothing.mean[0]) and not batch.valid.all() and batch.valid.any(1).sum() > 8


def test_walks_obey_the_toy_and_targets_are_transitions_of_them():
    tasks = GOALS.sample(jax.random.key(3), (8,))
    walks = random_walks(jax.random.key(4), tasks, published=True)
    moved = np.diff(np.asarray(walks.position), axis=-1)
    assert np.allclose(moved, 0.5 * walks.action, atol=1e-5) and np.abs(walks.action).max() <= 1.0
    rows, action = targets(jax.random.key(5), walks, tasks, 20)
    assert np.allclose(rows[..., 2] - rows[..., 0], 0.5 * action, atol=1e-5)
    assert np.allclose(rows[..., 1], -np.abs(rows[..., 2] - tasks.target[:, None]))


def test_merged_rows_span_from_the_oldest_state_to_the_newest():
    window, state = empty_window(1, 6), np.zeros((1, 6), np.float32)
    for step in range(5):
        reached = state + np.eye(6, dtype=np.float32)[0]
        window, state = append(window, state, np.array([-step], np.float32), reached), reached
    merged = merge_rows(window, 3)
    assert merged.count.tolist() == [2]
    # x, reward, x' of a group of two and one of three rows.
    assert merged.rows[0][:, [0, 2, 3]].tolist() == [[0.0, -1.0, 2.0], [2.0, -4.0, 5.0]]
    assert all(np.array_equal(one, two) for one, two in zip(merge_rows(window, 1), window, strict=True))
    assert merge_rows(empty_window(1, 6), 3).count.tolist() == [0]
    with pytest.raises(ValueError, match="stride: 4 does not divide the 6 rows"):
        merge_rows(ContextWindow(window.rows, window.count), 4)
