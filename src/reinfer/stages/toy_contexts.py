"""Where the rows come from that task inference learns from: random behaviours, and the agent's own.

An encoder that has seen many ways of behaving, noise and time steps cannot rely on how the toy moves, only on what
rewards say about states; that is why it transfers. Behaviours are drawn with knowledge of the task (they need to pass
near targets often); the encoder sees only the rows.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.bodies import Toy1d
from reinfer.bodies.toy1d import MAX_SPEED_MPS, TIME_STEP_S
from reinfer.control.belief_policy import BeliefPolicy, policy_action
from reinfer.inference.belief import belief_of
from reinfer.inference.context import make_rows
from reinfer.inference.decoder import TargetScale
from reinfer.inference.encoder import Carry, advance, read, start
from reinfer.inference.loss import Episodes, Inference
from reinfer.tasks import GOAL, Tasks, reward
from reinfer.tasks.families import FAMILY_KIND

#: How far from the origin episodes may be entered (m): beyond any goal, and where velocity tasks lead.
ENTRY_DISTANCE_M = {"goal": 30.0, "velocity": 60.0}


class Visited(NamedTuple):
    """What the agent's own episodes passed through, per step: state (B, T, 6), the encoder's carry (B, T, .)."""

    state: jax.Array
    carry: Carry


def training_tasks(key, body: Toy1d, count: int) -> Tasks:
    """Tasks (count,), two thirds from the toy's own ranges, the rest log-uniform from a fifth of their lower end.

    A robot's goal may be nearer than any of the toy's, and there small relative errors are the hardest.
    """
    keys = jax.random.split(key, 3)
    tasks = body.tasks.sample(keys[0], (count,))
    low, high = (jnp.array([r[end] for r in body.tasks.ranges])[tasks.family] for end in (1, 2))
    small = jnp.exp(jax.random.uniform(keys[1], (count,), minval=jnp.log(low / 5.0), maxval=jnp.log(high)))
    keeps = jax.random.bernoulli(keys[2], 2.0 / 3.0, (count,))
    return Tasks(tasks.family, jnp.where(keeps, tasks.target, jnp.sign(tasks.target) * small))


def entry_states(key, body: Toy1d, tasks: Tasks, near_spread: float) -> jax.Array:
    """States (B, 6) in which episodes are entered: some at the toy's reset, the rest anywhere, often near the goal."""
    keys = jax.random.split(key, 5)
    shape = tasks.family.shape
    is_goal = jnp.asarray(FAMILY_KIND)[tasks.family] == GOAL
    limit = jnp.where(is_goal, ENTRY_DISTANCE_M["goal"], ENTRY_DISTANCE_M["velocity"])
    anywhere = limit * jax.random.uniform(keys[0], shape, minval=-1.0)
    near_goal = tasks.target + near_spread * jnp.maximum(1.0, jnp.abs(tasks.target)) * jax.random.normal(keys[1], shape)
    x = jnp.where(is_goal & jax.random.bernoulli(keys[2], 0.6, shape), near_goal, anywhere)
    state = body.reset(keys[3], shape)
    at_reset = jax.random.bernoulli(keys[4], 0.4, shape)
    return state.at[..., 0].set(jnp.where(at_reset, state[..., 0], x))


def behaviour_episodes(key, body: Toy1d, count: int, length: int) -> Episodes:
    """Episodes of random controllers: they hold a position or a speed, near the target or not, with random noise."""
    keys = jax.random.split(key, 12)
    tasks = training_tasks(keys[0], body, count)
    is_goal = jnp.asarray(FAMILY_KIND)[tasks.family] == GOAL

    def uniform(index, low, high):
        return jax.random.uniform(keys[index], (count,), minval=low, maxval=high)

    aims_at_target = jax.random.bernoulli(keys[1], 0.6, (count,))
    holds_position = jnp.where(aims_at_target, is_goal, jax.random.bernoulli(keys[2], 0.5, (count,)))
    # Some hold a set-point that misses the target by a little, as a robot or a half-trained policy does.
    miss = jnp.where(jax.random.bernoulli(keys[3], 0.7, (count,)), 0.1 * jax.random.normal(keys[4], (count,)), 0.0)
    aimed = tasks.target * (1.0 + miss)
    position = jnp.where(aims_at_target & is_goal, aimed, uniform(5, -25.0, 25.0))
    speed = jnp.where(aims_at_target & ~is_goal, aimed, uniform(6, -3.5, 3.5))
    noise = jnp.exp(uniform(7, np.log(0.003), np.log(0.7)))
    variation = body.variation(keys[8], (count,))

    def step(state, step_key):
        action_key, body_key = jax.random.split(step_key)
        toward = (position - state[..., 0]) / (MAX_SPEED_MPS * TIME_STEP_S * variation.travel)
        action = jnp.where(holds_position, toward, speed / MAX_SPEED_MPS)
        action = jnp.clip(action + noise * jax.random.normal(action_key, (count,)), -1.0, 1.0)[..., None]
        following = body.step(state, action, body_key, variation)
        return following, (make_rows(state, reward(tasks, following), following), action)

    entry = entry_states(keys[9], body, tasks, near_spread=0.3)
    _, (rows, actions) = jax.lax.scan(step, entry, jax.random.split(keys[10], length))
    return Episodes(tasks, rows.swapaxes(0, 1), actions.swapaxes(0, 1))


def policy_episodes(
    key, body: Toy1d, inference: Inference, policy: BeliefPolicy, scale: TargetScale, count: int, length: int
) -> tuple[Episodes, Visited]:
    """Episodes of the agent itself with exploration noise of random size, and where they led it."""
    keys = jax.random.split(key, 5)
    tasks = training_tasks(keys[0], body, count)
    variation = body.variation(keys[1], (count,))
    noise = jnp.exp(jax.random.uniform(keys[2], (count, 1), minval=np.log(0.002), maxval=np.log(0.2)))

    def step(moment, step_key):
        state, seen = moment
        action_key, body_key = jax.random.split(step_key)
        belief = belief_of(inference.decoder, read(inference.encoder, seen), seen.newest, scale)
        action = policy_action(policy, state, belief)
        action = jnp.clip(action + noise * jax.random.normal(action_key, action.shape), -1.0, 1.0)
        following = body.step(state, action, body_key, variation)
        row = make_rows(state, reward(tasks, following), following)
        return (following, advance(inference.encoder, seen, row)), (row, action, Visited(state, seen))

    entry = entry_states(keys[3], body, tasks, near_spread=0.1)
    begin = (entry, start(inference.encoder, count))
    _, (rows, actions, visited) = jax.lax.scan(step, begin, jax.random.split(keys[4], length))
    rows, actions, visited = jax.tree.map(lambda leaf: leaf.swapaxes(0, 1), (rows, actions, visited))
    return Episodes(tasks, rows, actions), visited
