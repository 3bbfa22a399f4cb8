"""The progress line, on a terminal and elsewhere."""

import io
import sys

from reinfer.runs import progress
from reinfer.runs.progress import ProgressLine


class Terminal(io.StringIO):
    def isatty(self):
        return True


def drive(clock, monkeypatch, show=True, per_iteration_s=0.5, iterations=60):
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    with ProgressLine("toy", 100, 0, 50, "return", show) as line:
        for iteration in range(1, iterations + 1):
            clock[0] += 30.0 if iteration == 1 else per_iteration_s
            line.update(iteration, {"return": -1.0 / iteration} if iteration % 2 else {})


def test_without_a_terminal_a_plain_line_every_ten_seconds(monkeypatch, capsys):
    drive([0.0], monkeypatch)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "toy 1/100  return -1"
    assert lines[1] == "toy 22/100  100 env steps/s  ETA 0:00:39  return -0.04762"
    assert lines[-1] == "toy 60/100  100 env steps/s  ETA 0:00:20  return -0.01695"
    assert len(lines) == 4


def test_on_a_terminal_one_line_with_a_bar(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    drive([0.0], monkeypatch)
    shown = stream.getvalue()
    assert "━" in shown
    for part in ("toy", "60/100", "100 env steps/s", "ETA 0:00:20", "return -0.01695"):
        assert part in shown
    assert shown.count("\n") <= 1


def test_silent_when_asked(monkeypatch, capsys):
    drive([0.0], monkeypatch, show=False)
    assert capsys.readouterr().err == ""
