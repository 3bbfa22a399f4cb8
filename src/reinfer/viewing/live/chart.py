"""Small charts over the last seconds, as SVG text: fast enough to be drawn anew several times a second."""

from html import escape

import numpy as np

from reinfer.viewing.style import INK, PALE, SOFT_INK

#: Size in the units of the view box; pages scale it to their width.
WIDTH = 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 6, 22, 16

#: Lines are drawn through at most so many points.
_POINTS = 240


class Chart:
    """One chart: time to the right, ``span_s`` seconds until now, values from ``low`` to ``high``.

    Args:
        title: above it; ``note``: at the right of it.
        height: in the units of ``WIDTH``.
        ticks: values that get a line and a number; chosen if not given.
        with_time: whether seconds are written below.
    """

    def __init__(
        self, title: str, low: float, high: float, span_s: float, *, height=96, note="", ticks=None, with_time=True
    ):
        self.low, self.high, self.span_s, self.height = low, max(high, low + 1e-9), span_s, height
        self._bottom = height - (_BOTTOM if with_time else 4)
        self._parts = [
            text(2, 13, title, INK, 12, bold=True),
            text(WIDTH - _RIGHT, 13, note, SOFT_INK, 11, "end"),
        ]
        for value in round_ticks(low, high) if ticks is None else ticks:
            y = self.y(value)
            self._parts.append(f'<path d="M{_LEFT} {y:.1f}H{WIDTH - _RIGHT}" stroke="{PALE}"/>')
            self._parts.append(text(_LEFT - 4, y + 3.5, f"{value + 0.0:g}", SOFT_INK, 10, "end"))
        if with_time:
            for seconds in range(0, int(span_s) + 1, 10):
                label = "now" if seconds == 0 else f"-{seconds} s"
                anchor = "end" if seconds == 0 else "start" if seconds == span_s else "middle"
                self._parts.append(text(self.x(-seconds), height - 3, label, SOFT_INK, 10, anchor))

    def x(self, time_s):
        """Where a time, at most 0, lies."""
        return WIDTH - _RIGHT + np.asarray(time_s) / self.span_s * (WIDTH - _LEFT - _RIGHT)

    def y(self, value):
        """Where a value lies; what is outside is drawn at the rim."""
        share = (np.clip(value, self.low, self.high) - self.low) / (self.high - self.low)
        return self._bottom - share * (self._bottom - _TOP)

    def line(self, time_s, values, colour: str, width=1.6, *, breaks=None, dashes="") -> None:
        """A line through (T,) points; interrupted where a value is not finite and where ``breaks`` (T,) changes."""
        values = np.asarray(values, float)
        if len(values) == 0:
            return
        keep = np.arange(len(values)) % max(1, -(-len(values) // _POINTS)) == 0
        keep[-1] = True
        change = np.ones(len(values), bool) if breaks is None else np.diff(breaks, prepend=breaks[:1]) == 0
        keep |= ~change
        path, pen = [], "M"
        for x, y, whole, joined in zip(
            self.x(time_s)[keep], self.y(values)[keep], np.isfinite(values)[keep], change[keep], strict=True
        ):
            if not whole:
                pen = "M"
                continue
            path.append(f"{pen if joined else 'M'}{x:.1f} {y:.1f}")
            pen = "L"
        stroke = f' stroke-dasharray="{dashes}"' if dashes else ""
        self._parts.append(
            f'<path d="{"".join(path)}" fill="none" stroke="{colour}" stroke-width="{width}"'
            f' stroke-linejoin="round"{stroke}/>'
        )

    def spans(self, time_s, keys, colours, y: float, thickness: float = 9) -> None:
        """A strip at height ``y`` (in drawing units), coloured by integer ``keys`` (T,)."""
        edges = np.flatnonzero(np.diff(keys)) + 1
        for first, last in zip(np.r_[0, edges], np.r_[edges, len(keys) - 1], strict=True):
            left, right = self.x(time_s[first]), self.x(time_s[last])
            self._parts.append(
                f'<rect x="{left:.1f}" y="{y:.1f}" width="{max(right - left, 0.5):.1f}" height="{thickness}"'
                f' fill="{colours[int(keys[first])]}"/>'
            )

    def label(self, y: float, words: str) -> None:
        """Words in the margin at height ``y``."""
        self._parts.append(text(_LEFT - 4, y, words, SOFT_INK, 10, "end"))

    def svg(self) -> str:
        """The chart."""
        return svg(self.height, self._parts)


def svg(height: float, parts) -> str:
    """An ``<svg>`` as wide as what it stands in."""
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:g}" style="display:block;width:100%;font-family:inherit" role="img">'
        f"{''.join(parts)}</svg>"
    )


def text(x: float, y: float, words: str, colour: str, size: float, anchor: str = "start", bold: bool = False) -> str:
    """A ``<text>`` element."""
    weight = ' font-weight="600"' if bold else ""
    place = f'x="{float(x):.1f}" y="{float(y):.1f}" text-anchor="{anchor}"'
    return f'<text {place} fill="{colour}" font-size="{size}"{weight}>{escape(words)}</text>'


def round_ticks(low: float, high: float, count: int = 4) -> np.ndarray:
    """At most ``count`` + 1 round numbers within [low, high]."""
    raw = (high - low) / count
    power = 10.0 ** np.floor(np.log10(raw))
    step = power * next(factor for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    return step * np.arange(np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9) + 1)
