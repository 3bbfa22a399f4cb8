"""A ring of single transitions whose inputs are already features: for off-policy learning above frozen inference."""

from typing import NamedTuple

import jax
import numpy as np

from reinfer.control.sac import Batch


class Transitions(NamedTuple):
    """The newest C transitions as in ``sac.Batch`` (C leading, NumPy float32), and how many were ever ``added``."""

    batch: Batch
    added: np.ndarray

    @property
    def stored(self) -> int:
        """How many can be drawn."""
        return min(int(self.added), len(self.batch.rewards))


def empty_transitions(capacity: int, inputs: int, actions: int) -> Transitions:
    """Room for ``capacity`` transitions. Raises ValueError when a size is below 1."""
    for name, value in (("capacity", capacity), ("inputs", inputs), ("actions", actions)):
        if value < 1:
            raise ValueError(f"{name}: {value} must be at least 1")

    def room(*width):
        return np.zeros((capacity, *width), np.float32)

    return Transitions(Batch(room(inputs), room(actions), room(), room(inputs), room(), room()), np.zeros((), np.int32))


def add_transitions(ring: Transitions, batch: Batch) -> Transitions:
    """Store the transitions of ``batch`` in place, over the oldest where the ring is full.

    Raises ValueError if they are more than the capacity.
    """
    count, capacity = len(batch.rewards), len(ring.batch.rewards)
    if count > capacity:
        raise ValueError(f"batch: {count} transitions at once exceed the capacity of {capacity}")
    slots = (int(ring.added) + np.arange(count)) % capacity
    for stored, new in zip(ring.batch, batch, strict=True):
        stored[slots] = new
    return ring._replace(added=np.asarray(ring.added + count, np.int32))


def sample_transitions(key, ring: Transitions, stored, count: int) -> Batch:
    """``count`` transitions drawn uniformly with replacement from the first ``stored`` slots; pure, may be jitted."""
    slots = jax.random.randint(key, (count,), 0, stored)
    return jax.tree.map(lambda leaf: leaf[slots], ring.batch)
