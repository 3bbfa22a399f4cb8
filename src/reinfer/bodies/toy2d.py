"""toy2d: a point in the plane, on each axis what toy1d is: goals and velocities forward, backward, left and right.

Dynamics per axis as on toy1d, each with an action of its own: ``v' = 5 u``, ``q' = q + 0.5 u``, u in [-1, 1]. The
published toy of this name is a mass that springs tie to the origin, which makes its velocities impossible to hold for
an episode, and squares its errors; this one is a kinematic point and rewards as all bodies do. Its up and down are left
(+y) and right (-y) here, as a robot that heads along x sees them.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from reinfer.bodies.toy import Aims, ToyBody, Variation
from reinfer.bodies.toy1d import LINE_FAMILIES, Toy1d, slide, slide_toward
from reinfer.tasks import CHANNELS, GOAL, LATERAL_GOAL, LATERAL_VELOCITY, VELOCITY, TaskDistribution

_X, _VX, _Y, _VY = (CHANNELS.index(name) for name in ("x", "vx", "y", "vy"))

#: Families along y, with the ranges of those along x.
LATERAL_FAMILIES = tuple(
    (name.replace("forward", "left").replace("backward", "right"), low, high) for name, low, high in LINE_FAMILIES
)


@dataclass(frozen=True, slots=True)
class Toy2d(ToyBody):
    """The toy body; of a state x, y and their rates are used."""

    name = "toy2d"
    action_size = 2
    action_mirror = (-1.0, 1.0)
    channels = ("x", "y", "vx", "vy")
    tasks = TaskDistribution((*LINE_FAMILIES, *LATERAL_FAMILIES))
    reach = {**Toy1d.reach, LATERAL_VELOCITY: Toy1d.reach[VELOCITY], LATERAL_GOAL: Toy1d.reach[GOAL]}

    def reset(self, key, shape=()) -> jax.Array:
        """Initial task-space states, x and y ~ U(+-0.01) m, vx and vy ~ N(0, 0.1^2) m/s; shape (*shape, 8)."""
        position_key, velocity_key = jax.random.split(key)
        position = jax.random.uniform(position_key, (*shape, 2), minval=-0.01, maxval=0.01)
        return _state(position, 0.1 * jax.random.normal(velocity_key, (*shape, 2)))

    def step(self, state, action, key=None, variation: Variation | None = None) -> jax.Array:
        """As ``ToyBody.step``; actions (..., 2): along x and along y."""
        u = jnp.clip(action, -1.0, 1.0)
        noise = [None, None] if variation is None else variation.noise * jax.random.normal(key, (2, 2, *u.shape[:-1]))
        x, vx = slide(state[..., _X], u[..., 0], variation, noise[0])
        y, vy = slide(state[..., _Y], u[..., 1], variation, noise[1])
        return _state(jnp.stack([x, y], axis=-1), jnp.stack([vx, vy], axis=-1))

    def toward(self, state, aims: Aims, travel) -> jax.Array:
        """As ``ToyBody.toward``."""
        forces = slide_toward(state[..., _X], aims.x, travel), slide_toward(state[..., _Y], aims.y, travel)
        return jnp.stack(forces, axis=-1)


def _state(position, velocity) -> jax.Array:
    """Task-space states (..., 8) from positions (x, y) and velocities (vx, vy), each (..., 2)."""
    state = jnp.zeros((*position.shape[:-1], len(CHANNELS)))
    return state.at[..., (_X, _Y)].set(position).at[..., (_VX, _VY)].set(velocity)
