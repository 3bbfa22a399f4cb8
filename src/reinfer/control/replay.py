"""A ring of whole episodes as a pytree of arrays: it is part of a training state and checkpoints like one.

An episode has a slot of fixed size, its length and how it ended. Whether the last step *terminated* the task
is stored; an episode that did not terminate was cut by its time limit, and value follows its last step.
Because a slot holds one episode, nothing gathered here can cross from one episode into another.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from reinfer.tasks import PLANE_CHANNELS, Tasks

WEIGHTINGS = ("uniform", "linear")

#: Ranks of steps are computed in float32, which is exact up to here.
MOST_STEPS = 2**24


class Steps(NamedTuple):
    """Transitions with any leading axes; padding is zero in every field.

    Task-space ``state`` and ``next_state`` (..., 6), ``action`` (..., A), ``reward`` (...), and the flags
    ``terminal`` and ``valid`` (...).
    """

    state: jax.Array
    action: jax.Array
    reward: jax.Array
    next_state: jax.Array
    terminal: jax.Array
    valid: jax.Array


class Episodes(NamedTuple):
    """N episodes of at most H steps.

    ``tasks`` (N,), ``state`` (N, H + 1, 6) with the state after the last step, ``action`` (N, H, A),
    ``reward`` (N, H), ``length`` (N,) and ``terminated`` (N,): the last step was a true end, no time limit.
    """

    tasks: Tasks
    state: jax.Array
    action: jax.Array
    reward: jax.Array
    length: jax.Array
    terminated: jax.Array


class Replay(NamedTuple):
    """The newest episodes, in slots (leading axis C), and how many were ever ``added`` (scalar)."""

    episodes: Episodes
    added: jax.Array

    @property
    def capacity(self) -> int:
        """Number of slots C."""
        return self.episodes.length.shape[0]

    @property
    def horizon(self) -> int:
        """Steps H that fit into a slot."""
        return self.episodes.reward.shape[1]


class Anchors(NamedTuple):
    """Steps in the replay: ``slot`` (B,) and ``step`` (B,) within the episode."""

    slot: jax.Array
    step: jax.Array


def init_replay(capacity: int, horizon: int, actions: int) -> Replay:
    """An empty replay. Raises ValueError when a size is below 1 or there are too many steps in all."""
    for name, value in (("capacity", capacity), ("horizon", horizon), ("actions", actions)):
        if value < 1:
            raise ValueError(f"{name}: {value} must be at least 1")
    if capacity * horizon > MOST_STEPS:
        raise ValueError(f"capacity: {capacity} episodes of {horizon} steps exceed {MOST_STEPS} steps in all")
    episodes = Episodes(
        tasks=Tasks(jnp.zeros(capacity, jnp.int32), jnp.zeros(capacity)),
        state=jnp.zeros((capacity, horizon + 1, len(PLANE_CHANNELS))),
        action=jnp.zeros((capacity, horizon, actions)),
        reward=jnp.zeros((capacity, horizon)),
        length=jnp.zeros(capacity, jnp.int32),
        terminated=jnp.zeros(capacity, bool),
    )
    return Replay(episodes, jnp.int32(0))


def add_episodes(replay: Replay, episodes: Episodes) -> Replay:
    """Store N episodes, the last one as the newest, over the oldest where the ring is full.

    Raises ValueError if they are more than the capacity.
    """
    count = episodes.length.shape[0]
    if count > replay.capacity:
        raise ValueError(f"episodes: {count} at once exceed the capacity of {replay.capacity}")
    slots = (replay.added + jnp.arange(count)) % replay.capacity
    stored = jax.tree.map(lambda old, new: old.at[slots].set(new), replay.episodes, episodes)
    return Replay(stored, replay.added + count)


def sample_anchors(key, replay: Replay, count: int, weighting: str = "uniform") -> Anchors:
    """``count`` stored steps, from the newest to the oldest; the replay must not be empty.

    Args:
        weighting: ``uniform``, or ``linear``: probability falls linearly with age from 0.9 (newest step) to
            0.1 (oldest), up to normalisation.

    One step is drawn from each of ``count`` strata of equal probability: every step has its exact expected
    share, and in a large replay hardly any is drawn twice.
    """
    if weighting not in WEIGHTINGS:
        raise ValueError(f"weighting: {weighting!r} must be one of {', '.join(WEIGHTINGS)}")
    quantile = (jnp.arange(count) + jax.random.uniform(key, (count,))) / count
    if weighting == "linear":
        # Inverse of the distribution function 1.8 a - 0.8 a^2 of the relative age a.
        quantile = (1.8 - jnp.sqrt(3.24 - 3.2 * quantile)) / 1.6
    slot_by_age = (replay.added - 1 - jnp.arange(replay.capacity)) % replay.capacity
    length = replay.episodes.length[slot_by_age]
    ends = jnp.cumsum(length)
    rank = jnp.clip((quantile * ends[-1]).astype(jnp.int32), 0, ends[-1] - 1)
    age = jnp.searchsorted(ends, rank, side="right")
    return Anchors(slot_by_age[age], ends[age] - 1 - rank)


def steps_at(replay: Replay, anchors: Anchors) -> Steps:
    """The steps at ``anchors``, leading axis (B,)."""
    return _gather(replay.episodes, anchors.slot, anchors.step)


def steps_before(replay: Replay, anchors: Anchors, width: int) -> Steps:
    """The ``width`` steps before each anchor, never the anchor itself: (B, width), oldest first.

    Where the episode is younger, the left is padded with zeros; the first step of an episode sees only those.
    """
    step = anchors.step[:, None] - width + jnp.arange(width)
    return _gather(replay.episodes, anchors.slot[:, None], step)


def whole_episodes(replay: Replay, slot) -> Steps:
    """The episodes in slots (B,) from their first step, (B, H); zeros after their end."""
    return _gather(replay.episodes, slot[:, None], jnp.arange(replay.horizon))


def _gather(episodes: Episodes, slot, step) -> Steps:
    """Steps by slot and step, broadcast; before the start and after the end of an episode, padding."""
    length = episodes.length[slot]
    valid = (step >= 0) & (step < length)
    step = jnp.clip(step, 0, episodes.reward.shape[1] - 1)

    def kept(values):
        return jnp.where(valid.reshape(valid.shape + (1,) * (values.ndim - valid.ndim)), values, 0)

    return Steps(
        state=kept(episodes.state[slot, step]),
        action=kept(episodes.action[slot, step]),
        reward=kept(episodes.reward[slot, step]),
        next_state=kept(episodes.state[slot, step + 1]),
        terminal=valid & episodes.terminated[slot] & (step == length - 1),
        valid=valid,
    )
