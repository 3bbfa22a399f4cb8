"""All benchmarks of speed and scale, one after the other; every one writes its JSON and the pages.

    python benchmarks/all.py [--peer-python PATH] [--list]

Many hours on 2 idle cores, most of it trainings; those below ``runs`` that are complete are not repeated, so
that it may be stopped and typed again. ``--list`` prints the commands and runs nothing. One that fails does not keep
the rest from being measured; the exit status is then 1. For ``--peer-python`` see ``speed.py``.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent

#: Scripts and their options. What trains goes last: the others want a machine that has rested.
COMMANDS = (
    ("speed.py",),
    ("viewer.py",),
    ("device.py", "--train"),
    ("seeds.py",),
    ("reproduction.py",),
    ("minutes.py",),
    ("speed.py", "updates", "--updates", "50000", "--seeds", "5", "--at-once", "2"),
    ("speed.py", "wallclock", "--minutes", "30", "--at-once", "2"),
    ("results.py", "--pages"),
)


def has_gpu() -> bool:
    """Whether JAX computes on a GPU; asked in a process of its own, which lets go of it."""
    line = [sys.executable, "-c", "import jax; raise SystemExit(jax.default_backend() != 'gpu')"]
    return subprocess.run(line, check=False, stderr=subprocess.DEVNULL).returncode == 0


def commands(gpu: bool) -> list[tuple[str, ...]]:
    """What is run; on a machine without a GPU nothing that needs one."""
    return [command for command in COMMANDS if gpu or command[0] != "device.py"]


def main(words: list[str]) -> int:
    """Run all; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", default=os.environ.get("PEER_PYTHON", ""), help="interpreter with the peers")
    parser.add_argument("--list", action="store_true", help="print the commands, run nothing")
    options = parser.parse_args(words)
    failed = []
    for script, *rest in commands(has_gpu()):
        print("python", f"benchmarks/{script}", *rest, flush=True)
        environment = os.environ | {"PEER_PYTHON": options.peer_python}
        line = [sys.executable, str(HERE / script), *rest]
        if not options.list and subprocess.run(line, check=False, cwd=HERE.parent, env=environment).returncode:
            failed.append(" ".join([script, *rest]))
    if failed:
        print(f"failed: {'; '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
