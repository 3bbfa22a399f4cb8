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

#: How many windows are considered at once, and nats by which rounding may tip a bound.
GROUP, ROUNDING = 32, 1e-2


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
    the index (N,) of the first of them.

    That a task changed is considered, in groups, only of those windows whose rewards leave it possible: once a task is
    found they are few, and to consider costs some five times what it costs to read the window.
    """
    encoder = inference.encoder
    count = len(window.first)
    carry, cost = carry_and_cost(inference, window, scale, window.first[:, None])
    carry = jax.tree.map(lambda leaf: leaf[:, 0], carry)
    doubted = may_have_changed(cost[..., 0], window, encoder.layout)
    # Those in doubt come first; places beyond the last window are read as the last, and what comes of them is dropped.
    order = jnp.argsort(~doubted)
    group = min(GROUP, count)
    order = jnp.concatenate([order, jnp.full(-count % group, count, order.dtype)])

    def consider(number, found):
        chosen = jax.lax.dynamic_slice(order, (number * group,), (group,))
        shown = jnp.minimum(chosen, count - 1)
        again = since_change(inference, jax.tree.map(lambda leaf: leaf[shown], window), scale)
        return jax.tree.map(lambda old, new: old.at[chosen].set(new, mode="drop"), found, again)

    groups = (doubted.sum() + group - 1) // group
    return jax.lax.fori_loop(0, groups, consider, (carry, window.first))


def may_have_changed(cost, window: ContextWindow, layout: RowLayout = LINE_ROWS) -> jax.Array:
    """Whether (N,) an explanation with a change could be better than that by one task.

    Args:
        cost: of every row under the explanation by one task, (W, N), in nats.

    No explanation predicts a reward better than with the family certain and exactly, so that from where a change
    begins a row costs at least ``least``.
    """
    count, width = window.rows.shape[:2]
    # The density of a reward is highest under a prediction just below it, where the spread is smaller.
    spread = SPREAD * (1.0 + jnp.abs(window.rows[..., len(layout.channels)])) * (1.0 - SPREAD**2)
    least = -jnp.log(1.0 / (jnp.pi * spread) + ANY_REWARD).T
    # From every row on: what one task costs, less the least that another costs whose first row this is.
    saved = jnp.flip(jnp.cumsum(jnp.flip(cost - least, 0), 0), 0) + least - FIRST_REWARD
    begin = jnp.maximum(width - numbers_of_rows(width), window.first[:, None])
    possible = jnp.take_along_axis(saved.T, begin, axis=1) > CHANGE - ROUNDING
    return (possible & (begin > window.first[:, None])).any(1)


def since_change(inference: Inference, window: ContextWindow, scale: TargetScale) -> tuple[Carry, jax.Array]:
    """As ``carry_since_change``, which considers all hypotheses of every window: (N, H)."""
    count, width = window.rows.shape[:2]
    # One hypothesis is that all rows are of one task, the others begin anew at some row.
    first = window.first[:, None]
    begin = jnp.concatenate([first, jnp.maximum(width - numbers_of_rows(width), first)], axis=1)
    carry, cost = carry_and_cost(inference, window, scale, begin)
    # What the old task costs up to each row: that of the first hypothesis so far.
    until = jnp.concatenate([jnp.zeros((1, count)), jnp.cumsum(cost[..., 0], axis=0)])
    before = jnp.take_along_axis(until.T, begin, axis=1)
    best = jnp.argmin(before + cost.sum(0) + CHANGE * (begin > first), axis=1)
    return jax.tree.map(lambda leaf: leaf[jnp.arange(count), best], (carry, begin))


def carry_and_cost(inference: Inference, window: ContextWindow, scale: TargetScale, begin) -> tuple[Carry, jax.Array]:
    """The encoder's carry, leaves (N, H, ...), after the rows from each of ``begin`` (N, H) on, and what these cost,
    (W, N, H), in nats; zero before."""
    encoder = inference.encoder
    count, width = window.rows.shape[:2]
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
    carry = jax.tree.map(lambda leaf: leaf.reshape(count, hypotheses, *leaf.shape[1:]), carry)
    return carry, cost.reshape(width, count, hypotheses)
