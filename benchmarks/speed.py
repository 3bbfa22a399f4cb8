"""How fast reinfer is, each claim a ratio to a peer measured in the same run; writes docs/results/speed.json and pages.

    python benchmarks/speed.py [PART...] [--seconds S] [--peer-python PATH]
    python benchmarks/speed.py wallclock --minutes M [--seeds N] [--at-once K] [--peer-python PATH]
    python benchmarks/speed.py updates --updates U [--seeds N] [--at-once K] [--peer-python PATH]

Parts: physics, sac, toy, scaling, costs; all five by default, within about ``--seconds`` (640, on 2 idle cores).
``wallclock`` trains four contestants for ``--minutes`` each and seed, ``updates`` four for so many ``--updates``, one
after the other, or ``--at-once`` K side by side, each on its share of the cores; typed again they go on after those
that are complete (below ``runs/speed``). A part replaces what was known of it and leaves the others.

Peers live in an environment of their own, which ``--peer-python`` names (or the variable ``PEER_PYTHON``):

    python3 -m venv .venv-peers
    .venv-peers/bin/pip install -e . -r benchmarks/peers.txt
    python benchmarks/speed.py --peer-python .venv-peers/bin/python

Give the machine nothing else to do: the load before is written down.
"""

import argparse
import itertools
import json
import os
import sys
import time
from pathlib import Path

import speed_costs
import speed_physics
import speed_sac
import speed_scaling
import speed_toy
import speed_tracked
from evaluations import RESULTS, ROOT
from race import machine
from results import write_pages

#: Parts and their shares of the time.
PARTS = {
    "physics": (speed_physics, 0.38),
    "sac": (speed_sac, 0.31),
    "toy": (speed_toy, 0.13),
    "scaling": (speed_scaling, 0.09),
    "costs": (speed_costs, 0.09),
}
#: Parts that train, and the option that says for how long.
TRAINED = {"wallclock": "minutes", "updates": "updates"}
_ALONE = " or ".join(TRAINED) + ", alone"
FIGURES = RESULTS / "speed.json"

PEER_PYTHON = ".venv-peers/bin/python"


def typed(words: list[str]) -> str:
    """The command, with the peers' environment where the docstring has it, wherever it is on this machine."""
    words = [PEER_PYTHON if before == "--peer-python" else word for before, word in itertools.pairwise(["", *words])]
    return " ".join(["python", "benchmarks/speed.py", *words])


def measure(part: str, options: argparse.Namespace) -> dict:
    """One part's figures, with the machine, the command and how long it took."""
    about = {"command": typed(sys.argv[1:]), "machine": machine()}
    start = time.perf_counter()
    if part in TRAINED:
        axis, amount = ("wall_s", 60.0 * options.minutes) if part == "wallclock" else ("updates", options.updates)
        given = (options.peer_python, options.seeds, options.at_once, ROOT / "runs" / "speed")
        found = speed_tracked.measure(axis, amount, *given)
        # Trainings that were complete ran before, on the machine as it was then.
        about["machine"] = next(iter(found["contestants"].values()))[0].get("machine", about["machine"])
    else:
        module, share = PARTS[part]
        asked = sum(PARTS[name][1] for name in options.parts)
        found = module.measure(options.seconds * share / asked, options.peer_python)
    return about | {"took_s": round(time.perf_counter() - start, 1), "found": found}


def parse() -> argparse.Namespace:
    """The command line; exits with status 2 where something is wrong with it."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], epilog=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; or {_ALONE}")
    parser.add_argument("--seconds", type=float, default=640.0, help=f"time for all parts named, except {_ALONE}")
    parser.add_argument("--minutes", type=float, help="training time of each contestant of wallclock")
    parser.add_argument("--updates", type=int, help="gradient steps of each contestant of updates")
    parser.add_argument("--seeds", type=int, default=1, help="training seeds of what trains")
    parser.add_argument("--at-once", type=int, default=1, help="contestants of what trains side by side")
    parser.add_argument(
        "--peer-python", default=os.environ.get("PEER_PYTHON", ""), help="interpreter that has the peers"
    )
    options = parser.parse_args()
    alone = len(options.parts) == 1 and options.parts[0] in TRAINED
    options.parts = options.parts or list(PARTS)
    unknown = set(options.parts) - set(PARTS)
    if unknown and not alone:
        parser.error(f"PART: {', '.join(sorted(unknown))} is not allowed; allowed: {', '.join(PARTS)}; or {_ALONE}")
    for part, option in TRAINED.items():
        if (options.parts == [part]) != (getattr(options, option) is not None):
            parser.error(f"--{option}: is for {part}, which needs it")
    for name in ("seconds", "seeds", "minutes", "updates", "at_once"):
        if getattr(options, name) is not None and getattr(options, name) <= 0:
            parser.error(f"--{name.replace('_', '-')}: {getattr(options, name)} is not allowed; it must be above 0")
    if options.at_once > (cores := len(os.sched_getaffinity(0))):
        parser.error(f"--at-once: {options.at_once} is not allowed; there are {cores} cores")
    peers = Path(options.peer_python)
    if {"physics", "sac", *TRAINED} & set(options.parts) and not (options.peer_python and os.access(peers, os.X_OK)):
        parser.error(
            f"--peer-python: {options.peer_python!r} is no interpreter; see {Path(__file__).name} for how to make one"
        )
    # Not resolved: a virtual environment is found by the place of its link.
    options.peer_python = str(peers.absolute())
    return options


def main() -> None:
    """Measure the parts that are asked for, keep their figures, write the pages."""
    options = parse()
    known = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    for part in options.parts:
        known[part] = measure(part, options)
        FIGURES.write_text(json.dumps(known, indent=1) + "\n")
    write_pages()


if __name__ == "__main__":
    main()
