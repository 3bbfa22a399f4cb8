"""The walker: Gymnasium's ``Walker2d-v5`` model, whose feet have equal friction, so that both legs are alike."""

from reinfer.bodies.body import CommandRange
from reinfer.bodies.planar import LEGGED_TIMINGS, PlanarBody
from reinfer.tasks import TaskDistribution

WALKER2D = PlanarBody(
    name="walker2d",
    xml="walker2d_v5.xml",
    timings=LEGGED_TIMINGS,
    timing="fast",
    tasks=TaskDistribution(
        (
            ("velocity_forward", 1.0, 2.5),
            ("velocity_backward", 1.0, 2.5),
            ("goal_forward", 2.0, 15.0),
            ("goal_backward", 2.0, 15.0),
        )
    ),
    commands=CommandRange(goal_m=3.0, speed_mps=(0.3, 2.5)),
    # Gymnasium's and the published rule.
    fall_pitch_rad=1.0,
    standing_z_m=(0.8, 2.0),
    reset_position_noise=0.01,
    reset_velocity_noise=0.05,
)
