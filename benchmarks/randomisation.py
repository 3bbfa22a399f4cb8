"""What randomising the toy in training is good for: toys trained with and without it, under shifts and on a robot.

python benchmarks/randomisation.py [SEEDS]     (2 training seeds by default; about 12 minutes on 2 cores)

The toys with all of it are the shipped ones; the others are trained here with the same seeds and budget, in runs below
``runs/randomisation``, and a finished run is not repeated. All are evaluated by reinfer's own commands; figures go to
``docs/results/randomisation.json``, pages are written by ``python benchmarks/results.py --pages``.
"""

import dataclasses
import json
import sys
from pathlib import Path

from ablation import ROOT, flags, reinfer, trained_run
from reinfer.runs.config import differences, to_dict
from reinfer.runs.directory import resolve
from reinfer.runs.models import load_model
from reinfer.stages.toy import PRESETS, ToyConfig

RUNS = Path("runs") / "randomisation"
FIGURES = ROOT / "docs" / "results" / "randomisation.json"
SEEDS = 2
#: Settings that there was no choice of when the first toys were shipped; what they are by default is what there was.
LATER = ("directions", "encoder", "context_mode", "equivariant", "prior", "pcgrad", "relabelled")

#: Variant -> settings of ``reinfer train toy``; None: the default, which is shipped.
VARIANTS = {
    "none": {"process_noise": 0.0, "time_step_spread": 0.0, "behaviour_time_step_spread": 0.0},
    "process noise": {"time_step_spread": 0.0, "behaviour_time_step_spread": 0.0},
    "time step": {"process_noise": 0.0},
    "both (default)": None,
}


def toy(variant: str, seed: int) -> str:
    """A reference to the trained toy, trained or resumed where it must be. Exits if the shipped one is not as said."""
    settings = VARIANTS[variant]
    if settings is None:
        reference = f"shipped:toy/seed{seed}"
        wanted = to_dict(dataclasses.replace(PRESETS["default"], seed=seed))
        trained = {name: wanted[name] for name in LATER} | load_model(resolve(reference)).config["training"]
        other = differences(trained, wanted)
        if other:
            sys.exit(f"{reference} was not trained with the default settings: {'; '.join(other)}")
        return reference
    run = RUNS / "toy" / f"{variant.replace(' ', '-')}-seed{seed}"
    directory = trained_run(run, "--seed", str(seed), *flags(settings))
    directory.require_config(dataclasses.replace(ToyConfig(), seed=seed, **settings))
    return str(run)


def evaluate(toys: list[str]) -> dict:
    """The commands' own figures of toys that differ in their seed only."""
    shifts = json.loads(reinfer("eval", "robustness", "--toy", *toys, "--json"))["shifts"]
    contest = json.loads(
        reinfer(
            "eval",
            "transfer",
            "--body",
            "half_cheetah",
            "--tasks",
            "standard",
            "--stride",
            "1",
            "--toy",
            *toys,
            "--json",
        )  # fmt: skip
    )
    kept = ("position", "velocity", "integrated_error_s", "target_error_by_rows", "class_accuracy_by_rows", "command")
    return {"toys": toys, "shifts": shifts, "transfer": {key: contest[key] for key in kept}}


def main(seeds: int) -> None:
    """Train what is missing, evaluate everything, write the figures."""
    trained = {variant: [] for variant in VARIANTS}
    for seed in range(seeds):
        for variant, toys in trained.items():
            toys.append(toy(variant, seed))
    found = {variant: {"settings": VARIANTS[variant], **evaluate(toys)} for variant, toys in trained.items()}
    FIGURES.write_text(json.dumps({"seeds": seeds, "variants": found}, indent=1) + "\n")


if __name__ == "__main__":
    if len(sys.argv) > 2 or not all(word.isdigit() and int(word) > 0 for word in sys.argv[1:]):
        sys.exit(__doc__)
    main(int(sys.argv[1]) if sys.argv[1:] else SEEDS)
