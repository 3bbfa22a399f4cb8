"""Who chooses sub-goals: the toy's own policy on the inferred belief, and labelled comparators beside it.

An agent is a pure function ``decide(parameters, window, situation) -> Decision``. It gets nothing else; only the
comparator that says so knows the tasks.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.bodies import CommandRange
from reinfer.control.commands import largest_target, trained_kinds
from reinfer.inference.belief import Belief, most_likely
from reinfer.inference.context import LINE_ROWS, ContextWindow, RowLayout
from reinfer.runs import random
from reinfer.tasks import CHANNELS, FAMILIES, GOAL, JUMP, KINDS, VELOCITY, Tasks
from reinfer.tasks.families import FAMILY_KIND

if TYPE_CHECKING:
    from reinfer.inference.agent import ToyAgent

#: Families that agents tell apart unless their toy has more.
LINE_FAMILIES = len(LINE_ROWS.families)


class Situation(NamedTuple):
    """What an agent may look at besides its context; N simulations.

    ``task_state`` (N, 6); ``observation`` (N, O) the body's own, without absolute x; ``elapsed`` (N,) control steps
    since the last decision, 0 at the start; ``step`` scalar, control steps since the start of the episode.
    """

    task_state: jax.Array
    observation: jax.Array
    elapsed: jax.Array
    step: jax.Array


class Decision(NamedTuple):
    """Sub-goals of N simulations and the belief behind them.

    ``kind`` (N,) index into ``tasks.KINDS``; ``target`` (N,) absolute, SI units, not yet limited to what the low level
    has learned and the body promises; ``belief``: leaves with leading axis N; ``memo``: what a learning agent wants
    kept.
    """

    kind: jax.Array
    target: jax.Array
    belief: Belief
    memo: Any = ()


class Agent:
    """What every agent has.

    ``name`` in reports; ``width``: rows of context it reads; ``layout`` of these rows; ``parameters``: a tree of arrays
    given back to ``decide``. They may be exchanged between episodes, their shapes kept, without compiling anew.
    ``toy_sha256``: digest of the toy agent whose beliefs it acts on, empty where there is none or it came from no file.
    ``form``, if there is one (hashable): agents of one class and form decide alike but for their parameters, are equal,
    and share compiled programs.
    """

    name: str
    width: int
    layout: RowLayout = LINE_ROWS
    parameters: Any = ()
    toy_sha256: str = ""
    form: Any = None

    def __eq__(self, other) -> bool:
        return self is other or (type(self) is type(other) and self.form is not None and self.form == other.form)

    def __hash__(self) -> int:
        return id(self) if self.form is None else hash((type(self), self.form))

    def decide(self, parameters, window: ContextWindow, situation: Situation) -> Decision:
        """Sub-goals of all N simulations; pure, compiled by the hierarchy."""
        raise NotImplementedError


class ToyPolicyAgent(Agent):
    """Belief from the context, action from the toy's policy, sub-goal from the toy's dynamics.

    The sub-goal is where the toy, standing in the robot's place, would be after ``toy_steps`` steps of its
    own policy under the present belief: with one step, as published, at most 0.5 m ahead, with more
    correspondingly farther while the toy is under way, and the same place once it is there. Velocities are
    those of the last of these steps; for jumps see ``ToyBody.sub_goal``.

    Args:
        toy: the frozen toy agent.
        toy_steps: toy steps per sub-goal, at least 1.
    """

    name = "toy"

    def __init__(self, toy: "ToyAgent", toy_steps: int = 1):
        if toy_steps < 1:
            raise ValueError(f"toy_steps: {toy_steps} must be at least 1")
        self.toy, self.toy_steps = toy, toy_steps
        self.width, self.layout = toy.width, toy.layout
        self.parameters, self.toy_sha256 = toy, toy.sha256
        self.form = (toy_steps, toy.width, toy.layout)

    def decide(self, parameters: "ToyAgent", window: ContextWindow, situation: Situation) -> Decision:
        """Sub-goals of the most likely family's kind; see the class."""
        body, belief = parameters.body, parameters.infer(window)
        place, target = most_likely(belief)
        kind = jnp.asarray(self.layout.kinds)[place]
        reached = look_ahead(parameters, self.toy_steps, belief, situation.task_state)
        sub_goals = [body.sub_goal(known, reached, target) for known in body.reach]
        return Decision(kind, jnp.select([kind == known for known in body.reach], sub_goals), belief)


