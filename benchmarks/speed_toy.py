"""The toy's meta-training and starting up: no peer, only how long it takes and how much memory.

Updates per second are those of iterations in which the policy acts and learns too, the mixture's fit included. The
first iteration is timed in a fresh process without the compilation cache.
"""

import os
import subprocess
import sys
import time

from race import Contestant, race, spread

#: Command lines of which the time from start to end is measured, by what they are.
STARTS = {
    "python": ["-c", "pass"],
    "import jax": ["-c", "import jax"],
    "import reinfer": ["-c", "import reinfer"],
    "reinfer --help": ["-m", "reinfer.cli.main", "--help"],
}


def toy(preset: str):
    """The toy stage: the first call is its first iteration, the others iterate once the policy acts."""
    from reinfer.stages.toy import PRESETS, ToyStage

    stage = ToyStage(PRESETS[preset])
    state, iteration = stage.init(), 0

    def work() -> int:
        nonlocal state, iteration
        state, _ = stage.iterate(state, iteration)
        iteration = max(iteration + 1, stage.iterations // 2)
        return stage.config.updates

    return work


CONTESTANTS = {"toy": toy}


def measure(seconds: float, peer_python: str, rounds: int = 3) -> dict:
    """Rates, start-up times and memory. An iteration is the least that can be timed, and long enough."""
    del seconds, peer_python
    from reinfer.stages.toy import PRESETS, ToyStage

    preset = "default"
    stage = ToyStage(PRESETS[preset])
    steps_per_update = stage.steps_per_iteration / stage.config.updates
    without_cache = {"REINFER_COMPILATION_CACHE": "0"}
    one = race({"toy": Contestant(__name__, "toy", {"preset": preset}, environment=without_cache)}, 0.1, rounds)["toy"]
    found = {
        "preset": preset,
        "updates_per_s": one["rate"],
        "steps_per_s": {name: value * steps_per_update for name, value in one["rate"].items()},
        "first_iteration_s": one["build_s"] + one["first_s"],
        "iteration_s": stage.config.updates / one["rate"]["median"],
        "peak_mib": one["peak_mib"],
        "start_s": start_times(rounds),
    }
    print(f"toy: {one['rate']['median']:.0f} updates/s, first iteration {found['first_iteration_s']:.0f} s", flush=True)
    return found


def start_times(rounds: int) -> dict[str, dict]:
    """Seconds from start to end of ``STARTS``, in turn, after each has run once (files are then in memory)."""
    times = {name: [] for name in STARTS}
    for turn in range(rounds + 1):
        for name, line in STARTS.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, *line], check=True, stdout=subprocess.DEVNULL, env=os.environ)
            if turn:
                times[name].append(time.perf_counter() - start)
    return {name: spread(found) for name, found in times.items()}
