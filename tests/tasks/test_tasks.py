"""Tasks as values, and the one reward."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reinfer.bodies import Toy1d
from reinfer.tasks import (
    FAMILIES,
    KINDS,
    TaskDistribution,
    Tasks,
    commanded_value,
    controlled_value,
    make_tasks,
    reward,
)

STATE = np.array([[2.0, 0.1, -0.4, 1.5, -2.0, 0.3]])


@pytest.mark.parametrize(
    ("family", "target", "value", "expected"),
    [
        ("goal_forward", 4.0, 2.0, -0.5),
        ("goal_backward", -4.0, 2.0, -1.5),
        ("velocity_forward", 1.0, 1.5, -0.5),
        ("velocity_backward", -0.5, 1.5, -4.0),
        ("stand_front", 0.8, -0.4, -1.5),
        ("stand_back", -0.4, -0.4, 0.0),
        ("jump", 1.6, 2.0, -0.25),
    ],
)
def test_reward_is_the_relative_error_by_hand(family, target, value, expected):
    tasks = make_tasks([(family, target)])
    assert controlled_value(tasks.family, STATE) == pytest.approx(value)
    assert reward(tasks, STATE) == pytest.approx(expected, abs=1e-6)
    assert reward(Tasks(*map(jnp.asarray, tasks)), jnp.asarray(STATE)) == pytest.approx(expected, abs=1e-6)
    kind = np.array([KINDS.index(FAMILIES[tasks.family[0]].kind)])
    assert commanded_value(kind, STATE) == pytest.approx(value)


def test_grid_split_is_disjoint_and_covers_the_grid():
    train, held_out = Toy1d.tasks.grid_split(3)
    assert (train.count, held_out.count) == (80, 40)
    for family in range(4):
        parts = [np.abs(part.target[part.family == family]) for part in (train, held_out)]
        assert [len(part) for part in parts] == [20, 10]
        low, high = Toy1d.tasks.ranges[family][1:]
        grid = np.linspace(low, high, 30)
        np.testing.assert_allclose(np.sort(np.concatenate(parts)), grid, rtol=1e-6)
    assert not np.array_equal(train.target, Toy1d.tasks.grid_split(4)[0].target)


def test_samples_lie_in_range_with_the_sign_of_their_family():
    tasks = jax.jit(lambda key: Toy1d.tasks.sample(key, (4000,)))(jax.random.key(0))
    for family, (_, low, high) in enumerate(Toy1d.tasks.ranges):
        mine = np.asarray(tasks.target)[np.asarray(tasks.family) == family]
        assert 850 < len(mine) < 1150
        assert np.all(np.sign(mine) == FAMILIES[family].sign)
        assert low <= np.abs(mine).min() < low + 0.02 * (high - low)
        assert high - 0.02 * (high - low) < np.abs(mine).max() <= high


def test_bad_input_names_field_and_value():
    with pytest.raises(ValueError, match="'swim'.*goal_forward"):
        make_tasks([("swim", 1.0)])
    with pytest.raises(ValueError, match="-3.*goal_forward"):
        make_tasks([("goal_forward", -3.0)])
    with pytest.raises(ValueError, match=r"goal_forward.*\(2.0, 1.0\)"):
        TaskDistribution((("goal_forward", 2.0, 1.0),))
    with pytest.raises(ValueError, match="train: 30"):
        Toy1d.tasks.grid_split(0, per_family=30, train=30)
