"""How the mirror x -> -x acts on lists of numbers: as signed permutations."""

from typing import NamedTuple

import numpy as np


class Mirror(NamedTuple):
    """How the mirror acts on one axis of size n: entry i of the image is ``sign[i]`` times entry ``index[i]``.

    Applied twice it must change nothing.
    """

    index: np.ndarray
    sign: np.ndarray

    @property
    def size(self) -> int:
        """Length of the axis."""
        return len(self.index)

    def first(self, size: int) -> "Mirror":
        """How it acts on the first ``size`` entries, which it must keep among themselves."""
        return Mirror(self.index[:size], self.sign[:size])


def signed(signs) -> Mirror:
    """Every entry keeps its place and takes on one of ``signs``, +1 or -1."""
    return Mirror(np.arange(len(signs)), np.asarray(signs, np.float32))


def fixed(size: int) -> Mirror:
    """Nothing changes."""
    return signed(np.ones(size))


def swapped(size: int) -> Mirror:
    """The entries change places, first with last and so on; that in the middle of an odd number stays."""
    return renumbered(np.arange(size)[::-1])


def renumbered(index) -> Mirror:
    """Entry ``index[i]`` takes place i."""
    return Mirror(np.asarray(index), np.ones(len(index), np.float32))


def joined(*parts: Mirror) -> Mirror:
    """The action on the concatenation of ``parts``."""
    offsets = np.cumsum([0, *(part.size for part in parts[:-1])])
    index = [part.index + offset for part, offset in zip(parts, offsets, strict=True)]
    return Mirror(np.concatenate(index), np.concatenate([part.sign for part in parts]))
