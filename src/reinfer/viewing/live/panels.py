"""What stands beside the robot, as HTML text: task and belief in words, probabilities, their course, the latent map."""

from html import escape

import numpy as np

from reinfer.tasks import FAMILIES, FAMILY_NAMES, KINDS
from reinfer.tasks.families import FAMILY_KIND
from reinfer.viewing.live.chart import WIDTH, Chart, svg, text
from reinfer.viewing.live.history import SPAN_S, History, Series
from reinfer.viewing.live.latent_map import LatentMap
from reinfer.viewing.live.session import Snapshot
from reinfer.viewing.style import (
    FAMILY_COLOUR,
    INK,
    KIND_QUANTITY,
    KIND_UNIT,
    PALE,
    PAPER,
    SOFT_INK,
    family_colour,
    family_label,
)

#: Latents drawn as a trail.
_TRAIL = 16

#: Largest deviation of a belief that is called right in words.
_RIGHT = 0.05


def summary(now: Snapshot) -> str:
    """Task and belief in words."""
    if now.told:
        belief, label = "told the task", "ORACLE, a comparator"
    else:
        belief = _task_words(now.likely, now.likely_target)
        label = f"BELIEVED, from {now.rows} row{'s' * (now.rows != 1)} of (state, reward)"
    hidden = "TASK" if now.told else "TASK, hidden from the agent"
    right = now.likely == now.family and abs(now.likely_target / now.target - 1.0) <= _RIGHT
    looks = f"{now.looks} look{'s' * (now.looks != 1)} since the task was set"
    verdict = "" if now.told else f"{'found' if right else 'not found yet'}, {looks}"
    return (
        '<div style="padding:0.2em 0.8em 0.5em;line-height:1.35;font-size:0.9em">'
        f"{_caption(hidden)}{_coloured('true-task', now.family, _task_words(now.family, now.target))}"
        f"{_caption(label)}{_coloured('belief', now.likely, belief)}"
        f'<div style="color:{SOFT_INK};font-size:0.85em" data-panel="verdict">{verdict}&nbsp;</div></div>'
    )


def probabilities(now: Snapshot) -> str:
    """A bar per family; the true one is marked."""
    count, row = len(now.family_probability), 19
    parts = [text(2, 13, "which family?", INK, 12, bold=True)]
    for family, share in enumerate(now.family_probability):
        y, colour = 22 + row * family, family_colour(family)
        true = family == now.family
        parts += [
            text(124, y + 11, family_label(FAMILY_NAMES[family]), INK if true else SOFT_INK, 11, "end", true),
            f'<rect x="130" y="{y}" width="160" height="13" fill="{PALE}" opacity="0.5"/>',
            f'<rect x="130" y="{y}" width="{160 * float(share):.1f}" height="13" fill="{colour}"/>',
            text(WIDTH - 6, y + 11, f"{100 * float(share):.0f} %", INK, 11, "end"),
        ]
    return svg(22 + row * count + 2, parts)


def course(history: History, now: Snapshot, kinds) -> str:
    """True against inferred task over time: families as two strips, then a chart per kind of task in ``kinds``."""
    series = history.series()
    charts = [_families(series)] + [_targets(series, kind, now.told, kind == kinds[-1]) for kind in kinds]
    legend = (
        f'<div style="font-size:0.72em;color:{SOFT_INK};padding:0 0.2em 0.4em">'
        '<b style="font-weight:700">thick</b>: true target &nbsp; '
        "dashed: target believed in &nbsp; thin: the robot &nbsp; dark ball in the scene: sub-goal</div>"
    )
    return "".join(charts) + legend


def signals(history: History, now: Snapshot) -> str:
    """Reward and stride over time."""
    series = history.series()
    lowest = float(np.quantile(series.reward, 0.02))
    reward = Chart("reward", min(lowest, -1.0), 0.0, SPAN_S, height=62, note=_plain(now.reward), with_time=False)
    reward.line(series.time_s, series.reward, INK, 1.3, breaks=series.episode)
    most = max(5, int(series.stride.max()))
    stride = Chart("stride, control steps", 0, most, SPAN_S, height=70, note=f"{now.stride}", ticks=(0, most))
    stride.line(series.time_s, series.stride, INK, 1.3, breaks=series.episode)
    return reward.svg() + stride.svg()


