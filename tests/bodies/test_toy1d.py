"""The toy: closed-form dynamics, the published task grid, and what a perfect controller earns on it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reinfer.bodies import Toy1d
from reinfer.bodies.toy import HORIZON, Variation
from reinfer.tasks import FAMILY_NAMES, Tasks, reward


def states(count=64, seed=0):
    rng = np.random.default_rng(seed)
    values = np.zeros((count, 6))
    values[:, 0], values[:, 3] = rng.uniform(-25, 25, count), rng.uniform(-5, 5, count)
    return jnp.asarray(values, jnp.float32)


def test_one_step_from_anywhere():
    state = states()
    u = jnp.linspace(-1, 1, 64)
    reached = np.asarray(Toy1d().step(state, u[:, None]))
    np.testing.assert_allclose(reached[:, 0], np.asarray(state[:, 0] + 0.5 * u), atol=1e-6)
    np.testing.assert_allclose(reached[:, 3], np.asarray(5 * u), atol=1e-6)
    np.testing.assert_array_equal(reached[:, [1, 2, 4, 5]], 0)


def test_actions_are_clipped():
    state = states(2)
    beyond = Toy1d().step(state, jnp.array([[3.0], [-7.0]]))
    np.testing.assert_array_equal(beyond, Toy1d().step(state, jnp.array([[1.0], [-1.0]])))


def test_reset_law():
    start = np.asarray(Toy1d().reset(jax.random.key(0), (20000,)))
    assert np.abs(start[:, 0]).max() <= 0.01 and start[:, 0].std() == pytest.approx(0.01 / 3**0.5, rel=0.03)
    assert start[:, 3].std() == pytest.approx(0.1, rel=0.03)


def test_episodes_vary_in_noise_and_time_step():
    state, action = jnp.zeros((20000, 6)), jnp.full((20000, 1), 0.4)
    varied = Toy1d(process_noise=0.1, time_step_spread=1.0).variation(jax.random.key(2), (20000,))
    travel, noise = np.asarray(varied.travel), np.asarray(varied.noise)
    assert 0.5 <= travel.min() < 0.51 and 1.98 < travel.max() <= 2.0
    assert np.median(travel) == pytest.approx(1.0, rel=0.03), "log-uniform: as often longer as shorter"
    assert noise.min() < 1e-4 and 0.099 < noise.max() <= 0.1
    slower = Toy1d(time_step_spread=1.0, slow_spread=4.0).variation(jax.random.key(2), (20000,)).travel
    assert 0.2 <= slower.min() < 0.205 and 1.96 < slower.max() <= 2.0
    full = Variation(jnp.ones(20000), jnp.full(20000, 0.1), jnp.zeros(20000))
    noisy = np.asarray(Toy1d().step(state, action, jax.random.key(1), full))
    np.testing.assert_allclose(noisy[:, [0, 3]].mean(0), [0.2, 2.0], atol=0.005)
    np.testing.assert_allclose(noisy[:, [0, 3]].std(0), 0.1, rtol=0.03)
    nominal = Toy1d().variation(jax.random.key(2), (5,))
    assert np.all(nominal.travel == 1) and np.all(nominal.noise == 0) and np.all(nominal.inertia == 0)
    farther = Variation(jnp.full(1, 2.0), jnp.zeros(1), jnp.zeros(1))
    faster = Toy1d().step(state[:1], action[:1], jax.random.key(3), farther)
    np.testing.assert_allclose(faster[0, [0, 3]], [0.4, 2.0], atol=1e-6)


def test_a_toy_with_inertia_keeps_moving():
    """Speed 3 m/s, no force, three quarters kept: 2.25 m/s and 0.225 m on; with force 0.4 as well, 0.5 m/s more."""
    drawn = Toy1d(inertia=0.9).variation(jax.random.key(2), (20000,)).inertia
    assert 0.0 <= drawn.min() < 0.001 and 0.899 < drawn.max() <= 0.9
    state = jnp.zeros((2, 6)).at[:, 3].set(3.0)
    heavy = Variation(jnp.ones(2), jnp.zeros(2), jnp.full(2, 0.75))
    after = Toy1d().step(state, jnp.array([[0.0], [0.4]]), jax.random.key(0), heavy)
    np.testing.assert_allclose(after[:, [0, 3]], [[0.225, 2.25], [0.275, 2.75]], atol=1e-6)


def test_published_grid_of_tasks():
    train, held_out = Toy1d.tasks.grid_split(seed=0)
    assert (train.count, held_out.count) == (80, 40)
    ranges = {"velocity": (0.5, 3.0), "goal": (1.0, 25.0)}
    for family, name in enumerate(FAMILY_NAMES[:4]):
        kind, direction = name.split("_")
        sign = 1 if direction == "forward" else -1
        parts = [sign * np.asarray(part.target)[part.family == family] for part in (train, held_out)]
        assert [len(part) for part in parts] == [20, 10]
        grid = np.linspace(*ranges[kind], 30).astype(np.float32)
        np.testing.assert_array_equal(np.sort(np.concatenate(parts)), grid)
    assert FAMILY_NAMES[:4] == ("velocity_forward", "velocity_backward", "goal_forward", "goal_backward")
    other = Toy1d.tasks.grid_split(seed=1)[0]
    assert not np.array_equal(other.target, train.target)
    np.testing.assert_array_equal(Toy1d.tasks.grid_split(seed=0)[0].target, train.target)


@pytest.mark.parametrize("family", range(4))
def test_returns_of_a_controller_that_knows_the_task(family):
    """Velocity loses nothing; a goal g costs sum over its approach at 0.5 m a step, about -(|g| - 0.5)."""
    body, is_goal = Toy1d(), family >= 2
    magnitude = jnp.array([1.0, 2.0, 3.0] if not is_goal else [1.0, 5.5, 12.0, 25.0])
    tasks = Tasks(jnp.full(magnitude.shape, family), magnitude * (1 if family % 2 == 0 else -1))
    state = body.reset(jax.random.key(3), magnitude.shape)
    start = np.asarray(state[:, 0])
    total = np.zeros(magnitude.shape)
    for _ in range(HORIZON):
        wanted = (tasks.target - state[:, 0]) / 0.5 if is_goal else tasks.target / 5.0
        state = body.step(state, jnp.clip(wanted, -1, 1)[:, None])
        total += np.asarray(reward(tasks, state))
    if not is_goal:
        np.testing.assert_allclose(total, 0, atol=1e-4)
        return
    g = np.abs(np.asarray(tasks.target))
    # With r = |g - x0| the remaining distances after the steps are r - 0.5, r - 1, ... down to zero.
    exact = [
        -np.maximum(r - 0.5 * np.arange(1, HORIZON + 1), 0).sum() / t
        for r, t in zip(np.abs(np.asarray(tasks.target) - start), g, strict=True)
    ]
    np.testing.assert_allclose(total, exact, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(total, -(g - 0.5), rtol=0.02, atol=0.06)
