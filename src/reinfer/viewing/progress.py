"""Progress curves: metrics of one or several runs against environment steps."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from reinfer.runs.errors import ArtifactError, ConfigError
from reinfer.runs.tables import read_rows, to_number
from reinfer.viewing.series import moving_average
from reinfer.viewing.style import SERIES, SOFT_INK, new_figure, style

METRICS_FILE = "metrics.csv"
STEPS = "env_steps"
_NOT_METRICS = ("iteration", STEPS)

#: Share of a run over which its curve is smoothed.
_SMOOTHING = 0.03


class Progress(NamedTuple):
    """Metrics of one run: ``label``, ``steps`` (T,) and named columns (T,), NaN where a row has none."""

    label: str
    steps: np.ndarray
    columns: dict[str, np.ndarray]


def read_progress(run, label: str | None = None) -> Progress:
    """The metrics of the run folder (or ``metrics.csv``) at ``run``, also of a run that is still going.

    Raises ArtifactError if there is none, or it is not one of our metrics files.
    """
    path = Path(run)
    path = path / METRICS_FILE if path.is_dir() else path
    if not path.is_file():
        raise ArtifactError(f"no metrics at {path}: a run folder with a {METRICS_FILE} is needed")
    rows = read_rows(path, (STEPS,))
    if not rows:
        raise ArtifactError(f"{path} holds no metrics: it has 0 rows")
    columns = {name: np.array([to_number(path, row[name] or "nan") for row in rows]) for name in rows[0]}
    metrics = {name: column for name, column in columns.items() if name not in _NOT_METRICS}
    return Progress(label or path.absolute().parent.name, columns[STEPS], metrics)


def progress_figure(runs: list[Progress], metrics: list[str]):
    """One panel per metric, all ``runs`` overlaid; the recorded values pale, their running mean bold.

    Raises ConfigError naming the metrics there are if a run lacks one that is asked for.
    """
    for run in runs:
        for metric in metrics:
            if metric not in run.columns:
                raise ConfigError(f"metric: {metric!r} is not recorded in {run.label}; it has {', '.join(run.columns)}")
    with style():
        columns = min(len(metrics), 2)
        figure, axes = new_figure(columns, -(-len(metrics) // columns))
        for panel, metric in zip(axes, metrics, strict=False):
            for index, run in enumerate(runs):
                _draw(panel, run, metric, SERIES[index % len(SERIES)])
            panel.set_title(metric.replace("_", " "))
            panel.set_xlabel("environment steps")
            panel.xaxis.set_major_formatter(thousands)
        for panel in axes[len(metrics) :]:
            panel.remove()
        if len(runs) > 1:
            axes[0].legend(loc="best")
        else:
            axes[0].text(0.99, 0.02, runs[0].label, transform=axes[0].transAxes, ha="right", color=SOFT_INK, fontsize=8)
    return figure


def _draw(panel, run: Progress, metric: str, colour: str) -> None:
    values = run.columns[metric]
    known = np.isfinite(values)
    steps, values = run.steps[known], values[known]
    width = round(len(values) * _SMOOTHING)
    if width > 1:
        panel.plot(steps, values, color=colour, alpha=0.25, linewidth=0.7)
        values = moving_average(values, width)
    panel.plot(steps, values, color=colour, label=run.label, marker="o" if len(values) < 3 else None)


def thousands(steps: float, _position) -> str:
    """A number of steps as an axis shows it, e.g. 200k."""
    for size, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(steps) >= size:
            return f"{steps / size:g}{suffix}"
    return f"{steps:g}"
