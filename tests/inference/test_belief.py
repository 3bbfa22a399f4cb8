"""Beliefs: what the newest reward says exactly replaces what was decoded, and only where it is close to it."""

import jax.numpy as jnp
import numpy as np
import pytest

from reinfer.inference.belief import NEAR, refine_target
from reinfer.inference.context import RowLayout

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
    layout, target = RowLayout(7), 2.0
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
