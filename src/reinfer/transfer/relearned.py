"""The relearned high level: corrections, learned on the robot, of the toy policy's sub-goals.

The toy knows the task as well as can be, but not the body: how far it overshoots, how long it takes to turn, what is
worth doing before anything is known. So what is learned is a residual (Silver et al. 2018, arXiv 1812.06298): an
action (3,) in [-1, 1] that moves the choice of kind, the position and the velocity that the toy would choose. Zero is
the toy's own policy, and corrections fade where there is nothing to correct: resting at its goal, a body is told its
goal. One continuous action serves all: the kind is chosen by the sign of the toy's log odds plus the first component.
"""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.bodies import BodyId, CommandRange
from reinfer.control.networks import MLP, mlp_arrays, mlp_from_arrays
from reinfer.control.normalisation import Moments, normalise
from reinfer.control.sac import mean_action, values
from reinfer.inference.belief import Belief
from reinfer.inference.context import LINE_ROWS, ContextWindow
from reinfer.runs.errors import ArtifactError
from reinfer.runs.models import load_model, save_model
from reinfer.tasks import CHANNELS, GOAL, VELOCITY
from reinfer.tasks.families import FAMILY_KIND, KIND_COLUMN
from reinfer.transfer.agents import LINE_FAMILIES, Agent, Decision, Situation, look_ahead
from reinfer.transfer.strides import MAX_STRIDE

if TYPE_CHECKING:
    from reinfer.inference.agent import ToyAgent

#: Artifact kind of an exported relearned high level.
KIND = "high"

#: Components of an action: kind, position, velocity.
ACTIONS = 3

#: Log odds of goals against velocities are cut to +-1; the action moves them by up to this much: it can always decide.
KIND_REACH = 2.0

#: A goal is moved by up to this share of its distance, this many seconds' way at the present speed, and 2 cm.
GOAL_SHARE, GOAL_TIME_S, GOAL_LEAST_M = 0.5, 0.3, 0.02

#: A velocity is moved by up to this share of what is missing to it and this share of itself.
VELOCITY_MISSING, VELOCITY_SHARE = 0.5, 0.05

_X, _VX = CHANNELS.index("x"), CHANNELS.index("vx")
_KIND = FAMILY_KIND[:LINE_FAMILIES]


class Proposal(NamedTuple):
    """What the toy would do, each (N,): log odds of goals against velocities in [-1, 1]; absolute position (m) and
    velocity (m/s) sub-goals."""

    odds: jax.Array
    position: jax.Array
    velocity: jax.Array


class Correction(NamedTuple):
    """What is learned: ``policy`` and two ``critics`` as in ``control.sac`` (the critics normalised), ``moments`` of
    their inputs, and ``trusted`` (scalar), 0 where the toy's own policy was found better."""

    policy: MLP
    critics: MLP
    moments: Moments
    trusted: jax.Array


def propose(toy: "ToyAgent", toy_steps: int, belief: Belief, task_state) -> Proposal:
    """The sub-goals of both kinds of ``toy`` under ``belief`` in states (N, 6), so many of its steps ahead."""
    reached = look_ahead(toy, toy_steps, belief, task_state)
    log_probability = jnp.log(belief.family_probability + 1e-6)
    best = [jnp.where(kind == _KIND, log_probability, -jnp.inf).max(-1) for kind in (GOAL, VELOCITY)]
    return Proposal(jnp.clip(best[0] - best[1], -1.0, 1.0), reached[:, _X], reached[:, _VX])


def correct(proposal: Proposal, action, task_state) -> tuple[jax.Array, jax.Array]:
    """Kind and absolute target, each (N,), of ``proposal`` corrected by ``action`` (N, 3) in states (N, 6)."""
    x, vx = task_state[:, _X], task_state[:, _VX]
    reach_m = GOAL_SHARE * jnp.abs(proposal.position - x) + GOAL_TIME_S * jnp.abs(vx) + GOAL_LEAST_M
    reach_mps = VELOCITY_MISSING * jnp.abs(proposal.velocity - vx) + VELOCITY_SHARE * jnp.abs(proposal.velocity)
    kind = jnp.where(proposal.odds + KIND_REACH * action[:, 0] > 0.0, GOAL, VELOCITY)
    position = proposal.position + reach_m * action[:, 1]
    velocity = proposal.velocity + reach_mps * action[:, 2]
    return kind, jnp.where(kind == GOAL, position, velocity)


def feature_size(observation: int) -> int:
    """Length of a row of ``features`` for body observations of length ``observation``."""
    return observation + 3 * LINE_FAMILIES + 9


