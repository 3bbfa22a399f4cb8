"""The ``reinfer`` command with the stages and evaluations of ``line_stages``."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "runs"))

if __name__ == "__main__":
    import line_stages

    from reinfer.cli.main import main

    line_stages.install(pytest.MonkeyPatch())
    sys.exit(main())
