"""Which shipped model of a robot is meant where the user names none."""

import shlex

from reinfer.bodies.body import Body
from reinfer.runs.directory import SHIPPED, shipped_models
from reinfer.runs.errors import ConfigError


def shipped_of(body: Body, place: str, option: str) -> str:
    """``shipped:BODY/place``. Raises ConfigError, naming the ``option`` to use instead, if none is shipped."""
    name = f"{body.name}/{place}"
    if name not in shipped_models():
        stage = {"multi": "low --preset multi", "multi_stride": "stride"}.get(kind := place.partition("/")[0], kind)
        raise ConfigError(
            f"{option}: must be given for body {body.name!r}, since no {name} is shipped; "
            f"`reinfer train {stage} --body {shlex.quote(body.reference)}` makes one"
        )
    return f"{SHIPPED}{name}"
