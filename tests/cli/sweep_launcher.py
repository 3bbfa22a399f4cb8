"""The ``reinfer`` command with the stage ``line``, whose trials have it, too."""

import sys
from pathlib import Path

from reinfer.cli import stages, sweep, trial
from reinfer.cli.main import main

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent / "runs"))
    stages.STAGES["line"] = ("line_stage:LineStage", "a diagnostic line")
    sweep.PROGRAM = (__file__, "trial")
    if sys.argv[1] == "trial":
        sys.exit(trial.main(sys.argv[2:]))
    sys.exit(main())
