"""The beetle: which joints carry x, z and pitch, how physics is stepped, when it has fallen, what it is asked for."""

from reinfer.bodies import CommandRange, PlanarBody, Timing
from reinfer.tasks import TaskDistribution

BEETLE = PlanarBody(
    name="beetle",
    xml="beetle.xml",
    joints=("slide_x", "slide_z", "tilt"),
    timings={"own": Timing("implicitfast", timestep_s=0.01, frame_skip=5)},
    timing="own",
    tasks=TaskDistribution(
        (
            ("velocity_forward", 0.5, 1.5),
            ("velocity_backward", 0.5, 1.5),
            ("goal_forward", 1.0, 10.0),
            ("goal_backward", 1.0, 10.0),
        )
    ),
    commands=CommandRange(goal_m=3.0, speed_mps=(0.5, 1.5)),
    fall_pitch_rad=1.0,
    reset_position_noise=0.02,
    reset_velocity_noise=0.05,
)
