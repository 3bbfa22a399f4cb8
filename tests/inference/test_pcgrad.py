"""PCGrad: the projection as Yu et al. (2020) write it down, on gradients that are trees."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reinfer.inference.pcgrad import project_conflicts


def tree(rows):
    """Gradients (F, 3) as two leaves, one of them a matrix."""
    rows = jnp.asarray(rows, jnp.float32)
    return {"bias": rows[:, 0], "weight": rows[:, None, 1:]}


def vector(found):
    return np.concatenate([np.ravel(found["bias"]), np.ravel(found["weight"])])


def test_two_in_conflict_lose_their_parts_along_each_other():
    one, other = np.array([1.0, 0.0, 0.0]), np.array([-1.0, 1.0, 0.0])
    expected = (one - (one @ other) / 2.0 * other) + (other - (one @ other) * one)
    np.testing.assert_allclose(vector(project_conflicts(tree([one, other]), jax.random.key(0))), expected, atol=1e-6)


def test_without_a_conflict_it_is_the_sum():
    rows = np.array([[1.0, 0.0, 2.0], [0.0, 1.0, 1.0], [3.0, 0.5, 0.0]])
    np.testing.assert_allclose(vector(project_conflicts(tree(rows), jax.random.key(0))), rows.sum(axis=0), atol=1e-6)


def test_a_task_without_a_gradient_changes_nothing():
    rows = np.array([[1.0, 0.0, 2.0], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(vector(project_conflicts(tree(rows), jax.random.key(0))), rows[0], atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_the_result_is_that_of_the_algorithm_in_some_order(seed):
    """Three gradients, all in conflict: the projections of each are taken one after the other, against originals."""
    rows = np.random.default_rng(seed).standard_normal((3, 3))
    rows[1] -= 1.5 * rows[0]
    rows[2] -= 0.8 * (rows[0] + rows[1])

    def projected(own, order):
        gradient = rows[own].copy()
        for other in order:
            if gradient @ rows[other] < 0.0:
                gradient -= (gradient @ rows[other]) / (rows[other] @ rows[other]) * rows[other]
        return gradient

    ways = [[projected(i, order) for order in ((j, k), (k, j))] for i, j, k in ((0, 1, 2), (1, 0, 2), (2, 0, 1))]
    sums = [a + b + c for a in ways[0] for b in ways[1] for c in ways[2]]
    found = vector(project_conflicts(tree(rows), jax.random.key(seed)))
    assert min(np.abs(found - possible).max() for possible in sums) < 1e-5
    assert np.abs(found - rows.sum(axis=0)).max() > 1e-2
