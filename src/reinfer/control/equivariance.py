"""Networks that respect the mirror x -> -x (the group Z2), by tied weights.

The mirror acts on every axis of every array as a signed permutation: inputs and outputs change their sign, keep it or
change places with another (families), hidden units and latents change places in pairs, so that any activation commutes
with it. A layer ``y = x W`` is equivariant where ``W = M_in W M_out``; ``tie`` makes it so by averaging the two sides,
which is the orthogonal projection onto such weights. Tied networks are ordinary networks: nothing that runs, saves or
differentiates them need know. After Ravanbakhsh et al., Equivariance through parameter-sharing (2017), and van der Pol
et al., MDP homomorphic networks (2020).
"""

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.control.networks import MLP, Layer
from reinfer.tasks.mirror import Mirror, swapped


def reflect(array, mirror: Mirror, axis: int = -1) -> jax.Array:
    """The image of ``array`` where the mirror acts on ``axis`` as ``mirror``."""
    shape = [1] * array.ndim
    shape[axis] = mirror.size
    return jnp.take(array, mirror.index, axis=axis) * mirror.sign.reshape(shape)


def tie(parameters, mirrors):
    """The equivariant part of ``parameters``.

    Args:
        mirrors: of the same structure; for each array a tuple with the ``Mirror`` of each of its *last* axes.
    """

    def tied(array, axes):
        image = array
        for axis, mirror in enumerate(axes):
            image = reflect(image, mirror, axis - len(axes))
        return 0.5 * (array + image)

    return jax.tree.map(tied, parameters, mirrors)


def tie_fresh(parameters, mirrors):
    """``tie`` for random initial weights: matrices keep their variance, which the mean of two would halve."""
    return jax.tree.map(lambda array: array * np.sqrt(2.0) if array.ndim > 1 else array, tie(parameters, mirrors))


def layer_mirrors(inputs: Mirror, outputs: Mirror) -> Layer:
    """``mirrors`` of one affine layer."""
    return Layer((inputs, outputs), (outputs,))


def mlp_mirrors(mlp: MLP, inputs: Mirror, outputs: Mirror) -> MLP:
    """``mirrors`` of a perceptron, or of several stacked on leading axes; hidden units change places."""
    widths = [layer.weight.shape[-1] for layer in mlp[:-1]]
    stations = [inputs, *map(swapped, widths), outputs]
    return tuple(layer_mirrors(*pair) for pair in zip(stations[:-1], stations[1:], strict=True))
