"""Races: contestants in processes of their own work in turn, each with the machine to itself; compared in pairs.

A round is a slice of work of every contestant, one after the other (A B C, A B C, ...). What slows the machine down for
longer than a round slows all of them, so a ratio is taken within every round; what is reported is the median over the
rounds and their range.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent


class Contestant(NamedTuple):
    """What a worker is to build: ``CONTESTANTS[name](**settings)`` of ``module``, by ``python``, under ``environment``
    (added to that of this process)."""

    module: str
    name: str
    settings: dict
    python: str = sys.executable
    environment: dict | None = None


class Worker:
    """A contestant's process, warmed up. Raises RuntimeError naming a contestant that ended before its time."""

    def __init__(self, contestant: Contestant):
        self.contestant = contestant
        module, name, settings, python, environment = contestant
        line = [python, str(HERE / "speed_worker.py"), module, name, json.dumps(settings)]
        # A file, since a pipe that nobody reads would stop whoever says much.
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            line,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            env=os.environ | (environment or {}),
        )
        self.ready = self._answer()

    def run(self, seconds: float) -> dict:
        """Work for ``seconds``: units done (``count``), time taken (``wall_s``), ``peak_mib``."""
        print(seconds, file=self._process.stdin, flush=True)
        return self._answer()

    def close(self) -> None:
        """End the process; what waits on stdin ends by itself."""
        self._process.communicate()
        self._said.close()

    def _answer(self) -> dict:
        if line := self._process.stdout.readline():
            return json.loads(line)
        self._process.communicate()
        self._said.seek(0)
        module, name, settings, python, _ = self.contestant
        raise RuntimeError(f"{module} {name} {settings} by {python} ended early:\n{self._said.read()}")


def spread(values) -> dict:
    """Median and range."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def race(contestants: dict[str, Contestant], seconds: float, rounds: int) -> dict[str, dict]:
    """Rates (units per second) of every contestant over ``rounds`` rounds with slices of ``seconds``.

    Returns by name: ``rate`` (median, low, high), ``rates`` (one per round), ``build_s`` and ``first_s`` (until the
    first work could begin and for it, compilation included), ``peak_mib``, ``versions``.
    """
    workers = {}
    try:
        for name, contestant in contestants.items():
            workers[name] = Worker(contestant)
        slices = {name: [] for name in workers}
        for _ in range(rounds):
            for name, worker in workers.items():
                slices[name].append(worker.run(seconds))
    finally:
        for worker in workers.values():
            worker.close()
    found = {}
    for name, worker in workers.items():
        rates = [part["count"] / part["wall_s"] for part in slices[name]]
        found[name] = {"rate": spread(rates), "rates": rates, "peak_mib": slices[name][-1]["peak_mib"]} | worker.ready
    return found


def ratio(found: dict[str, dict], one: str, other: str) -> dict:
    """How many times faster ``one`` is than ``other``: median and range over the rounds."""
    return spread([a / b for a, b in zip(found[one]["rates"], found[other]["rates"], strict=True)])


def machine() -> dict:
    """Where this was measured: processor, cores, operating system, Python; and how busy it was."""
    names = [line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 1),
    }


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []
