"""Tasks that change: rows from before a surprise are forgotten.

A belief that is sure predicts the reward of any state exactly, ``r = -|q - g| / |g|``. A reward that contradicts it
means that the belief was wrong or that the task is another one now; either way the rows before it no longer count.
Going through a window row by row and starting over at every contradiction leaves the rows of the present task. It is a
pure function of the window: nothing need be remembered beside it, on the toy or on a robot.
"""

import jax
import jax.numpy as jnp

from reinfer.inference.belief import Belief, Inference, belief_of, most_likely, rewarded_value
from reinfer.inference.context import LINE_ROWS, ContextWindow, RowLayout
from reinfer.inference.decoder import TargetScale
from reinfer.inference.encoder import Carry, advance, start
from reinfer.tasks.rewards import reward_of_value

#: A belief is sure from this probability of its family on.
SURE = 0.9

#: A reward is a contradiction if it is off by more than this, plus this share of what was predicted.
TOLERANCE = 0.1


def contradicts(belief: Belief, row, layout: RowLayout = LINE_ROWS) -> jax.Array:
    """Whether the reward in ``row`` (N, R) is not what ``belief`` predicts for the state reached, (N,) bool."""
    family, target = most_likely(belief)
    reached = jnp.take_along_axis(rewarded_value(row, layout), family[:, None], axis=-1)[:, 0]
    predicted = reward_of_value(reached, target)
    sure = jnp.max(belief.family_probability, axis=-1) >= SURE
    off = jnp.abs(row[:, len(layout.channels)] - predicted) > TOLERANCE * (1.0 + jnp.abs(predicted))
    return sure & off


def carry_since_surprise(inference: Inference, window: ContextWindow, scale: TargetScale) -> Carry:
    """The encoder's carry after the rows of ``window`` from the last contradiction on (all, if there is none)."""
    encoder = inference.encoder
    fresh = start(encoder, window.rows.shape[0])

    def step(carry, moment):
        row, valid = moment
        belief = belief_of(inference, carry, scale)
        forgets = contradicts(belief, row, encoder.layout) & (carry.count[:, 0] > 0)
        kept = jax.tree.map(lambda new, old: jnp.where(forgets[:, None], new, old), fresh, carry)
        moved = advance(encoder, kept, row)
        return jax.tree.map(lambda new, old: jnp.where(valid[:, None], new, old), moved, carry), None

    carry, _ = jax.lax.scan(step, fresh, (window.rows.swapaxes(0, 1), window.valid.T))
    return carry
