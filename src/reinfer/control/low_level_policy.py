"""The command-following policy of one body, as the higher level uses it: deterministic, without memory."""

from dataclasses import asdict
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.bodies import BodyId, CommandRange
from reinfer.control.calibration import Calibration, calibrated
from reinfer.control.commands import Commands, command_features
from reinfer.control.networks import MLP, apply_mlp, mlp_arrays, mlp_from_arrays
from reinfer.control.normalisation import Moments, normalise
from reinfer.runs.models import load_model, save_model

#: Artifact kind of an exported low-level policy.
KIND = "low_level"


@jax.jit
def _mean_action(moments: Moments, mlp: MLP, inputs):
    return jnp.clip(apply_mlp(mlp, normalise(moments, inputs)), -1.0, 1.0)


class LowLevelPolicy:
    """Follows ``Commands`` with one body; compiled once per number of simulations.

    Args:
        body: the robot it was trained on.
        ranges: the commands it was trained on.
        moments: of the network's inputs (body observation, then command features).
        mlp: from normalised inputs to mean actions.
        sha256: digest of the model file, empty where it came from none.
        timing: of the physics it was trained with, by name; None: the body's own.
        calibration: of its speeds, if they were calibrated.

    Examples:
        >>> import numpy as np, reinfer
        >>> from reinfer.control.commands import Commands
        >>> from reinfer.tasks import GOAL
        >>> policy = reinfer.load("shipped:half_cheetah/low")
        >>> simulation = reinfer.BatchSimulation(reinfer.robot("half_cheetah", policy.timing), 2, threads=1)
        >>> simulation.reset(np.random.default_rng(0))
        >>> commands = Commands(kind=np.array([GOAL, GOAL]), target=np.array([1.5, -1.5]))
        >>> for _ in range(80):  # 4 s
        ...     simulation.step(policy.act(simulation.observation(), simulation.task_state(), commands))
        >>> bool((np.abs(simulation.task_state()[:, 0] - commands.target) < 0.1).all())
        True
    """

    def __init__(
        self,
        body: BodyId,
        ranges: CommandRange,
        moments: Moments,
        mlp: MLP,
        sha256: str = "",
        timing: str | None = None,
        calibration: Calibration | None = None,
    ):
        self.body, self.ranges, self.sha256, self.timing = body, ranges, sha256, timing
        self.calibration = calibration
        self.moments, self.mlp = moments, mlp

    @property
    def hidden(self) -> tuple[int, ...]:
        """Widths of the hidden layers."""
        return tuple(len(layer.bias) for layer in self.mlp[:-1])

    @classmethod
    def load(cls, folder: Path | str) -> "LowLevelPolicy":
        """Read an exported model folder. Raises ``ArtifactError`` unless it is an intact low-level policy."""
        model = load_model(Path(folder), KIND)
        ranges = {name: tuple(v) if isinstance(v, list) else v for name, v in model.config["ranges"].items()}
        moments = Moments(*(jnp.asarray(model.arrays[f"moments/{field}"]) for field in Moments._fields))
        mlp = mlp_from_arrays("policy", model.arrays)
        timing = model.config.get("timing")
        calibration = None
        if "calibration/wanted" in model.arrays:
            calibration = Calibration(*(model.arrays[f"calibration/{field}"] for field in Calibration._fields))
        body = BodyId.from_dict(model.config)
        return cls(body, CommandRange(**ranges), moments, mlp, model.sha256, timing, calibration)

    def save(self, folder: Path, *, config: dict, metrics: dict, provenance: dict) -> None:
        """Export to ``folder``; ``config`` is the training configuration, kept for the record."""
        arrays = {f"moments/{field}": np.asarray(a) for field, a in zip(Moments._fields, self.moments, strict=True)}
        if self.calibration:
            arrays |= {f"calibration/{field}": a for field, a in self.calibration._asdict().items()}
        save_model(
            folder,
            kind=KIND,
            arrays=arrays | mlp_arrays("policy", self.mlp),
            config=self.body.to_dict() | {"timing": self.timing, "ranges": asdict(self.ranges), "training": config},
            metrics=metrics,
            provenance=provenance,
        )

    def act(self, observation, task_state, commands: Commands) -> np.ndarray:
        """Mean actions in [-1, 1], shape (N, action_size), float32.

        Args:
            observation: the body's own observations (N, observation_size).
            task_state: task-space states (N, 6).
            commands: leaves (N,); out-of-range commands are clamped (``clamp_commands``).
        """
        if self.calibration:
            commands = calibrated(self.calibration, commands)
        features = command_features(task_state, commands, self.ranges)
        inputs = np.concatenate([np.asarray(observation, np.float32), features], axis=-1)
        return np.asarray(_mean_action(self.moments, self.mlp, inputs))
