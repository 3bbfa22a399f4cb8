"""The hopper: Gymnasium's model, one leg with a foot that is longer in front than behind.

Health: height above 0.7 m as published. The published pitch limit of 0.2 rad is given up for 0.6 rad: a hopper that
brakes or turns round must lean further than that, and it is not down before its height says so.
"""

import numpy as np

from reinfer.bodies.body import CommandRange
from reinfer.bodies.planar import LEGGED_TIMINGS, PlanarBody
from reinfer.tasks import TaskDistribution

HOPPER = PlanarBody(
    name="hopper",
    xml="hopper.xml",
    timings=LEGGED_TIMINGS,
    timing="fast",
    tasks=TaskDistribution(
        (
            ("velocity_forward", 1.0, 2.0),
            ("velocity_backward", 1.0, 2.0),
            ("goal_forward", 2.0, 15.0),
            ("goal_backward", 2.0, 15.0),
        )
    ),
    commands=CommandRange(goal_m=3.0, speed_mps=(0.3, 2.0)),
    fall_pitch_rad=0.6,
    standing_z_m=(0.7, np.inf),
    reset_position_noise=0.01,
    reset_velocity_noise=0.05,
)
