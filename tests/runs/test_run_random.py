"""Named randomness."""

import jax
import numpy as np
import pytest

from reinfer.runs import random
from reinfer.runs.errors import ConfigError


def test_values_are_pinned():
    """A change here would silently change every result ever published with a seed."""
    assert jax.random.key_data(random.key(3, "policy", 5)).tolist() == [1928126230, 781148034]
    assert random.generator(3, "policy", 5).integers(0, 1000, 4).tolist() == [386, 870, 142, 415]


def test_seed_stream_and_iteration_all_count():
    places = [(0, "a", 0), (1, "a", 0), (0, "b", 0), (0, "a", 1)]
    keys = {tuple(jax.random.key_data(random.key(*place)).tolist()) for place in places}
    draws = {random.generator(*place).random() for place in places}
    assert len(keys) == len(draws) == len(places)


def test_traced_seeds_and_iterations_give_the_same_keys():
    traced = jax.vmap(lambda seed: random.key(seed, "s", 4))(np.arange(3))
    single = jax.jit(lambda iteration: random.key(2, "s", iteration))(4)
    expected = jax.random.key_data(random.key(2, "s", 4))
    np.testing.assert_array_equal(jax.random.key_data(traced)[2], expected)
    np.testing.assert_array_equal(jax.random.key_data(single), expected)


def test_draws_of_a_key_are_as_those_of_a_generator():
    """Every method has the law of its namesake, and no two calls draw the same; bounds may be traced."""

    def numbers(rng, high):
        return (
            rng.random(4000),
            rng.random(4000),
            rng.uniform(-1.0, high, (2, 2000)),
            rng.standard_normal((4000,)),
            rng.integers(2, 5, 4000),
            rng.choice(3, 4000, p=np.array([0.5, 0.2, 0.3])),
            rng.choice([-1.0, 1.0], 4000),
        )

    ours = jax.jit(lambda key, high: numbers(random.Draws(key), high))(random.key(0, "s"), 3.0)
    theirs = numbers(np.random.default_rng(0), 3.0)
    for mine, its in zip(ours, theirs, strict=True):
        assert mine.shape == its.shape and mine.dtype.kind == its.dtype.kind
        np.testing.assert_allclose(np.quantile(mine, [0.05, 0.95]), np.quantile(its, [0.05, 0.95]), atol=0.12)
        assert abs(mine.mean() - its.mean()) < 0.1
    assert not np.array_equal(ours[0], ours[1])
    again = numbers(random.Draws(random.key(0, "s")), 3.0)
    np.testing.assert_allclose(again[0], ours[0])


@pytest.mark.parametrize("seed", [-1, 2**32])
@pytest.mark.parametrize("make", [random.key, random.generator])
def test_a_seed_out_of_range_is_refused(seed, make):
    with pytest.raises(ConfigError, match=f"seed: {seed} .* between 0 and 4294967295"):
        make(seed, "s")
