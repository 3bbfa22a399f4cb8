"""Make the figures of the documentation again, by the commands that stand below them in its pages.

python benchmarks/figures.py           (about a minute on 2 cores)
python benchmarks/figures.py NAME...   only those, e.g. compare.svg
"""

import subprocess
import sys

from tutorials import ROOT, commands

FOLDER = "docs/figures/"


def figure_commands() -> dict[str, str]:
    """The command by the name of the figure that it makes; the same figure may be on several pages."""
    found = {}
    for page in sorted((ROOT / "docs").rglob("*.md")):
        for command in commands(page):
            _, _, output = command.partition(f"--output {FOLDER}")
            if output:
                assert found.setdefault(output, command) == command, f"{output} is made in two ways"
    return found


if __name__ == "__main__":
    made = figure_commands()
    unknown = [name for name in sys.argv[1:] if name not in made]
    if unknown:
        sys.exit(f"no page makes {', '.join(unknown)}; there are {', '.join(made)}\n{__doc__}")
    for name in sys.argv[1:] or made:
        print("reinfer", made[name], flush=True)
        subprocess.run([sys.executable, "-m", "reinfer.cli.main", *made[name].split()], check=True, cwd=ROOT)
