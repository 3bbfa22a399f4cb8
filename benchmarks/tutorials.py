"""Type the commands of the tutorials from nothing, and write what they reach into their pages.

python benchmarks/tutorials.py           (about 10 minutes on 2 cores)
python benchmarks/tutorials.py --pages   only rewrite the pages from the figures of the last time

The commands are those of the pages themselves, typed one after the other in a copy of ``examples``. Figures go to
``docs/results/your_own_robot.json``; a still of the video lies beside the page.
"""

import contextlib
import itertools
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "tutorials" / "your-own-robot.md"
FIGURES = ROOT / "docs" / "results" / "your_own_robot.json"
BEGIN, END = "<!-- figures: written by benchmarks/tutorials.py -->", "<!-- end of figures -->"

#: Moment of the video that is shown, s.
_STILL_S = 3.0


def commands(page: Path = PAGE) -> list[str]:
    """Every ``reinfer`` command in the shell blocks of a page, without the word itself."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)
    return [line.removeprefix("reinfer ") for block in blocks for line in block.splitlines()]


def play(folder: Path) -> None:
    """Type all commands in ``folder`` and keep the figures."""
    shutil.copytree(ROOT / "examples", folder / "examples")
    environment = os.environ | {"REINFER_COMPILATION_CACHE": "0"}
    seconds = {}
    for command in commands():
        typed, _, output = command.partition(" > ")
        print("reinfer", command, flush=True)
        began = _processor_s()
        line = [sys.executable, "-m", "reinfer.cli.main", *typed.split()]
        with open(folder / output, "w") if output else contextlib.nullcontext() as file:
            subprocess.run(line, check=True, cwd=folder, env=environment, stdout=file)
        seconds[command] = round(_processor_s() - began, 1)
    low = json.loads((folder / "runs/low/beetle.json").read_text())
    contest = json.loads((folder / "runs/transfer/beetle/transfer.json").read_text())
    oracle = contest["oracle"]
    FIGURES.write_text(
        json.dumps(
            {
                "processor_s": seconds,
                "low": {key: low[key] for key in ("goal_error_m", "speed_error_windowed", "fall_rate")},
                "transfer": {key: contest[key] for key in ("position", "velocity", "fall_rate", "mean_stride")},
                "oracle": {key: oracle[key] for key in ("position", "velocity", "fall_rate")},
            },
            indent=1,
        )
        + "\n"
    )
    _still(folder)


def _processor_s() -> float:
    """Processor time of all children so far, over all cores, s: other programs do not change it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _still(folder: Path) -> None:
    """One picture of the video."""
    from reinfer.cli.records import load_records
    from reinfer.viewing.video import frames

    record = load_records([folder / "runs/transfer/beetle"], str(folder / "examples/beetle/beetle.py"))[0]
    step = round(_STILL_S / record.control_dt_s)
    next(itertools.islice(frames(record, 6), step, None)).save(PAGE.with_name("beetle.png"), optimize=True)


def table() -> str:
    """The block between the markers."""
    found = json.loads(FIGURES.read_text())
    low, contest, oracle = found["low"], found["transfer"], found["oracle"]
    training = {command.split()[1]: s for command, s in found["processor_s"].items() if command.startswith("train")}
    return "\n".join(
        [
            BEGIN,
            "| measured by `python benchmarks/tutorials.py` | |",
            "|---|---|",
            f"| learning to follow commands, processor time of all cores | {training['low']:.0f} s |",
            f"| error at goals it is told / at speeds it is told | {100 * low['goal_error_m']:.1f} cm "
            f"/ {100 * low['speed_error_windowed']:.1f} % |",
            f"| learning how often to look, likewise | {training['stride']:.0f} s |",
            f"| tasks it is not told: error at goals | {100 * contest['position']['settled_error_m']:.1f} cm "
            f"(told: {100 * oracle['position']['settled_error_m']:.1f} cm) |",
            f"| tasks it is not told: error of the speed "
            f"| {100 * contest['velocity']['windowed_relative_error']:.1f} % "
            f"(told: {100 * oracle['velocity']['windowed_relative_error']:.1f} %) |",
            f"| episodes with a fall | {100 * contest['fall_rate']:.0f} % |",
            END,
        ]
    )


def write_page() -> None:
    """Put the table in its place."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(before + table() + rest.partition(END)[2])


if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["--pages"]):
        sys.exit(__doc__)
    if not sys.argv[1:]:
        with tempfile.TemporaryDirectory() as place:
            play(Path(place))
    write_page()
