"""The ``reinfer`` command with one more stage, ``line``: the diagnostic stage of the tests of ``runs``."""

import sys
from pathlib import Path

from reinfer.cli import stages
from reinfer.cli.main import main

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent / "runs"))
    stages.STAGES["line"] = ("line_stage:LineStage", "a diagnostic line")
    sys.exit(main())
