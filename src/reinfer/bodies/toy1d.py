"""toy1d: a point on a line with closed-form dynamics, the body on which task inference is learned.

Dynamics of the published toy (drag cancels at its time step): ``v' = 5 u``, ``x' = x + 0.5 u``, u in [-1, 1].
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp

from reinfer.tasks import TaskDistribution

HORIZON = 200
TIME_STEP_S = 0.1
MAX_SPEED_MPS = 5.0


class Variation(NamedTuple):
    """How one episode differs from the nominal toy: factor on distances per step, and noise (m and m/s), (...,)."""

    travel: jax.Array
    noise: jax.Array


@dataclass(frozen=True, slots=True)
class Toy1d:
    """The toy body; states are task-space states (..., 6) of which x and vx are used.

    Args:
        process_noise: largest standard deviation added to x' (m) and v' (m/s), the published robustness knob (0.1 was
            best there); each *episode* draws its own between zero and this.
        time_step_spread: each episode multiplies the distance moved per step by a factor drawn log-uniformly from
            [1/(1+s), 1+s], so that an encoder cannot rely on x' - x = 0.1 v'.
    """

    process_noise: float = 0.0
    time_step_spread: float = 0.0

    name = "toy1d"
    action_size = 1
    channels = ("x", "vx")
    tasks = TaskDistribution(
        (
            ("velocity_forward", 0.5, 3.0),
            ("velocity_backward", 0.5, 3.0),
            ("goal_forward", 1.0, 25.0),
            ("goal_backward", 1.0, 25.0),
        )
    )

    def reset(self, key, shape=()) -> jax.Array:
        """Initial task-space states, x ~ U(+-0.01) m, vx ~ N(0, 0.1^2) m/s; shape (*shape, 6)."""
        position_key, velocity_key = jax.random.split(key)
        x = jax.random.uniform(position_key, shape, minval=-0.01, maxval=0.01)
        v = 0.1 * jax.random.normal(velocity_key, shape)
        zero = jnp.zeros(shape)
        return jnp.stack([x, zero, zero, v, zero, zero], axis=-1)

    def variation(self, key, shape=()) -> Variation:
        """What episodes of the given ``shape`` differ in; nothing (ones and zeros) on the nominal toy."""
        travel_key, noise_key = jax.random.split(key)
        limit = jnp.log1p(self.time_step_spread)
        travel = jnp.exp(jax.random.uniform(travel_key, shape, minval=-limit, maxval=limit))
        # Squared, so that nearly noise-free episodes, in which an agent settles exactly, are common.
        return Variation(travel, self.process_noise * jnp.square(jax.random.uniform(noise_key, shape)))

    def step(self, state, action, key=None, variation: Variation | None = None) -> jax.Array:
        """Next task-space states for ``action`` of shape (..., 1) in [-1, 1] (clipped).

        Without ``variation`` the toy is the nominal, noise-free one and needs no ``key``.
        """
        u = jnp.clip(action[..., 0], -1.0, 1.0)
        distance, v = TIME_STEP_S * MAX_SPEED_MPS * u, MAX_SPEED_MPS * u
        if variation is not None:
            noise = variation.noise * jax.random.normal(key, (2, *u.shape))
            distance, v = variation.travel * distance + noise[0], v + noise[1]
        zero = jnp.zeros_like(v)
        return jnp.stack([state[..., 0] + distance, zero, zero, v, zero, zero], axis=-1)


def sub_goal(state, action):
    """Where the toy would be after ``action``: (x + 0.5 u, 5 u), the position (m) and velocity (m/s) sub-goals.

    Shapes: state (..., 6), action (..., 1) -> two arrays (...,).
    """
    u = jnp.clip(action[..., 0], -1.0, 1.0)
    return state[..., 0] + TIME_STEP_S * MAX_SPEED_MPS * u, MAX_SPEED_MPS * u
