"""What a training program must offer to be run, checkpointed, resumed and exported by ``runs.loop.fit``."""

from pathlib import Path
from typing import Any, Protocol

#: A pytree of NumPy or JAX arrays, PRNG keys and Python numbers; structure, shapes and dtypes are constant.
State = Any


class Stage(Protocol):
    """One training program. Iteration k is a pure function of (config, state after iteration k-1).

    Attributes:
        name: stage name as the command line knows it, e.g. ``toy``.
        config: frozen dataclass made of ``runs.config.setting`` fields, one of them ``seed: int``.
        iterations: total number of iterations of the run.
        sync_interval: checkpoints are taken, and signals obeyed, only after a multiple of this many
            iterations (and after the last one). 1 if the stage holds nothing live.
        steps_per_iteration: environment steps of one iteration; it scales the ``env_steps`` column.
        score_key: the metric shown in the progress line.
        exports_scores: whether models tell how this metric rose in training, in their provenance; not if absent.
    """

    name: str
    config: Any
    iterations: int
    sync_interval: int
    steps_per_iteration: int
    score_key: str

    def init(self) -> State:
        """The state before iteration 0, deterministic in ``config``. Every leaf must be finite."""
        ...

    def begin(self, iteration: int) -> None:
        """Put live resources (physics) into a state that depends on (config, iteration) only.

        Called before the first iteration after a start or resume, and at every boundary, whether or not a
        checkpoint is written there: so the time of a checkpoint cannot change results.
        """
        ...

    def iterate(self, state: State, iteration: int) -> tuple[State, dict[str, float]]:
        """Run iteration ``iteration`` (0-based). Returns the next state and finite metrics as Python floats.

        Arrays of ``state`` may be updated in place or donated; the caller keeps only what is returned. A
        metric may be absent from some iterations (an evaluation every so often): an empty cell in the CSV.
        """
        ...

    def parents(self) -> list[dict]:
        """Models and files this run is built from: dicts with ``role``, ``path`` and ``sha256``."""
        ...

    def export(self, state: State, folder: Path, provenance: dict) -> None:
        """Write the reusable model(s) to ``folder`` (or to folders in it) with ``runs.models.save_model``."""
        ...
