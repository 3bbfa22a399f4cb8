"""Thrust that is computed: it bounces better than greed, and acts only where it is wanted."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reinfer.bodies import Toy3dof
from reinfer.bodies.toy3dof import hop
from reinfer.control.belief_policy import init_policy, policy_action
from reinfer.control.bouncing import SHAPE, best_thrust, bounce_values
from reinfer.inference.belief import Belief

TARGETS = jnp.array([1.5, 2.1, 2.8])


@pytest.fixture(scope="module")
def values():
    found = bounce_values()
    assert found.shape == SHAPE
    return found


def cost_of(thrust_of):
    """Summed relative error of 120 steps from standing, per target."""

    def step(state, _):
        state = hop(*state, thrust_of(*state))
        return state, jnp.abs(jnp.abs(state[1]) - TARGETS) / TARGETS

    return np.asarray(jax.lax.scan(step, (jnp.zeros(3), jnp.zeros(3)), length=120)[1].sum(0))


def greedy(height, speed):
    """The thrust whose next |vz| is closest to the target."""
    thrusts = jnp.linspace(0.0, 1.0, 121)
    reached = hop(height[:, None], speed[:, None], thrusts)[1]
    return thrusts[jnp.argmin(jnp.abs(jnp.abs(reached) - TARGETS[:, None]), axis=-1)]


def test_it_bounces_better_than_greed_and_as_well_as_can_be(values):
    cost = cost_of(lambda height, speed: best_thrust(values, height, speed, TARGETS))
    assert (cost < cost_of(greedy) - 0.3).all()
    # Costs per step of an optimal bouncer, by value iteration on a grid eight times as fine: 0.382, 0.473, 0.593.
    np.testing.assert_allclose(cost / 120, [0.382, 0.473, 0.593], rtol=0.05)


def test_nothing_is_chosen_where_no_thrust_acts(values):
    height, speed = jnp.array([0.5, 0.1]), jnp.array([-1.0, 1.0])
    np.testing.assert_array_equal(best_thrust(values, height, speed, jnp.full(2, 2.0)), 0.0)


def test_only_a_jump_that_is_thought_possible_is_begun(values):
    body = Toy3dof()
    policy = init_policy(jax.random.key(0), 8, body)._replace(bounce=values)
    probability = jnp.zeros((2, 7)).at[0, 2].set(1.0).at[1, 6].set(1.0)
    belief = Belief(jnp.zeros((2, 1)), jnp.zeros((2, 1)), probability, jnp.full((2, 7), 2.0))
    action = policy_action(policy, body, jnp.zeros((2, 6)), belief)
    assert action.shape == (2, 3) and action[0, 2] == 0.0 and action[1, 2] > 0.5
