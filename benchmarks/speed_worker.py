"""One contestant of a race in a process of its own; ``race.py`` starts it and says when to work.

    PYTHON speed_worker.py MODULE NAME SETTINGS

``MODULE.CONTESTANTS[NAME](**SETTINGS)`` (JSON) returns a function of no arguments which does some work and returns how
many units of it. It is called once to warm up (compilation included), which the first line on stdout reports. Every
line on stdin is then a number of seconds to work for, answered by a line ``{"count": units, "wall_s": seconds}``; in
between, this process waits. What libraries print goes to stderr.
"""

import importlib
import json
import os
import sys
import time
from pathlib import Path

#: Packages whose versions say what was measured.
PACKAGES = ("reinfer", "jax", "numpy", "mujoco", "mjbatch", "gymnasium", "torch", "stable_baselines3", "sbx-rl")


def versions() -> dict[str, str]:
    """Versions of those of ``PACKAGES`` that this interpreter has imported, by name."""
    from importlib import metadata

    loaded = {"sbx-rl": "sbx"}
    return {name: metadata.version(name) for name in PACKAGES if loaded.get(name, name) in sys.modules}


def peak_mib() -> float:
    """The most memory that this process has held so far, MiB, without what it was before ``exec``, and without those
    that it started."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) / 1024


def serve(module: str, name: str, settings: dict, answer) -> None:
    """Build the contestant, then obey stdin until it ends."""
    start = time.perf_counter()
    work = importlib.import_module(module).CONTESTANTS[name](**settings)
    built = time.perf_counter()
    work()
    answer({"build_s": built - start, "first_s": time.perf_counter() - built, "versions": versions()})
    for line in sys.stdin:
        seconds, count, start = float(line), 0, time.perf_counter()
        while (wall_s := time.perf_counter() - start) < seconds or not count:
            count += work()
        answer({"count": count, "wall_s": wall_s, "peak_mib": peak_mib()})


if __name__ == "__main__":
    # Answers have a channel of their own: libraries may print what they like.
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(found: dict) -> None:
        """One line of JSON."""
        print(json.dumps(found), file=channel, flush=True)

    serve(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), answer)
