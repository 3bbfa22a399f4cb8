"""toy1d: a point on a line with closed-form dynamics, the body on which task inference is learned.

Dynamics of the published toy (drag cancels at its time step): ``v' = 5 u``, ``x' = x + 0.5 u``, u in [-1, 1].
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from reinfer.bodies.toy import TIME_STEP_S, Aim, Aims, ToyBody, Variation
from reinfer.tasks import GOAL, VELOCITY, TaskDistribution

MAX_SPEED_MPS = 5.0

#: Families of every toy that moves along x: name, smallest and largest |target|.
LINE_FAMILIES = (
    ("velocity_forward", 0.5, 3.0),
    ("velocity_backward", 0.5, 3.0),
    ("goal_forward", 1.0, 25.0),
    ("goal_backward", 1.0, 25.0),
)


@dataclass(frozen=True, slots=True)
class Toy1d(ToyBody):
    """The toy body; of a state x and vx are used."""

    name = "toy1d"
    action_size = 1
    action_mirror = (-1.0,)
    channels = ("x", "vx")
    tasks = TaskDistribution(LINE_FAMILIES)
    reach = {VELOCITY: MAX_SPEED_MPS, GOAL: MAX_SPEED_MPS * TIME_STEP_S}

    def reset(self, key, shape=()) -> jax.Array:
        """Initial task-space states, x ~ U(+-0.01) m, vx ~ N(0, 0.1^2) m/s; shape (*shape, 6)."""
        position_key, velocity_key = jax.random.split(key)
        x = jax.random.uniform(position_key, shape, minval=-0.01, maxval=0.01)
        v = 0.1 * jax.random.normal(velocity_key, shape)
        zero = jnp.zeros(shape)
        return jnp.stack([x, zero, zero, v, zero, zero], axis=-1)

    def step(self, state, action, key=None, variation: Variation | None = None) -> jax.Array:
        """As ``ToyBody.step``; actions (..., 1)."""
        u = jnp.clip(action[..., 0], -1.0, 1.0)
        noise = None if variation is None else variation.noise * jax.random.normal(key, (2, *u.shape))
        x, v = slide(state[..., 0], u, variation, noise)
        zero = jnp.zeros_like(v)
        return jnp.stack([x, zero, zero, v, zero, zero], axis=-1)

    def toward(self, state, aims: Aims, travel) -> jax.Array:
        """As ``ToyBody.toward``."""
        return slide_toward(state[..., 0], aims.x, travel)[..., None]


def slide(x, u, variation: Variation | None, noise) -> tuple[jax.Array, jax.Array]:
    """x' (m) and vx' (m/s), each (...,), after force ``u`` (...,) in [-1, 1]; ``noise`` (2, ...) on both, or None."""
    distance, v = TIME_STEP_S * MAX_SPEED_MPS * u, MAX_SPEED_MPS * u
    if variation is not None:
        distance, v = variation.travel * distance + noise[0], v + noise[1]
    return x + distance, v


def slide_toward(x, aim: Aim, travel) -> jax.Array:
    """The force (N,), unbounded, that reaches the position or the speed aimed at."""
    toward = (aim.position - x) / (MAX_SPEED_MPS * TIME_STEP_S * travel)
    return jnp.where(aim.holds_position, toward, aim.speed / MAX_SPEED_MPS)
