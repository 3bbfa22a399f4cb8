"""The scene of a video: ground with metre marks, the body, its target and the target it believes in."""

import math

from reinfer.viewing.canvas import Canvas, font
from reinfer.viewing.skeleton import Shape
from reinfer.viewing.style import INK, PAPER, SOFT_INK

#: Trunk, then limbs in turn.
_LIMB_COLOURS = ("#33475b", "#6f8aa3", "#94aabf", "#5b7590")
_SKY, _GROUND, _GROUND_LINE = ("#dfeaf2", "#f8fbfd"), "#d9d4c7", "#8d8674"
_MARGIN = 26


class Scene:
    """A side view of ``view_m`` metres of track in the rows ``top`` to ``bottom`` of a canvas."""

    def __init__(self, canvas: Canvas, top: int, bottom: int, view_m: float = 4.8):
        self.canvas, self.top, self.bottom = canvas, top, bottom
        self.pixels_per_m = canvas.width / view_m
        self.ground = bottom - 58
        self.centre_m = 0.0

    def onto(self, canvas: Canvas, centre_m: float) -> "Scene":
        """The same view on another canvas, with ``centre_m`` in the middle."""
        moved = Scene.__new__(Scene)
        moved.__dict__.update(self.__dict__, canvas=canvas, centre_m=centre_m)
        return moved

    def at(self, x: float, z: float = 0.0) -> tuple[float, float]:
        """Pixel of the point (x, z) in m."""
        return (
            self.canvas.width / 2 + (x - self.centre_m) * self.pixels_per_m,
            self.ground - z * self.pixels_per_m,
        )

    def sky(self) -> None:
        """What does not move with the camera."""
        rows = self.ground - self.top
        upper, lower = ([int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in _SKY)
        for row in range(rows):
            mixed = [round(a + (b - a) * row / rows) for a, b in zip(upper, lower, strict=True)]
            y = self.top + row
            self.canvas.box(0, y, self.canvas.width, y + 1, "#{:02x}{:02x}{:02x}".format(*mixed))
        self.canvas.box(0, self.ground, self.canvas.width, self.bottom, _GROUND)
        self.canvas.line([(0, self.ground), (self.canvas.width, self.ground)], _GROUND_LINE, 2)

    def metre_marks(self) -> None:
        """A tick per half metre, a number per metre; the start is marked."""
        half_view = 0.5 * self.canvas.width / self.pixels_per_m
        first = math.ceil(2 * (self.centre_m - half_view) - 1)
        for half in range(first, math.floor(2 * (self.centre_m + half_view) + 1) + 1):
            x, whole = self.at(half / 2)[0], half % 2 == 0
            self.canvas.line([(x, self.ground), (x, self.ground + (10 if whole else 5))], _GROUND_LINE, 1.2)
            if whole:
                label = "start" if half == 0 else f"{half // 2} m"
                self.canvas.text((x, self.ground + 23), label, SOFT_INK, 11, half == 0, "ms")

    def body(self, shapes: list[Shape]) -> None:
        """The body with a paper-coloured rim, so that limbs stand apart, and its shadow."""
        xs = [x for shape in shapes for x in shape.points[:, 0]]
        shadow = self.ground + 5
        self.canvas.stroke((self.at(min(xs))[0], shadow), (self.at(max(xs))[0], shadow), 3, "#c4beae")
        for limb in sorted({shape.limb for shape in shapes}, reverse=True):
            parts = [shape for shape in shapes if shape.limb == limb]
            colour = _LIMB_COLOURS[0] if limb == 0 else _LIMB_COLOURS[1 + (limb - 1) % 3]
            for part in parts:
                self._shape(part, PAPER, 1.6)
            for part in parts:
                self._shape(part, colour, 0.0)

    def _shape(self, shape: Shape, colour: str, rim: float) -> None:
        points = [self.at(x, z) for x, z in shape.points]
        if len(points) == 2:
            self.canvas.stroke(*points, shape.radius * self.pixels_per_m + rim, colour)
        else:
            self.canvas.polygon(points, colour, colour, 1 + 2 * rim)

    def goal(self, x: float, colour: str, label: str) -> None:
        """A flag at ``x``; where it is out of view, an arrow at the edge with the distance."""
        if self._out_of_view(x, self.top + 44, colour, label):
            return
        foot, head = self.at(x), (self.at(x)[0], self.top + 34)
        self.canvas.dashes(foot, head, colour, 2.2)
        self.canvas.polygon([head, (head[0] + 26, head[1] + 8), (head[0], head[1] + 16)], colour)
        self.canvas.text((head[0], head[1] - 8), label, colour, 13, True, self._anchor(head[0]))

    def believed_goal(self, x: float, colour: str, label: str) -> None:
        """A hollow marker below the ground line at ``x``, or an arrow at the edge."""
        if self._out_of_view(x, self.ground + 52, colour, label):
            return
        px = self.at(x)[0]
        self.canvas.dashes((px, self.ground), (px, self.ground + 28), colour, 1.5, 3, 3)
        corners = [(px, self.ground + 27), (px - 8, self.ground + 39), (px + 8, self.ground + 39)]
        self.canvas.polygon(corners, PAPER, colour, 2)
        self.canvas.text((px, self.ground + 53), label, colour, 12, False, self._anchor(px))

    def sub_goal(self, x: float) -> None:
        """A small diamond on the ground where the low level is sent now."""
        px, y = self.at(x)
        if _MARGIN < px < self.canvas.width - _MARGIN:
            self.canvas.polygon([(px - 6, y), (px, y - 6), (px + 6, y), (px, y + 6)], INK)

    def speeds(self, x: float, arrows) -> None:
        """Arrows from above the body: (speed in m/s, colour, label, solid) from top to bottom."""
        start = self.at(x)[0]
        for row, (speed, colour, label, solid) in enumerate(arrows):
            y = self.top + 34 + 24 * row
            tip = start + 0.55 * self.pixels_per_m * speed
            way = math.copysign(1.0, speed)
            if solid:
                self.canvas.line([(start, y), (tip, y)], colour, 5)
            else:
                self.canvas.dashes((start, y), (tip, y), colour, 2.5)
            self.canvas.polygon([(tip + 10 * way, y), (tip, y - 7), (tip, y + 7)], colour)
            at, side = tip + 18 * way, way
            if not 0 < at + way * font(13, solid).getlength(label) < self.canvas.width:
                # Behind the arrow where there is no room ahead of it.
                at, side = start - 10 * way, -way
            self.canvas.text((at, y), label, colour, 13, solid, "lm" if side > 0 else "rm")
        self.canvas.line([(start, self.top + 24), (start, self.top + 20 + 24 * len(arrows))], SOFT_INK, 1)

    def _out_of_view(self, x: float, y: float, colour: str, label: str) -> bool:
        px = self.at(x)[0]
        if _MARGIN <= px <= self.canvas.width - _MARGIN:
            return False
        right = px > self.canvas.width / 2
        edge, way = (self.canvas.width - 12, 1) if right else (12, -1)
        self.canvas.polygon([(edge, y - 5), (edge - 12 * way, y - 12), (edge - 12 * way, y + 2)], colour)
        self.canvas.text((edge - 20 * way, y), label, colour, 13, True, "rs" if right else "ls")
        return True

    def _anchor(self, px: float) -> str:
        """Keep a label centred at ``px`` inside the picture."""
        if px < 90:
            return "ls"
        return "rs" if px > self.canvas.width - 90 else "ms"
