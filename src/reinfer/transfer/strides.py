"""For how many control steps a sub-goal is pursued before the next look: constant, by rule, learned."""

from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.bodies import BodyId, CommandRange
from reinfer.control.commands import Commands, command_features
from reinfer.control.commands import feature_size as command_feature_size
from reinfer.control.networks import MLP, apply_mlp, init_mlp, mlp_arrays, mlp_from_arrays
from reinfer.control.normalisation import Moments, normalise
from reinfer.inference.belief import Belief
from reinfer.runs.models import load_model, save_model
from reinfer.tasks import GOAL
from reinfer.tasks.families import FAMILY_KIND, KIND_COLUMN

#: Longest stride, in control steps.
MAX_STRIDE = 20

#: Artifact kind of a learned stride policy.
KIND = "stride"

#: Decisions over which the running mean of strides forgets.
HABIT_DECISIONS = 8

#: Perceptrons in the ensemble.
MEMBERS = 4

#: Standard deviations of the ensemble by which a gain must exceed zero.
CAUTION = 2.0

#: Strides whose advantages are given.
NODES = (1, 2, 4, 8, 20)
#: What the advantages at ``NODES`` weigh for every stride: linear in log stride, (nodes, 20).
_INTERPOLATION = np.stack(
    [np.interp(np.log(np.arange(1, MAX_STRIDE + 1)), np.log(NODES), row) for row in np.eye(len(NODES))]
).astype(np.float32)

#: Context rows beyond which counting them says nothing new.
_ROWS = 32


class StrideInputs(NamedTuple):
    """What a stride policy may look at; N simulations that have just chosen a sub-goal.

    ``observation`` (N, O) the body's own, without absolute x; ``task_state`` (N, 6); ``commands`` the
    sub-goals; ``belief`` behind them, NumPy leaves; ``rows`` (N,) context rows in all; ``previous`` (N,)
    the stride that led here, 0 at the start; ``habit`` (N,) running mean of the strides behind the rows.
    """

    observation: np.ndarray
    task_state: np.ndarray
    commands: Commands
    belief: Belief
    rows: np.ndarray
    previous: np.ndarray
    habit: np.ndarray


class FixedStride:
    """Always ``length`` control steps, 1 to ``MAX_STRIDE``."""

    def __init__(self, length: int):
        if not 1 <= length <= MAX_STRIDE:
            raise ValueError(f"stride: {length} is not allowed; it must be between 1 and {MAX_STRIDE}")
        self.length, self.name = length, str(length)

    def choose(self, inputs: StrideInputs) -> np.ndarray:
        """Strides (N,)."""
        return np.full(len(inputs.rows), self.length)


class SimulationStrides:
    """Every simulation keeps its own of ``lengths`` (N,), each 1 to ``MAX_STRIDE``."""

    name = "by simulation"

    def __init__(self, lengths):
        self.lengths = np.asarray(lengths)

    def choose(self, inputs: StrideInputs) -> np.ndarray:
        """Strides (N,)."""
        return self.lengths


class RuleStride:
    """By distance and belief: look again soon while unsure; else when half of the way should be done.

    Unsure means fewer than 3 rows or a most likely family below 0.9: 2 control steps. A sure goal is pursued
    for half the time its distance takes at 1.5 m/s, at least 1; a sure velocity for half a second.
    """

    name = "rule"
    unsure_rows, sure_probability, unsure_stride = 3, 0.9, 2
    speed_mps, velocity_s = 1.5, 0.5

    def __init__(self, control_dt_s: float):
        self.control_dt_s = control_dt_s

    def choose(self, inputs: StrideInputs) -> np.ndarray:
        """Strides (N,)."""
        distance = np.abs(inputs.commands.target - inputs.task_state[:, 0])
        is_goal = inputs.commands.kind == GOAL
        seconds = np.where(is_goal, 0.5 * distance / self.speed_mps, self.velocity_s)
        unsure = inputs.rows < self.unsure_rows
        unsure |= inputs.belief.family_probability.max(-1) < self.sure_probability
        stride = np.where(unsure, self.unsure_stride, np.rint(seconds / self.control_dt_s))
        return np.clip(stride, 1, MAX_STRIDE).astype(int)


def feature_size(observation: int, ranges: CommandRange, families: int) -> int:
    """Length of a row of ``stride_features`` for body observations of length ``observation`` and that many families."""
    return observation + command_feature_size(ranges) + 2 * families + 6


