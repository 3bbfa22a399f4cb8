"""A robot for tests of training on a device: a puck on springs that is pushed along x and tilted; it compiles fast.

Without contacts MJX has nothing to solve, and both kinds of physics agree to rounding for as long as one likes.
"""

from pathlib import Path

_MODEL = """
<mujoco>
  <compiler angle="radian"/>
  <option><flag constraint="disable"/></option>
  <worldbody>
    <body>
      <joint name="x" type="slide" axis="1 0 0" damping="2"/>
      <joint name="z" type="slide" axis="0 0 1" stiffness="400" damping="10"/>
      <joint name="pitch" type="hinge" axis="0 1 0" range="-3 3" damping="0.02"/>
      <geom type="cylinder" size="0.2 0.05" mass="1"/>
    </body>
  </worldbody>
  <actuator>
    <motor joint="x" gear="8" ctrlrange="-1 1"/>
    <motor joint="pitch" gear="0.1" ctrlrange="-1 1"/>
  </actuator>
</mujoco>
"""

_BODY = """
from reinfer.bodies import CommandRange, PlanarBody, Timing
from reinfer.tasks import TaskDistribution

PUCK = PlanarBody(
    name="puck",
    xml="puck.xml",
    joints=("x", "z", "pitch"),
    timings={"own": Timing("Euler", 0.02, 2)},
    timing="own",
    tasks=TaskDistribution(
        (
            ("velocity_forward", 0.5, 1.5),
            ("velocity_backward", 0.5, 1.5),
            ("goal_forward", 1.0, 10.0),
            ("goal_backward", 1.0, 10.0),
        )
    ),
    commands=CommandRange(goal_m=2.0, speed_mps=(0.3, 2.0), jump_mps=(0.2, 0.5)),
    fall_pitch_rad=0.6,
    reset_position_noise=0.05,
    reset_velocity_noise=0.1,
)
"""


def write_puck(folder: Path) -> str:
    """The path of the puck's body file, in ``folder``."""
    (folder / "puck.xml").write_text(_MODEL)
    (folder / "puck.py").write_text(_BODY)
    return str(folder / "puck.py")
