"""Make the shipped models from nothing with reinfer's own commands, and note how long each took.

python benchmarks/train_shipped.py [toy] [low] [stride] [multi]   (all by default; about an hour on 2 cores)

Every training is a fresh process with the compilation cache off: a cold start. Models go to ``src/reinfer/models``,
wall-clock seconds to ``docs/results/training.json``. Runs lie below ``runs/shipped``; a finished one is not repeated.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODELS = ROOT / "src" / "reinfer" / "models"
RUNS = ROOT / "runs" / "shipped"
TIMES = ROOT / "docs" / "results" / "training.json"
SEEDS = range(5)
BODY = "half_cheetah"


def commands() -> dict[str, list[tuple[str, list[str]]]]:
    """Per stage: (place among the shipped models, options of ``reinfer train``)."""
    return {
        "low": [(f"{BODY}/low", ["low", "--body", BODY])],
        "toy": [(f"toy/seed{seed}", ["toy", "--seed", str(seed)]) for seed in SEEDS],
        "stride": [
            (
                f"{BODY}/stride/seed{seed}",
                ["stride", "--body", BODY, "--seed", str(seed), "--toy", f"shipped:toy/seed{seed}"],
            )
            for seed in SEEDS
        ],
        "multi": [
            ("toy3dof/seed0", ["toy", "--preset", "toy3dof"]),
            (f"{BODY}/multi", ["low", "--body", BODY, "--preset", "multi"]),
            (
                f"{BODY}/multi_stride/seed0",
                ["stride", "--body", BODY, "--toy", "shipped:toy3dof/seed0", "--low", f"shipped:{BODY}/multi"],
            ),
        ],
    }


def make(place: str, options: list[str]) -> None:
    """Train one model, put it in its place and note the time."""
    name = place.replace("/", "-")
    run = RUNS / options[0] / name
    if not (run / "model").is_dir():
        command = [sys.executable, "-m", "reinfer.cli.main", "train", *options]
        print("reinfer train", *options, flush=True)
        began = time.monotonic()
        environment = os.environ | {"REINFER_COMPILATION_CACHE": "0"}
        subprocess.run([*command, "--runs", str(RUNS), "--name", name], check=True, env=environment, cwd=ROOT)
        note(place, options, time.monotonic() - began)
    shutil.rmtree(MODELS / place, ignore_errors=True)
    shutil.copytree(run / "model", MODELS / place)


def note(place: str, options: list[str], seconds: float) -> None:
    """Add one line to the times."""
    times = json.loads(TIMES.read_text()) if TIMES.exists() else {}
    times[place] = {"command": " ".join(["reinfer", "train", *options]), "seconds": round(seconds, 1)}
    times[place]["cores"] = len(os.sched_getaffinity(0))
    TIMES.parent.mkdir(parents=True, exist_ok=True)
    TIMES.write_text(json.dumps(dict(sorted(times.items())), indent=2) + "\n")


if __name__ == "__main__":
    stages = sys.argv[1:] or ["low", "toy", "stride", "multi"]
    unknown = set(stages) - set(commands())
    if unknown:
        sys.exit(f"unknown stage {', '.join(sorted(unknown))}; allowed: {', '.join(commands())}")
    for stage in stages:
        for place, options in commands()[stage]:
            make(place, options)
