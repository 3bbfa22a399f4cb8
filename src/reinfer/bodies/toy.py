"""What a toy body must tell the system: families, closed-form step, reach of an action, and ways to behave.

Everything else about a toy is computed from this: what context rows hold and how the encoder sees them
(``inference.context``), what its policy is shown (``control.belief_policy``), how it is trained (``stages.toy``), and
how an action of its policy becomes a sub-goal of a robot (``transfer.agents``).
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from reinfer.tasks import JUMP, TaskDistribution, commanded_value

HORIZON = 200
TIME_STEP_S = 0.1


class Variation(NamedTuple):
    """How one episode differs from the nominal toy: factor on distances per step, and noise (m, m/s or rad), (...,)."""

    travel: jax.Array
    noise: jax.Array


class Aim(NamedTuple):
    """What a random behaviour tries to hold along one axis, each (N,): a ``position`` (m) where ``holds_position``,
    else a ``speed`` (m/s)."""

    holds_position: jax.Array
    position: jax.Array
    speed: jax.Array


class Aims(NamedTuple):
    """What a random behaviour tries to hold: along ``x`` and, on toys that have them, a ``pitch`` (rad), a ``jump``
    speed (m/s, positive), both (N,), and along ``y``."""

    x: Aim
    pitch: jax.Array
    jump: jax.Array
    y: Aim


@dataclass(frozen=True, slots=True)
class ToyBody:
    """A toy; states are task-space states (..., C) of which ``channels`` are used.

    C is 8 where y is among these, else 6. A subclass sets ``name``, ``action_size``, ``channels``, ``tasks`` (any
    families, with the image of each in the mirror; beliefs have them in this order), ``reach``: per kind it knows, what
    one action can change in its channel, and ``action_mirror``: the sign that each action takes on where x becomes -x.

    Args:
        process_noise: largest standard deviation added to what a step reaches, the published robustness knob (0.1 was
            best there); each *episode* draws its own between zero and this.
        time_step_spread: each episode multiplies the distance moved per step by a factor drawn log-uniformly from
            [1/(1+s), 1+s], so that an encoder cannot rely on x' - x = 0.1 v'.
    """

    process_noise: float = 0.0
    time_step_spread: float = 0.0

    name: ClassVar[str]
    action_size: ClassVar[int]
    action_mirror: ClassVar[tuple[float, ...]]
    channels: ClassVar[tuple[str, ...]]
    tasks: ClassVar[TaskDistribution]
    reach: ClassVar[dict[int, float]]

    def variation(self, key, shape=()) -> Variation:
        """What episodes of the given ``shape`` differ in; nothing (ones and zeros) on the nominal toy."""
        travel_key, noise_key = jax.random.split(key)
        limit = jnp.log1p(self.time_step_spread)
        travel = jnp.exp(jax.random.uniform(travel_key, shape, minval=-limit, maxval=limit))
        # Squared, so that nearly noise-free episodes, in which an agent settles exactly, are common.
        return Variation(travel, self.process_noise * jnp.square(jax.random.uniform(noise_key, shape)))

    def reset(self, key, shape=()) -> jax.Array:
        """Initial task-space states, near rest at the origin; shape (*shape, C)."""
        raise NotImplementedError

    def scatter(self, key, shape=()) -> jax.Array:
        """States (*shape, C) near x = 0 that are anything else that can be: where training may begin."""
        return self.reset(key, shape)

    def step(self, state, action, key=None, variation: Variation | None = None) -> jax.Array:
        """Next task-space states for ``action`` of shape (..., action_size) in [-1, 1] (clipped).

        Without ``variation`` the toy is the nominal, noise-free one and needs no ``key``.
        """
        raise NotImplementedError

    def toward(self, state, aims: Aims, travel) -> jax.Array:
        """Actions (N, action_size), unbounded, by which the next step comes closest to ``aims``; ``travel`` (N,)."""
        raise NotImplementedError

    def phase(self, kind: int, state) -> tuple[jax.Array, ...]:
        """What an action for ``kind`` depends on beside target and channel: features of order one, each (N,)."""
        return ()

    def sub_goal(self, kind: int, reached, target) -> jax.Array:
        """The sub-goal of ``kind`` (N,), absolute and in SI units, that an action leading to ``reached`` stands for.

        It is what the toy reached, except for jumps: |vz| swings as a toy bounces, in its own rhythm, and is not what
        it strives for at any moment; there the sub-goal is the ``target`` (N,) believed in.

        Args:
            reached: task-space states (N, C) after the action.
        """
        return target if kind == JUMP else commanded_value(kind, reached)
