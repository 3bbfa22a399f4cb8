"""Which commands of reinfer evaluate the shipped models, and the figures that they printed."""

import functools
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from reinfer.runs.models import load_model

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results"
MODELS = ROOT / "src" / "reinfer" / "models"
SEEDS = range(5)


class Published(NamedTuple):
    """What was published of a robot, in words, and as numbers what ours stand beside: the errors of who had to find
    out the target, if anybody had to; position in m, velocity in m/s."""

    text: str
    position_m: float
    velocity_mps: float


#: What was published of the half-cheetah.
HALF_CHEETAH = Published("thesis 1.48 m, 0.24 m/s; ReMAP, target given, 0.073 m, RMS 0.40 to 0.47 m/s", 1.48, 0.24)
#: Robots beside the half-cheetah, and what was published of them. ReMAP's are single episodes, of goals of 9 m.
PUBLISHED = {
    "walker2d": Published("thesis 0.93 m, 1.1 m/s; ReMAP, target given, 0.02 m, RMS 0.45 m/s", 0.93, 1.1),
    "hopper": Published("thesis 1.95 m, 0.44 m/s; ReMAP, target given, 0.04 m, RMS 0.52 m/s", 1.95, 0.44),
    "ant": Published(
        "ReMAP, target given, 0.17 m after overshooting by 10 m, mean speed 0.21 m/s off, RMS 0.49 m/s", 0.17, 0.21
    ),
}
COMMANDS = {
    **{f"toy_seed{seed}": f"eval toy --model shipped:toy/seed{seed} --json" for seed in SEEDS},
    "low": "eval low --body half_cheetah --json",
    "low_thrifty": "eval low --body half_cheetah --model shipped:half_cheetah/thrifty --json",
    "transfer_standard": "eval transfer --body half_cheetah --tasks standard --seeds 5 --ablation --json",
    "transfer_heldout": "eval transfer --body half_cheetah --tasks heldout --seeds 5 --json",
    **{f"low_{body}": f"eval low --body {body} --json" for body in PUBLISHED},
    **{
        f"transfer_{body}": f"eval transfer --body {body} --tasks standard --seeds 5 --stride 1 --json"
        for body in PUBLISHED
    },
    **{
        f"heldout_{body}": f"eval transfer --body {body} --tasks heldout --seeds 5 --stride 1 --json"
        for body in PUBLISHED
    },
    "inference": "eval inference --body half_cheetah walker2d hopper ant --seeds 5 --json",
    "robustness": "eval robustness --seeds 2 --json",
    "change_toy": "eval change --body toy1d --seeds 3 --compare --json",
    "change_half_cheetah": "eval change --body half_cheetah --seeds 2 --json",
    "toy2d": "eval toy --model shipped:toy2d/seed0 --json",
    "toy3dof": "eval toy --model shipped:toy3dof/seed0 --json",
    "low_multi": "eval low --body half_cheetah --model shipped:half_cheetah/multi --json",
    "transfer_multi": "eval transfer --body half_cheetah --tasks multi --json",
    "process": "eval process --body half_cheetah walker2d hopper --steps 1 1x10 5 10 --json",
}


def evaluate(names) -> None:
    """Run the commands called ``names`` and keep what they print."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    for name in names:
        command = COMMANDS[name]
        print("reinfer", command, flush=True)
        line = [sys.executable, "-m", "reinfer.cli.main", *command.split()]
        found = json.loads(subprocess.run(line, check=True, capture_output=True, text=True, cwd=ROOT).stdout)
        if rows := found.pop("by_command", None):
            found["up_to_2_mps"] = up_to(rows, 2.0)
        found["models"] = models_behind(command)
        (RESULTS / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n")


@functools.cache
def models_behind(command: str) -> dict[str, str]:
    """Digests of the shipped models that ``command`` may play with, by their place: its robots' and its agents'."""
    words = command.split()
    parts = [word.removeprefix("shipped:") for word in words if word.startswith("shipped:")]
    if not parts:
        bodies = sorted({folder.name for folder in MODELS.iterdir()} & set(words))
        low, stride, toy = ("multi", "multi_stride", "toy3dof") if "multi" in words else ("low", "stride", "toy")
        robots = [low] if words[1] in ("low", "process", "inference") else [low, stride]
        agents = {"low": [], "process": ["process"]}.get(words[1], [toy])
        parts = [f"{body}/{part}" for body in bodies for part in robots] + agents
    found = sorted(path.parent for part in parts for path in (MODELS / part).rglob("model.safetensors"))
    return {str(folder.relative_to(MODELS)): load_model(folder).sha256 for folder in found}


def up_to(rows: list[dict], speed_mps: float) -> dict:
    """Speed error and falls without the commands of speeds beyond ``speed_mps``, which not every body was asked for."""
    rows = [row for row in rows if row["kind"] != "velocity" or abs(row["target"]) <= speed_mps]
    speeds = [row["error"] for row in rows if row["kind"] == "velocity"]
    return {
        "speed_error_windowed": statistics.mean(speeds),
        "fall_rate": statistics.mean(row["fallen"] for row in rows),
        "commands": len(rows),
    }


def note_each(bodies, figures_of, file: Path, usage: str) -> None:
    """The command line of a benchmark of robots: puts ``figures_of(body)`` of those named, by default of all
    ``bodies``, into the JSON object in ``file``, beside what is known of others. Exits with ``usage`` on an
    unknown name."""
    asked = sys.argv[1:]
    if not set(asked) <= set(bodies):
        sys.exit(f"{usage}\nBODY is one of: {', '.join(bodies)}")
    for body in asked or bodies:
        figures = figures_of(body)
        known = json.loads(file.read_text()) if file.exists() else {}
        file.write_text(json.dumps(known | {body: figures}, indent=1) + "\n")


def load(name: str) -> dict:
    """Figures of one command."""
    return json.loads((RESULTS / f"{name}.json").read_text())


def missing(name: str) -> list[str]:
    """What to say in place of figures that there are none of, or that are of models since replaced; else empty."""
    known = load(name).get("models", {}) if (RESULTS / f"{name}.json").exists() else {}
    present = models_behind(COMMANDS[name])
    if present and present.items() <= known.items():
        return []
    return [f"Not evaluated with the present models: `reinfer {COMMANDS[name]}`.", ""]


def spread(values, digits: int) -> str:
    """Mean over seeds and the range."""
    values = list(values)
    return f"{statistics.mean(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def bold(text: str, better: bool) -> str:
    """``text``, in bold where it is ``better`` than what it stands beside."""
    return f"**{text}**" if better else text
