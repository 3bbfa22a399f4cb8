"""Projecting conflicting gradients: Yu et al., Gradient surgery for multi-task learning (2020), algorithm 1.

Where the gradients of two tasks point against each other, each loses its part along the other before they are added.
Here the tasks are families: what a family's episodes want of task inference does not undo what another's want.
"""

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree


def project_conflicts(gradients, key):
    """The sum of ``gradients``, leaves (F, ...), after their conflicts are projected out; leaves (...).

    For each task i, over the others j in random order: where ``g_i . g_j < 0``,
    ``g_i <- g_i - (g_i . g_j / |g_j|^2) g_j``; g_j is always the original. ``key`` draws the orders.
    """
    flat = jax.vmap(lambda gradient: ravel_pytree(gradient)[0])(gradients)
    _, restore = ravel_pytree(jax.tree.map(lambda leaf: leaf[0], gradients))
    count = len(flat)
    squared = jnp.sum(jnp.square(flat), axis=1)

    def project(own, key):
        def against(gradient, other):
            overlap = jnp.minimum(gradient @ flat[other], 0.0)
            part = jnp.where(other == own, 0.0, overlap / jnp.maximum(squared[other], 1e-30))
            return gradient - part * flat[other], None

        return jax.lax.scan(against, flat[own], jax.random.permutation(key, count))[0]

    return restore(jax.vmap(project)(jnp.arange(count), jax.random.split(key, count)).sum(0))
