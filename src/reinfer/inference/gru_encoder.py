"""The default encoder: rows are embedded one by one and summarised by a GRU; padded rows leave its state untouched."""

from dataclasses import dataclass, field
from typing import NamedTuple

import jax
import jax.numpy as jnp

from reinfer.control.equivariance import mlp_mirrors
from reinfer.control.networks import MLP, Layer, apply_mlp, init_mlp, normal
from reinfer.inference.context import ContextWindow, RowLayout
from reinfer.inference.readout import (
    PROJECTIONS,
    Posterior,
    add_row,
    init_readout,
    moments_of_prefixes,
    read_out,
    readout_mirrors,
)
from reinfer.inference.recurrent import GRU, gru_mirrors, gru_step, init_gru, project_inputs
from reinfer.inference.rows import feature_mirror, feature_size, row_features
from reinfer.tasks.mirror import swapped


class GRUCarry(NamedTuple):
    """What the encoder knows of N contexts: the GRU's state ``hidden`` (N, H), the ``newest`` row (N, R), the
    ``mean`` features of all rows (N, K), ``scatter``, the summed squared deviation of their projections (N, 16), and
    their number ``count`` (N, 1)."""

    hidden: jax.Array
    newest: jax.Array
    mean: jax.Array
    scatter: jax.Array
    count: jax.Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class GRUEncoder:
    """Row embedding (K-H-H), GRU (H), the fields of a ``Readout``, and the ``layout`` of the rows it reads."""

    embedding: MLP
    gru: GRU
    projection: jax.Array
    readout: MLP
    shortcut: Layer
    layout: RowLayout = field(metadata={"static": True})

    @classmethod
    def init(cls, key, hidden: int, latent: int, layout: RowLayout) -> "GRUEncoder":
        """Fresh weights."""
        keys = jax.random.split(key, 5)
        features = feature_size(layout)
        readout = init_readout(keys[2:], hidden, features, latent)
        embedding = init_mlp(keys[0], (features, hidden, hidden), weights=normal)
        return cls(embedding, init_gru(keys[1], hidden, hidden), *readout, layout)

    def mirrors(self) -> "GRUEncoder":
        """How the mirror acts on the weights (see ``control.equivariance``)."""
        features, hidden = feature_mirror(self.layout), swapped(self.gru.hidden_size)
        gru = gru_mirrors(hidden, self.gru.hidden_size)
        embedding = mlp_mirrors(self.embedding, features, hidden)
        return GRUEncoder(embedding, gru, *readout_mirrors(self, features), self.layout)

    def start(self, count: int) -> GRUCarry:
        """The carry of ``count`` contexts without a row."""
        sizes = (self.gru.hidden_size, self.layout.size, feature_size(self.layout), PROJECTIONS, 1)
        return GRUCarry(*(jnp.zeros((count, size)) for size in sizes))

    def advance(self, carry: GRUCarry, row) -> GRUCarry:
        """The carry after one more row (N, R)."""
        features = row_features(row, self.layout)
        return self._advance(carry, row, features, self._gate_inputs(features))

    def read(self, carry: GRUCarry) -> Posterior:
        """Posterior after the rows that ``carry`` has seen; leading axes as in its leaves."""
        newest = row_features(carry.newest, self.layout) * (carry.count > 0)
        return read_out(self, carry.hidden, newest, carry.mean, carry.scatter, carry.count)

    def encode_prefixes(self, rows) -> Posterior:
        """Posteriors after 0, 1, ..., T rows of each sequence: (B, T, R) -> leaves (B, T + 1, D), in one pass."""
        features = row_features(rows, self.layout)
        begin = jnp.zeros((rows.shape[0], self.gru.hidden_size))

        def step(hidden, gates):
            hidden = gru_step(self.gru, hidden, gates)
            return hidden, hidden

        _, hidden = jax.lax.scan(step, begin, self._gate_inputs(features).swapaxes(0, 1))
        hidden = jnp.concatenate([begin[None], hidden]).swapaxes(0, 1)
        newest = jnp.pad(features, ((0, 0), (1, 0), (0, 0)))
        count = jnp.arange(rows.shape[1] + 1.0)[:, None]
        return read_out(self, hidden, newest, *moments_of_prefixes(self, features), count)

    def carry_of_window(self, window: ContextWindow) -> GRUCarry:
        """The carry after the real rows of each window, equal to that after ``advance`` by each of them."""
        features = row_features(window.rows, self.layout)

        def step(carry, row):
            *row, valid = row
            following = self._advance(carry, *row)
            return jax.tree.map(lambda a, b: jnp.where(valid[:, None], a, b), following, carry), None

        gates = self._gate_inputs(features)
        by_row = (*(leaf.swapaxes(0, 1) for leaf in (window.rows, features, gates)), window.valid.T)
        carry, _ = jax.lax.scan(step, self.start(window.rows.shape[0]), by_row)
        return carry

    def _advance(self, carry: GRUCarry, row, features, projected) -> GRUCarry:
        mean, scatter = add_row(self, carry.mean, carry.scatter, carry.count, features)
        return GRUCarry(gru_step(self.gru, carry.hidden, projected), row, mean, scatter, carry.count + 1.0)

    def _gate_inputs(self, features):
        return project_inputs(self.gru, jax.nn.silu(apply_mlp(self.embedding, features, jax.nn.silu)))
