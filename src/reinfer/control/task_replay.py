"""A ring of transitions per task: the newest steps of simulations each of which keeps to one task."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class TaskTransitions(NamedTuple):
    """Transitions with any leading axes: ``observation`` and ``next_observation`` (..., O), ``action`` (..., A) in
    [-1, 1], ``reward`` (...). Nothing here is terminal: episodes are cut by their time limit."""

    observation: np.ndarray | jax.Array
    action: np.ndarray | jax.Array
    reward: np.ndarray | jax.Array
    next_observation: np.ndarray | jax.Array


class TaskReplay(NamedTuple):
    """The newest C steps of M tasks, ``transitions`` (C, M) NumPy float32; ``added``: steps ever added."""

    transitions: TaskTransitions
    added: np.ndarray

    @property
    def capacity(self) -> int:
        """Number of steps C that are kept."""
        return len(self.transitions.reward)

    @property
    def stored(self) -> int:
        """How many steps can be drawn."""
        return min(int(self.added), self.capacity)


def empty_task_replay(capacity: int, tasks: int, observation: int, actions: int) -> TaskReplay:
    """Room for ``capacity`` steps of each of ``tasks``. Raises ValueError when a size is below 1."""
    for name, value in (("capacity", capacity), ("tasks", tasks), ("observation", observation), ("actions", actions)):
        if value < 1:
            raise ValueError(f"{name}: {value} must be at least 1")

    def room(*width):
        return np.zeros((capacity, tasks, *width), np.float32)

    transitions = TaskTransitions(room(observation), room(actions), room(), room(observation))
    return TaskReplay(transitions, np.zeros((), np.int32))


def add_steps(replay: TaskReplay, transitions: TaskTransitions) -> TaskReplay:
    """Store the steps of ``transitions`` (T, M) in place, over the oldest where the ring is full.

    Raises ValueError if they are more than the capacity.
    """
    count = len(transitions.reward)
    if count > replay.capacity:
        raise ValueError(f"transitions: {count} steps at once exceed the capacity of {replay.capacity}")
    slots = (int(replay.added) + np.arange(count)) % replay.capacity
    for stored, new in zip(replay.transitions, transitions, strict=True):
        stored[slots] = new
    return replay._replace(added=np.asarray(replay.added + count, np.int32))


def sample_steps(key, replay: TaskReplay, tasks, count: int, newest) -> TaskTransitions:
    """``count`` steps of each of ``tasks`` (B,) with replacement, leaves (B, count, ...); pure, may be jitted.

    They come from the ``newest`` (a number, may be traced) steps that were added, which must be there.
    """
    slots = sample_slots(key, replay, (len(tasks), count), newest)
    return steps_at(replay, slots, tasks[:, None])


def sample_slots(key, replay: TaskReplay, shape, newest):
    """Where random ones of the ``newest`` steps lie, of the given ``shape``."""
    age = jax.random.randint(key, shape, 0, newest)
    return (replay.added - 1 - age) % replay.transitions.reward.shape[0]


def steps_before(replay: TaskReplay, slots, tasks, width: int, episode: int):
    """The ``width`` steps before those in ``slots`` (B,) of ``tasks`` (B,), leaves (B, width, ...), oldest first.

    ``episode``: steps of every episode, which must divide the capacity. Returns the steps, and which of them (B, width)
    are of the same episode; what is left of its start is not.
    """
    back = jnp.arange(-width, 0)
    valid = slots[:, None] % episode + back >= 0
    wanted = (slots[:, None] + back) % replay.transitions.reward.shape[0]
    return steps_at(replay, wanted, tasks[:, None]), valid


def steps_at(replay: TaskReplay, slots, tasks) -> TaskTransitions:
    """The steps in ``slots`` of ``tasks``, which broadcast to the leading axes."""
    return jax.tree.map(lambda leaf: leaf[slots, tasks], replay.transitions)
