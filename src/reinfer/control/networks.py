"""Multi-layer perceptrons as plain pytrees: initialise, apply, name their arrays for a model file."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Layer(NamedTuple):
    """One affine layer: ``weight`` (inputs, outputs), ``bias`` (outputs,)."""

    weight: jax.Array
    bias: jax.Array


#: A perceptron: its layers from input to output.
MLP = tuple[Layer, ...]


def normal(gain: float):
    """Independent normal weights with the variance of ``orthogonal(gain)``; they compile in a tenth of the time."""
    return jax.nn.initializers.variance_scaling(gain**2, "fan_in", "normal")


def narrow(gain: float):
    """Independent uniform weights with a sixth of the variance of ``normal(gain)``.

    With the gain of hidden layers they lie within 1 / sqrt(inputs), where PyTorch's layers begin.
    """
    return jax.nn.initializers.variance_scaling(gain**2 / 6.0, "fan_in", "uniform")


def init_mlp(
    key,
    sizes: Sequence[int],
    output_scale: float = 1.0,
    weights: Callable = jax.nn.initializers.orthogonal,
) -> MLP:
    """Random weights (gain sqrt 2 in hidden layers, ``output_scale`` in the last), zero biases.

    Args:
        sizes: width of the input, of each hidden layer and of the output; at least two entries.
        weights: makes an initialiser of a gain: ``orthogonal``, ``normal`` or ``narrow``.
    """
    if len(sizes) < 2:
        raise ValueError(f"sizes: {tuple(sizes)} must name at least an input and an output width")
    layers = []
    for index, layer_key in enumerate(jax.random.split(key, len(sizes) - 1)):
        gain = output_scale if index == len(sizes) - 2 else np.sqrt(2.0)
        weight = weights(gain)(layer_key, (sizes[index], sizes[index + 1]), jnp.float32)
        layers.append(Layer(weight, jnp.zeros(sizes[index + 1], jnp.float32)))
    return tuple(layers)


def apply_mlp(mlp: MLP, inputs, activation: Callable = jax.nn.elu):
    """Outputs (..., sizes[-1]) for ``inputs`` (..., sizes[0]); the last layer is linear."""
    for layer in mlp[:-1]:
        inputs = activation(inputs @ layer.weight + layer.bias)
    return inputs @ mlp[-1].weight + mlp[-1].bias


def mlp_arrays(name: str, mlp: MLP) -> dict[str, np.ndarray]:
    """The arrays of ``mlp`` under the keys ``name/0/weight``, ``name/0/bias``, ..."""
    return {
        f"{name}/{index}/{field}": np.asarray(array)
        for index, layer in enumerate(mlp)
        for field, array in zip(Layer._fields, layer, strict=True)
    }


def mlp_from_arrays(name: str, arrays: Mapping[str, np.ndarray]) -> MLP:
    """The inverse of ``mlp_arrays``. Raises ValueError where ``arrays`` holds no perceptron ``name``."""
    layers = []
    while f"{name}/{len(layers)}/weight" in arrays:
        prefix = f"{name}/{len(layers)}"
        layers.append(Layer(jnp.asarray(arrays[f"{prefix}/weight"]), jnp.asarray(arrays[f"{prefix}/bias"])))
    if not layers:
        raise ValueError(f"{name}: no such network among the arrays {sorted(arrays)}")
    return tuple(layers)
