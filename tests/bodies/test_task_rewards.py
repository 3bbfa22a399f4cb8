"""Rewards and controlled values against numbers worked out by hand, on NumPy and on JAX arrays."""

import jax.numpy as jnp
import numpy as np
import pytest

from reinfer.tasks import (
    FAMILIES,
    FAMILY_NAMES,
    GOAL,
    JUMP,
    STAND,
    VELOCITY,
    Tasks,
    commanded_value,
    make_tasks,
    reward,
)

#                  x     z    pitch   vx    vz   pitch rate
STATE = np.array([3.0, 0.2, -0.75, -1.5, -2.0, 9.0])

#: (family, target, reward in STATE): -|channel - target| / |target|.
BY_HAND = [
    ("goal_forward", 4.0, -0.25),
    ("goal_forward", 3.0, 0.0),
    ("goal_backward", -2.0, -2.5),
    ("velocity_forward", 1.5, -2.0),
    ("velocity_backward", -2.0, -0.25),
    ("stand_front", 0.75, -2.0),
    ("stand_back", -1.5, -0.5),
    ("jump", 2.5, -0.2),
]


@pytest.mark.parametrize("array", [np.asarray, jnp.asarray])
def test_by_hand(array):
    tasks = make_tasks([(name, target) for name, target, _ in BY_HAND])
    rewards = reward(Tasks(array(tasks.family), array(tasks.target)), array(np.tile(STATE, (len(BY_HAND), 1))))
    np.testing.assert_allclose(rewards, [expected for *_, expected in BY_HAND], atol=1e-6)


def test_broadcasts_over_time():
    tasks = make_tasks([("goal_forward", 2.0), ("jump", 1.5)])
    trajectory = np.zeros((7, 2, 6))
    trajectory[:, 0, 0] = np.arange(7)
    rewards = reward(tasks, trajectory)
    np.testing.assert_allclose(rewards[:, 0], -np.abs(np.arange(7) - 2) / 2)
    np.testing.assert_allclose(rewards[:, 1], -1.0)


def test_commanded_value_per_kind():
    kinds = np.array([GOAL, VELOCITY, STAND, JUMP])
    np.testing.assert_allclose(commanded_value(kinds, np.tile(STATE, (4, 1))), [3.0, -1.5, -0.75, 2.0])


def test_every_family_is_worth_zero_at_its_target_and_minus_one_at_rest():
    signs = [family.sign for family in FAMILIES]
    tasks = make_tasks([(name, 1.7 * sign) for name, sign in zip(FAMILY_NAMES, signs, strict=True)])
    np.testing.assert_allclose(reward(tasks, np.zeros((11, 8))), -1.0)
    channels = [3, 3, 0, 0, 2, 2, 4, 7, 7, 6, 6]
    reached = np.zeros((11, 8))
    reached[np.arange(11), channels] = tasks.target
    np.testing.assert_allclose(reward(tasks, reached), 0.0, atol=1e-7)
