"""Tasks that change: which rows of a window are of the present task, by Bayesian change-point detection.

After Adams and MacKay, Bayesian Online Changepoint Detection (2007), with encoder and heads as the predictive model: a
belief predicts the reward of any state, ``r = -|q - g| / |g|``. Either all rows of a window are of one task, or those
from some row on are of another; an explanation is the better, the better every reward is predicted from the rows
before it *of the same task*. A belief that is sure and wrong is no reason to start over, since starting over would not
have predicted those rewards either; a change is. All this is a pure function of the window: nothing need be remembered
beside it, on the toy or on a robot.
"""

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.inference.belief import Belief, Inference, belief_of, rewarded_value
from reinfer.inference.context import LINE_ROWS, ContextWindow, RowLayout
from reinfer.inference.decoder import TargetScale
from reinfer.inference.encoder import Carry, advance, choose, start
from reinfer.tasks.rewards import reward_of_value

#: Half-width of the Cauchy density around the reward that a family and its target predict: this, plus this share of it.
SPREAD = 0.02

#: Density of a reward whatever the belief, since beliefs may be wrong; and without a row to predict it from, in nats.
ANY_REWARD, FIRST_REWARD = 0.02, 0.7

#: What a change between two rows costs an explanation, in nats: the negative logarithm of its prior probability.
CHANGE = 4.0


def surprise(belief: Belief, row, layout: RowLayout = LINE_ROWS) -> jax.Array:
    """Negative log density (N,), in nats, of the reward in ``row`` (N, R) under ``belief`` at the state reached."""
    predicted = reward_of_value(rewarded_value(row, layout), belief.target)
    spread = SPREAD * (1.0 + jnp.abs(predicted))
    off = (row[:, len(layout.channels), None] - predicted) / spread
    density = belief.family_probability / (jnp.pi * spread * (1.0 + jnp.square(off)))
    return -jnp.log(density.sum(-1) + ANY_REWARD)


def numbers_of_rows(width: int) -> np.ndarray:
    """How many of the newest rows may be those since a change: all numbers up to 8, then every second, every fourth."""
    numbers = [n for n in range(1, width) if n <= 8 or (n <= 16 and n % 2 == 0) or n % 4 == 0]
    return np.array(numbers, np.int32)


def carry_since_change(inference: Inference, window: ContextWindow, scale: TargetScale) -> tuple[Carry, jax.Array]:
    """The encoder's carry after those rows of ``window`` that are of the present task (all, if it did not change), and
    the index (N,) of the first of them."""
    encoder = inference.encoder
    count, width = window.rows.shape[:2]
    # One hypothesis is that all rows are of one task, the others begin anew at some row; (N, H).
    first = window.first[:, None]
    begin = jnp.concatenate([first, jnp.maximum(width - numbers_of_rows(width), first)], axis=1)
    hypotheses = begin.shape[1]

    def step(carry, moment):
        index, row = moment
        row = jnp.repeat(row, hypotheses, axis=0)
        cost = surprise(belief_of(inference, carry, scale), row, encoder.layout)
        cost = jnp.where(carry.count[:, 0] > 0, cost, FIRST_REWARD)
        counts = index >= begin.reshape(-1)
        # Every hypothesis embeds the row anew: to hand the embedding on was measured to be slower.
        carry = choose(counts, advance(encoder, carry, row), carry)
        return carry, jnp.where(counts, cost, 0.0)

    rows = (jnp.arange(width), window.rows.swapaxes(0, 1))
    carry, cost = jax.lax.scan(step, start(encoder, count * hypotheses), rows)
    cost = cost.reshape(width, count, hypotheses)
    # What the old task costs up to each row: that of the first hypothesis so far.
    until = jnp.concatenate([jnp.zeros((1, count)), jnp.cumsum(cost[..., 0], axis=0)])
    before = jnp.take_along_axis(until.T, begin, axis=1)
    best = jnp.argmin(before + cost.sum(0) + CHANGE * (begin > first), axis=1)
    since = begin[jnp.arange(count), best]
    chosen = jax.tree.map(lambda leaf: leaf.reshape(count, hypotheses, *leaf.shape[1:])[jnp.arange(count), best], carry)
    return chosen, since
