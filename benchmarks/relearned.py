"""What relearning the high level on a robot gains: corrections learned on every body, judged beside the toy's policy.

python benchmarks/relearned.py [BODY...]     (all robots by default; about 10 minutes each on 2 cores)

Two toy agents per body. Runs lie below ``runs/relearned``; a finished one is not repeated and an interrupted one is
resumed. Both policies then play the same 120 held-out tasks at the same strides: the toy's dynamics mislead the more,
the longer a sub-goal stands. Figures go to ``docs/results/relearned.json``, pages are written by
``python benchmarks/results.py --pages``.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

from ablation import ROOT, reinfer
from evaluations import note
from reinfer.bodies import ROBOTS
from reinfer.runs.directory import RunDirectory, resolve
from reinfer.runs.models import load_model
from reinfer.stages.high import HighConfig

RUNS = Path("runs") / "relearned"
FIGURES = ROOT / "docs" / "results" / "relearned.json"
SEEDS = range(2)
STRIDES = (1, 5)
KEPT = ("position", "velocity", "integrated_error_s", "fall_rate", "n_tasks", "episode_s", "command")


def relearned(body: str, seed: int) -> str:
    """The run of one high level, trained or resumed where it must be."""
    name, toy = f"{body}-seed{seed}", f"shipped:toy/seed{seed}"
    run = RUNS / "high" / name
    if not (ROOT / run).exists():
        words = ("--body", body, "--seed", str(seed), "--toy", toy)
        reinfer("train", "high", *words, "--runs", str(RUNS), "--name", name, "--no-progress")
    elif RunDirectory.open(ROOT / run).status() != "done":
        reinfer("resume", str(run), "--no-progress")
    directory = RunDirectory.open(ROOT / run)
    directory.require_config(replace(HighConfig(), body=body, seed=seed, toy=toy))
    present = {load_model(resolve(model)).sha256 for model in (toy, f"shipped:{body}/low")}
    if not present <= {parent["sha256"] for parent in directory.manifest()["parents"]}:
        sys.exit(f"{run} was learned above models that have been replaced since; remove it")
    return str(run)


def contest(body: str, stride: int, *policy: str) -> dict:
    """How the agents chosen by the options ``policy`` do on the held-out tasks of ``body``."""
    toys = [f"shipped:toy/seed{seed}" for seed in SEEDS]
    words = ("--body", body, "--tasks", "heldout", "--stride", str(stride), "--toy", *toys, *policy, "--json")
    found = json.loads(reinfer("eval", "transfer", *words))
    return {key: found[key] for key in KEPT}


def judge(body: str) -> dict:
    """Figures of one robot."""
    runs = [relearned(body, seed) for seed in SEEDS]
    models = [load_model(ROOT / run / "model") for run in runs]
    policies = {"toy": (), "relearned": ("--policy", "relearned", "--high", *runs)}
    return {
        "low_sha256": load_model(resolve(f"shipped:{body}/low")).sha256,
        "robot_steps": models[0].config["training"]["robot_steps"],
        "agents": len(models),
        "corrects": sum(bool(model.arrays["trusted"]) for model in models),
        "strides": {
            str(stride): {name: contest(body, stride, *words) for name, words in policies.items()} for stride in STRIDES
        },
    }


def main(bodies: list[str]) -> None:
    """Judge ``bodies`` and keep what is known of others."""
    for body in bodies:
        note(FIGURES, body, judge(body))


if __name__ == "__main__":
    asked = sys.argv[1:]
    if not set(asked) <= set(ROBOTS):
        sys.exit(f"{__doc__}\nBODY is one of: {', '.join(ROBOTS)}")
    main(asked or list(ROBOTS))
