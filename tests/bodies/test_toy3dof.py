"""The toy of three degrees of freedom: its closed form, checked against the published formulas written out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from told import returns_of

from reinfer.bodies import Toy1d, Toy3dof
from reinfer.tasks import CHANNELS, GOAL, JUMP, STAND, VELOCITY, make_tasks


def states(count=256, seed=0):
    rng = np.random.default_rng(seed)
    low, high = [-25, 0, -1.5, -5, -3, -12], [25, 0.6, 1.5, 5, 3, 12]
    return rng.uniform(low, high, (count, 6))


def published_step(state, u):
    """One step of one state, as the published simulation is written."""
    x, z, pitch, vx, vz, rate = state
    vx = np.clip(vx + 0.1 * (50 * u[0] - 10 * vx), -5, 5)
    x = x + 0.1 * vx
    rate = np.clip(rate + 0.1 * (50 * u[1] - 50 / (4 * np.pi) * rate), -4 * np.pi, 4 * np.pi)
    pitch = np.clip(pitch + 0.1 * rate, -np.pi / 2, np.pi / 2)
    force = 0.0 if z > 0.3 or vz > 0 else 30.981 * abs(u[2])
    vz = np.clip(vz + 0.1 * (force - 9.81), -3, 3)
    z = z + 0.1 * vz
    if z < 0 and vz < 0:
        vz = 0.0
    return [x, np.clip(z, 0, 4), pitch, vx, vz, rate]


def test_one_step_from_anywhere():
    state, u = states(), np.random.default_rng(1).uniform(-1, 1, (256, 3))
    reached = np.asarray(Toy3dof().step(jnp.asarray(state), jnp.asarray(u)))
    expected = [published_step(*pair) for pair in zip(state, u, strict=True)]
    np.testing.assert_allclose(reached, expected, atol=2e-5)


def test_it_slides_as_toy1d_does():
    state = jnp.asarray(states())
    u = jnp.linspace(-1.2, 1.2, 256)
    action = jnp.stack([u, 0 * u, 0 * u], axis=-1)
    expected = Toy1d().step(state, u[:, None])
    np.testing.assert_allclose(Toy3dof().step(state, action)[:, [0, 3]], expected[:, [0, 3]], atol=1e-6)


def test_states_it_starts_from():
    start = np.asarray(Toy3dof().reset(jax.random.key(0), (5000,)))
    assert np.abs(start[:, :3]).max() <= 0.01 and (start[:, [1, 4]] >= 0).all()
    scattered = np.asarray(Toy3dof().scatter(jax.random.key(0), (5000,)))
    assert np.abs(scattered[:, 0]).max() <= 0.01
    assert np.ptp(scattered[:, 2]) > 3.0 and 0.2 < (scattered[:, 1] == 0).mean() < 0.5
    assert (scattered[scattered[:, 1] == 0, 4] == 0).all(), "what is on the ground does not fall"


def test_heading_for_a_task_one_is_told():
    tasks = make_tasks([("velocity_backward", -2.0), ("goal_forward", 5.0), ("stand_front", 1.2), ("stand_back", -0.7)])
    velocity, goal, *stands = returns_of(Toy3dof(), tasks)
    assert velocity == pytest.approx(0.0, abs=1e-3) and goal == pytest.approx(-4.5, abs=0.1)
    assert all(-3.0 < found < -0.01 for found in stands)
    jumps = returns_of(Toy3dof(), make_tasks([("jump", 1.6), ("jump", 2.0)]))
    assert (jumps > -125.0).all() and (jumps < -60.0).all(), "nobody can hold |vz|"


def test_sub_goals_are_what_was_reached_and_for_jumps_what_is_believed():
    toy, reached = Toy3dof(), jnp.asarray(states(4))
    for kind, channel in ((GOAL, "x"), (VELOCITY, "vx"), (STAND, "pitch")):
        found = toy.sub_goal(kind, reached, jnp.full(4, 9.0))
        np.testing.assert_array_equal(found, reached[:, CHANNELS.index(channel)])
    np.testing.assert_array_equal(toy.sub_goal(JUMP, reached, jnp.full(4, 2.5)), np.full(4, 2.5))
