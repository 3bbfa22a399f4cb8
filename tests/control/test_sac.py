"""Soft actor-critic: its losses against arithmetic, and learning where the answer is known."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reinfer.bodies import Toy1d
from reinfer.control import sac
from reinfer.control.networks import Layer
from reinfer.control.replay import Episodes, add_episodes, init_replay, sample_anchors, steps_at
from reinfer.control.sac import Batch, Hyperparameters, init_sac, mean_action, sample_action, update, values
from reinfer.tasks import Tasks, reward

STATE = init_sac(jax.random.key(0), 3, 2, (8, 8), temperature=0.5)
TUNED = Hyperparameters(target_rate=0.25, target_entropy=10.0)


def random_batch(key, size=64, inputs=3, actions=2):
    keys = jax.random.split(key, 4)
    return Batch(
        jax.random.normal(keys[0], (size, inputs)),
        jax.random.uniform(keys[1], (size, actions), minval=-1.0),
        jax.random.normal(keys[2], (size,)),
        jax.random.normal(keys[3], (size, inputs)),
        jnp.zeros(size),
    )


def test_density_of_drawn_actions():
    """The log density must be that of the action, not of the Gaussian behind it: bins must agree with it."""
    policy = (Layer(jnp.zeros((1, 2)), jnp.array([0.4, -0.3])),)
    actions, log_density = sample_action(jax.random.key(1), policy, jnp.zeros((200_000, 1)))
    share, edges = np.histogram(np.asarray(actions[:, 0]), bins=20, range=(-0.95, 0.99))
    which = np.digitize(np.asarray(actions[:, 0]), edges) - 1
    for index in range(20):
        mean_density = 1 / np.exp(-np.asarray(log_density)[which == index]).mean()
        expected = share[index] / len(actions) / (edges[1] - edges[0])
        assert mean_density == pytest.approx(expected, rel=0.1)
    _, far = sample_action(jax.random.key(2), (policy[0]._replace(bias=jnp.array([40.0, 0.0])),), jnp.zeros((9, 1)))
    assert np.isfinite(far).all(), "finite where tanh has rounded to 1"


def test_targets_bootstrap_through_a_time_limit_and_not_through_a_termination():
    state = STATE
    batch = random_batch(jax.random.key(1))
    batch = batch._replace(terminal=jnp.arange(64) % 2.0)
    hyper = Hyperparameters(discount=0.9)
    target = np.asarray(sac.soft_targets(jax.random.key(2), state, batch, hyper))
    actions, log_density = sample_action(jax.random.key(2), state.policy, batch.next_inputs)
    following = values(state.targets, batch.next_inputs, actions, False)
    going_on = batch.rewards + 0.9 * (np.minimum(*following) - 0.5 * log_density)
    np.testing.assert_allclose(target[1::2], batch.rewards[1::2], rtol=1e-6)
    np.testing.assert_allclose(target[0::2], going_on[0::2], rtol=1e-5)


@pytest.mark.parametrize("normalised", [False, True])
def test_losses_are_what_they_say(normalised):
    state = STATE
    batch, hyper = random_batch(jax.random.key(1)), Hyperparameters(normalised_critics=normalised)
    first, second = np.asarray(values(state.critics, batch.inputs, batch.actions, normalised))
    loss = sac.critic_loss(state.critics, batch, jnp.ones(64), hyper)
    assert float(loss) == pytest.approx(((first - 1) ** 2).mean() + ((second - 1) ** 2).mean(), rel=1e-5)
    assert not np.allclose(first, second), "the critics are two"
    key = jax.random.key(3)
    loss, log_density = sac.policy_loss(state.policy, key, state.critics, 0.5, batch.inputs, hyper)
    actions, _ = sample_action(key, state.policy, batch.inputs)
    value = np.minimum(*values(state.critics, batch.inputs, actions, normalised))
    assert float(loss) == pytest.approx(float((0.5 * log_density - value).mean()), rel=1e-4)


def test_one_update():
    """Targets move by their rate, everything else by Adam, the temperature towards its entropy."""
    state = STATE
    batch = random_batch(jax.random.key(1))
    new, metrics = update(jax.random.key(2), state, batch, TUNED)
    for old, target, critic in zip(*map(jax.tree.leaves, (state.targets, new.targets, new.critics)), strict=True):
        np.testing.assert_allclose(target, 0.75 * old + 0.25 * critic, atol=1e-6)
    for tree in ("policy", "critics"):
        changes = jax.tree.map(lambda a, b: float(abs(a - b).max()), getattr(state, tree), getattr(new, tree))
        assert all(0 < change < 4e-4 for change in jax.tree.leaves(changes)), tree
    assert metrics["temperature"] == pytest.approx(0.5)
    assert new.log_temperature == pytest.approx(float(state.log_temperature) + 3e-4, abs=1e-6)
    for entropy, direction in ((10.0, 1), (-10.0, -1)):
        gradient = jax.grad(sac.temperature_loss)(state.log_temperature, jnp.zeros(64), entropy)
        assert np.sign(-gradient) == direction, "up where the policy has too little entropy"


def test_update_is_deterministic_and_compiles_once():
    state = STATE
    update(jax.random.key(0), state, random_batch(jax.random.key(0)), TUNED)
    before = update._cache_size()
    ends = []
    for _ in range(2):
        end = state
        for step in range(3):
            end, _ = update(jax.random.key(step), end, random_batch(jax.random.key(step)), TUNED)
        ends.append(end)
    assert update._cache_size() == before
    for a, b in zip(*map(jax.tree.leaves, ends), strict=True):
        np.testing.assert_array_equal(a, b)


# ---- learning where the value is known


def constant(key, size):
    """Reward 1 for ever; only the discount bounds the value: 1 / (1 - 0.9)."""
    at = jnp.zeros((size, 1))
    return Batch(at, jax.random.uniform(key, (size, 1), minval=-1), jnp.ones(size), at, jnp.zeros(size))


def two_steps(key, size):
    """Reward 1 on the second step, then the end: values 0.9 and 1."""
    second = jnp.arange(size) % 2.0
    action = jax.random.uniform(key, (size, 1), minval=-1)
    return Batch(second[:, None], action, second, jnp.ones((size, 1)), second)


def action_dependent(key, size):
    """One step, reward 1 - (a - s / 2)^2: the best action is s / 2, its value 1."""
    state_key, action_key = jax.random.split(key)
    at = jnp.where(jax.random.bernoulli(state_key, 0.5, (size, 1)), 1.0, -1.0)
    action = jax.random.uniform(action_key, (size, 1), minval=-1)
    return Batch(at, action, 1.0 - jnp.square(action - at / 2)[:, 0], at, jnp.ones(size))


DIAGNOSTICS = {
    "constant": (constant, [0.0], [10.0], None),
    "two_steps": (two_steps, [0.0, 1.0], [0.9, 1.0], None),
    "action_dependent": (action_dependent, [-1.0, 1.0], [1.0, 1.0], [-0.5, 0.5]),
}


@partial(jax.jit, static_argnames="hyper")
def learn(state, batches, key, hyper):
    def step(state, keyed_batch):
        key, batch = keyed_batch
        return update(key, state, batch, hyper)

    return jax.lax.scan(step, state, (jax.random.split(key, batches.rewards.shape[0]), batches))[0]


@pytest.mark.learning
@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("name", DIAGNOSTICS)
def test_values_of_diagnostic_problems(name, normalised):
    make, states, expected, best = DIAGNOSTICS[name]
    hyper = Hyperparameters(0.9, target_rate=0.05, learning_rate=2e-3, normalised_critics=normalised)
    batches = jax.jit(jax.vmap(lambda key: make(key, 64)))(jax.random.split(jax.random.key(2), 1500))
    batches = jax.tree.map(np.asarray, batches)
    state = learn(INITIAL, batches, jax.random.key(1), hyper)
    at = jnp.array(states)[:, None]
    actions = mean_action(state.policy, at)
    found = np.asarray(values(state.critics, at, actions, normalised))
    np.testing.assert_allclose(found, np.tile(expected, (2, 1)), atol=0.1)
    if best is not None:
        np.testing.assert_allclose(actions[:, 0], best, atol=0.1)


INITIAL = init_sac(jax.random.key(0), 1, 1, (32, 32), temperature=5e-3)


@pytest.mark.learning
def test_a_policy_told_its_task_masters_the_toy():
    """All of it at once: replay, update, normalised critics. Perfect is -6, standing still is -200."""
    toy, horizon, hyper = Toy1d(), 200, Hyperparameters(learning_rate=1e-3, normalised_critics=True)
    train, held_out = (Tasks(*map(jnp.asarray, part)) for part in toy.tasks.grid_split(0))

    def told(state, tasks):
        channels = jnp.stack([state[..., 0] / 10, state[..., 3] / 3, tasks.target / 10], -1)
        return jnp.concatenate([channels, jax.nn.one_hot(tasks.family, 4)], -1)

    def roll(key, policy, tasks, deterministic):
        def step(state, key):
            inputs = told(state, tasks)
            action = mean_action(policy, inputs) if deterministic else sample_action(key, policy, inputs)[0]
            next_state = toy.step(state, action)
            return next_state, (next_state, action, reward(tasks, next_state))

        start = toy.reset(key, tasks.family.shape)
        _, (states, actions, rewards) = jax.lax.scan(step, start, jax.random.split(key, horizon))
        states = jnp.concatenate([start[None], states]).swapaxes(0, 1)
        size = tasks.family.shape[0]
        return Episodes(
            tasks, states, actions.swapaxes(0, 1), rewards.T, jnp.full(size, horizon), jnp.zeros(size, bool)
        )

    @jax.jit
    def iterate(carry, key):
        state, replay = carry
        collect_key, learn_key = jax.random.split(key)
        replay = add_episodes(replay, roll(collect_key, state.policy, train, False))

        def step(state, key):
            anchors = sample_anchors(key, replay, 256)
            steps, tasks = steps_at(replay, anchors), Tasks(*(t[anchors.slot] for t in replay.episodes.tasks))
            inputs, following = told(steps.state, tasks), told(steps.next_state, tasks)
            batch = Batch(inputs, steps.action, steps.reward, following, 1.0 * steps.terminal)
            return update(key, state, batch, hyper)[0], None

        return (jax.lax.scan(step, state, jax.random.split(learn_key, 200))[0], replay), None

    start = init_sac(jax.random.key(0), 7, 1, (64, 64), temperature=0.2), init_replay(1600, horizon, 1)
    (state, _), _ = jax.lax.scan(iterate, start, jax.random.split(jax.random.key(1), 15))
    returns = np.asarray(roll(jax.random.key(2), state.policy, held_out, True).reward.sum(1))
    assert state.log_temperature == start[0].log_temperature, "constant unless it is tuned"
    assert returns.mean() >= -25, returns.reshape(4, 10).mean(1)
