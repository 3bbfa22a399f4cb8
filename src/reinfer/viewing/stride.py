"""How long the agent pursues each sub-goal before it infers anew."""

import numpy as np

from reinfer.tasks import FAMILY_NAMES
from reinfer.viewing.style import SERIES, family_colour, family_label, new_figure, style


def stride_figure(records, panels=("time", "histogram")):
    """How long each sub-goal is pursued: chosen stride over simulated time, and how often each is chosen."""
    with style():
        figure, axes = new_figure(len(panels))
        for panel, what in zip(axes, panels, strict=True):
            {"time": _draw_stride_time, "histogram": _draw_stride_histogram}[what](panel, records)
    return figure


def _draw_stride_time(panel, records) -> None:
    for family in np.unique(np.concatenate([np.asarray(record.tasks.family) for record in records])):
        member = [record.stride[:, np.asarray(record.tasks.family) == family] for record in records]
        length = min(len(stride) for stride in member)
        stride = np.concatenate([part[:length] for part in member], axis=1)
        seconds = np.arange(length) * records[0].control_dt_s
        panel.plot(
            seconds,
            stride.mean(axis=1),
            color=family_colour(family),
            label=family_label(FAMILY_NAMES[family]),
        )
    panel.set_ylim(bottom=0.0)
    panel.yaxis.get_major_locator().set_params(integer=True)
    panel.set_title("Stride over time")
    panel.set_xlabel("simulated time (s)")
    panel.set_ylabel("mean stride (control steps)")
    panel.legend(loc="best")


def _draw_stride_histogram(panel, records) -> None:
    chosen = np.concatenate([record.stride[record.is_decision] for record in records])
    largest = max(int(chosen.max(initial=1)), 2)
    percent = np.full(len(chosen), 100.0 / max(len(chosen), 1))
    panel.hist(chosen, np.arange(0.5, largest + 1), color=SERIES[0], rwidth=0.85, weights=percent)
    panel.set_title("Chosen strides")
    panel.set_xlabel("stride (control steps)")
    panel.set_ylabel("share of decisions (%)")
    panel.xaxis.get_major_locator().set_params(integer=True)
