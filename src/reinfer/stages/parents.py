"""What the stages on a robot build on: the robot, a frozen toy agent, and a low-level policy that fits both."""

from typing import NamedTuple

from reinfer.bodies import Body, robot, timed
from reinfer.bodies.shipped import shipped_of
from reinfer.control.low_level_policy import KIND as LOW_LEVEL_KIND
from reinfer.control.low_level_policy import LowLevelPolicy
from reinfer.inference.agent import ToyAgent
from reinfer.runs.directory import resolve
from reinfer.runs.models import load_model
from reinfer.transfer.agents import require_commands


class Foundation(NamedTuple):
    """``body`` under the timing of the low level, which knows no other; ``parents`` as ``Stage.parents()`` has them."""

    body: Body
    toy: ToyAgent
    low_level: LowLevelPolicy
    parents: list[dict]


def load_foundation(body: str, toy: str, low: str | None) -> Foundation:
    """Load what a stage is asked to build on.

    Args:
        body: robot, as ``bodies.robot`` takes it.
        toy, low: a run, a model folder or shipped:NAME; ``low`` None is the shipped one of the robot.
    Raises ConfigError or ArtifactError where something is missing, was made for another robot, or does not fit.
    """
    asked = robot(body)
    low = low or shipped_of(asked, "low", "low")
    toy_folder, low_folder = resolve(toy), resolve(low)
    agent, low_level = ToyAgent.load(toy_folder), LowLevelPolicy.load(low_folder)
    low_level.body.require(asked.id, f"low: {low}")
    require_commands(agent, low_level.ranges)
    parents = [load_model(toy_folder).parent("toy"), load_model(low_folder, LOW_LEVEL_KIND).parent("low")]
    return Foundation(timed(asked, low_level.timing), agent, low_level, [*parents, *asked.parents()])
