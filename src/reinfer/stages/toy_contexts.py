"""Where the rows come from that task inference learns from: random behaviours, and the agent's own.

An encoder that has seen many ways of behaving, noise and time steps cannot rely on how the toy moves, only on what
rewards say about states; that is why it transfers. Behaviours are drawn with knowledge of the task (they need to pass
near targets often); the encoder sees only the rows.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.bodies import ToyBody
from reinfer.bodies.toy import Aim, Aims
from reinfer.control.belief_policy import BeliefPolicy, policy_action
from reinfer.inference.belief import Inference, belief_of
from reinfer.inference.context import RowLayout, make_rows
from reinfer.inference.decoder import TargetScale
from reinfer.inference.encoder import Carry, advance, start
from reinfer.inference.loss import Episodes
from reinfer.tasks import (
    CHANNELS,
    GOAL,
    JUMP,
    LATERAL_GOAL,
    LATERAL_VELOCITY,
    STAND,
    VELOCITY,
    TaskDistribution,
    Tasks,
    reward,
)
from reinfer.tasks.families import FAMILY_KIND

#: Directions of training tasks: families of positive targets are ``forward``; both are evaluated in any case.
DIRECTIONS = ("both", "forward")

#: How far from the origin episodes may be entered (m): beyond any goal, and where other tasks lead.
ENTRY_DISTANCE_M = {"goal": 30.0, "other": 60.0}

#: A third of the targets may be so many times smaller than the lower end of their family's range.
SMALLER = 5.0

#: Largest jump (m/s) and pitch (rad) that random behaviours try to hold.
BEHAVIOUR_JUMP_MPS, BEHAVIOUR_PITCH_RAD = 3.0, np.pi / 2

#: Share of the agent's own episodes in which nothing is noisy, neither the toy nor its actions. Only they show windows
#: of a body that has come to rest exactly, which a frozen agent sees most of its life.
STILL_SHARE = 0.25

_X, _PITCH, _Y = (CHANNELS.index(name) for name in ("x", "pitch", "y"))


class Visited(NamedTuple):
    """What the agent's own episodes passed through, per step: state (B, T, C), the encoder's carry (B, T, ...)."""

    state: jax.Array
    carry: Carry


@dataclass(frozen=True, slots=True)
class TaskDraw:
    """Which tasks of the toy ``body`` training draws: of which ``directions``; ``balanced``: the families in turn."""

    body: type[ToyBody]
    directions: str = "both"
    balanced: bool = False

    @property
    def distribution(self) -> TaskDistribution:
        """What tasks are drawn from."""
        return self.body.tasks.forward() if self.directions == "forward" else self.body.tasks

    @property
    def families(self) -> int:
        """Number of families that are drawn."""
        return len(self.distribution.ranges)


def training_tasks(key, draw: TaskDraw, count: int) -> Tasks:
    """Tasks (count,), two thirds from the toy's own ranges, the rest log-uniform from below their lower end.

    A robot's goal may be nearer than any of the toy's, and there small relative errors are the hardest.
    """
    keys = jax.random.split(key, 3)
    which = jnp.arange(count) % draw.families if draw.balanced else None
    tasks = draw.distribution.sample(keys[0], (count,), which)
    low, high = draw.distribution.range_of(tasks.family)
    small = jnp.exp(jax.random.uniform(keys[1], (count,), minval=jnp.log(low / SMALLER), maxval=jnp.log(high)))
    keeps = jax.random.bernoulli(keys[2], 2.0 / 3.0, (count,))
    return Tasks(tasks.family, jnp.where(keeps, tasks.target, jnp.sign(tasks.target) * small))


def entry_states(key, body: ToyBody, tasks: Tasks, near_spread: float) -> jax.Array:
    """States (B, C) in which episodes are entered: some at the toy's reset, the rest anywhere, often near the goal."""
    keys = jax.random.split(key, 5)
    shape = tasks.family.shape
    kind = jnp.asarray(FAMILY_KIND)[tasks.family]
    near_goal = tasks.target + near_spread * jnp.maximum(1.0, jnp.abs(tasks.target)) * jax.random.normal(keys[1], shape)
    is_near = jax.random.bernoulli(keys[2], 0.6, shape)
    at_reset = jax.random.bernoulli(keys[4], 0.4, shape)

    def position(key, is_goal):
        limit = jnp.where(is_goal, ENTRY_DISTANCE_M["goal"], ENTRY_DISTANCE_M["other"])
        anywhere = limit * jax.random.uniform(key, shape, minval=-1.0)
        return jnp.where(is_goal & is_near, near_goal, anywhere)

    scattered = body.scatter(keys[3], shape)
    scattered = scattered.at[..., _X].set(position(keys[0], kind == GOAL))
    if "y" in body.channels:
        scattered = scattered.at[..., _Y].set(position(jax.random.fold_in(keys[0], 1), kind == LATERAL_GOAL))
    pitch = jnp.where((kind == STAND) & is_near, near_goal, scattered[..., _PITCH])
    scattered = scattered.at[..., _PITCH].set(pitch)
    return jnp.where(at_reset[..., None], body.reset(keys[3], shape), scattered)


