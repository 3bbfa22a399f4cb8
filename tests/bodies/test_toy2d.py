"""The toy in the plane: on both axes what toy1d is, with the families of both."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from told import returns_of

from reinfer.bodies import Toy1d, Toy2d
from reinfer.bodies.toy import Variation
from reinfer.inference.context import RowLayout, make_rows
from reinfer.inference.rows import feature_size, row_features
from reinfer.tasks import FAMILY_NAMES, Tasks, make_tasks, reward

X, VX, Y, VY = 0, 3, 6, 7


def states(count=64, seed=0):
    rng = np.random.default_rng(seed)
    values = np.zeros((count, 8))
    values[:, [X, Y]], values[:, [VX, VY]] = rng.uniform(-25, 25, (count, 2)), rng.uniform(-5, 5, (count, 2))
    return jnp.asarray(values, jnp.float32)


def test_each_axis_slides_as_toy1d_does():
    state, action = states(), jnp.asarray(np.random.default_rng(1).uniform(-1.3, 1.3, (64, 2)), jnp.float32)
    reached = Toy2d().step(state, action)
    for axis, (position, velocity) in enumerate([(X, VX), (Y, VY)]):
        line = jnp.zeros((64, 6)).at[:, 0].set(state[:, position])
        expected = Toy1d().step(line, action[:, axis : axis + 1])
        np.testing.assert_array_equal(reached[:, [position, velocity]], expected[:, [0, 3]])


def test_noise_is_of_each_channel_its_own_and_travel_of_both_axes():
    variation = Variation(jnp.full(20000, 2.0), jnp.full(20000, 0.1))
    reached = Toy2d().step(jnp.zeros((20000, 8)), jnp.full((20000, 2), 0.4), jax.random.key(0), variation)
    found = np.asarray(reached)[:, [X, VX, Y, VY]]
    np.testing.assert_allclose(found.mean(0), [0.4, 2.0, 0.4, 2.0], atol=0.005)
    np.testing.assert_allclose(np.cov(found.T), 0.01 * np.eye(4), atol=5e-4)


@pytest.mark.parametrize(
    ("family", "target", "expected"),
    [
        ("goal_forward", 4.0, -0.5),
        ("velocity_backward", -1.0, -2.5),
        ("goal_left", 2.0, -2.5),
        ("goal_right", -6.0, -0.5),
        ("velocity_left", 0.5, -1.0),
        ("velocity_right", -2.0, -1.5),
    ],
)
def test_rewards_by_hand(family, target, expected):
    state = np.array([[2.0, 0.1, -0.4, 1.5, -2.0, 0.3, -3.0, 1.0]])
    assert reward(make_tasks([(family, target)]), state) == pytest.approx(expected)


def test_a_body_that_stays_in_the_plane_is_at_rest_in_y():
    tasks = make_tasks([("goal_left", 2.0), ("velocity_right", -2.0)])
    np.testing.assert_array_equal(reward(tasks, np.ones((2, 6))), -1.0)


def test_grid_of_tasks_has_those_of_toy1d_along_both_axes():
    train, heldout = Toy2d.tasks.grid_split(0)
    assert (train.count, heldout.count) == (160, 80)
    ranges = {"velocity": (0.5, 3.0), "goal": (1.0, 25.0)}
    for family in np.unique(train.family):
        kind, direction = FAMILY_NAMES[family].split("_")
        sign = 1 if direction in ("forward", "left") else -1
        found = np.concatenate([sign * part.target[part.family == family] for part in (train, heldout)])
        np.testing.assert_array_equal(np.sort(found), np.linspace(*ranges[kind], 30).astype(np.float32))
    line = Toy1d.tasks.grid_split(0)[1]
    np.testing.assert_array_equal(heldout.target[:40], line.target)


def test_rows_hold_both_axes_and_beliefs_have_places_of_their_own():
    layout = RowLayout.of(Toy2d.tasks)
    assert layout.channels == ("x", "vx", "y", "vy")
    before, after = np.arange(8.0)[None], 10.0 + np.arange(8.0)[None]
    row = make_rows(before, np.array([-0.5]), after, layout)
    np.testing.assert_array_equal(row, [[0.0, 3.0, 6.0, 7.0, -0.5, 10.0, 13.0, 16.0, 17.0]])
    assert row_features(row, layout).shape == (1, feature_size(layout))
    families = make_tasks([("velocity_backward", -1.0), ("goal_right", -1.0), ("jump", 1.0)]).family
    assert layout.place(families).tolist() == [1, 7, -1]
    low, high = Toy2d.tasks.range_of(families[:2])
    assert (low.tolist(), high.tolist()) == ([0.5, 1.0], [3.0, 25.0])
    names = [FAMILY_NAMES[layout.families[place]] for place in layout.family_mirror]
    assert names[:4] == ["velocity_backward", "velocity_forward", "goal_backward", "goal_forward"]
    assert names[4:] == ["velocity_left", "velocity_right", "goal_left", "goal_right"], "x -> -x leaves y alone"


def test_what_a_controller_that_is_told_the_tasks_earns():
    """The yardstick for agents: nothing lost on velocities, the way to goals at 0.5 m a step."""
    heldout = Toy2d.tasks.grid_split(0)[1]
    returns = returns_of(Toy2d(), heldout)
    assert returns.mean() == pytest.approx(-6.14, abs=0.05)
    is_velocity = np.array(["velocity" in FAMILY_NAMES[family] for family in heldout.family])
    np.testing.assert_allclose(returns[is_velocity], 0.0, atol=1e-3)
    goals = Tasks(heldout.family[~is_velocity], np.abs(heldout.target[~is_velocity]))
    np.testing.assert_allclose(returns[~is_velocity], 0.5 - goals.target, rtol=0.02, atol=0.06)
