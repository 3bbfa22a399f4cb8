"""Bodies by name. A new robot is one file here and one line in ``ROBOTS``."""

from reinfer.bodies.half_cheetah import HALF_CHEETAH
from reinfer.bodies.planar import CommandRange, PlanarBody
from reinfer.bodies.toy1d import Toy1d

ROBOTS = {body.name: body for body in (HALF_CHEETAH,)}
TOYS = {Toy1d.name: Toy1d}


def robot(name: str) -> PlanarBody:
    """The robot called ``name``. Raises ValueError naming the allowed robots."""
    if name not in ROBOTS:
        raise ValueError(f"body: {name!r} is not a known robot; allowed: {', '.join(ROBOTS)}")
    return ROBOTS[name]


__all__ = ["ROBOTS", "TOYS", "CommandRange", "PlanarBody", "Toy1d", "robot"]
