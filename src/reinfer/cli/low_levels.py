"""Robots together with the low level that moves them, as options name them."""

from reinfer.bodies import Body, robot, timed
from reinfer.bodies.shipped import shipped_of
from reinfer.runs.directory import resolve
from reinfer.runs.errors import ConfigError


def with_low_level(body: Body, reference: str):
    """(``body``, the low level ``reference``), where physics is stepped as it was for the low level, which knows no
    other. Raises ArtifactError if that is none, or one of another robot."""
    from reinfer.control.low_level_policy import LowLevelPolicy

    low_level = LowLevelPolicy.load(resolve(reference))
    low_level.body.require(body.id, f"low: {reference}")
    return timed(body, low_level.timing), low_level


def robots_with_low_levels(names: tuple[str, ...], lows: tuple[str, ...]) -> list[tuple]:
    """As ``with_low_level``, of the robots ``names`` with the low levels ``lows``, or with shipped ones if none are
    given. Raises ConfigError if there is not one for each."""
    if len(lows) not in (0, len(names)):
        raise ConfigError(f"low: {len(lows)} given for {len(names)} robots; there must be one for each")
    bodies = [robot(name) for name in names]
    lows = lows or [shipped_of(body, "low", "low") for body in bodies]
    return [with_low_level(*pair) for pair in zip(bodies, lows, strict=True)]
