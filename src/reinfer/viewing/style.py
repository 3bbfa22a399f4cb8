"""One look for every figure: fixed colours per family, safe for colour-blind readers, and a quiet frame.

The colours start from Okabe and Ito, "Color Universal Design" (2008); the families of the toy stay apart for
readers without red or green cones too. Figures are made without pyplot: nothing global is touched.
"""

import base64
import contextlib
import io
import re

import matplotlib
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from reinfer.runs.files import replace_file
from reinfer.tasks import FAMILY_NAMES, KINDS

INK, SOFT_INK, PALE, PAPER = "#1f2933", "#5b6770", "#d5dbe0", "#ffffff"

#: Colour and marker of each family, by name.
FAMILY_COLOUR = {
    "velocity_forward": "#0072b2",
    "velocity_backward": "#009e73",
    "goal_forward": "#d55e00",
    "goal_backward": "#701a50",
    "stand_front": "#e6b800",
    "stand_back": "#56b4e9",
    "jump": "#5c5c5c",
    "velocity_left": "#7f9fe0",
    "velocity_right": "#7fd0b0",
    "goal_left": "#f2a06b",
    "goal_right": "#b77a9f",
}
FAMILY_MARKER = dict(zip(FAMILY_COLOUR, (">", "<", "o", "s", "^", "v", "D", "p", "h", "P", "X"), strict=True))
assert tuple(FAMILY_COLOUR) == FAMILY_NAMES

#: Colours of things that are not families: runs, seeds, agents, in this order.
SERIES = ("#0072b2", "#d55e00", "#009e73", "#aa3377", "#b8860b", "#56b4e9", "#5c5c5c")

#: What each kind of task is about, and its unit.
KIND_QUANTITY = {
    "goal": "position",
    "velocity": "speed",
    "stand": "pitch",
    "jump": "vertical speed",
    "lateral_goal": "lateral position",
    "lateral_velocity": "lateral speed",
}
KIND_UNIT = {
    "goal": "m",
    "velocity": "m/s",
    "stand": "rad",
    "jump": "m/s",
    "lateral_goal": "m",
    "lateral_velocity": "m/s",
}
assert tuple(KIND_QUANTITY) == tuple(KIND_UNIT) == KINDS

_SETTINGS = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "axes.edgecolor": SOFT_INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": PALE,
    "grid.linewidth": 0.6,
    "xtick.color": SOFT_INK,
    "ytick.color": SOFT_INK,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "svg.fonttype": "none",
    "svg.hashsalt": "reinfer",
}


@contextlib.contextmanager
def style():
    """Within the block, matplotlib draws in our style."""
    with matplotlib.rc_context(_SETTINGS):
        yield


def new_figure(columns: int = 1, rows: int = 1, *, panel_inches=(5.2, 3.5), **options):
    """A figure with ``rows x columns`` panels of ``panel_inches`` each; use it within ``style()``.

    Panels of the default width stay readable on a telephone. Returns (figure, axes (rows * columns,)).
    """
    width, height = panel_inches
    figure = Figure(figsize=(columns * width, rows * height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, axes.ravel()


def family_label(name: str) -> str:
    """A family's name as running text."""
    return name.replace("_", " ")


def family_colour(family: int) -> str:
    """Colour of the family with this index."""
    return FAMILY_COLOUR[FAMILY_NAMES[int(family)]]


def task_label(family: int, target: float, unit: str = "") -> str:
    """E.g. ``goal forward +5.10 m``."""
    return f"{family_label(FAMILY_NAMES[int(family)])} {float(target):+.2f}{f' {unit}' if unit else ''}"


def shades(colour: str, share) -> np.ndarray:
    """``colour`` at each brightness ``share`` (N,) in [0, 1], 0 pale and 1 deep; RGB, shape (N, 3)."""
    share = np.clip(np.asarray(share, float), 0.0, 1.0)[:, None]
    base = np.array(to_rgb(colour))
    pale, deep = 1.0 - 0.35 * (1.0 - base), 0.72 * base
    return np.where(share < 0.5, pale + 2.0 * share * (base - pale), base + (2.0 * share - 1.0) * (deep - base))


def svg_of(figure: Figure) -> str:
    """The figure as one ``<svg>`` element that scales with its page; identical for identical figures."""
    buffer = io.StringIO()
    with style():
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    element = text[text.index("<svg") :]
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    # Width and height in points would fix its size; the view box alone lets it fill its column.
    head, rest = element.split(">", 1)
    return re.sub(r'\s(width|height)="[^"]*"', "", head) + ">" + rest


def save_figure(figure: Figure, path) -> None:
    """Write ``figure`` to ``path``, whose ending tells the format. Raises OSError if it cannot."""
    buffer, ending = io.BytesIO(), str(path).rpartition(".")[2]
    # No time of day: the same figure is the same bytes.
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(ending)
    with style():
        figure.savefig(buffer, format=ending, dpi=150, metadata=undated)
    replace_file(path, buffer.getvalue())


def data_uri(data: bytes, media_type: str) -> str:
    """``data`` as a URI that needs no network."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"
