"""Trunks of encoders: what is made of each row, in the light of the rows before it.

A trunk turns the features of T rows into T summaries, each of which may depend on rows up to its own; ``sequence``
does it in one pass (training), ``advance`` row by row from a ``memory`` of what it will need again (acting). The two
agree. No trunk sees further back than ``WINDOW`` rows.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from reinfer.control.equivariance import layer_mirrors, mlp_mirrors
from reinfer.control.networks import MLP, Layer, apply_mlp, init_mlp, normal
from reinfer.inference.context import WINDOW
from reinfer.tasks.mirror import Mirror, joined, swapped

#: Rows between the taps of each layer of convolutions: together they see 27 rows.
DILATIONS = (1, 3, 9)


class RowTrunk(NamedTuple):
    """A perceptron (K-H-H) on every row by itself."""

    network: MLP

    @classmethod
    def init(cls, key, features: int, hidden: int) -> "RowTrunk":
        """Fresh weights."""
        return cls(init_mlp(key, (features, hidden, hidden), weights=normal))

    def mirrors(self, features: Mirror) -> "RowTrunk":
        """How the mirror acts on the weights, given how it does on features."""
        return RowTrunk(mlp_mirrors(self.network, features, swapped(self.network[-1].bias.shape[0])))

    def start(self, count: int) -> tuple:
        """Nothing is remembered."""
        return ()

    def advance(self, memory, features):
        """Memory and summary (N, H) after one more row's features (N, K)."""
        return memory, self.sequence(features)

    def sequence(self, features) -> jax.Array:
        """Summaries (B, T, H) of features (B, T, K)."""
        return jax.nn.silu(apply_mlp(self.network, features, jax.nn.silu))


class WindowTrunk(NamedTuple):
    """A perceptron (32 K-H-H) on the last 32 rows side by side, newest last, zeros where there was none."""

    network: MLP

    @classmethod
    def init(cls, key, features: int, hidden: int) -> "WindowTrunk":
        """Fresh weights."""
        return cls(init_mlp(key, (WINDOW * features, hidden, hidden), weights=normal))

    def mirrors(self, features: Mirror) -> "WindowTrunk":
        """How the mirror acts on the weights, given how it does on features."""
        rows = joined(*[features] * WINDOW)
        return WindowTrunk(mlp_mirrors(self.network, rows, swapped(self.network[-1].bias.shape[0])))

    def start(self, count: int) -> jax.Array:
        """An empty window (N, 32, K)."""
        return jnp.zeros((count, WINDOW, self.network[0].weight.shape[0] // WINDOW))

    def advance(self, memory, features):
        """Memory and summary (N, H) after one more row's features (N, K)."""
        memory = slide(memory, features)
        return memory, self._summary(memory.reshape(len(memory), -1))

    def sequence(self, features) -> jax.Array:
        """Summaries (B, T, H) of features (B, T, K)."""
        count, length, size = features.shape
        padded = jnp.pad(features, ((0, 0), (WINDOW - 1, 0), (0, 0)))
        windows = padded[:, jnp.arange(length)[:, None] + jnp.arange(WINDOW)]
        return self._summary(windows.reshape(count, length, WINDOW * size))

    def _summary(self, rows):
        return jax.nn.silu(apply_mlp(self.network, rows, jax.nn.silu))


class ConvolutionTrunk(NamedTuple):
    """Causal dilated convolutions over embedded rows with residual connections (Bai et al. 2018, van den Oord 2016).

    A layer maps three taps side by side, oldest first, to H.
    """

    embedding: MLP
    layers: tuple[Layer, ...]

    @classmethod
    def init(cls, key, features: int, hidden: int) -> "ConvolutionTrunk":
        """Fresh weights."""
        first, *keys = jax.random.split(key, 1 + len(DILATIONS))
        layers = tuple(init_mlp(layer_key, (3 * hidden, hidden), weights=normal)[0] for layer_key in keys)
        return cls(init_mlp(first, (features, hidden, hidden), weights=normal), layers)

    def mirrors(self, features: Mirror) -> "ConvolutionTrunk":
        """How the mirror acts on the weights, given how it does on features."""
        hidden = swapped(self.layers[0].bias.shape[0])
        layers = tuple(layer_mirrors(joined(hidden, hidden, hidden), hidden) for _ in self.layers)
        return ConvolutionTrunk(mlp_mirrors(self.embedding, features, hidden), layers)

    def start(self, count: int) -> tuple[jax.Array, ...]:
        """Per layer the inputs that its older taps will need, (N, 2 x dilation, H)."""
        hidden = self.layers[0].bias.shape[0]
        return tuple(jnp.zeros((count, 2 * dilation, hidden)) for dilation in DILATIONS)

    def advance(self, memory, features):
        """Memory and summary (N, H) after one more row's features (N, K)."""
        summary, remembered = self._embed(features), []
        for layer, dilation, past in zip(self.layers, DILATIONS, memory, strict=True):
            remembered.append(slide(past, summary))
            summary = _convolve(layer, past[:, 0], past[:, dilation], summary)
        return tuple(remembered), summary

    def sequence(self, features) -> jax.Array:
        """Summaries (B, T, H) of features (B, T, K)."""
        summary, length = self._embed(features), features.shape[1]
        for layer, dilation in zip(self.layers, DILATIONS, strict=True):
            past = jnp.pad(summary, ((0, 0), (2 * dilation, 0), (0, 0)))
            summary = _convolve(layer, past[:, :length], past[:, dilation : dilation + length], summary)
        return summary

    def _embed(self, features):
        return jax.nn.silu(apply_mlp(self.embedding, features, jax.nn.silu))


def _convolve(layer: Layer, oldest, older, newest):
    taps = jnp.concatenate([oldest, older, newest], axis=-1)
    return newest + jax.nn.silu(taps @ layer.weight + layer.bias)


def slide(window, newest) -> jax.Array:
    """``window`` (N, W, H) without its oldest entry and with the ``newest`` (N, H)."""
    return jnp.concatenate([window[:, 1:], newest[:, None]], axis=1)
