"""Trunks that attend: a transformer, and attention over pairs of rows. See ``trunks`` for what a trunk is.

Both look back at most ``WINDOW`` rows; keys and values of past rows are the memory.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.control.equivariance import mlp_mirrors
from reinfer.control.networks import MLP, apply_mlp, init_mlp, normal
from reinfer.inference.context import WINDOW
from reinfer.inference.trunks import slide
from reinfer.tasks.mirror import Mirror, swapped

HEADS, BLOCKS = 4, 2
#: By how much per row of distance each head attends less (Press et al. 2022): two see all rows alike. The same for
#: heads that the mirror exchanges, first with last.
SLOPES = np.array([0.0, 0.5, 0.5, 0.0], np.float32)
_NEVER = -1e9


class Block(NamedTuple):
    """Pre-normalised self-attention and perceptron of width E: gains (E,), matrices (E, E), perceptron E-2E-E."""

    attention_gain: jax.Array
    query: jax.Array
    key: jax.Array
    value: jax.Array
    output: jax.Array
    feed_gain: jax.Array
    feed: MLP


class TransformerTrunk(NamedTuple):
    """Causal self-attention with linear distance biases (Vaswani et al. 2017; Press et al. 2022), width E = H / 2."""

    embedding: MLP
    blocks: tuple[Block, ...]
    gain: jax.Array

    @classmethod
    def init(cls, key, features: int, hidden: int) -> "TransformerTrunk":
        """Fresh weights."""
        width = hidden // 2
        first, *keys = jax.random.split(key, 1 + BLOCKS)
        return cls(
            init_mlp(first, (features, hidden, width), weights=normal),
            tuple(_init_block(block_key, width) for block_key in keys),
            jnp.ones(width),
        )

    def mirrors(self, features: Mirror) -> "TransformerTrunk":
        """How the mirror acts on the weights, given how it does on features."""
        width = swapped(self.gain.shape[0])
        matrix, gain = (width, width), (width,)
        blocks = tuple(
            Block(gain, matrix, matrix, matrix, matrix, gain, mlp_mirrors(block.feed, width, width))
            for block in self.blocks
        )
        return TransformerTrunk(mlp_mirrors(self.embedding, features, width), blocks, gain)

    def start(self, count: int):
        """How many rows there were (N, 1), and per block keys and values of the last 32 of them, (N, 32, E)."""
        empty = jnp.zeros((count, WINDOW, self.gain.shape[0]))
        return jnp.zeros((count, 1)), tuple((empty, empty) for _ in self.blocks)

    def advance(self, memory, features):
        """Memory and summary (N, E) after one more row's features (N, K)."""
        seen, past = memory
        seen = seen + 1.0
        distance = WINDOW - 1.0 - jnp.arange(WINDOW)
        allowed = distance < seen
        summary, remembered = apply_mlp(self.embedding, features, jax.nn.silu), []
        for block, (keys, values) in zip(self.blocks, past, strict=True):
            rows = _normalised(summary, block.attention_gain)
            keys, values = slide(keys, rows @ block.key), slide(values, rows @ block.value)
            remembered.append((keys, values))
            found = _attend((rows @ block.query)[:, None], keys, values, distance[None], allowed[:, None])
            summary = _feed(block, summary + found[:, 0] @ block.output)
        return (seen, tuple(remembered)), _normalised(summary, self.gain)

    def sequence(self, features) -> jax.Array:
        """Summaries (B, T, E) of features (B, T, K)."""
        moment = jnp.arange(features.shape[1])
        distance = (moment[:, None] - moment).astype(jnp.float32)
        allowed = ((distance >= 0) & (distance < WINDOW))[None]
        summary = apply_mlp(self.embedding, features, jax.nn.silu)
        for block in self.blocks:
            rows = _normalised(summary, block.attention_gain)
            found = _attend(rows @ block.query, rows @ block.key, rows @ block.value, distance, allowed)
            summary = _feed(block, summary + found @ block.output)
        return _normalised(summary, self.gain)


def _init_block(key, width: int) -> Block:
    keys = jax.random.split(key, 5)
    query, keys_of, value, output = (jax.random.normal(k, (width, width)) / jnp.sqrt(width) for k in keys[:4])
    feed = init_mlp(keys[4], (width, 2 * width, width), weights=normal)
    return Block(jnp.ones(width), query, keys_of, value, output, jnp.ones(width), feed)


