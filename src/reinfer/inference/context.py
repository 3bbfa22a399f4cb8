"""Context windows: the last rows (s, r, s') that an agent has seen, and nothing else.

A row holds the channels that the toy's families reward, before the transition, the reward, and the channels after it:
``[x, vx, r, x', vx']`` on toy1d. Actions, the body's own observation and the task never enter, and neither does a
channel that no family rewards: what it does on a robot says nothing about the task.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.tasks import CHANNELS, FAMILIES, TaskDistribution
from reinfer.tasks.families import FAMILY_KIND, FAMILY_MIRROR

WINDOW = 32


@dataclass(frozen=True, slots=True)
class RowLayout:
    """What is where in the rows of a toy that tells ``families`` apart, indices into ``tasks.FAMILIES``; and in which
    order beliefs about them are: a family's *place*."""

    families: tuple[int, ...]

    @classmethod
    def of(cls, tasks: TaskDistribution) -> "RowLayout":
        """The layout for a toy of these tasks."""
        return cls(tuple(int(family) for family in tasks.families))

    @property
    def channels(self) -> tuple[str, ...]:
        """Channels of the task-space state that a row holds."""
        rewarded = {FAMILIES[family].channel for family in self.families}
        return tuple(channel for channel in CHANNELS if channel in rewarded)

    @property
    def size(self) -> int:
        """Width of a row."""
        return 2 * len(self.channels) + 1

    @property
    def index(self) -> np.ndarray:
        """Where the channels are in a task-space state."""
        return np.array([CHANNELS.index(channel) for channel in self.channels])

    @property
    def reached(self) -> np.ndarray:
        """Column of a row that holds the value reached in the channel of each family, (F,)."""
        columns = [self.channels.index(FAMILIES[family].channel) for family in self.families]
        return len(self.channels) + 1 + np.array(columns)

    @property
    def kinds(self) -> np.ndarray:
        """Kind of the family in each place, (F,)."""
        return FAMILY_KIND[list(self.families)]

    @property
    def family_mirror(self) -> np.ndarray:
        """Place of the family that each becomes in the mirror, (F,)."""
        return self.place(FAMILY_MIRROR[list(self.families)])

    def place(self, family):
        """Places (...,) of integer ``family`` (...,), NumPy or JAX; -1 where it is not among those told apart."""
        places = np.full(len(FAMILIES), -1, np.int32)
        places[list(self.families)] = np.arange(len(self.families))
        return family.__array_namespace__().asarray(places)[family]


#: Rows of a point on a line, toy1d.
LINE_ROWS = RowLayout((0, 1, 2, 3))


class ContextWindow(NamedTuple):
    """A batch of windows: ``rows`` (N, W, R) float32, oldest first, padded with zeros on the left; ``count`` (N,)."""

    rows: jax.Array
    count: jax.Array

    @property
    def valid(self) -> jax.Array:
        """Which rows are real, shape (N, W)."""
        return jnp.arange(self.rows.shape[1]) >= self.first[:, None]

    @property
    def first(self) -> jax.Array:
        """Index of the oldest real row, shape (N,)."""
        return self.rows.shape[1] - self.count


def make_rows(state, reward, next_state, layout: RowLayout = LINE_ROWS):
    """Rows (..., R) from task-space states (..., C), rewards (...,) and next states (..., C); NumPy or JAX."""
    xp = state.__array_namespace__()
    parts = (state[..., layout.index], reward[..., None], next_state[..., layout.index])
    return xp.concatenate(parts, axis=-1)


def empty_window(count: int, width: int = WINDOW, layout: RowLayout = LINE_ROWS) -> ContextWindow:
    """``count`` windows that have seen nothing yet."""
    return ContextWindow(jnp.zeros((count, width, layout.size), jnp.float32), jnp.zeros(count, jnp.int32))


def append(
    window: ContextWindow, state, reward, next_state, where=None, layout: RowLayout = LINE_ROWS
) -> ContextWindow:
    """The windows after one more transition each, the oldest row dropped when full.

    Args:
        state, next_state: task-space states (N, C). reward: (N,).
        where: which windows receive their row, (N,) bool; all by default.
        layout: of the rows of ``window``.
    """
    row = make_rows(jnp.asarray(state), jnp.asarray(reward), jnp.asarray(next_state), layout).astype(jnp.float32)
    rows = jnp.concatenate([window.rows[:, 1:], row[:, None]], axis=1)
    count = jnp.minimum(window.count + 1, window.rows.shape[1])
    if where is None:
        return ContextWindow(rows, count)
    where = jnp.asarray(where)
    return ContextWindow(jnp.where(where[:, None, None], rows, window.rows), jnp.where(where, count, window.count))


def merge_rows(window: ContextWindow, stride: int, layout: RowLayout = LINE_ROWS) -> ContextWindow:
    """The window in which every ``stride`` rows, counted from the newest, are one that spans them.

    Such a row has the state before the oldest of them, the reward and the state reached of the newest. A body that
    moves little between two rows so shows an encoder distances like those it was trained on. Groups at the old end may
    have fewer rows. ``stride`` must divide the width of the window.
    """
    count, width, size = window.rows.shape
    if width % stride:
        raise ValueError(f"stride: {stride} does not divide the {width} rows of the window")
    groups = window.rows.reshape(count, width // stride, stride, size)
    begin = jnp.arange(width // stride) * stride
    oldest = jnp.clip(window.first[:, None] - begin, 0, stride - 1)
    before = jnp.take_along_axis(groups, oldest[..., None, None], axis=2)[:, :, 0]
    is_before = jnp.arange(size) < len(layout.channels)
    return ContextWindow(jnp.where(is_before, before, groups[:, :, -1]), -(-window.count // stride))
