"""Hindsight relabelling: what episodes would have been shown, had their task been another.

Exact, because a reward is a function of the task and the state reached, and neither the dynamics nor what a behaviour
was after shows in a row. All rows of an episode get the same task: a context must be of one.
"""

import jax.numpy as jnp

from reinfer.inference.belief import rewarded_value
from reinfer.inference.context import RowLayout
from reinfer.inference.loss import Episodes
from reinfer.tasks import Tasks
from reinfer.tasks.rewards import reward_of_value


def relabel(episodes: Episodes, tasks: Tasks, where, layout: RowLayout) -> Episodes:
    """``episodes`` as they would be under ``tasks``, leaves (B,), ``where`` (B,) says so."""
    family, target = (jnp.where(where, new, jnp.asarray(own)) for new, own in zip(tasks, episodes.tasks, strict=True))
    rows = jnp.asarray(episodes.rows)
    values = rewarded_value(rows, layout)
    value = jnp.take_along_axis(values, layout.place(family)[:, None, None], axis=-1)[..., 0]
    earned = reward_of_value(value, target[:, None])
    channels = len(layout.channels)
    reward = jnp.where(where[:, None], earned, rows[..., channels])
    return episodes._replace(tasks=Tasks(family, target), rows=rows.at[..., channels].set(reward))
