"""Make the shipped models from nothing with reinfer's own commands, and note how long each took.

python benchmarks/train_shipped.py [STAGE or PLACE...]   (all by default), e.g. low, or hopper/low

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
BODIES = ("half_cheetah", "walker2d", "hopper", "ant")
#: Those with a learned stride: the others decide at every control step, of 20 to 50 ms.
STRIDE_BODIES = ("half_cheetah",)
#: The robot that stands and jumps too.
MULTI = "half_cheetah"
#: The half-cheetah that pays for effort what the benchmarks of the literature take.
THRIFTY = "thrifty"


def commands() -> dict[str, list[tuple[str, list[str]]]]:
    """Per stage: (place among the shipped models, options of ``reinfer train``)."""
    return {
        "low": [
            *((f"{body}/low", ["low", "--body", body]) for body in BODIES),
            (f"half_cheetah/{THRIFTY}", ["low", "--body", "half_cheetah", "--effort-price", "0.05"]),
        ],
        "toy": [
            *((f"toy/seed{seed}", ["toy", "--seed", str(seed)]) for seed in SEEDS),
            ("toy2d/seed0", ["toy", "--preset", "toy2d"]),
        ],
        "stride": [
            (
                f"{body}/stride/seed{seed}",
                ["stride", "--body", body, "--seed", str(seed), "--toy", f"shipped:toy/seed{seed}"],
            )
            for body in STRIDE_BODIES
            for seed in SEEDS
        ],
        "process": [("process/seed0", ["process"])],
        "multi": [
            ("toy3dof/seed0", ["toy", "--preset", "toy3dof"]),
            (f"{MULTI}/multi", ["low", "--body", MULTI, "--preset", "multi"]),
            (
                f"{MULTI}/multi_stride/seed0",
                ["stride", "--body", MULTI, "--toy", "shipped:toy3dof/seed0", "--low", f"shipped:{MULTI}/multi"],
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
    wanted = sys.argv[1:] or list(commands())
    every = [(stage, *model) for stage, models in commands().items() for model in models]
    known = [name for stage, place, _ in every for name in (stage, place)]
    if unknown := set(wanted) - set(known):
        sys.exit(f"unknown {', '.join(sorted(unknown))}; allowed: {', '.join(dict.fromkeys(known))}")
    for stage, place, options in every:
        if {stage, place} & set(wanted):
            make(place, options)