def _normalised(rows, gain):
    """Root-mean-square normalisation (Zhang and Sennrich 2019)."""
    return rows * jax.lax.rsqrt(jnp.square(rows).mean(-1, keepdims=True) + 1e-6) * gain


def _feed(block: Block, summary):
    return summary + apply_mlp(block.feed, _normalised(summary, block.feed_gain), jax.nn.silu)


def _attend(queries, keys, values, distance, allowed):
    """What T queries (N, T, E) find in S rows (N, S, E), at ``distance`` (T, S), where ``allowed`` (N or 1, T, S)."""
    queries, keys, values = (leaf.reshape(*leaf.shape[:-1], HEADS, -1) for leaf in (queries, keys, values))
    scores = jnp.einsum("nthd,nshd->nhts", queries, keys) / np.sqrt(queries.shape[-1])
    scores = scores - SLOPES[:, None, None] * distance
    share = jax.nn.softmax(jnp.where(allowed[:, None], scores, _NEVER), axis=-1)
    found = jnp.einsum("nhts,nshd->nthd", share, values)
    return found.reshape(*found.shape[:2], -1)


class PairTrunk(NamedTuple):
    """Attention over the pairs that a row forms with itself and with every row before it.

    A pair (i, j) is embedded as ``silu(one(e_i) + other(e_j))``; heads weigh pairs by a softmax of learned scores. A
    pair of rows of one task contradicts wrong families, which no single row does. After the pair aggregation of Durmann
    (2023), with attention in the place of random partners. Embeddings have the width E = H / 2.
    """

    embedding: MLP
    one: jax.Array
    other: jax.Array
    bias: jax.Array
    score: jax.Array
    value: jax.Array

    @classmethod
    def init(cls, key, features: int, hidden: int) -> "PairTrunk":
        """Fresh weights."""
        keys, width = jax.random.split(key, 5), hidden // 2

        def matrix(key, columns):
            return jax.random.normal(key, (width, columns)) / jnp.sqrt(width)

        return cls(
            init_mlp(keys[0], (features, hidden, width), weights=normal),
            matrix(keys[1], width),
            matrix(keys[2], width),
            jnp.zeros(width),
            matrix(keys[3], HEADS),
            matrix(keys[4], width),
        )

    def mirrors(self, features: Mirror) -> "PairTrunk":
        """How the mirror acts on the weights, given how it does on features."""
        width = swapped(self.bias.shape[0])
        matrix = (width, width)
        embedding = mlp_mirrors(self.embedding, features, width)
        return PairTrunk(embedding, matrix, matrix, (width,), (width, swapped(HEADS)), matrix)

    def start(self, count: int):
        """How many rows there were (N, 1), and what the last 32 are in a pair, (N, 32, E)."""
        return jnp.zeros((count, 1)), jnp.zeros((count, WINDOW, self.bias.shape[0]))

    def advance(self, memory, features):
        """Memory and summary (N, E) after one more row's features (N, K)."""
        seen, others = memory
        embedded = self._embed(features)
        seen, others = seen + 1.0, slide(others, embedded @ self.other)
        allowed = WINDOW - jnp.arange(WINDOW) <= seen
        return (seen, others), self._attend(embedded[:, None], others, allowed[:, None])[:, 0]

    def sequence(self, features) -> jax.Array:
        """Summaries (B, T, E) of features (B, T, K)."""
        embedded, moment = self._embed(features), jnp.arange(features.shape[1])
        distance = moment[:, None] - moment
        return self._attend(embedded, embedded @ self.other, ((distance >= 0) & (distance < WINDOW))[None])

    def _embed(self, features):
        return jax.nn.silu(apply_mlp(self.embedding, features, jax.nn.silu))

    def _attend(self, embedded, others, allowed):
        """Summaries (N, T, E) of T rows (N, T, E), each paired with those of S ``others`` that are ``allowed``."""
        pairs = jax.nn.silu((embedded @ self.one)[:, :, None] + others[:, None] + self.bias)
        scores = jnp.where(allowed[..., None], pairs @ self.score, _NEVER)
        share = jax.nn.softmax(scores, axis=2)
        found = jnp.einsum("ntsh,ntshd->nthd", share, pairs.reshape(*pairs.shape[:3], HEADS, -1))
        return embedded + found.reshape(embedded.shape) @ self.value