def look_ahead(toy: "ToyAgent", toy_steps: int, belief: Belief, task_state) -> jax.Array:
    """States (N, 6) in which ``toy`` would be after ``toy_steps`` steps, from states (N, 6)."""
    for _ in range(toy_steps):
        task_state = toy.body.step(task_state, toy.act(task_state, belief))
    return task_state


class OracleAgent(Agent):
    """Comparator that is TOLD the tasks: commands their targets at once.

    ``parameters`` are the tasks; who tells it others while it plays replaces them.
    """

    name = "oracle"
    width = 1

    def __init__(self, tasks: Tasks, families: int = LINE_FAMILIES):
        self.families = self.form = families
        self.tell(tasks)

    def tell(self, tasks: Tasks) -> None:
        """Tell it that its tasks are ``tasks`` now, leaves (N,)."""
        self.parameters = Tasks(jnp.asarray(tasks.family), jnp.asarray(tasks.target, jnp.float32))

    def decide(self, parameters, window, situation) -> Decision:
        """The true kind and target."""
        family, target = parameters
        probability = jax.nn.one_hot(family, self.families)
        belief = _belief(probability, probability * target[:, None])
        return Decision(jnp.asarray(FAMILY_KIND)[family], target, belief)


class RandomAgent(Agent):
    """Comparator that knows nothing: commands of every kind drawn afresh over all that the low level can do."""

    name = "random"
    width = 1

    def __init__(self, ranges: CommandRange, seed: int, families: int = LINE_FAMILIES):
        self.ranges, self.families = ranges, families
        self.parameters, self.form = np.uint32(seed), (ranges, families)

    def decide(self, parameters, window, situation) -> Decision:
        """A fresh draw for every simulation."""
        kind_key, size_key = jax.random.split(random.key(parameters, "random agent", situation.step))
        shape = situation.task_state.shape[:1]
        kinds = trained_kinds(self.ranges)
        which = jnp.floor(len(kinds) * jax.random.uniform(kind_key, shape)).astype(int)
        kind, limit = (jnp.array(a)[which] for a in (kinds, [largest_target(kind, self.ranges) for kind in kinds]))
        target = limit * jax.random.uniform(size_key, shape, minval=-1.0, maxval=1.0)
        target = jnp.where(kind == JUMP, jnp.abs(target), target)
        target = jnp.where(kind == GOAL, situation.task_state[:, CHANNELS.index("x")] + target, target)
        return Decision(kind, target, _ignorant(shape[0], self.families))


class ZeroAgent(Agent):
    """Comparator that does nothing: commands zero velocity."""

    name = "zero"
    width = 1

    def __init__(self, families: int = LINE_FAMILIES):
        self.families = self.form = families

    def decide(self, parameters, window, situation) -> Decision:
        """Stand still."""
        count = situation.task_state.shape[0]
        return Decision(jnp.full(count, VELOCITY), jnp.zeros(count), _ignorant(count, self.families))


def require_commands(toy: "ToyAgent", ranges: CommandRange) -> None:
    """Raise ValueError if a low level of these ``ranges`` cannot do what ``toy`` may ask of it."""
    lacking = set(toy.body.reach) - set(trained_kinds(ranges))
    if lacking:
        names = ", ".join(KINDS[kind] for kind in sorted(lacking))
        raise ValueError(
            f"low: the low-level policy was not trained on {names}, which an agent of {toy.body.name} may ask for"
        )


def _belief(family_probability, target) -> Belief:
    """A belief without an encoder behind it: one latent dimension, zero."""
    latent = jnp.zeros((family_probability.shape[0], 1))
    return Belief(latent, latent, family_probability, target)


def _ignorant(count: int, families: int) -> Belief:
    sign = jnp.array([family.sign for family in FAMILIES[:families]], jnp.float32)
    return _belief(jnp.full((count, families), 1 / families), jnp.tile(sign, (count, 1)))
