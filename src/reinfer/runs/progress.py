"""One line that tells how a run is doing: a bar on a terminal, a plain line every so often elsewhere."""

import collections
import datetime
import sys
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

_LINE_INTERVAL_S = 10.0
_SPEED_WINDOW_S = 20.0


class ProgressLine:
    """Progress of one stage on standard error; use as a context manager.

    Args:
        name: stage name.
        total: iterations in all.
        done: iterations done before.
        steps_per_iteration: environment steps of one iteration.
        score_key: the metric to show.
        show: False shows nothing.
    """

    def __init__(self, name, total, done, steps_per_iteration, score_key, show: bool):
        self._name, self._total, self._score_key, self._show = name, total, score_key, show
        self._steps = steps_per_iteration
        self._window = collections.deque()
        self._iteration, self._score = done, None
        self._bar = None
        console = Console(stderr=True)
        if show and console.is_terminal:
            self._bar = Progress(
                TextColumn(name),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[note]}"),
                console=console,
            )
            self._task = self._bar.add_task(name, total=total, completed=done, note="starting")
        self._printed_at = time.monotonic()

    def __enter__(self) -> "ProgressLine":
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_) -> None:
        if self._bar:
            self._bar.stop()
        elif self._show and self._window:
            self._print()

    def update(self, iteration: int, metrics: dict[str, float]) -> None:
        """Tell that ``iteration`` iterations are done and what the last one gave."""
        now = time.monotonic()
        self._iteration, self._score = iteration, metrics.get(self._score_key, self._score)
        # The first sample is the end of the first iteration: its duration is mostly compilation.
        self._window.append((now, iteration))
        while self._window[0][0] < now - _SPEED_WINDOW_S and len(self._window) > 2:
            self._window.popleft()
        if self._bar:
            self._bar.update(self._task, completed=iteration, note=self._note())
        elif self._show and now - self._printed_at > _LINE_INTERVAL_S:
            self._print()

    def _note(self) -> str:
        score = "-" if self._score is None else f"{self._score:.4g}"
        (start, first), (end, last) = self._window[0], self._window[-1]
        if last == first or end <= start:
            return f"{self._score_key} {score}"
        speed = (last - first) / (end - start)
        left = datetime.timedelta(seconds=round((self._total - self._iteration) / speed))
        return f"{speed * self._steps:,.0f} env steps/s  ETA {left}  {self._score_key} {score}"

    def _print(self) -> None:
        self._printed_at = time.monotonic()
        print(f"{self._name} {self._iteration}/{self._total}  {self._note()}", file=sys.stderr, flush=True)
