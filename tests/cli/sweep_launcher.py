"""The ``reinfer`` command with the stage ``plain``, for the sweep and its trials: a line drawn without compiling."""

import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "runs"))

from line_stage import WIDTH, LineConfig, LineStage  # noqa: E402

from reinfer.cli import stages, sweep, trial  # noqa: E402
from reinfer.cli.main import main  # noqa: E402
from reinfer.runs import random  # noqa: E402
from reinfer.runs.models import save_model  # noqa: E402

PRESETS = {"default": LineConfig(iterations=12), "long": LineConfig(iterations=24)}


class PlainStage(LineStage):
    """Steps towards noisy rows."""

    name = "plain"

    def init(self):
        return {"weight": np.zeros(WIDTH)}

    def begin(self, iteration):
        pass

    def iterate(self, state, iteration):
        if self.config.bad_at == iteration + 1:
            raise ZeroDivisionError("the stage itself failed")
        time.sleep(self.config.pause_s)
        row = random.generator(self.config.seed, "rows", iteration).standard_normal(WIDTH)
        weight = state["weight"] + self.config.learning_rate * (row - state["weight"])
        return {"weight": weight}, {"loss": float(np.sum(weight**2))}

    def export(self, state, folder, provenance):
        save_model(folder, kind="plain", arrays=state, config={}, metrics={}, provenance=provenance)


def install(setitem) -> None:
    """Let the command know the stage, with ``setitem(stages, name, entry)``."""
    setitem(stages.STAGES, "plain", ("sweep_launcher:PlainStage", "a line drawn without compiling"))


if __name__ == "__main__":
    install(dict.__setitem__)
    sweep.PROGRAM = (__file__, "trial")
    if sys.argv[1] == "trial":
        sys.exit(trial.main(sys.argv[2:]))
    sys.exit(main())
