"""What happened in a hierarchical rollout: all that evaluation, plots and videos need, as NumPy arrays."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import safetensors
import safetensors.numpy

from reinfer.inference.context import RowLayout, make_rows
from reinfer.runs.errors import ArtifactError
from reinfer.runs.files import replace_file
from reinfer.tasks import Tasks

SCHEMA = "1"


class RolloutRecord(NamedTuple):
    """One episode of N simulations, T control steps of ``control_dt_s`` seconds.

    States have T+1 entries: entry t is before control step t. Everything else belongs to a control step. A
    simulation that falls is frozen: its state stays the first fallen one (the last finite one if physics
    diverged) at no speed, it decides no more, and its reward stays that of this state.

    Attributes:
        tasks: the true tasks, leaves (N,); the agent never had them.
        body: the robot as ``bodies.robot`` finds it: its name, or the absolute path of its body file.
        task_state: (T+1, N, 6), SI units.
        qpos: (T+1, N, nq) float32, for drawing.
        reward: (T, N), reached by the control step.
        fallen: (T+1, N) bool.
        is_decision: (T, N) bool, whether a sub-goal was chosen at the start of this control step.
        rows: (T, N) int, context rows there were in all when the present sub-goal was chosen.
        command_kind: (T, N) int, index into ``tasks.KINDS``, of the present sub-goal.
        command_target: (T, N), its absolute target in SI units.
        stride: (T, N) int, control steps for which it is pursued.
        family_probability: (T, N, F) over the first F families, when it was chosen.
        target_estimate: (T, N), signed target believed in, of the most likely family.
        latent: (T, N, D), posterior mean.
        body_files: as ``files`` of ``bodies.BodyId``.
        toy_sha256: digest of the toy agent whose latents these are, empty where there is none, where it came from no
            file, and in records made before they told it.
    """

    tasks: Tasks
    control_dt_s: float
    body: str
    task_state: np.ndarray
    qpos: np.ndarray
    reward: np.ndarray
    fallen: np.ndarray
    is_decision: np.ndarray
    rows: np.ndarray
    command_kind: np.ndarray
    command_target: np.ndarray
    stride: np.ndarray
    family_probability: np.ndarray
    target_estimate: np.ndarray
    latent: np.ndarray
    body_files: tuple[tuple[str, str], ...] = ()
    toy_sha256: str = ""

    @property
    def steps(self) -> int:
        """Number of control steps T."""
        return self.reward.shape[0]

    @property
    def simulations(self) -> int:
        """Number of simulations N."""
        return self.reward.shape[1]

    def context(self, simulation: int) -> np.ndarray:
        """Rows that one simulation's agent was shown, rebuilt from states and rewards: (rows, R) float32.

        Each row spans one finished stride: x, vx, ... at its start, the reward of its last control step, x, vx, ...
        at its end.
        """
        layout = RowLayout(tuple(range(self.family_probability.shape[-1])))
        decisions = np.flatnonzero(self.is_decision[:, simulation])
        states, start, end = self.task_state[:, simulation], decisions[:-1], decisions[1:]
        rows = make_rows(states[start], self.reward[end - 1, simulation], states[end], layout)
        return rows.reshape(-1, layout.size).astype(np.float32)


_NO_ARRAYS = ("tasks", "control_dt_s", "body", "body_files", "toy_sha256")
_ARRAYS = [name for name in RolloutRecord._fields if name not in _NO_ARRAYS]


def save_record(path: Path, record: RolloutRecord) -> None:
    """Write ``record`` as one safetensors file, replacing what is there at once."""
    arrays = {name: np.ascontiguousarray(getattr(record, name)) for name in _ARRAYS}
    arrays |= {
        "tasks/family": np.asarray(record.tasks.family),
        "tasks/target": np.asarray(record.tasks.target),
    }
    metadata = {"format": "reinfer-record", "schema": SCHEMA, "body": record.body}
    metadata["control_dt_s"] = repr(record.control_dt_s)
    if record.body_files:
        metadata["body_files"] = json.dumps(dict(record.body_files))
    if record.toy_sha256:
        metadata["toy_sha256"] = record.toy_sha256
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, safetensors.numpy.save(arrays, metadata))


def load_record(path: Path) -> RolloutRecord:
    """Read a record. Raises ArtifactError if ``path`` is missing, foreign, damaged or of another schema."""
    path = Path(path)
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (OSError, safetensors.SafetensorError) as error:
        raise ArtifactError(f"record {path} cannot be read: {error}") from error
    if metadata.get("format") != "reinfer-record" or metadata.get("schema") != SCHEMA:
        raise ArtifactError(f"{path} is not a rollout record of schema {SCHEMA}")
    expected = {*_ARRAYS, "tasks/family", "tasks/target"}
    if set(arrays) != expected:
        raise ArtifactError(f"record {path} is damaged: it has {sorted(set(arrays) ^ expected)} amiss")
    return RolloutRecord(
        tasks=Tasks(arrays.pop("tasks/family"), arrays.pop("tasks/target")),
        control_dt_s=float(metadata["control_dt_s"]),
        body=metadata["body"],
        body_files=tuple(json.loads(metadata.get("body_files", "{}")).items()),
        toy_sha256=metadata.get("toy_sha256", ""),
        **arrays,
    )
