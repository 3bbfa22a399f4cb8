"""The half-cheetah: Gymnasium's model, unchanged, at its own 0.01 s x 5 = 0.05 s control step."""

import numpy as np

from reinfer.bodies.body import CommandRange, Timing
from reinfer.bodies.planar import PlanarBody
from reinfer.tasks import TaskDistribution

HALF_CHEETAH = PlanarBody(
    name="half_cheetah",
    xml="half_cheetah.xml",
    timings={"stock": Timing("Euler", 0.01, 5)},
    timing="stock",
    tasks=TaskDistribution(
        (
            ("velocity_forward", 1.0, 2.5),
            ("velocity_backward", 1.0, 2.5),
            ("goal_forward", 0.2, 10.0),
            ("goal_backward", 0.2, 10.0),
            ("stand_front", np.pi / 6, np.pi / 2),
            ("stand_back", np.pi / 6, np.pi / 2),
            ("jump", 1.5, 3.0),
        )
    ),
    commands=CommandRange(goal_m=3.0, speed_mps=(0.3, 3.0), stand_rad=(np.pi / 6, np.pi / 2), jump_mps=(1.5, 3.0)),
    fall_pitch_rad=2.0,
    reset_position_noise=0.1,
    reset_velocity_noise=0.1,
)
