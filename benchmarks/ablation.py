"""What encoder, prior, symmetry, losses and randomisation are worth, on the toy and in transfer: one training each,
judged by reinfer's own evaluations.

python benchmarks/ablation.py [NAME...]     (all by default; two to four minutes each on 2 quiet cores)

Every variant is the default toy with the settings named in ``VARIANTS`` changed, seed 0. Runs lie below
``runs/ablation`` with a record beside each; a finished one is not repeated and an interrupted one is resumed. All
records there are go to ``docs/results/ablation.json``, in place of those of the same variants; pages are written by
``python benchmarks/results.py --pages``.
"""

import json
import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from reinfer.runs.directory import RunDirectory
from reinfer.stages.toy import ToyConfig

ROOT = Path(__file__).resolve().parent.parent
RUNS = Path("runs") / "ablation"
FIGURES = ROOT / "docs" / "results" / "ablation.json"

_ENCODERS = {
    "encoder-gru": {},
    **{f"encoder-{kind}": {"encoder": kind} for kind in ("mlp", "conv", "transformer", "attention")},
    **{
        f"encoder-{kind}-{mode}": {"encoder": kind, "context_mode": mode}
        for kind in ("mlp", "conv", "transformer", "attention")
        for mode in ("product", "learned")
    },
}
#: Variant -> settings of ``reinfer train toy`` that are not the default ones.
VARIANTS = {
    **_ENCODERS,
    **{f"prior-{kind}": {"prior": kind} for kind in ("gmm", "stick-breaking", "normal")},
    "gru-forward": {"directions": "forward"},
    "equivariant-gru-forward": {"directions": "forward", "equivariant": True},
    "equivariant-gru": {"equivariant": True},
    "pcgrad": {"pcgrad": True},
    "without-target-head": {"target_weight": 0.0},
    "without-decoding": {"decoding_weight": 0.0},
    "without-prior": {"divergence_weight": 0.0},
    "relabelled": {"relabelled": 0.5},
    "without-randomisation": {"process_noise": 0.0, "time_step_spread": 0.0, "behaviour_time_step_spread": 0.0},
}
#: The contest on the half-cheetah, which no toy has seen.
TRANSFER = ("--body", "half_cheetah", "--tasks", "standard", "--stride", "1")


def reinfer(*arguments: str) -> str:
    """What a command prints."""
    print("reinfer", *arguments, flush=True)
    line = [sys.executable, "-m", "reinfer.cli.main", *arguments]
    return subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout


def trained_run(run: Path, *words: str) -> RunDirectory:
    """The finished run ``run``, a path RUNS/STAGE/NAME: made by ``reinfer train STAGE`` with the options ``words``,
    resumed where it was interrupted, left alone where it is done."""
    if not (ROOT / run).exists():
        place = ("--runs", str(run.parents[1]), "--name", run.name, "--no-progress")
        reinfer("train", run.parent.name, *words, *place)
    elif RunDirectory.open(ROOT / run).status() != "done":
        reinfer("resume", str(run), "--no-progress")
    return RunDirectory.open(ROOT / run)


def flags(settings: dict) -> list[str]:
    """Settings as options."""
    words = []
    for key, value in settings.items():
        flag = f"--{key.replace('_', '-')}"
        words += [flag] if value is True else [flag, str(value)]
    return words


def costed_run(run: Path, *words: str) -> tuple[RunDirectory, dict]:
    """``trained_run``, and what it cost in all, however often it was interrupted: wall-clock and processor seconds."""
    cost = ROOT / f"{run}.cost.json"
    spent = json.loads(cost.read_text()) if cost.exists() else {"seconds": 0.0, "cpu_seconds": 0.0}
    began, used = time.monotonic(), _processor_seconds()
    try:
        return trained_run(run, *words), spent
    finally:
        spent["seconds"] += time.monotonic() - began
        spent["cpu_seconds"] += _processor_seconds() - used
        cost.parent.mkdir(parents=True, exist_ok=True)
        cost.write_text(json.dumps(spent) + "\n")


def _processor_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def record(name: str) -> Path:
    """The record of variant ``name``, made where there is none."""
    kept, run = ROOT / RUNS / f"{name}.json", RUNS / "toy" / name
    if kept.exists():
        return kept
    directory, cost = costed_run(run, *flags(VARIANTS[name]))
    directory.require_config(replace(ToyConfig(), **VARIANTS[name]))
    # All encoders share a prior; to judge it takes longer than all else.
    judged = [] if name.startswith("prior-") or name == "encoder-gru" else ["--no-mixture"]
    found = json.loads(reinfer("eval", "toy", "--model", str(run), *judged, "--json"))
    contest = json.loads(reinfer("eval", "transfer", *TRANSFER, "--toy", str(run), "--json"))
    families = found["return_by_family"]
    figures = {
        "settings": VARIANTS[name],
        "command": " ".join(["reinfer train toy", *flags(VARIANTS[name])]),
        "return_mean": found["return_mean"],
        "worst_family": min(families.items(), key=lambda item: item[1]),
        "return_by_family": families,
        "class_accuracy_5": found["class_accuracy_by_rows"]["5"],
        "target_error_10": found["target_error_by_rows"]["10"],
        **{key: found[key] for key in ("purity", "nmi", "components")},
        "transfer": {
            key: contest[key] for key in ("position", "velocity", "integrated_error_s", "fall_rate", "command")
        },
        **cost,
        "code": directory.manifest()["sessions"][0]["code"],
    }
    kept.write_text(json.dumps(figures, indent=1) + "\n")
    return kept


def main(names: list[str]) -> None:
    """Train and judge what is missing of ``names``, then write the figures of all there is."""
    for name in names:
        record(name)
    known = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    found = {name: ROOT / RUNS / f"{name}.json" for name in VARIANTS}
    known |= {name: json.loads(path.read_text()) for name, path in found.items() if path.exists()}
    figures = {name: known[name] for name in VARIANTS if name in known}
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    asked = sys.argv[1:]
    if not set(asked) <= set(VARIANTS):
        sys.exit(f"{__doc__}\nNAME is one of: {', '.join(VARIANTS)}")
    main(asked or list(VARIANTS))
