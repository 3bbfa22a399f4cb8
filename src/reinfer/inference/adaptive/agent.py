"""A frozen agent that was meta-trained on the robot itself, by any algorithm: as a model file, and at work."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.bodies import BodyId
from reinfer.inference.adaptive.algorithm import Algorithm
from reinfer.inference.adaptive.melts import MELTS
from reinfer.inference.adaptive.pearl import PEARL
from reinfer.inference.adaptive.rl2 import RL2
from reinfer.inference.adaptive.told import SAC_TOLD, told_features
from reinfer.runs import trees
from reinfer.runs.errors import ArtifactError
from reinfer.runs.models import load_model, save_model
from reinfer.tasks import Tasks

#: Artifact kind of an exported agent.
KIND = "scratch_agent"

#: Algorithms by name.
ALGORITHMS: dict[str, Algorithm] = {"pearl": PEARL, "rl2": RL2, "melts": MELTS, "sac-told": SAC_TOLD}


class ScratchAgent:
    """A frozen agent, N trials at once: ``begin``, then per episode ``begin_episode``, then ``act`` and ``observe``.

    Args:
        algorithm: key of ``ALGORITHMS``.
        params: its parameters.
        sizes: of its networks, as ``Algorithm.template`` takes them.
        protocol, timing: the benchmark (``tasks.protocols``) and the physics it was trained with, by name.
        body: the robot it was trained on.
        sha256: digest of the model file, empty where it came from none.
        story: what the model file tells of its ``training``, ``provenance`` and ``metrics``.
    """

    def __init__(
        self,
        algorithm: str,
        params,
        sizes: dict,
        protocol: str,
        body: BodyId,
        timing: str,
        sha256: str = "",
        story: dict | None = None,
    ):
        self.algorithm, self.params, self.sizes = algorithm, params, sizes
        self.protocol, self.body, self.timing, self.sha256 = protocol, body, timing, sha256
        self.story = story or {}
        self._functions = ALGORITHMS[algorithm]
        self.told = self._functions.told

    @classmethod
    def load(cls, folder: Path | str) -> "ScratchAgent":
        """Read an exported model folder. Raises ``ArtifactError`` unless it is an intact agent of this kind."""
        model = load_model(Path(folder), KIND)
        config = model.config
        if config["algorithm"] not in ALGORITHMS:
            raise ArtifactError(f"{folder}: algorithm {config['algorithm']!r} is not known")
        template = jax.eval_shape(lambda: ALGORITHMS[config["algorithm"]].template(config["sizes"]))
        arrays = trees.from_host(model.arrays, trees.signature(model.arrays), template, str(folder))
        params = jax.tree.map(jnp.asarray, arrays)
        return cls(
            config["algorithm"],
            params,
            config["sizes"],
            config["protocol"],
            BodyId.from_dict(config),
            config["timing"],
            model.sha256,
            {"training": config["training"], "provenance": model.provenance, "metrics": model.metrics},
        )

    def save(self, folder: Path, *, config: dict, metrics: dict, provenance: dict) -> None:
        """Export to ``folder``; ``config`` is the training configuration, kept for the record."""
        save_model(
            folder,
            kind=KIND,
            arrays=trees.to_host(self.params),
            config=self.body.to_dict()
            | {
                "algorithm": self.algorithm,
                "sizes": self.sizes,
                "protocol": self.protocol,
                "timing": self.timing,
                "training": config,
            },
            metrics=metrics,
            provenance=provenance,
        )

    @property
    def longest_trial(self) -> int | None:
        """Episodes of the trials it was trained for, if its memory means nothing beyond them; else, and while it is
        being trained, None."""
        return self.story.get("training", {}).get("trial") if self._functions.bounded else None

    def begin(self, count: int):
        """Forget everything: N = ``count`` new trials."""
        self._memory = self._functions.begin(self.params, count)

    def tell(self, tasks: Tasks) -> None:
        """Tell an oracle its tasks; no other agent can be told."""
        if not self.told:
            raise TypeError(f"{self.algorithm} is not told its task")
        self._memory = jnp.asarray(told_features(tasks))

    def begin_episode(self, key) -> None:
        """The body is back at rest; the task is the same."""
        self._memory = self._functions.begin_episode(self.params, self._memory, key)

    def act(self, observation) -> np.ndarray:
        """Actions (N, A) in [-1, 1] at ``observation`` (N, O)."""
        self._memory, action = self._functions.act(self.params, self._memory, observation)
        return np.asarray(action)

    def observe(self, observation, action, reward, next_observation) -> None:
        """Take in what came of ``action``."""
        self._memory = self._functions.observe(self.params, self._memory, observation, action, reward, next_observation)

    def uncertainty(self) -> np.ndarray | None:
        """Width (N,) of the belief about the task, in the algorithm's own terms; None without a belief."""
        if self._functions.uncertainty is None:
            return None
        return np.asarray(self._functions.uncertainty(self.params, self._memory))
