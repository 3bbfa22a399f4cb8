"""Hindsight relabelling: what stored steps would have earned under another task.

Exact, because the reward is a function of the task and the state reached, and the dynamics do not depend on
the task. A context and the step it belongs to must be given the same task: relabel both.
"""

import jax.numpy as jnp

from reinfer.control.replay import Steps
from reinfer.tasks import Tasks, reward


def relabel(steps: Steps, tasks: Tasks) -> Steps:
    """``steps`` with the rewards of ``tasks``; padding keeps the reward zero.

    Args:
        steps: leading axes (B,), or (B, T) for windows and episodes.
        tasks: one task per leading index, leaves (B,); a window or episode has one task throughout.
    """
    later = (1,) * (steps.reward.ndim - jnp.ndim(tasks.family))
    family, target = (jnp.asarray(leaf).reshape(jnp.shape(leaf) + later) for leaf in tasks)
    earned = reward(Tasks(family, target), steps.next_state)
    return steps._replace(reward=jnp.where(steps.valid, earned, 0.0))