def latent(history: History, now: Snapshot, chart: LatentMap | None) -> str:
    """Where the latent is among the components of the mixture, and where it came from."""
    height, margin = 215, 8
    title = text(2, 13, "latent among mixture components", INK, 12, bold=True)
    if chart is None or now.told:
        reason = "the oracle infers nothing" if now.told else "this toy agent has no mixture"
        return svg(40, [title, text(2, 32, reason, SOFT_INK, 11)])
    trail = chart.project(history.latents(_TRAIL))
    corners = np.array([o.centre + way * o.reach() for o in chart.outlines for way in (-1, 1)])
    low, high = (pick(np.concatenate([corners, trail]), axis=0) for pick in (np.min, np.max))
    scale = min((WIDTH - 2 * margin) / (high - low)[0], (height - 20 - 2 * margin) / (high - low)[1])
    middle = 0.5 * (low + high)

    def at(point):
        x, y = (np.asarray(point) - middle) * scale
        return WIDTH / 2 + x, 0.5 * height + 10 - y

    parts = [title, text(WIDTH - 6, 13, f"{100 * chart.explained.sum():.0f} % of variance", SOFT_INK, 11, "end")]
    for component in chart.outlines:
        colour = SOFT_INK if component.family is None else family_colour(component.family)
        x, y = at(component.centre)
        bold = float(np.clip(4.0 * component.weight, 0.15, 1.0))
        parts.append(
            f'<ellipse rx="{0.5 * component.width * scale:.1f}" ry="{0.5 * component.height * scale:.1f}"'
            f' transform="translate({x:.1f} {y:.1f}) rotate({-component.angle:.1f})" fill="{colour}"'
            f' fill-opacity="{0.05 + 0.1 * bold:.2f}" stroke="{colour}" stroke-opacity="{bold:.2f}"/>'
        )
    points = [at(point) for point in trail]
    parts += [
        f'<path d="M{a[0]:.1f} {a[1]:.1f}L{b[0]:.1f} {b[1]:.1f}" stroke="{INK}"'
        f' stroke-opacity="{0.1 + 0.7 * (i + 1) / len(points):.2f}"/>'
        for i, (a, b) in enumerate(zip(points[:-1], points[1:], strict=True))
    ]
    x, y = points[-1]
    parts.append(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5.5" fill="{family_colour(now.likely)}"'
        f' stroke="{PAPER}" stroke-width="1.5"/>'
    )
    return svg(height, parts)


def _families(series: Series) -> str:
    colours = [FAMILY_COLOUR[name] for name in FAMILY_NAMES]
    chart = Chart("family, true and believed", 0, 1, SPAN_S, height=52, ticks=(), with_time=False)
    for y, words, keys in ((22, "true", series.family), (36, "belief", series.likely)):
        chart.spans(series.time_s, keys, colours, y)
        chart.label(y + 8, words)
    return chart.svg()


def _targets(series: Series, kind: str, told: bool, last: bool) -> str:
    """The channel that ``kind`` rewards: the robot's, the true target and the one believed in, while they are such."""
    channel = next(family.channel for family in FAMILIES if family.kind == kind)
    value = series.channel(channel)
    value = np.abs(value) if kind == "jump" else value
    is_kind = KINDS.index(kind) == FAMILY_KIND
    true = np.where(is_kind[series.family], series.target, np.nan)
    believed = np.where(is_kind[series.likely], series.likely_target, np.nan)
    bounds = np.concatenate([value, true[np.isfinite(true)]])
    low, high = float(bounds.min()), float(bounds.max())
    pad = max(0.12 * (high - low), 0.25)
    chart = Chart(
        f"{KIND_QUANTITY[kind]}, {KIND_UNIT[kind]}",
        low - pad,
        high + pad,
        SPAN_S,
        note=f"{_plain(value[-1])} {KIND_UNIT[kind]}",
        height=84,
        with_time=last,
    )
    chart.line(series.time_s, value, SOFT_INK, 1.0, breaks=series.episode)
    for family in np.flatnonzero(is_kind):
        here = np.where(series.family == family, true, np.nan)
        chart.line(series.time_s, here, family_colour(family), 4.5)
        if not told:
            chart.line(series.time_s, np.where(series.likely == family, believed, np.nan), INK, 1.4, dashes="4 2.5")
    return chart.svg()


def _plain(value: float) -> str:
    """Two digits, and no minus before a nought."""
    return f"{round(float(value), 2) + 0.0:.2f}"


def _task_words(family: int, target: float) -> str:
    return f"{family_label(FAMILY_NAMES[family])} {target:+.2f} {KIND_UNIT[FAMILIES[family].kind]}"


def _caption(words: str) -> str:
    return f'<div style="color:{SOFT_INK};font-size:0.72em;letter-spacing:0.03em">{escape(words)}</div>'


def _coloured(name: str, family: int, words: str) -> str:
    return f'<div data-panel="{name}" style="color:{family_colour(family)};font-weight:600">{escape(words)}</div>'
