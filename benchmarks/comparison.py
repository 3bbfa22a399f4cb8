"""What reuse saves: the half-cheetah meta-trained from scratch by every algorithm, beside the shipped toy agents.

python benchmarks/comparison.py [BENCHMARK...] [--seeds N] [--algos A,B,...]

Benchmarks are cheetah-vel and standard, both by default; about 25 minutes per run on 2 quiet cores, two seeds of four
algorithms by default. Runs lie in ``runs/scratch``, an interrupted one is resumed; what comes of them is shipped, below
``src/reinfer/models/scratch``, and is not trained again while it is there. What ``reinfer compare`` prints of all that
are shipped, and of corrections as ``benchmarks/relearned.py`` learns them, goes to
``docs/results/compare_BENCHMARK.json``, its figure beside it; pages are written by
``python benchmarks/results.py --pages``.
"""

import argparse
import json
import shutil
from pathlib import Path

from ablation import ROOT, costed_run, reinfer
from evaluations import RESULTS
from relearned import SEEDS, relearned
from train_shipped import MODELS, THRIFTY, TIMES, note

BENCHMARKS = ("cheetah-vel", "standard")
ALGORITHMS = ("pearl", "sac-told", "rl2", "melts")
#: The robot.
BODY = "half_cheetah"
#: How many shipped toy agents play.
REUSE = 5


def place(benchmark: str, algorithm: str, seed: int) -> str:
    """Where an agent lies among the shipped models."""
    return f"scratch/{benchmark}/{algorithm}-seed{seed}"


def train(benchmark: str, algorithm: str, seed: int) -> None:
    """Train, or go on, and ship what comes of it, with the wall-clock seconds it took; or do nothing."""
    shipped = place(benchmark, algorithm, seed)
    if (MODELS / shipped).exists():
        return
    options = ("--algo", algorithm, "--tasks", benchmark, "--seed", str(seed))
    run = Path("runs") / "scratch" / f"{benchmark}-{algorithm}-seed{seed}"
    done, cost = costed_run(run, *options)
    shutil.copytree(done.model, MODELS / shipped)
    note(shipped, ["scratch", *options], cost["seconds"])


def compare(benchmark: str) -> None:
    """Compare all that were shipped of ``benchmark`` with the toy agents."""
    places = [f"scratch/{benchmark}/{folder.name}" for folder in sorted((MODELS / "scratch" / benchmark).glob("*"))]
    figure = RESULTS / f"compare_{benchmark}.svg"
    options = ("--reuse", str(REUSE), "--low", f"shipped:{BODY}/{THRIFTY}", "--output", str(figure.relative_to(ROOT)))
    # Corrections are learned on standard tasks, whatever the benchmark.
    high = ("--high", *(relearned(BODY, seed) for seed in SEEDS))
    found = json.loads(reinfer("compare", *(f"shipped:{one}" for one in places), *options, *high, "--json"))
    times = json.loads(TIMES.read_text())
    for name, part in found["agents"].items():
        seconds = [times[one]["seconds"] for one in places if f"/{name}-seed" in one]
        part["training_minutes"] = sum(seconds) / len(seconds) / 60.0 if seconds else None
    (RESULTS / f"compare_{benchmark}.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("benchmarks", nargs="*", choices=[[], *BENCHMARKS], default=[])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--algos", default=",".join(ALGORITHMS))
    asked = parser.parse_args()
    for benchmark in asked.benchmarks or BENCHMARKS:
        for seed in range(asked.seeds):
            for algorithm in asked.algos.split(","):
                train(benchmark, algorithm, seed)
        compare(benchmark)
