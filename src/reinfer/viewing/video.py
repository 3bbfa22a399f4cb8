"""Videos of rollouts, drawn from recorded joint positions without OpenGL: the same on every machine."""

from collections.abc import Iterator

from PIL import Image

from reinfer.bodies import BodyId, robot
from reinfer.runs.errors import ConfigError
from reinfer.viewing.canvas import Canvas
from reinfer.viewing.encoding import video_writer
from reinfer.viewing.marks import draw_goals, draw_speeds
from reinfer.viewing.overlay import CHART, HEADER, Chart, Header
from reinfer.viewing.scene import Scene
from reinfer.viewing.series import moving_average
from reinfer.viewing.skeleton import Skeleton
from reinfer.viewing.tracks import GAIT_CYCLE_S

WIDTH, HEIGHT = 960, 540

#: The camera follows the body's position averaged over this long.
CAMERA_S = 1.5


def write_video(path, record, simulations, seconds: float = 12.0, *, on_frame=lambda: None) -> int:
    """Write an mp4, or a GIF, of the ``simulations`` (indices) of ``record``, one after the other; returns its frames.

    One frame per control step, played in real time, but that the first of each simulation stands for a while in a GIF;
    ``on_frame`` is called after each.

    Args:
        seconds: of every simulation; less where the record is shorter.
    Raises ConfigError on a simulation that the record does not have, RunError if the file cannot be written.
    """
    count = 0
    with video_writer(path, 1.0 / record.control_dt_s, (WIDTH, HEIGHT)) as append:
        for simulation in simulations:
            for number, frame in enumerate(frames(record, simulation, seconds)):
                append(frame, opens=number == 0)
                count += 1
                on_frame()
    return count


def shown(record) -> tuple[int, ...]:
    """Simulations to show where none are named: of the standard tasks a velocity and a goal."""
    last = len(record.tasks.family) - 1
    return tuple(dict.fromkeys(min(number, last) for number in (1, 10)))


def require_simulations(field: str, numbers, tasks) -> None:
    """Raise ConfigError, of the option ``field``, unless ``numbers`` are those of simulations of ``tasks``."""
    for number in numbers:
        if not 0 <= number < tasks.count:
            raise ConfigError(f"{field}: {number} is not in the record; allowed: 0 to {tasks.count - 1}")


def frame_count(record, seconds: float) -> int:
    """Frames that one simulation of ``record`` gives."""
    return min(len(record.reward), round(seconds / record.control_dt_s))


def frames(record, simulation: int, seconds: float = 12.0) -> Iterator[Image.Image]:
    """The pictures of one simulation, one per control step. Raises ConfigError if there is no such one,
    or if the robot is gone; ArtifactError if it changed."""
    require_simulations("simulation", (simulation,), record.tasks)
    family, target = int(record.tasks.family[simulation]), float(record.tasks.target[simulation])
    dt, length = record.control_dt_s, frame_count(record, seconds)
    skeleton, header = Skeleton(body_of(record)), Header(family, target)
    backdrop = Canvas(WIDTH, HEIGHT)
    scene = Scene(backdrop, HEADER, HEIGHT - CHART)
    scene.sky()
    chart = Chart(backdrop, record.task_state[: length + 1, simulation], family, target, dt)
    for part in (header, chart):
        part.frame(backdrop)
    x = record.task_state[:, simulation, 0]
    camera = moving_average(x, round(CAMERA_S / dt))
    speed = moving_average(record.task_state[:, simulation, 3], round(GAIT_CYCLE_S / dt))
    for step in range(length):
        canvas = backdrop.copy()
        here = scene.onto(canvas, camera[step])
        belief = record.family_probability[step, simulation]
        rows, estimate = int(record.rows[step, simulation]), float(record.target_estimate[step, simulation])
        here.metre_marks()
        draw_goals(here, record, step, simulation, estimate if rows else None)
        here.body(skeleton.pose(record.qpos[step, simulation]))
        draw_speeds(here, record, step, simulation, speed[step], estimate if rows else None)
        header.draw(
            canvas,
            seconds=step * dt,
            reward=record.reward[step, simulation],
            stride=int(record.stride[step, simulation]),
            stride_s=record.stride[step, simulation] * dt,
            rows=rows,
            probability=belief,
            estimate=estimate,
        )
        chart.draw(canvas, step)
        yield canvas.image()


def body_of(record):
    """The robot of ``record``. Raises ConfigError if it is gone, ArtifactError if it changed."""
    body = robot(record.body, checked=False)
    BodyId(body.name, record.body_files).require(body.id, "the record")
    return body
