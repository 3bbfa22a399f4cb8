"""The reward of a task: a pure function of the task and the task-space state reached.

Used unchanged by the toy, by every robot, by relabelling and by evaluation; works on NumPy and on JAX arrays.
Source of the form: the published toy and half-cheetah environments, ``-|q - g| / |g|`` without control cost.
"""

from reinfer.tasks.families import FAMILY_CHANNEL, FAMILY_KIND, JUMP, KIND_CHANNEL


def _channel_value(xp, one_hot, is_magnitude, state):
    one_hot = one_hot[..., : state.shape[-1]]
    value = xp.sum(xp.asarray(one_hot, dtype=state.dtype) * state, axis=-1)
    return xp.where(is_magnitude, xp.abs(value), value)


def controlled_value(family, state):
    """Value of the channel that each family rewards; jump looks at the magnitude of vz.

    Args:
        family: integer family indices, shape (...,), broadcastable against the leading axes of ``state``.
        state: task-space states, shape (..., C), of as many of ``CHANNELS`` as the body has; what it lacks is zero.
    Returns: values in the channel's unit (m, m/s or rad), shape (...,).
    """
    xp = state.__array_namespace__()
    family = xp.asarray(family)
    return _channel_value(xp, xp.asarray(FAMILY_CHANNEL)[family], xp.asarray(FAMILY_KIND)[family] == JUMP, state)


def commanded_value(kind, state):
    """As ``controlled_value``, for a low-level command of integer ``kind`` (index into ``KINDS``)."""
    xp = state.__array_namespace__()
    kind = xp.asarray(kind)
    return _channel_value(xp, xp.asarray(KIND_CHANNEL)[kind], kind == JUMP, state)


def reward(tasks, next_state):
    """Reward ``-|q' - g| / |g|`` of reaching ``next_state`` under ``tasks``.

    Args:
        tasks: ``Tasks`` with leaves broadcastable to the leading axes of ``next_state``.
        next_state: task-space states after the transition, shape (..., C): 6, or 8 where y and vy may not be zero.
    Returns: dimensionless rewards, at most 0, shape (...,).

    Examples:
        >>> import numpy as np, reinfer
        >>> tasks = reinfer.make_tasks([("goal_forward", 5.0), ("velocity_forward", 2.0)])
        >>> state = np.array([4.0, 0.0, 0.0, 1.5, 0.0, 0.0], np.float32)  # x, z, pitch, vx, vz, pitch rate
        >>> [round(float(r), 3) for r in reinfer.reward(tasks, np.stack([state, state]))]
        [-0.2, -0.25]
    """
    xp = next_state.__array_namespace__()
    target = xp.asarray(tasks.target)
    return reward_of_value(controlled_value(tasks.family, next_state), target)


def distance_reward(tasks, next_state):
    """Reward ``-|q' - g|`` in the unit of the channel, of the same arguments as ``reward``.

    Not relative to the target, so that a target may be zero: what the published protocol of one family with a varying
    parameter uses (``stages.process``).
    """
    xp = next_state.__array_namespace__()
    return -xp.abs(controlled_value(tasks.family, next_state) - xp.asarray(tasks.target))


def reward_of_value(value, target):
    """Reward ``-|q - g| / |g|`` of a controlled ``value`` q under ``target`` g, in the same unit, equal shapes."""
    xp = target.__array_namespace__()
    return -xp.abs(value - target) / xp.abs(target)