def features(belief: Belief, proposal: Proposal, window: ContextWindow, situation: Situation, limits: CommandRange):
    """Inputs of policy and critics, (N, F): no task, no absolute x.

    Body observation; probability of each family; error of the state against each family's target, relative to that
    target and in units of 1 m or 1 m/s; mean log variance of the latent; number of rows (linear and logarithmic);
    length of the last stride; the toy's odds, distance (coarse and fine) and velocity (and what is missing to it). The
    latent itself is left out: it holds absolute targets, which would tie what is learned to places.
    """
    state = situation.task_state
    error = belief.target - state[:, KIND_COLUMN[_KIND]]
    rows = window.count / window.rows.shape[1]
    distance = proposal.position - state[:, _X]
    columns = (
        rows,
        jnp.log1p(window.count),
        situation.elapsed / MAX_STRIDE,
        proposal.odds,
        jnp.clip(distance / limits.goal_m, -1.0, 1.0),
        jnp.clip(distance / 0.2, -1.0, 1.0),
        proposal.velocity / limits.speed_mps[1],
        proposal.velocity - state[:, _VX],
    )
    return jnp.concatenate(
        [
            situation.observation,
            belief.family_probability,
            jnp.clip(error / jnp.maximum(jnp.abs(belief.target), 0.1), -2.0, 2.0),
            jnp.clip(error, -2.0, 2.0),
            belief.log_variance.mean(-1, keepdims=True),
            jnp.stack(columns, axis=-1),
        ],
        axis=-1,
    ).astype(jnp.float32)


def cautious_action(correction: Correction, inputs):
    """The mean action (N, 3) for normalised ``inputs`` (N, F) where both critics find it better than none, else zeros.

    What a correction gains is little next to the error of one critic, and the toy's policy is good: as with strides,
    one departs from it only where that surely gains.
    """
    action = mean_action(correction.policy, inputs)
    nothing = jnp.zeros_like(action)
    gain = values(correction.critics, inputs, action, True) - values(correction.critics, inputs, nothing, True)
    better = (gain.min(0) > 0.0) & (correction.trusted > 0.0)
    return jnp.where(better[:, None], action, nothing)


class RelearnedAgent(Agent):
    """Belief and sub-goals of the toy's policy, corrected by what was learned on the robot.

    Args:
        toy: the frozen toy agent, of toy1d: what is corrected are goals and velocities.
        toy_steps: toy steps per sub-goal.
        body: the robot it was learned on.
        ranges: of the low level it was learned with.
        correction: see there; with ``toy`` it makes the agent's ``parameters``.
        sha256: digest of the model file, empty where it came from none.
    """

    name = "relearned"

    def __init__(self, toy: "ToyAgent", toy_steps: int, body: BodyId, ranges: CommandRange, correction, sha256=""):
        if toy.layout != LINE_ROWS:
            raise ValueError(f"toy: an agent of {toy.body.name} cannot be corrected; only goals and velocities can")
        self.toy, self.toy_steps = toy, toy_steps
        self.width, self.toy_sha256 = toy.width, toy.sha256
        self.body, self.ranges, self.sha256 = body, ranges, sha256
        self.correction, self.parameters = correction, (toy, correction)
        self.form = (toy_steps, toy.width, ranges)

    def decide(self, parameters: tuple["ToyAgent", Correction], window, situation: Situation) -> Decision:
        """Sub-goals after correction; see the module."""
        toy, correction = parameters
        belief, proposal, rows = self.consider(toy, window, situation)
        action = cautious_action(correction, normalise(correction.moments, rows))
        return Decision(*correct(proposal, action, situation.task_state), belief)

    def consider(self, toy: "ToyAgent", window: ContextWindow, situation: Situation):
        """Belief and proposal of ``toy``, and the ``features`` (N, F) of both."""
        belief = toy.infer(window)
        proposal = propose(toy, self.toy_steps, belief, situation.task_state)
        return belief, proposal, features(belief, proposal, window, situation, self.ranges)

    @classmethod
    def load(cls, folder: Path | str, toy: "ToyAgent", ranges: CommandRange) -> "RelearnedAgent":
        """Read an exported model folder. Raises ``ArtifactError`` unless it is intact and was learned above ``toy``."""
        model = load_model(Path(folder), KIND)
        if model.config["toy_sha256"] != toy.sha256:
            raise ArtifactError(f"{folder} was learned above another toy agent than the one given")
        moments = Moments(*(jnp.asarray(model.arrays[f"moments/{field}"]) for field in Moments._fields))
        networks = (mlp_from_arrays(name, model.arrays) for name in ("policy", "critics"))
        correction = Correction(*networks, moments, jnp.asarray(model.arrays["trusted"]))
        body = BodyId.from_dict(model.config)
        return cls(toy, model.config["toy_steps"], body, ranges, correction, model.sha256)

    def save(self, folder: Path, *, config: dict, metrics: dict, provenance: dict) -> None:
        """Export to ``folder``; ``config`` is the training configuration, kept for the record."""
        learned = self.correction
        arrays = {f"moments/{n}": np.asarray(a) for n, a in zip(Moments._fields, learned.moments, strict=True)}
        arrays |= {"trusted": np.asarray(learned.trusted)}
        story = self.body.to_dict() | {
            "toy_sha256": self.toy.sha256,
            "toy_steps": self.toy_steps,
            "training": config,
        }
        save_model(
            folder,
            kind=KIND,
            arrays=arrays | mlp_arrays("policy", learned.policy) | mlp_arrays("critics", learned.critics),
            config=story,
            metrics=metrics,
            provenance=provenance,
        )