def stride_features(inputs: StrideInputs, ranges: CommandRange) -> np.ndarray:
    """Inputs of the learned stride policy, (N, F) float32: no task, no absolute x, nothing of the past but
    what the belief, the number of rows and the previous stride say.

    Body observation; the sub-goal relative to the state; probability of each family; error of the state
    against each family's target estimate, relative to that estimate; mean log variance of the latent;
    rows (linear and logarithmic); previous stride; running mean of strides, also logarithmic: how well a
    belief can be trusted depends on the strides behind all rows of the window.
    """
    belief = inputs.belief
    error = belief.target - inputs.task_state[:, KIND_COLUMN[FAMILY_KIND[: belief.target.shape[-1]]]]
    scale = np.maximum(np.abs(belief.target), 0.1)
    rows = np.minimum(inputs.rows, _ROWS)
    columns = (
        inputs.observation,
        command_features(inputs.task_state, inputs.commands, ranges),
        belief.family_probability,
        np.clip(error / scale, -2.0, 2.0),
        belief.log_variance.mean(-1, keepdims=True),
        np.stack([rows / _ROWS, np.log1p(rows) / np.log1p(_ROWS)], axis=-1),
        np.stack([inputs.previous, inputs.habit], axis=-1) / MAX_STRIDE,
        np.log1p(inputs.habit)[:, None] / np.log1p(MAX_STRIDE),
    )
    return np.concatenate(columns, axis=-1).astype(np.float32)


def init_stride_network(key, features: int, hidden: int) -> MLP:
    """``MEMBERS`` perceptrons side by side (leading axis of every array), two hidden layers of ``hidden``."""
    sizes = (features, hidden, hidden, 1 + len(NODES))
    return jax.vmap(lambda own: init_mlp(own, sizes, output_scale=0.01))(jax.random.split(key, MEMBERS))


def stride_values(moments: Moments, network: MLP, features):
    """Q values (..., MAX_STRIDE) of features (..., F) by one member of the ensemble.

    A value plus centred advantages (Wang et al. 2016); advantages are given at the strides ``NODES`` and
    interpolated, since neighbouring strides are worth nearly the same.
    """
    outputs = apply_mlp(network, normalise(moments, features))
    advantage = outputs[..., 1:] @ _INTERPOLATION
    return outputs[..., :1] + advantage - advantage.mean(-1, keepdims=True)


@jax.jit
def greedy_stride(moments: Moments, network: MLP, features, baseline):
    """The stride in 1..MAX_STRIDE, (...,), that is best by a lower confidence bound on what it gains over ``baseline``.

    Strides differ little in value next to the error of one estimate, and the largest of twenty noisy values is mostly
    noise. So another stride than the best constant one is chosen only where the ensemble's mean gain exceeds
    ``CAUTION`` times its members' disagreement (after safe policy improvement with a baseline, Laroche et al. 2019).
    """
    values = jax.vmap(stride_values, in_axes=(None, 0, None))(moments, network, features)
    gain = values - jnp.take(values, baseline - 1, axis=-1)[..., None]
    return 1 + jnp.argmax(gain.mean(0) - CAUTION * gain.std(0), axis=-1)


class LearnedStride:
    """The best constant stride, or where one surely gains, another; see ``stages.stride`` for how values are learned.

    Args:
        body: the robot it was learned on.
        ranges: of the low level it was learned with.
        moments, network, baseline: as in ``greedy_stride``.
        sha256: digest of the model file, empty where it came from none.
    """

    name = "learned"

    def __init__(
        self, body: BodyId, ranges: CommandRange, moments: Moments, network: MLP, baseline: int, sha256: str = ""
    ):
        self.body, self.ranges, self.sha256 = body, ranges, sha256
        self.moments, self.network, self.baseline = moments, network, baseline

    @property
    def features(self) -> int:
        """Length of a row of ``stride_features`` that it reads."""
        return self.moments.mean.shape[-1]

    def choose(self, inputs: StrideInputs) -> np.ndarray:
        """Strides (N,)."""
        features = np.nan_to_num(stride_features(inputs, self.ranges))
        return np.asarray(greedy_stride(self.moments, self.network, features, self.baseline))

    @classmethod
    def load(cls, folder: Path | str, ranges: CommandRange) -> "LearnedStride":
        """Read an exported model folder. Raises ``ArtifactError`` unless it is an intact stride policy."""
        model = load_model(Path(folder), KIND)
        moments = Moments(*(jnp.asarray(model.arrays[f"moments/{field}"]) for field in Moments._fields))
        network = mlp_from_arrays("stride", model.arrays)
        return cls(BodyId.from_dict(model.config), ranges, moments, network, model.config["baseline"], model.sha256)

    def save(self, folder: Path, *, config: dict, metrics: dict, provenance: dict) -> None:
        """Export to ``folder``; ``config`` is the training configuration, kept for the record."""
        moments = {f"moments/{n}": np.asarray(a) for n, a in zip(Moments._fields, self.moments, strict=True)}
        save_model(
            folder,
            kind=KIND,
            arrays=moments | mlp_arrays("stride", self.network),
            config=self.body.to_dict() | {"baseline": self.baseline, "training": config},
            metrics=metrics,
            provenance=provenance,
        )
