"""What reuse saves: the half-cheetah meta-trained from scratch by every algorithm, beside the shipped toy agents.

python benchmarks/comparison.py [BENCHMARK...] [--seeds N] [--algos A,B,...]

Benchmarks are cheetah-vel and standard, both by default; about 25 minutes per run on 2 quiet cores, two seeds of four
algorithms by default. Runs lie in ``runs/scratch``; a finished one is not repeated and an interrupted one is resumed.
What ``reinfer compare`` prints of all runs there are goes to ``docs/results/compare_BENCHMARK.json``, its figure beside
it; pages are written by ``python benchmarks/results.py --pages``.
"""

import argparse
import json
import time
from pathlib import Path

from ablation import ROOT, reinfer, trained_run
from reinfer.runs.directory import RunDirectory

BENCHMARKS = ("cheetah-vel", "standard")
ALGORITHMS = ("pearl", "sac-told", "rl2", "melts")
RESULTS = ROOT / "docs" / "results"
#: How many shipped toy agents play.
REUSE = 5


def run_of(benchmark: str, algorithm: str, seed: int) -> Path:
    """Where a run lies."""
    return Path("runs") / "scratch" / f"{benchmark}-{algorithm}-seed{seed}"


def train(benchmark: str, algorithm: str, seed: int) -> None:
    """Train, or go on, or do nothing; wall-clock seconds are noted beside the run."""
    run = run_of(benchmark, algorithm, seed)
    if (ROOT / run).exists() and RunDirectory.open(ROOT / run).status() == "done":
        return
    cost = ROOT / f"{run}.cost.json"
    spent, began = json.loads(cost.read_text())["seconds"] if cost.exists() else 0.0, time.monotonic()
    try:
        trained_run(run, "--algo", algorithm, "--tasks", benchmark, "--seed", str(seed))
    finally:
        cost.parent.mkdir(parents=True, exist_ok=True)
        cost.write_text(json.dumps({"seconds": spent + time.monotonic() - began}) + "\n")


def relearn(seed: int) -> None:
    """Learn corrections of the sub-goals of toy agent ``seed`` on the robot, unless that was done."""
    trained_run(Path("runs") / "high" / f"comparison-seed{seed}", "--toy", f"shipped:toy/seed{seed}")


def compare(benchmark: str) -> None:
    """Compare all finished runs of ``benchmark`` with the shipped agents."""
    folders = sorted((ROOT / "runs" / "scratch").glob(f"{benchmark}-*-seed*"))
    runs = [folder for folder in folders if folder.is_dir() and RunDirectory.open(folder).status() == "done"]
    if not runs:
        return
    words = [str(run.relative_to(ROOT)) for run in runs]
    figure = RESULTS / f"compare_{benchmark}.svg"
    options = ("--reuse", str(REUSE), "--output", str(figure.relative_to(ROOT)))
    highs = [str(run.relative_to(ROOT)) for run in sorted((ROOT / "runs" / "high").glob("comparison-seed*"))]
    # Corrections are learned on standard tasks.
    high = ("--high", *highs) if highs and benchmark == "standard" else ()
    found = json.loads(reinfer("compare", *words, *options, *high, "--json"))
    for name, part in found["agents"].items():
        costs = [ROOT / f"{run.relative_to(ROOT)}.cost.json" for run in runs if f"-{name}-seed" in run.name]
        seconds = [json.loads(cost.read_text())["seconds"] for cost in costs if cost.exists()]
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
            if benchmark == "standard":
                relearn(seed)
            for algorithm in asked.algos.split(","):
                train(benchmark, algorithm, seed)
                compare(benchmark)
