"""What many agents in one program cost, relative to one: ``reinfer train toy``, alone, with ``--seeds`` and ``--over``.

    python benchmarks/seeds.py [--seeds 8] [--counts 2 4 16] [--iterations 10] [--output docs/results/seeds.json]

Each training is a fresh process with the compilation cache off: a cold start. Settings are those of the preset
``default`` but for the number of iterations, by default half of its: half an hour in all on two quiet cores.
Wall-clock seconds go to the output; ``ratio`` counts everything, ``ratio_after_first_iteration`` leaves out imports,
compilation, the first iteration and the export: what the ratio of ever longer trainings tends to. ``ratio_of_preset``
is that of the whole preset: what comes before and after as measured, iterations in proportion. ``by_count`` has other
numbers of seeds, ``settings`` as many agents as ``seeds`` that differ in a weight of the loss instead.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from reinfer.stages.toy import PRESETS

ROOT = Path(__file__).resolve().parent.parent
PRESET = PRESETS["default"]


def measure(agents: list[str], options: list[str]) -> dict:
    """Seconds of one training of ``agents``, in all and from the end of its first iteration to its last."""
    with tempfile.TemporaryDirectory() as folder:
        line = ["train", "toy", *agents, *options, "--runs", folder, "--name", "timed", "--no-progress"]
        print("reinfer", *line, flush=True)
        began = time.monotonic()
        environment = os.environ | {"REINFER_COMPILATION_CACHE": "0"}
        subprocess.run([sys.executable, "-m", "reinfer.cli.main", *line], check=True, env=environment, cwd=ROOT)
        seconds = time.monotonic() - began
        with open(Path(folder) / "toy" / "timed" / "timing.csv", newline="") as file:
            elapsed = [float(row["elapsed_s"]) for row in csv.DictReader(file)]
    return {"seconds": round(seconds, 1), "after_first_iteration_s": round(elapsed[-1] - elapsed[0], 1)}


def of_preset(timed: dict, iterations: int) -> float:
    """Seconds of a training of all iterations of the preset, from those ``timed`` with so many."""
    around = timed["seconds"] - timed["after_first_iteration_s"]
    return around + timed["after_first_iteration_s"] * (PRESET.iterations - 1) / (iterations - 1)


def main() -> None:
    """Measure one seed and many, and write the output."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=8, help="seeds in one program")
    parser.add_argument("--counts", type=int, nargs="*", default=[2, 4, 16], help="other numbers of seeds")
    parser.add_argument("--iterations", type=int, default=PRESET.iterations // 2, help="of each training, at least 2")
    parser.add_argument("--updates", type=int, default=PRESET.updates, help="gradient steps per iteration")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "results" / "seeds.json", help="file to write")
    asked = parser.parse_args()
    if min(asked.seeds, asked.iterations, *asked.counts) < 2:
        parser.error("--seeds, --counts and --iterations must be at least 2")
    options = ["--iterations", str(asked.iterations), "--updates", str(asked.updates)]
    one = measure(["--seeds", "1"], options)

    def beside(agents: list[str]) -> dict:
        timed = measure(agents, options)
        ratio = of_preset(timed, asked.iterations) / of_preset(one, asked.iterations)
        return timed | {"ratio_of_preset": round(ratio, 2)}

    many = beside(["--seeds", str(asked.seeds)])
    counts = {str(count): beside(["--seeds", str(count)]) for count in sorted({*asked.counts} - {asked.seeds})}
    weights = ",".join(str(float(PRESET.target_weight + number)) for number in range(asked.seeds))
    settings = beside(["--over", f"target_weight={weights}"])
    found = {
        "seeds": asked.seeds,
        "iterations": asked.iterations,
        "iterations_of_preset": PRESET.iterations,
        "updates": asked.updates,
        "updates_of_preset": PRESET.updates,
        "cores": len(os.sched_getaffinity(0)),
        "one": one,
        "many": many,
        "ratio": round(many["seconds"] / one["seconds"], 2),
        "ratio_of_preset": many["ratio_of_preset"],
        "ratio_after_first_iteration": round(many["after_first_iteration_s"] / one["after_first_iteration_s"], 2),
        "by_count": counts,
        "settings": settings,
    }
    asked.output.write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
