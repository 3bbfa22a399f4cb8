"""Running the command as a user does: in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# The diagnostic stage ``line_stage`` lives with the tests of ``runs``.
sys.path.insert(0, str(Path(__file__).parent.parent / "runs"))
LAUNCHER = Path(__file__).parent / "launcher.py"


class Command:
    """The command line in a working folder."""

    def __init__(self, folder: Path, launcher: Path = LAUNCHER):
        self.folder, self.launcher = folder, launcher
        self.environment = {
            **os.environ,
            "JAX_PLATFORMS": "cpu",
            "REINFER_COMPILATION_CACHE": "0",
            "COLUMNS": "80",
        }

    def start(self, *arguments, **options) -> subprocess.Popen:
        """Start it, with ``options`` of ``Popen``, and do not wait."""
        return subprocess.Popen(
            [sys.executable, str(self.launcher), *map(str, arguments)],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def __call__(self, *arguments, code: int = 0) -> subprocess.CompletedProcess:
        """Run it to its end and expect exit code ``code``."""
        process = self.start(*arguments)
        output, errors = process.communicate(timeout=300)
        assert process.returncode == code, errors
        return subprocess.CompletedProcess(arguments, process.returncode, output, errors)

    def refused(self, *arguments) -> str:
        """Run it, expect exit code 2 and nothing but one line of error; returns that line."""
        done = self(*arguments, code=2)
        assert done.stdout == ""
        assert done.stderr.startswith("reinfer: error: ")
        assert done.stderr.count("\n") == 1
        return done.stderr.strip()


@pytest.fixture
def command(tmp_path) -> Command:
    return Command(tmp_path)


@pytest.fixture
def line_command(tmp_path) -> Command:
    """The command with stages that only draw lines: see ``line_stages``."""
    return Command(tmp_path, LAUNCHER.with_name("reproduce_launcher.py"))


@pytest.fixture
def sweep_command(tmp_path) -> Command:
    """The command with a stage whose trials take a moment: see ``sweep_launcher``."""
    return Command(tmp_path, LAUNCHER.with_name("sweep_launcher.py"))
