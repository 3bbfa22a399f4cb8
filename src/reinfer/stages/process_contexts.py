"""Where contexts and targets of one family come from: slow random walks of many scales, and the agent's own episodes.

Walks keep a mean step and its spread for a while, as the published random "memory" policies do, so that contexts of a
body that stands, drifts or runs all occur. A task is known while data are made; the encoder sees rows only.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.bodies import Toy1d
from reinfer.inference.context import ContextWindow, append, empty_window
from reinfer.inference.process_loss import ProcessBatch
from reinfer.inference.process_networks import (
    HIGHEST_GOAL_M,
    ROWS,
    ProcessEncoder,
    ProcessPolicy,
    encode,
    process_action,
    project,
)
from reinfer.tasks import CHANNELS, GOAL, PLANE_CHANNELS, Tasks, distance_reward

#: Steps of a walk, the variance (m^2) of its mean step and the mean of its spread (m), as published.
WALK_STEPS, MEAN_VARIANCE, MEAN_SPREAD_M = 25, 0.05, 0.025

#: Walks per task. A context is from the first; targets are from all of them.
WALKS = 4

#: Toy steps that a row of a context spans; one of these is drawn per task.
STRIDES = (1, 1, 1, 2, 5)

#: Range of the factor on steps of scaled walks: from a body that hardly moves to one that runs.
_SCALES = (0.02, 2.0)
_X = CHANNELS.index("x")


class Walks(NamedTuple):
    """Of B tasks, ``WALKS`` each: positions (B, W, L+1) in m and the toy's actions (B, W, L)."""

    position: jax.Array
    action: jax.Array


class OwnEpisodes(NamedTuple):
    """Of B tasks over T steps: the states (B, T, 6) and windows in which the agent decided."""

    state: jax.Array
    window: ContextWindow


def random_walks(key, tasks: Tasks, published: bool) -> Walks:
    """Walks around tasks (B,). Unless ``published``, half of them are scaled and some begin near the goal."""
    keys = jax.random.split(key, 8)
    shape = (tasks.family.shape[0], WALKS)
    scale = jnp.exp(jax.random.uniform(keys[0], shape, minval=np.log(_SCALES[0]), maxval=np.log(_SCALES[1])))
    scale = jnp.where(jax.random.bernoulli(keys[1], 0.0 if published else 0.5, shape), scale, 1.0)
    mean = scale * np.sqrt(MEAN_VARIANCE) * jax.random.normal(keys[2], shape)
    spread = scale * MEAN_SPREAD_M * jax.random.exponential(keys[3], shape)
    anywhere = jax.random.uniform(keys[4], shape, maxval=HIGHEST_GOAL_M)
    near = tasks.target[:, None] + 0.3 * jax.random.normal(keys[5], shape)
    begin = jnp.where(jax.random.bernoulli(keys[7], 0.0 if published else 0.3, shape), near, anywhere)
    step = mean + spread * jax.random.normal(keys[6], (WALK_STEPS, *shape))
    body = Toy1d()
    action = jnp.clip(step / body.reach[GOAL], -1.0, 1.0)

    def walk(state, action):
        state = body.step(state, action[..., None])
        return state, state[..., _X]

    entry = jnp.zeros((*shape, len(PLANE_CHANNELS))).at[..., _X].set(begin)
    _, position = jax.lax.scan(walk, entry, action)
    return Walks(jnp.moveaxis(jnp.concatenate([begin[None], position]), 0, -1), jnp.moveaxis(action, 0, -1))


def walk_contexts(key, walks: Walks, tasks: Tasks, published: bool):
    """Contexts (B, C, 3) from the first walk of each task, and how many rows of each count, (B,).

    Unless ``published``, rows span a random stride and half of the contexts have fewer rows, down to none.
    """
    stride_key, end_key, count_key = jax.random.split(key, 3)
    count = tasks.family.shape[0]
    stride = jax.random.choice(stride_key, jnp.array((1,) if published else STRIDES), (count,))
    end = jax.random.randint(end_key, (count,), stride * ROWS, WALK_STEPS + 1)
    moments = end[:, None] - stride[:, None] * jnp.arange(ROWS, -1, -1)
    position = jnp.take_along_axis(walks.position[:, 0], moments, axis=1)
    rows = projected_rows(position[:, :-1], position[:, 1:], tasks)
    fewer = jax.random.randint(count_key, (count,), 0, ROWS)
    full = jnp.ones(count, bool) if published else jnp.arange(count) % 4 < 2
    return rows, jnp.where(full, ROWS, fewer)


def targets(key, walks: Walks, tasks: Tasks, number: int):
    """``number`` = T random transitions of each task, from any of its walks: rows (B, T, 3) and actions (B, T)."""
    count = tasks.family.shape[0]
    which = jax.random.randint(key, (count, number), 0, WALKS * WALK_STEPS)
    before, after, action = (
        jnp.take_along_axis(leaf.reshape(count, -1), which, axis=1)
        for leaf in (walks.position[..., :-1], walks.position[..., 1:], walks.action)
    )
    return projected_rows(before, after, tasks), action


def projected_rows(before, after, tasks: Tasks) -> jax.Array:
    """Rows (B, L, 3) from positions (B, L) before and after."""
    return jnp.stack([before, -jnp.abs(after - tasks.target[:, None]), after], axis=-1)


def own_episodes(
    key, body: Toy1d, tasks: Tasks, encoder: ProcessEncoder, policy: ProcessPolicy, length: int
) -> OwnEpisodes:
    """Episodes of the agent itself, with exploration noise of random size, from the toy's start."""
    keys = jax.random.split(key, 4)
    count = tasks.family.shape[0]
    variation = body.variation(keys[0], (count,))
    noise = jnp.exp(jax.random.uniform(keys[1], (count, 1), minval=np.log(0.002), maxval=np.log(0.2)))

    def step(moment, step_key):
        state, window = moment
        action_key, body_key = jax.random.split(step_key)
        action = process_action(policy, state, encode(encoder, project(window.rows), window.valid))
        action = jnp.clip(action + noise * jax.random.normal(action_key, action.shape), -1.0, 1.0)
        following = body.step(state, action, body_key, variation)
        seen = append(window, state, distance_reward(tasks, following), following)
        return (following, seen), OwnEpisodes(state, window)

    begin = (body.reset(keys[2], (count,)), empty_window(count, ROWS))
    _, episodes = jax.lax.scan(step, begin, jax.random.split(keys[3], length))
    return jax.tree.map(lambda leaf: leaf.swapaxes(0, 1), episodes)


def own_contexts(key, episodes: OwnEpisodes):
    """Contexts (B, C, 3) of random moments of the agent's own episodes, and how many rows of each count, (B,)."""
    count, length = episodes.window.count.shape
    moment = jax.random.randint(key, (count,), 0, length)
    of_moment = jax.tree.map(lambda leaf: leaf[jnp.arange(count), moment], episodes.window)
    return project(of_moment.rows), of_moment.count


def make_batch(rows, count, target_rows, action) -> ProcessBatch:
    """A batch from contexts (B, C, 3), the numbers of their rows that count, and targets."""
    return ProcessBatch(rows, jnp.arange(ROWS) >= ROWS - count[:, None], target_rows, action)