def behaviour_episodes(key, body: ToyBody, draw: TaskDraw, count: int, length: int) -> Episodes:
    """Episodes of random controllers: they hold positions or speeds, a pitch, a jump, near the target or not.

    Their actions carry noise of random size.
    """
    keys = jax.random.split(key, 12)
    layout = RowLayout.of(body.tasks)
    tasks = training_tasks(keys[0], draw, count)
    kind = jnp.asarray(FAMILY_KIND)[tasks.family]

    def uniform(key, low, high):
        return jax.random.uniform(key, (count,), minval=low, maxval=high)

    aims_at_target = jax.random.bernoulli(keys[1], 0.6, (count,))
    # Some hold a set-point that misses the target by a little, as a robot or a half-trained policy does.
    miss = jnp.where(jax.random.bernoulli(keys[3], 0.7, (count,)), 0.1 * jax.random.normal(keys[4], (count,)), 0.0)
    aimed = tasks.target * (1.0 + miss)
    pitch_key, jump_key = jax.random.split(keys[11])

    def aim(of_kind, otherwise):
        return jnp.where(aims_at_target & (kind == of_kind), aimed, otherwise)

    def along(goal, velocity, holds_key, position_key, speed_key):
        moves_to_target = aims_at_target & ((kind == goal) | (kind == velocity))
        return Aim(
            jnp.where(moves_to_target, kind == goal, jax.random.bernoulli(holds_key, 0.5, (count,))),
            position=aim(goal, uniform(position_key, -25.0, 25.0)),
            speed=aim(velocity, uniform(speed_key, -3.5, 3.5)),
        )

    aims = Aims(
        x=along(GOAL, VELOCITY, keys[2], keys[5], keys[6]),
        pitch=aim(STAND, uniform(pitch_key, -BEHAVIOUR_PITCH_RAD, BEHAVIOUR_PITCH_RAD)),
        jump=aim(JUMP, uniform(jump_key, 0.0, BEHAVIOUR_JUMP_MPS)),
        y=along(LATERAL_GOAL, LATERAL_VELOCITY, *jax.random.split(jax.random.fold_in(keys[11], 1), 3)),
    )
    noise = jnp.exp(uniform(keys[7], np.log(0.003), np.log(0.7)))[:, None]
    variation = body.variation(keys[8], (count,))

    def step(state, step_key):
        action_key, body_key = jax.random.split(step_key)
        action = body.toward(state, aims, variation.travel)
        action = jnp.clip(action + noise * jax.random.normal(action_key, action.shape), -1.0, 1.0)
        following = body.step(state, action, body_key, variation)
        return following, (make_rows(state, reward(tasks, following), following, layout), action)

    entry = entry_states(keys[9], body, tasks, near_spread=0.3)
    _, (rows, actions) = jax.lax.scan(step, entry, jax.random.split(keys[10], length))
    return Episodes(tasks, rows.swapaxes(0, 1), actions.swapaxes(0, 1))


def policy_episodes(
    key,
    body: ToyBody,
    draw: TaskDraw,
    inference: Inference,
    policy: BeliefPolicy,
    scale: TargetScale,
    count: int,
    length: int,
) -> tuple[Episodes, Visited]:
    """Episodes of the agent itself with exploration noise of random size, and where they led it."""
    keys = jax.random.split(key, 6)
    tasks = training_tasks(keys[0], draw, count)
    variation = body.variation(keys[1], (count,))
    noise = jnp.exp(jax.random.uniform(keys[2], (count, 1), minval=np.log(0.002), maxval=np.log(0.2)))
    noisy = jax.random.bernoulli(keys[5], 1.0 - STILL_SHARE, (count,))
    variation, noise = variation._replace(noise=noisy * variation.noise), noisy[:, None] * noise

    def step(moment, step_key):
        state, seen = moment
        action_key, body_key = jax.random.split(step_key)
        belief = belief_of(inference, seen, scale)
        action = policy_action(policy, body, state, belief)
        action = jnp.clip(action + noise * jax.random.normal(action_key, action.shape), -1.0, 1.0)
        following = body.step(state, action, body_key, variation)
        row = make_rows(state, reward(tasks, following), following, inference.encoder.layout)
        return (following, advance(inference.encoder, seen, row)), (row, action, Visited(state, seen))

    entry = entry_states(keys[3], body, tasks, near_spread=0.1)
    begin = (entry, start(inference.encoder, count))
    _, (rows, actions, visited) = jax.lax.scan(step, begin, jax.random.split(keys[4], length))
    rows, actions, visited = jax.tree.map(lambda leaf: leaf.swapaxes(0, 1), (rows, actions, visited))
    return Episodes(tasks, rows, actions), visited
