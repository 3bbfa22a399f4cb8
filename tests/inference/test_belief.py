"""Beliefs: what the newest reward says exactly replaces what was decoded, and only where it is close to it."""

import jax.numpy as jnp
import numpy as np
import pytest

from reinfer.bodies import Toy3dof
from reinfer.inference.belief import NEAR, explained_target, refine_target
from reinfer.inference.context import ContextWindow, RowLayout, make_rows
from reinfer.tasks import Tasks, reward

VELOCITY_FORWARD, VELOCITY_BACKWARD, GOAL_FORWARD, GOAL_BACKWARD = range(4)


def refined(decoded, family, reached, target):
    """The refined target of one family after reaching ``reached`` in its channel under the true ``target``."""
    reward = -abs(reached - target) / abs(target)
    x, velocity = (reached, 0.3) if family in (GOAL_FORWARD, GOAL_BACKWARD) else (0.3, reached)
    targets = jnp.full((1, 4), 1e6).at[0, family].set(decoded)
    return float(refine_target(targets, jnp.array([[0.0, 0.0, reward, x, velocity]]))[0, family])


@pytest.mark.parametrize(
    ("family", "reached", "target"),
    [
        (GOAL_FORWARD, 2.0, 9.0),
        (GOAL_FORWARD, 9.3, 9.0),
        (GOAL_FORWARD, -1.0, 2.0),
        (GOAL_BACKWARD, -4.9, -5.0),
        (GOAL_BACKWARD, 3.0, -5.0),
        (VELOCITY_FORWARD, 1.4, 1.5),
        (VELOCITY_BACKWARD, -2.2, -2.0),
    ],
)
@pytest.mark.parametrize("factor", [0.99, 1.0, 1.01])
def test_a_target_decoded_nearly_right_becomes_exact(family, reached, target, factor):
    assert refined(factor * target, family, reached, target) == pytest.approx(target, rel=1e-4)


def test_the_decoded_target_decides_on_which_side_of_the_value_reached():
    assert refined(9.1, GOAL_FORWARD, 9.3, 9.0) == pytest.approx(9.0, rel=1e-4)
    beyond = 9.3 / (1.0 - 0.3 / 9.0)
    assert refined(9.5, GOAL_FORWARD, 9.3, 9.0) == pytest.approx(beyond, rel=1e-4)


def test_a_target_decoded_far_off_is_left_alone():
    for factor in (1.0 - 2 * NEAR, 1.0 + 2 * NEAR):
        assert refined(factor * 9.0, GOAL_FORWARD, 0.0, 9.0) == pytest.approx(factor * 9.0)


@pytest.mark.parametrize("vz", [1.7, -1.7])
def test_jumps_are_corrected_by_the_magnitude_of_vz(vz):
    layout, target = RowLayout.of(Toy3dof.tasks), 2.0
    row = jnp.zeros((1, layout.size)).at[0, -1].set(vz).at[0, len(layout.channels)].set(-abs(1.7 - target) / target)
    found = refine_target(jnp.full((1, 7), 1e6).at[0, 6].set(1.01 * target), row, layout)
    assert float(found[0, 6]) == pytest.approx(target, rel=1e-4)


def test_without_a_row_nothing_changes():
    targets = jnp.array([[1.5, -2.0, 5.0, -7.0]])
    np.testing.assert_array_equal(refine_target(targets, jnp.zeros((1, 5))), targets)


def test_a_reward_of_minus_one_stays_finite():
    """Where the value is zero, or twice the target, one candidate is infinite."""
    found = refine_target(jnp.array([[1.5, -2.0, 5.0, -7.0]]), jnp.array([[0.0, 0.0, -1.0, 0.0, 0.0]]))
    assert np.isfinite(np.asarray(found)).all()


def rows_of(family, target, values):
    """A window (1, T, 5) of one task whose channel passes through ``values``, m or m/s."""
    tasks = Tasks(jnp.full(len(values), family), jnp.full(len(values), target))
    states = jnp.zeros((len(values), 6)).at[:, jnp.array([0, 3])].set(jnp.asarray(values)[:, None])
    rows = make_rows(jnp.zeros_like(states), reward(tasks, states), states)
    return ContextWindow(rows[None], jnp.array([len(values)]))


@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize(("family", "target"), [(0, 1.5), (1, -2.0), (2, 9.0), (3, -13.7)])
def test_a_millimetre_tells_the_side(family, target, side):
    """A body 0.4 beside its target, believed to be on the other side, moves by 2 mm (or mm/s)."""
    at = target + 0.4 * side
    window = rows_of(family, target, np.linspace(at, at + 0.002, 4))
    wrong = jnp.full((1, 4), target + 0.8 * side)
    found = explained_target(wrong, window, jnp.array([0]))
    assert found[0, family] == pytest.approx(target, rel=1e-3)


def test_rest_and_noise_leave_the_encoder_its_word():
    believed = jnp.array([[1.5, -2.0, 5.0, -7.0]])
    resting = rows_of(GOAL_FORWARD, 9.0, np.full(8, 8.0))
    np.testing.assert_array_equal(explained_target(believed, resting, jnp.array([0])), believed)
    moving = rows_of(GOAL_FORWARD, 9.0, np.linspace(8.0, 8.2, 8))
    noise = 0.02 * np.random.default_rng(0).standard_normal(8)
    noisy = moving._replace(rows=moving.rows.at[0, :, 2].add(noise))
    np.testing.assert_array_equal(explained_target(believed, noisy, jnp.array([0])), believed)


def test_only_rows_since_the_change_count():
    """Rows of an old task before those of the present one: no target explains both."""
    old = rows_of(GOAL_FORWARD, 20.0, np.linspace(5.0, 5.5, 6))
    new = rows_of(GOAL_BACKWARD, -4.0, np.linspace(5.5, 5.6, 4))
    window = ContextWindow(jnp.concatenate([old.rows, new.rows], axis=1), jnp.array([10]))
    believed = jnp.array([[1.5, -2.0, 5.0, -9.0]])
    since = explained_target(believed, window, jnp.array([6]))
    assert since[0, GOAL_BACKWARD] == pytest.approx(-4.0, rel=1e-3)
    np.testing.assert_array_equal(explained_target(believed, window, jnp.array([0])), believed)
