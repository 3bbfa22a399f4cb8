"""What relearning the high level on a robot gains: corrections learned on every body, judged beside the toy's policy.

python benchmarks/relearned.py [BODY...]     (all robots by default; about 6 minutes each on 2 cores)

Two toy agents per body. Runs lie below ``runs/relearned``; a finished one is not repeated and an interrupted one is
resumed. Both policies then play the same 120 held-out tasks at the same strides: the toy's dynamics mislead the more,
the longer a sub-goal stands. Figures go to ``docs/results/relearned.json``, pages are written by
``python benchmarks/results.py --pages``.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

from ablation import ROOT, reinfer, trained_run
from evaluations import RESULTS, note_each
from reinfer.bodies import ROBOTS
from reinfer.runs.directory import resolve
from reinfer.runs.models import load_model
from reinfer.stages.high import HighConfig

RUNS = Path("runs") / "relearned"
FIGURES = RESULTS / "relearned.json"
SEEDS = range(2)
STRIDES = (1, 5)
KEPT = ("position", "velocity", "integrated_error_s", "fall_rate", "n_tasks", "episode_s", "command")


def relearned(body: str, seed: int) -> str:
    """The run of one high level, trained or resumed where it must be."""
    run, toy = RUNS / "high" / f"{body}-seed{seed}", f"shipped:toy/seed{seed}"
    directory = trained_run(run, "--body", body, "--seed", str(seed), "--toy", toy)
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


if __name__ == "__main__":
    note_each(ROBOTS, judge, FIGURES, __doc__)
