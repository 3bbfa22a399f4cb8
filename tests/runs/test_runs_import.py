"""What importing ``reinfer.runs`` must not do, and what its code must not contain."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import reinfer.runs

MODULES = sorted(Path(reinfer.runs.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_runs_imports_no_other_part(path):
    for node in ast.walk(ast.parse(path.read_text())):
        names = [node.module] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            if name.startswith("reinfer"):
                assert name in ("reinfer", "reinfer.runs") or name.startswith("reinfer.runs.")


def test_nothing_is_ever_unpickled():
    for path in Path(reinfer.__file__).parent.rglob("*.py"):
        found = re.search(r"\b(cloud)?pickle\b|allow_pickle=True|weights_only=False", path.read_text())
        assert not found, f"{path}: {found}"


def test_importing_changes_no_environment_and_no_handler():
    modules = ", ".join(f"reinfer.runs.{path.stem}" for path in MODULES if path.stem != "__init__")
    program = f"""
import os, signal
before = dict(os.environ), [signal.getsignal(n) for n in signal.valid_signals()]
import {modules}
assert before == (dict(os.environ), [signal.getsignal(n) for n in signal.valid_signals()])
"""
    subprocess.run([sys.executable, "-c", program], check=True)
