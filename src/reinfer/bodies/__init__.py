"""Bodies by name, or by the path of a body file. A new robot of ours is one file here and one line in ``ROBOTS``; a
new toy likewise in ``TOYS``."""

from reinfer.bodies.ant import ANT, FreeBody
from reinfer.bodies.body import Body, CommandRange, Timing
from reinfer.bodies.half_cheetah import HALF_CHEETAH
from reinfer.bodies.hopper import HOPPER
from reinfer.bodies.identity import BodyId
from reinfer.bodies.own import SUFFIX, BodyError, load_body, read_body
from reinfer.bodies.planar import PlanarBody
from reinfer.bodies.toy import ToyBody
from reinfer.bodies.toy1d import Toy1d
from reinfer.bodies.toy2d import Toy2d
from reinfer.bodies.toy3dof import Toy3dof
from reinfer.bodies.walker2d import WALKER2D

ROBOTS = {body.name: body for body in (HALF_CHEETAH, WALKER2D, HOPPER, ANT)}
TOYS = {toy.name: toy for toy in (Toy1d, Toy2d, Toy3dof)}

#: What may be given as a robot, for help texts.
ALLOWED = f"{', '.join(ROBOTS)} or a file that ends in {SUFFIX}"


def robot(reference: str, timing: str | None = None, *, checked: bool = True) -> Body:
    """The robot called ``reference``, or defined by the file of that path; under its own timing, or ``timing``.

    Raises BodyError (a ValueError) naming what is wrong and what is allowed. A file of one's own must keep
    ``bodies.contract``, unless it is not to be ``checked``.

    Examples:
        >>> import reinfer
        >>> cheetah = reinfer.robot("half_cheetah")
        >>> cheetah.control_dt_s, cheetah.commands.goal_m
        (0.05, 3.0)
        >>> reinfer.robot("snake")
        Traceback (most recent call last):
        reinfer.bodies.own.BodyError: body: 'snake' is not allowed; it must be one of half_cheetah, ...
    """
    if reference in ROBOTS:
        body = ROBOTS[reference]
    elif reference.endswith(SUFFIX):
        body = (load_body if checked else read_body)(reference, ROBOTS.values(), [*ROBOTS, *TOYS])
    else:
        raise BodyError(f"body: {reference!r} is not allowed; it must be one of {ALLOWED}")
    return timed(body, timing)


def timed(body: Body, timing: str | None) -> Body:
    """``body`` under ``timing``, or as it is. Raises BodyError naming the timings it has."""
    try:
        return body if timing is None else body.with_timing(timing)
    except ValueError as error:
        raise BodyError(str(error)) from error


__all__ = [
    "ALLOWED",
    "ROBOTS",
    "TOYS",
    "Body",
    "BodyError",
    "BodyId",
    "CommandRange",
    "FreeBody",
    "PlanarBody",
    "Timing",
    "Toy1d",
    "Toy2d",
    "Toy3dof",
    "ToyBody",
    "robot",
    "timed",
]
