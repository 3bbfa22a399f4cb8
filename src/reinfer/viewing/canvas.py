"""Drawing with smooth edges: shapes at twice the size, reduced once; text at the final size on top."""

import functools
import math
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

_FINER = 2


@functools.cache
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """The font of all our figures, in pixels; it comes with matplotlib."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), size)


class Canvas:
    """A picture of ``width`` x ``height`` pixels; all coordinates are in these pixels, y downwards."""

    def __init__(self, width: int, height: int, colour: str = "#ffffff"):
        self.width, self.height = width, height
        self._image = Image.new("RGB", (width * _FINER, height * _FINER), colour)
        self._draw = ImageDraw.Draw(self._image)
        self._texts: list[tuple] = []

    def copy(self) -> "Canvas":
        """An independent copy, e.g. of what all frames share."""
        twin = Canvas.__new__(Canvas)
        twin.width, twin.height = self.width, self.height
        twin._image = self._image.copy()
        twin._draw = ImageDraw.Draw(twin._image)
        twin._texts = list(self._texts)
        return twin

    def line(self, points, colour: str, width: float = 1.0) -> None:
        """Connected lines through ``points``, a sequence of (x, y)."""
        self._draw.line(
            [(x * _FINER, y * _FINER) for x, y in points],
            colour,
            max(round(width * _FINER), 1),
            joint="curve",
        )

    def dashes(self, start, end, colour: str, width: float = 1.0, dash: float = 7.0, gap: float = 5.0) -> None:
        """A dashed straight line from ``start`` to ``end``."""
        (x0, y0), (x1, y1) = start, end
        length = max(math.hypot(x1 - x0, y1 - y0), 1e-9)
        at = 0.0
        while at < length:
            a, b = at / length, min(at + dash, length) / length
            self.line(
                [(x0 + a * (x1 - x0), y0 + a * (y1 - y0)), (x0 + b * (x1 - x0), y0 + b * (y1 - y0))],
                colour,
                width,
            )
            at += dash + gap

    def stroke(self, start, end, radius: float, colour: str) -> None:
        """A thick line with round ends."""
        self.line([start, end], colour, 2 * radius)
        self.disc(start, radius, colour)
        self.disc(end, radius, colour)

    def disc(self, centre, radius: float, colour: str) -> None:
        """A filled circle."""
        x, y = centre
        box = [(x - radius) * _FINER, (y - radius) * _FINER, (x + radius) * _FINER, (y + radius) * _FINER]
        self._draw.ellipse(box, colour)

    def polygon(self, points, fill: str | None, outline: str | None = None, width: float = 1.0) -> None:
        """A closed shape through ``points``."""
        scaled = [(x * _FINER, y * _FINER) for x, y in points]
        self._draw.polygon(scaled, fill, outline, max(round(width * _FINER), 1))

    def box(self, left: float, top: float, right: float, bottom: float, colour: str, radius: float = 0) -> None:
        """A filled rectangle."""
        corners = [left * _FINER, top * _FINER, right * _FINER, bottom * _FINER]
        self._draw.rounded_rectangle(corners, radius * _FINER, colour)

    def text(self, at, text: str, colour: str, size: int = 13, bold: bool = False, anchor: str = "ls") -> None:
        """Text; ``anchor`` as in Pillow: l, m or r, then a, m or s (ascender, middle, baseline)."""
        self._texts.append((at, text, colour, font(size, bold), anchor))

    def image(self) -> Image.Image:
        """The finished picture."""
        picture = self._image.reduce(_FINER)
        draw = ImageDraw.Draw(picture)
        for at, text, colour, face, anchor in self._texts:
            draw.text(at, text, colour, face, anchor)
        return picture
