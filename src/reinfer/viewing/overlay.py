"""What a video says beside the scene: task, belief, numbers, and the course of the controlled value."""

import numpy as np

from reinfer.tasks import FAMILIES, FAMILY_NAMES
from reinfer.tasks.rewards import controlled_value
from reinfer.viewing.canvas import Canvas
from reinfer.viewing.series import moving_average
from reinfer.viewing.style import (
    FAMILY_COLOUR,
    INK,
    KIND_QUANTITY,
    KIND_UNIT,
    PALE,
    PAPER,
    SOFT_INK,
    family_label,
    task_label,
)
from reinfer.viewing.tracks import GAIT_CYCLE_S

HEADER, CHART = 92, 104
_LEFT, _BELIEF, _NUMBERS = 18, 300, 708

#: Most families whose probabilities, and whose names, are written out below their bars; more would overlap.
_WITH_NUMBERS, _WITH_NAMES = 4, 7


class Header:
    """The strip at the top: hidden task, belief and numbers."""

    def __init__(self, family: int, target: float):
        self.family, self.target = family, target

    def frame(self, canvas: Canvas) -> None:
        """What stays the same in all frames."""
        canvas.box(0, 0, canvas.width, HEADER, PAPER)
        canvas.text((_LEFT, 22), "TASK, hidden from the agent", SOFT_INK, 11)
        name = FAMILY_NAMES[self.family]
        unit = KIND_UNIT[FAMILIES[self.family].kind]
        canvas.text((_LEFT, 46), family_label(name), FAMILY_COLOUR[name], 18, True)
        canvas.text((_LEFT, 72), f"{self.target:+.2f} {unit}", FAMILY_COLOUR[name], 18, True)
        for at, label in ((_NUMBERS, "TIME"), (_NUMBERS + 84, "REWARD"), (_NUMBERS + 172, "STRIDE")):
            canvas.text((at, 22), label, SOFT_INK, 11)

    def draw(self, canvas, *, seconds, reward, stride, stride_s, rows, probability, estimate) -> None:
        """Numbers of one moment; ``probability`` (F,) over families, ``estimate`` of the target."""
        likely = int(np.argmax(probability))
        row_word = "row" if rows == 1 else "rows"
        canvas.text((_BELIEF, 22), f"BELIEF, from {rows} {row_word} of (state, reward)", SOFT_INK, 11)
        if rows == 0:
            canvas.text((_BELIEF, 46), "nothing known yet", SOFT_INK, 16)
        else:
            unit = KIND_UNIT[FAMILIES[likely].kind]
            said = f"{task_label(likely, estimate, unit)}"
            canvas.text((_BELIEF, 46), said, FAMILY_COLOUR[FAMILY_NAMES[likely]], 16, True)
        step = (_NUMBERS - _BELIEF - 16) / len(probability)
        for index, share in enumerate(probability):
            name = FAMILY_NAMES[index]
            left, width = _BELIEF + step * index, step - 9
            canvas.box(left, 57, left + width, 64, PALE, 3)
            if share > 0.03:
                canvas.box(left, 57, left + max(width * share, 6), 64, FAMILY_COLOUR[name], 3)
            if len(probability) <= _WITH_NAMES:
                canvas.text((left, 80), _short(name), SOFT_INK, 10)
            if len(probability) <= _WITH_NUMBERS:
                canvas.text((left + width, 80), f"{100 * share:.0f} %", INK, 10, index == likely, "rs")
        canvas.text((_NUMBERS, 48), f"{seconds:.1f} s", INK, 18, True)
        canvas.text((_NUMBERS + 84, 48), f"{reward:.2f}", INK, 18, True)
        canvas.text((_NUMBERS + 172, 48), f"{stride}", INK, 18, True)
        canvas.text((_NUMBERS + 172, 68), f"= {stride_s:.2f} s", SOFT_INK, 11)
        canvas.text((_NUMBERS, 68), "simulated", SOFT_INK, 11)
        canvas.text((_NUMBERS + 84, 68), "0 is best", SOFT_INK, 11)


def _short(name: str) -> str:
    """A family's name in a few letters."""
    return family_label(name).replace("velocity", "vel.").replace("forward", "fwd").replace("backward", "back")


class Chart:
    """The strip at the bottom: the value that the task is about as time passes, and its target dashed."""

    def __init__(self, canvas: Canvas, states, family: int, target: float, control_dt_s: float):
        kind = FAMILIES[family].kind
        values = controlled_value(np.asarray(family), np.asarray(states))
        if kind == "velocity":
            values = moving_average(values, round(GAIT_CYCLE_S / control_dt_s))
        self._family, self._target, self._unit = family, target, KIND_UNIT[kind]
        self._label = KIND_QUANTITY[kind]
        self._duration = (len(states) - 1) * control_dt_s
        self.left, self.right = 128, canvas.width - 74
        self.top, self.bottom = canvas.height - CHART + 12, canvas.height - 20
        low, high = min(0.0, target, *values), max(0.0, target, *values)
        room = 0.08 * (high - low)
        self._low, self._high = low - room, high + room
        steps = np.arange(len(values))
        x = self.left + steps / max(len(values) - 1, 1) * (self.right - self.left)
        self._points = list(zip(x, map(self._y, values), strict=True))

    def _y(self, value: float) -> float:
        return self.bottom - (value - self._low) / (self._high - self._low) * (self.bottom - self.top)

    def frame(self, canvas: Canvas) -> None:
        """What stays the same in all frames."""
        canvas.box(0, canvas.height - CHART, canvas.width, canvas.height, PAPER)
        for value in (0.0, self._target):
            canvas.text((self.left - 8, self._y(value)), f"{value:+.3g}".replace("+0", "0"), SOFT_INK, 11, False, "rm")
        canvas.line([(self.left, self._y(0.0)), (self.right, self._y(0.0))], PALE, 1)
        colour = FAMILY_COLOUR[FAMILY_NAMES[self._family]]
        canvas.dashes((self.left, self._y(self._target)), (self.right, self._y(self._target)), colour, 1.6)
        canvas.text((self.right + 8, self._y(self._target)), "target", colour, 11, True, "lm")
        canvas.text((10, self.top + 2), f"{self._label}", INK, 11, False, "lm")
        canvas.text((10, self.top + 17), f"({self._unit})", SOFT_INK, 10, False, "lm")
        for second in range(0, int(self._duration) + 1, max(1, round(self._duration / 6))):
            x = self.left + second / self._duration * (self.right - self.left)
            canvas.text((x, canvas.height - 5), f"{second} s", SOFT_INK, 10, False, "ms")

    def draw(self, canvas: Canvas, step: int) -> None:
        """The course up to control step ``step``."""
        if step > 0:
            canvas.line(self._points[: step + 1], INK, 2)
        canvas.disc(self._points[step], 4, INK)
