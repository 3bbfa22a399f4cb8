"""Bodies by name. A new robot is one file here and one line in ``ROBOTS``; a new toy likewise in ``TOYS``."""

from reinfer.bodies.ant import ANT
from reinfer.bodies.body import Body, CommandRange, Timing
from reinfer.bodies.half_cheetah import HALF_CHEETAH
from reinfer.bodies.hopper import HOPPER
from reinfer.bodies.planar import PlanarBody
from reinfer.bodies.toy import ToyBody
from reinfer.bodies.toy1d import Toy1d
from reinfer.bodies.toy3dof import Toy3dof
from reinfer.bodies.walker2d import WALKER2D

ROBOTS = {body.name: body for body in (HALF_CHEETAH, WALKER2D, HOPPER, ANT)}
TOYS = {toy.name: toy for toy in (Toy1d, Toy3dof)}


def robot(name: str, timing: str | None = None) -> Body:
    """The robot called ``name``, under its own timing unless ``timing`` names another.

    Raises ValueError naming the allowed robots, or the timings this robot has.
    """
    if name not in ROBOTS:
        raise ValueError(f"body: {name!r} is not a known robot; allowed: {', '.join(ROBOTS)}")
    return ROBOTS[name] if timing is None else ROBOTS[name].with_timing(timing)


__all__ = ["ROBOTS", "TOYS", "Body", "CommandRange", "PlanarBody", "Timing", "Toy1d", "Toy3dof", "ToyBody", "robot"]
