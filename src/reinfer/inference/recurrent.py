"""A gated recurrent unit as a plain pytree (Cho et al. 2014, in the form of cuDNN and PyTorch; gates r, u, n)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from reinfer.tasks.mirror import Mirror, joined, swapped


class GRU(NamedTuple):
    """Weights: ``input`` (I, 3H), ``recurrent`` (H, 3H), ``bias`` (3H,), ``candidate_bias`` (H,); gates r, u, n."""

    input: jax.Array
    recurrent: jax.Array
    bias: jax.Array
    candidate_bias: jax.Array

    @property
    def hidden_size(self) -> int:
        """Width H of the hidden state."""
        return self.candidate_bias.shape[0]


def init_gru(key, input_size: int, hidden_size: int) -> GRU:
    """Variance-preserving normal weights, zero biases."""
    input_key, recurrent_key = jax.random.split(key)
    return GRU(
        input=jax.random.normal(input_key, (input_size, 3 * hidden_size)) / jnp.sqrt(input_size),
        recurrent=jax.random.normal(recurrent_key, (hidden_size, 3 * hidden_size)) / jnp.sqrt(hidden_size),
        bias=jnp.zeros(3 * hidden_size),
        candidate_bias=jnp.zeros(hidden_size),
    )


def gru_mirrors(inputs: Mirror, hidden_size: int) -> GRU:
    """How the mirror acts on the weights (see ``control.equivariance``), given how it does on the inputs."""
    hidden = swapped(hidden_size)
    gates = joined(hidden, hidden, hidden)
    return GRU((inputs, gates), (hidden, gates), (gates,), (hidden,))


def project_inputs(gru: GRU, inputs) -> jax.Array:
    """The part of all gates that does not depend on the hidden state: (..., I) -> (..., 3H), one matrix product."""
    return inputs @ gru.input + gru.bias


def gru_step(gru: GRU, hidden, projected) -> jax.Array:
    """Next hidden state (..., H) from ``hidden`` (..., H) and ``project_inputs`` of one row (..., 3H)."""
    size = gru.hidden_size
    recurrent = hidden @ gru.recurrent
    reset = jax.nn.sigmoid(projected[..., :size] + recurrent[..., :size])
    update = jax.nn.sigmoid(projected[..., size : 2 * size] + recurrent[..., size : 2 * size])
    candidate = jnp.tanh(projected[..., 2 * size :] + reset * (recurrent[..., 2 * size :] + gru.candidate_bias))
    return (1.0 - update) * candidate + update * hidden
