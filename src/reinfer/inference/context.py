"""Context windows: the last rows (s, r, s') that an agent has seen, and nothing else.

A row holds the toy's channels before the transition, the reward, and the channels after it:
``[x, vx, r, x', vx']``. Actions, the body's own observation and the task never enter.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.tasks import CHANNELS

#: Channels of the task-space state that a row holds, and the width of a row.
ROW_CHANNELS = ("x", "vx")
ROW_SIZE = 2 * len(ROW_CHANNELS) + 1
WINDOW = 32

_INDEX = np.array([CHANNELS.index(channel) for channel in ROW_CHANNELS])


class ContextWindow(NamedTuple):
    """A batch of windows: ``rows`` (N, W, 5) float32, oldest first, padded with zeros on the left; ``count`` (N,)."""

    rows: jax.Array
    count: jax.Array

    @property
    def valid(self) -> jax.Array:
        """Which rows are real, shape (N, W)."""
        width = self.rows.shape[1]
        return jnp.arange(width) >= width - self.count[:, None]


def make_rows(state, reward, next_state):
    """Rows (..., 5) from task-space states (..., 6), rewards (...,) and next states (..., 6); NumPy or JAX."""
    xp = state.__array_namespace__()
    parts = (state[..., _INDEX], reward[..., None], next_state[..., _INDEX])
    return xp.concatenate(parts, axis=-1)


def empty_window(count: int, width: int = WINDOW) -> ContextWindow:
    """``count`` windows that have seen nothing yet."""
    return ContextWindow(jnp.zeros((count, width, ROW_SIZE), jnp.float32), jnp.zeros(count, jnp.int32))


def append(window: ContextWindow, state, reward, next_state, where=None) -> ContextWindow:
    """The windows after one more transition each, the oldest row dropped when full.

    Args:
        state, next_state: task-space states (N, 6). reward: (N,).
        where: which windows receive their row, (N,) bool; all by default.
    """
    row = make_rows(jnp.asarray(state), jnp.asarray(reward), jnp.asarray(next_state)).astype(jnp.float32)
    rows = jnp.concatenate([window.rows[:, 1:], row[:, None]], axis=1)
    count = jnp.minimum(window.count + 1, window.rows.shape[1])
    if where is None:
        return ContextWindow(rows, count)
    where = jnp.asarray(where)
    return ContextWindow(jnp.where(where[:, None, None], rows, window.rows), jnp.where(where, count, window.count))
