"""Bodies, or agents, side by side on the same task: one panel each, on one clock."""

from collections.abc import Iterator

import numpy as np
from PIL import Image

from reinfer.runs.errors import ConfigError
from reinfer.tasks import FAMILIES, FAMILY_NAMES
from reinfer.viewing.canvas import Canvas
from reinfer.viewing.encoding import video_writer
from reinfer.viewing.marks import draw_goals, draw_speeds
from reinfer.viewing.overlay import CHART, Chart
from reinfer.viewing.scene import Scene
from reinfer.viewing.series import moving_average
from reinfer.viewing.skeleton import Skeleton
from reinfer.viewing.style import FAMILY_COLOUR, INK, KIND_UNIT, PAPER, SOFT_INK, task_label
from reinfer.viewing.tracks import GAIT_CYCLE_S
from reinfer.viewing.video import CAMERA_S, HEIGHT, body_of

#: Size of a panel, and most of them in one video.
WIDTH, MOST = 480, 4
_HEADER, _VIEW_M = 78, 3.2


class Panel:
    """One simulation of one record, drawn at any moment; ``name`` says whose it is."""

    def __init__(self, name: str, record, simulation: int, seconds: float):
        self._name, self._record, self._simulation = name, record, simulation
        self._family, self._target = int(record.tasks.family[simulation]), float(record.tasks.target[simulation])
        self._unit = KIND_UNIT[FAMILIES[self._family].kind]
        self._skeleton = Skeleton(body_of(record))
        dt = record.control_dt_s
        self._last = min(len(record.reward), round(seconds / dt)) - 1
        self._canvas = Canvas(WIDTH, HEIGHT)
        self._scene = Scene(self._canvas, _HEADER, HEIGHT - CHART, _VIEW_M)
        self._scene.sky()
        self._canvas.box(0, 0, WIDTH, _HEADER, PAPER)
        self._canvas.text((18, 28), name, INK, 18, True)
        label = task_label(self._family, self._target, self._unit)
        colour = FAMILY_COLOUR[FAMILY_NAMES[self._family]]
        self._canvas.text((WIDTH - 18, 17), "task (hidden from the agent)", SOFT_INK, 12, False, "rs")
        self._canvas.text((WIDTH - 18, 36), label, colour, 14, True, "rs")
        states = record.task_state[: self._last + 2, simulation]
        self._chart = Chart(self._canvas, states, self._family, self._target, dt)
        self._chart.frame(self._canvas)
        self._camera = moving_average(record.task_state[:, simulation, 0], round(CAMERA_S / dt))
        self._speed = moving_average(record.task_state[:, simulation, 3], round(GAIT_CYCLE_S / dt))

    def at(self, seconds: float) -> Image.Image:
        """The panel at that moment."""
        record, simulation = self._record, self._simulation
        step = min(int(seconds / record.control_dt_s + 1e-9), self._last)
        canvas = self._canvas.copy()
        here = self._scene.onto(canvas, self._camera[step])
        rows, estimate = int(record.rows[step, simulation]), float(record.target_estimate[step, simulation])
        here.metre_marks()
        draw_goals(here, record, step, simulation, estimate if rows else None)
        here.body(self._skeleton.pose(record.qpos[step, simulation]))
        draw_speeds(here, record, step, simulation, self._speed[step], estimate if rows else None)
        canvas.text((18, 58), self._belief(step, rows, estimate), SOFT_INK, 13)
        canvas.text((WIDTH - 18, 58), f"{seconds:.1f} s simulated", SOFT_INK, 13, False, "rs")
        self._chart.draw(canvas, step)
        return canvas.image()

    def _belief(self, step: int, rows: int, estimate: float) -> str:
        if rows == 0:
            return "knows nothing yet"
        belief = self._record.family_probability[step, self._simulation]
        likely = int(np.argmax(belief))
        unit = KIND_UNIT[FAMILIES[likely].kind]
        return f"believes {task_label(likely, estimate, unit)} ({100 * belief[likely]:.0f} %)"


def same_task(records: dict, simulation: int) -> list[int]:
    """Of each record the simulation whose task is that of ``simulation`` in the first one.

    Raises ConfigError if a record has no such task.
    """
    names, found = list(records), []
    first = records[names[0]].tasks[simulation]
    for name, record in records.items():
        same = (record.tasks.family == first.family) & np.isclose(record.tasks.target, first.target, atol=5e-3)
        if not same.any():
            (label,) = first.describe() if np.ndim(first.family) else records[names[0]].tasks[[simulation]].describe()
            raise ConfigError(f"{name} has no task {label}; it has {', '.join(record.tasks.describe())}")
        found.append(int(np.flatnonzero(same)[0]))
    return found


def frames_together(records: dict, simulation: int, seconds: float = 12.0) -> Iterator[Image.Image]:
    """Pictures of all ``records`` (by name) on the task of ``simulation`` in the first one, at the slowest's rate.

    Raises ConfigError as ``same_task`` does, or if there are more than ``MOST``.
    """
    if len(records) > MOST:
        raise ConfigError(f"{len(records)} records are more than the {MOST} that fit side by side")
    chosen = same_task(records, simulation)
    panels = [Panel(name, record, n, seconds) for (name, record), n in zip(records.items(), chosen, strict=True)]
    step_s = max(record.control_dt_s for record in records.values())
    length = min(seconds, *(len(record.reward) * record.control_dt_s for record in records.values()))
    for moment in range(round(length / step_s)):
        picture = Image.new("RGB", (WIDTH * len(panels), HEIGHT), SOFT_INK)
        for column, panel in enumerate(panels):
            picture.paste(panel.at(moment * step_s), (column * WIDTH + (column > 0), 0))
        yield picture


def write_together(path, records: dict, simulations, seconds: float = 12.0) -> int:
    """Write a video of ``frames_together`` for each of ``simulations``; returns its frames."""
    count, step_s = 0, max(record.control_dt_s for record in records.values())
    with video_writer(path, 1.0 / step_s, (WIDTH * len(records), HEIGHT)) as append:
        for simulation in simulations:
            for number, frame in enumerate(frames_together(records, simulation, seconds)):
                append(frame, opens=number == 0)
                count += 1
    return count
