"""Inference without learning: a Bayesian filter for whoever knows how rewards are made. A comparator.

A reward ``r = -|q - g| / |g|`` at the value q leaves two targets per family. So every row of a window proposes its two,
and what explains all rows best is believed. The filter knows the form of the rewards, that they are nearly exact, the
families and how large their targets may be; what an encoder adds is what it does better than this.
"""

import jax
import jax.numpy as jnp

from reinfer.inference.belief import EXACT, Belief, possible_targets, rewarded_value
from reinfer.inference.context import ContextWindow, RowLayout
from reinfer.inference.decoder import TargetScale
from reinfer.tasks.rewards import reward_of_value

#: Rewards within this of -1 tell no target, in 32 bits.
_LEAST = 1e-6


def filtered_belief(window: ContextWindow, smallest, largest, scale: TargetScale, layout: RowLayout) -> Belief:
    """The belief (N,) after the rows of ``window`` by their rewards alone.

    The most probable target of each family, under a density of targets that is uniform in log |target| from
    ``smallest`` to ``largest`` (F,), and rewards that are off by ``EXACT`` (Laplace); probabilities of families are
    those of their most probable targets. Without a row that tells anything all families are as probable, at the centre
    of ``scale``. The latent is empty: one dimension, zero.
    """
    rows, count = window.rows, window.rows.shape[0]
    value, reward = rewarded_value(rows, layout), rows[..., len(layout.channels), None]
    candidates = possible_targets(rows, layout, _LEAST)
    size = jnp.abs(candidates)
    allowed = window.valid[..., None] & (jnp.sign(candidates) == scale.sign) & (size >= smallest) & (size <= largest)
    # Of one row: the density of log |g|, flat, by how much of it a range of rewards spans, |d log g / d r| = |g / q|.
    prior = jnp.log(size) - jnp.log(jnp.maximum(jnp.abs(value), _LEAST)) - jnp.log(jnp.log(largest / smallest))
    # One line of candidates, (N, 2W, 1, F), against all rows, (N, 1, W, F).
    line = jnp.moveaxis(candidates, 0, 1).reshape(count, -1, 1, len(layout.families))
    off = jnp.abs(reward[:, None] - reward_of_value(value[:, None], jnp.where(line == 0.0, 1.0, line)))
    misfit = jnp.where(window.valid[:, None, :, None], off, 0.0).sum(2) / EXACT
    weight = jnp.where(allowed, prior, -jnp.inf)
    weight = jnp.moveaxis(weight, 0, 1).reshape(misfit.shape) - misfit
    best = weight.max(1)
    target = jnp.take_along_axis(line[:, :, 0], weight.argmax(1)[:, None], axis=1)[:, 0]
    known = jnp.isfinite(best)
    target = jnp.where(known, target, scale.sign * jnp.exp(scale.centre))
    told = known.any(-1, keepdims=True)
    probability = jax.nn.softmax(jnp.where(told, best, 0.0))
    nothing = jnp.zeros((count, 1))
    return Belief(nothing, nothing, probability, target)
