"""How long everything takes from nothing: ``reinfer reproduce`` of every planar robot, timed.

python benchmarks/reproduction.py [BODY...]     (half_cheetah, walker2d and hopper by default)
python benchmarks/minutes.py [BODY...]          (the same with less training: after how long which bar is met)

Each has a folder of its own below ``runs/reproduction`` in which the command is typed, so that nothing is shared, and
programs are compiled anew; a finished one is not repeated. An interrupted one starts over, though the command itself
would go on: what a kill undid is in no sum. Their summaries go to ``docs/results/reproduction.json``, pages are
written by ``python benchmarks/results.py --pages``.
"""

import json
import os
import shutil
import subprocess
import sys

from evaluations import RESULTS, ROOT, note_each
from race import machine

BODIES = ("half_cheetah", "walker2d", "hopper")
FIGURES = RESULTS / "reproduction.json"
KEPT = ("command", "seconds", "wall_s", "figures")


def reproduce(body: str, share: float = 1.0) -> dict:
    """The summary of ``reinfer reproduce --body BODY``, with a ``share`` of the iterations of every stage."""
    name, less = (body, []) if share == 1.0 else (f"{body}-{share:g}", ["--share", f"{share:g}"])
    folder = ROOT / "runs" / "reproduction" / name
    written = folder / "runs" / "reproduce" / body / "summary.json"
    if folder.exists() and not (written.exists() and json.loads(written.read_text())["finished"]):
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    line = [sys.executable, "-m", "reinfer.cli.main", "reproduce", "--body", body, *less, "--no-progress"]
    subprocess.run(line, check=True, cwd=folder, env=os.environ | {"REINFER_COMPILATION_CACHE": "0"})
    summary = json.loads(written.read_text())
    steps = {title: step["seconds"] for title, step in summary["steps"].items()}
    here = machine()
    return {key: summary[key] for key in KEPT} | {"steps": steps, "cores": here["cores"], "machine": here}


if __name__ == "__main__":
    note_each(BODIES, reproduce, FIGURES, __doc__)
