"""Tasks as values: batches of (family, target), sampled from explicit keys and split into train and held-out."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.tasks.families import FAMILY_NAMES, FAMILY_SIGN, family_index


class Tasks(NamedTuple):
    """A batch of tasks: integer ``family`` (index into ``FAMILIES``) and signed ``target`` (SI), equal shapes."""

    family: np.ndarray | jax.Array
    target: np.ndarray | jax.Array

    def __getitem__(self, index):
        """Select tasks by position; ``Tasks`` behaves as a batch here, not as a pair."""
        return Tasks(self.family[index], self.target[index])

    @property
    def count(self) -> int:
        """Number of tasks in the (flat) batch."""
        return int(np.size(self.family))

    def describe(self) -> list[str]:
        """One short label per task, e.g. ``goal_forward +5.10``."""
        return [
            f"{FAMILY_NAMES[int(f)]} {float(t):+.2f}"
            for f, t in zip(np.ravel(self.family), np.ravel(self.target), strict=True)
        ]


def make_tasks(pairs) -> Tasks:
    """``Tasks`` from (family name, signed target) pairs. Raises ValueError on an unknown family or a wrong sign.

    Examples:
        >>> import reinfer
        >>> tasks = reinfer.make_tasks([("goal_forward", 5.1), ("velocity_backward", -1.75)])
        >>> tasks.describe()
        ['goal_forward +5.10', 'velocity_backward -1.75']
        >>> reinfer.make_tasks([("goal_forward", -2.0)])
        Traceback (most recent call last):
        ValueError: target: -2.0 does not fit family 'goal_forward'; its sign must be +1
    """
    families = np.array([family_index(name) for name, _ in pairs], np.int32)
    targets = np.array([target for _, target in pairs], np.float32)
    for (name, target), family in zip(pairs, families, strict=True):
        if not np.isfinite(target) or target * FAMILY_SIGN[family] <= 0:
            raise ValueError(
                f"target: {target!r} does not fit family {name!r}; its sign must be {FAMILY_SIGN[family]:+.0f}"
            )
    return Tasks(families, targets)


@dataclass(frozen=True, slots=True)
class TaskDistribution:
    """Families with the range of target magnitudes of each, uniform over families and over the range.

    ``ranges`` maps a family name to (low, high), 0 < low <= high, in the unit of its channel.

    Examples:
        >>> import jax, reinfer
        >>> goals = reinfer.TaskDistribution((("goal_forward", 1.0, 25.0), ("goal_backward", 1.0, 25.0)))
        >>> goals.sample(jax.random.key(0), (3,)).target.shape
        (3,)
        >>> train, heldout = goals.grid_split(seed=0)
        >>> train.count, heldout.count
        (40, 20)
    """

    ranges: tuple[tuple[str, float, float], ...]

    def __post_init__(self):
        for name, low, high in self.ranges:
            family_index(name)
            if not 0 < low <= high < np.inf:
                raise ValueError(f"range of {name}: ({low}, {high}) must satisfy 0 < low <= high < inf")

    @property
    def families(self) -> np.ndarray:
        """Family indices, shape (F,)."""
        return np.array([family_index(name) for name, _, _ in self.ranges], np.int32)

    def range_of(self, family) -> tuple:
        """Smallest and largest |target| of integer ``family`` (...,), which must be among these; equal shapes."""
        xp = family.__array_namespace__()
        limits = np.full((2, len(FAMILY_NAMES)), np.nan, np.float32)
        limits[:, self.families] = np.array([r[1:] for r in self.ranges], np.float32).T
        return tuple(xp.asarray(limit)[family] for limit in limits)

    def only(self, kinds) -> "TaskDistribution":
        """The same distribution restricted to families whose kind is in ``kinds``."""
        from reinfer.tasks.families import FAMILIES

        keep = tuple(r for r in self.ranges if FAMILIES[family_index(r[0])].kind in kinds)
        return TaskDistribution(keep)

    def forward(self) -> "TaskDistribution":
        """The same distribution restricted to families of positive targets: one direction only."""
        return TaskDistribution(tuple(r for r in self.ranges if FAMILY_SIGN[family_index(r[0])] > 0))

    def sample(self, key, shape=(), which=None) -> Tasks:
        """Independent tasks of the given ``shape`` from a JAX ``key``; traceable.

        ``which`` (shape): positions in ``ranges``, in place of random ones.
        """
        which_key, size_key = jax.random.split(key)
        if which is None:
            which = jax.random.randint(which_key, shape, 0, len(self.ranges))
        low = jnp.array([r[1] for r in self.ranges], jnp.float32)[which]
        high = jnp.array([r[2] for r in self.ranges], jnp.float32)[which]
        magnitude = low + (high - low) * jax.random.uniform(size_key, shape)
        family = jnp.asarray(self.families)[which]
        return Tasks(family, magnitude * jnp.asarray(FAMILY_SIGN)[family])

    def grid_split(self, seed: int, per_family: int = 30, train: int = 20) -> tuple[Tasks, Tasks]:
        """The published split: per family an inclusive grid of ``per_family`` targets, shuffled, cut in two.

        Returns (train tasks, held-out tasks), family-major, disjoint; their union is the grid. Defaults give 80/40
        on four families.
        """
        if not 0 < train < per_family:
            raise ValueError(f"train: {train} must lie strictly between 0 and per_family = {per_family}")
        rng = np.random.default_rng([seed, 0x7A5C])
        parts: tuple[list, list] = ([], [])
        for (_, low, high), family in zip(self.ranges, self.families, strict=True):
            targets = rng.permutation(np.linspace(low, high, per_family)).astype(np.float32) * FAMILY_SIGN[family]
            for part, chosen in zip(parts, (targets[:train], targets[train:]), strict=True):
                part.append(Tasks(np.full(len(chosen), family, np.int32), chosen))
        return tuple(Tasks(*map(np.concatenate, zip(*part, strict=True))) for part in parts)
