"""Encoders made of a trunk (what each row says, ``trunks``) and a mode (how rows are put together, ``combination``)."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from reinfer.inference.context import ContextWindow, RowLayout
from reinfer.inference.readout import Posterior
from reinfer.inference.rows import feature_mirror, feature_size, row_features


class RowCarry(NamedTuple):
    """What the encoder knows of N contexts: the trunk's ``memory``, what the mode has ``held``, the ``newest`` row
    (N, R) and the number of rows ``count`` (N, 1)."""

    memory: Any
    held: Any
    newest: jax.Array
    count: jax.Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class RowEncoder:
    """A ``trunk`` whose summaries have ``width`` entries, a ``mode``, and the ``layout`` of the rows it reads."""

    trunk: Any
    mode: Any
    width: int = field(metadata={"static": True})
    layout: RowLayout = field(metadata={"static": True})

    @classmethod
    def init(cls, key, trunk: type, mode: type, width: int, hidden: int, latent: int, layout: RowLayout):
        """Fresh weights for a trunk and a mode of these types."""
        trunk_key, mode_key = jax.random.split(key)
        features = feature_size(layout)
        made = mode.init(mode_key, width, hidden, features, latent)
        return cls(trunk.init(trunk_key, features, hidden), made, width, layout)

    def mirrors(self) -> "RowEncoder":
        """How the mirror acts on the weights (see ``control.equivariance``)."""
        features = feature_mirror(self.layout)
        trunk, mode = self.trunk.mirrors(features), self.mode.mirrors(self.width, features)
        return RowEncoder(trunk, mode, self.width, self.layout)

    def start(self, count: int) -> RowCarry:
        """The carry of ``count`` contexts without a row."""
        rows = jnp.zeros((count, self.layout.size))
        return RowCarry(self.trunk.start(count), self.mode.start(count, self.width), rows, jnp.zeros((count, 1)))

    def advance(self, carry: RowCarry, row) -> RowCarry:
        """The carry after one more row (N, R)."""
        features = row_features(row, self.layout)
        memory, summary = self.trunk.advance(carry.memory, features)
        held = self.mode.add(carry.held, self.mode.prepare(summary, features), carry.count)
        return RowCarry(memory, held, row, carry.count + 1.0)

    def read(self, carry: RowCarry) -> Posterior:
        """Posterior after the rows that ``carry`` has seen."""
        return self._read(carry.held, carry.newest, carry.count)

    def encode_prefixes(self, rows) -> Posterior:
        """Posteriors after 0, 1, ..., T rows of each sequence: (B, T, R) -> leaves (B, T + 1, D), in one pass."""
        count, length = rows.shape[:2]
        features = row_features(rows, self.layout)
        prepared = self.mode.prepare(self.trunk.sequence(features), features)
        begin = self.mode.start(count, self.width)

        def step(held, moment):
            seen, row = moment
            held = self.mode.add(held, row, jnp.full((count, 1), seen))
            return held, held

        by_row = (jnp.arange(length, dtype=jnp.float32), jax.tree.map(lambda leaf: leaf.swapaxes(0, 1), prepared))
        _, held = jax.lax.scan(step, begin, by_row)
        held = jax.tree.map(lambda first, rest: jnp.concatenate([first[None], rest]).swapaxes(0, 1), begin, held)
        newest = jnp.pad(rows, ((0, 0), (1, 0), (0, 0)))
        seen = jnp.broadcast_to(jnp.arange(length + 1.0)[:, None], (count, length + 1, 1))
        return self._read(held, newest, seen)

    def carry_of_window(self, window: ContextWindow) -> RowCarry:
        """The carry after the real rows of each window, equal to that after ``advance`` by each of them."""

        def step(carry, moment):
            row, valid = moment
            return choose(valid, self.advance(carry, row), carry), None

        by_row = (window.rows.swapaxes(0, 1), window.valid.T)
        return jax.lax.scan(step, self.start(window.rows.shape[0]), by_row)[0]

    def _read(self, held, newest, count) -> Posterior:
        return self.mode.read(held, row_features(newest, self.layout) * (count > 0), count)


def choose(condition, one, other):
    """The carries ``one`` where ``condition`` (N,) holds, else ``other``; leaves (N, ...)."""

    def pick(a, b):
        return jnp.where(condition.reshape(-1, *[1] * (a.ndim - 1)), a, b)

    return jax.tree.map(pick, one, other)
