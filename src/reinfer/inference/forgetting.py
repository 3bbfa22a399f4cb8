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

#: How many hypotheses are worked out at once, at least, and nats by which rounding may tip a bound.
GROUP, ROUNDING = 64, 1e-2


def spread_of(reward) -> jax.Array:
    """Half-width of the density around a predicted ``reward``, same shape."""
    return SPREAD * (1.0 + jnp.abs(reward))


def surprise(belief: Belief, row, layout: RowLayout = LINE_ROWS) -> jax.Array:
    """Negative log density (N,), in nats, of the reward in ``row`` (N, R) under ``belief`` at the state reached."""
    predicted = reward_of_value(rewarded_value(row, layout), belief.target)
    spread = spread_of(predicted)
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

    One hypothesis is that all rows are of one task, the others begin anew at some row. Of the latter only those are
    worked out that rewards leave possible: all would cost some fifteen times what it costs to read the window.
    """
    count, width = window.rows.shape[:2]
    # Where hypotheses begin, (N, H), the first at the first row.
    first = window.first[:, None]
    begin = jnp.concatenate([first, jnp.maximum(width - numbers_of_rows(width), first)], axis=1)
    carry, cost = carry_and_cost(inference, window, scale, window.first)
    possible = may_be_better(cost, window, begin, inference.encoder.layout)
    # What the old task costs up to each row.
    until = jnp.concatenate([jnp.zeros((1, count)), jnp.cumsum(cost, axis=0)])
    before = jnp.take_along_axis(until.T, begin, axis=1) + CHANGE

    # Hypotheses of all windows in one line, those to be worked out first; what is beyond its end is dropped.
    hypotheses = begin.shape[1]
    possible, before, begin = (leaf.reshape(-1) for leaf in (possible, before, begin))
    end = count * hypotheses
    group = min(end, max(GROUP, count // 2))
    order = jnp.argsort(~possible)
    order = jnp.where(possible[order], order, end)
    order = jnp.concatenate([order, jnp.full(-end % group, end, order.dtype)])

    def work_out(number, found):
        chosen = jax.lax.dynamic_slice(order, (number * group,), (group,))
        shown = jnp.minimum(chosen, end - 1)
        its_window = jax.tree.map(lambda leaf: leaf[shown // hypotheses], window)
        its_carry, its_cost = carry_and_cost(inference, its_window, scale, begin[shown])
        its_own = (before[shown] + its_cost.sum(0), its_carry)
        return jax.tree.map(lambda old, new: old.at[chosen].set(new, mode="drop"), found, its_own)

    totals = jnp.full((count, hypotheses), jnp.inf).at[:, 0].set(cost.sum(0))
    carries = jax.tree.map(lambda leaf: jnp.repeat(leaf, hypotheses, axis=0), carry)
    groups = (possible.sum() + group - 1) // group
    totals, carries = jax.lax.fori_loop(0, groups, work_out, (totals.reshape(-1), carries))
    best = jnp.argmin(totals.reshape(count, hypotheses), axis=1)
    place = jnp.arange(count) * hypotheses + best
    return jax.tree.map(lambda leaf: leaf[place], (carries, begin))


def may_be_better(cost, window: ContextWindow, begin, layout: RowLayout = LINE_ROWS) -> jax.Array:
    """Whether (N, H) the explanations with a change at ``begin`` (N, H) could be better than that by one task.

    Args:
        cost: of every row under the explanation by one task, (W, N), in nats.

    No explanation predicts a reward better than exactly and with the family certain, so that from where a change begins
    every row but the first costs at least ``least``.
    """
    # The density of a reward is highest under a prediction just below it, where the spread is smaller.
    spread = spread_of(window.rows[..., len(layout.channels)]) * (1.0 - SPREAD**2)
    least = -jnp.log(1.0 / (jnp.pi * spread) + ANY_REWARD).T
    # From every row on: what one task costs, less the least that another costs whose first row this is.
    saved = jnp.flip(jnp.cumsum(jnp.flip(cost - least, 0), 0), 0) + least - FIRST_REWARD
    possible = jnp.take_along_axis(saved.T, begin, axis=1) > CHANGE - ROUNDING
    return possible & (begin > window.first[:, None])


def carry_and_cost(inference: Inference, window: ContextWindow, scale: TargetScale, begin) -> tuple[Carry, jax.Array]:
    """The encoder's carry after the rows from ``begin`` (N,) on, and what these cost, (W, N), in nats; zero before."""
    encoder = inference.encoder
    count, width = window.rows.shape[:2]

    def step(carry, moment):
        index, row = moment
        cost = surprise(belief_of(inference, carry, scale), row, encoder.layout)
        cost = jnp.where(carry.count[:, 0] > 0, cost, FIRST_REWARD)
        counts = index >= begin
        return choose(counts, advance(encoder, carry, row), carry), jnp.where(counts, cost, 0.0)

    rows = (jnp.arange(width), window.rows.swapaxes(0, 1))
    return jax.lax.scan(step, start(encoder, count), rows)
