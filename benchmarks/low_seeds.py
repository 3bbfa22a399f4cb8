"""How much a low level of another seed changes: each beneath a toy agent of its own seed, the standard tasks.

python benchmarks/low_seeds.py [SEEDS]     (5 by default; four to eight minutes for each of them on 2 cores)

The half-cheetah's low level is trained anew for every seed but 0, whose shipped one is taken. Runs lie below
``runs/low_seeds``; a finished one is not repeated and an interrupted one is resumed. Figures go to
``docs/results/low_seeds.json``, pages are written by ``python benchmarks/results.py --pages``.
"""

import json
import sys
from pathlib import Path

from ablation import reinfer, trained_run
from evaluations import RESULTS

BODY = "half_cheetah"
FIGURES = RESULTS / "low_seeds.json"
#: What is kept of a contest.
KEPT = ("position", "velocity", "integrated_error_s", "fall_rate", "command")


def low_level(seed: int) -> str:
    """The low level of one seed, trained if it has to be."""
    if seed == 0:
        return f"shipped:{BODY}/low"
    run = Path("runs") / "low_seeds" / "low" / f"{BODY}-seed{seed}"
    trained_run(run, "--body", BODY, "--seed", str(seed))
    return str(run)


def judged(seed: int) -> dict:
    """How well a seed's low level follows commands, and what the toy agent of that seed does above it."""
    low = low_level(seed)
    commands = json.loads(reinfer("eval", "low", "--body", BODY, "--model", low, "--json"))
    options = ("--body", BODY, "--stride", "1", "--low", low, "--toy", f"shipped:toy/seed{seed}")
    contest = json.loads(reinfer("eval", "transfer", *options, "--json"))
    followed = {key: commands[key] for key in ("goal_error_m", "speed_error_windowed", "fall_rate")}
    return {"seed": seed, "low": followed} | {key: contest[key] for key in KEPT}


if __name__ == "__main__":
    found = []
    for seed in range(int(sys.argv[1]) if len(sys.argv) > 1 else 5):
        found.append(judged(seed))
        FIGURES.write_text(json.dumps(found, indent=1) + "\n")
