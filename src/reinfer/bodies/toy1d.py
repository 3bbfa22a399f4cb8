"""toy1d: a point on a line with closed-form dynamics, the body on which task inference is learned.

Dynamics of the published toy (drag cancels at its time step): ``v' = 5 u``, ``x' = x + 0.5 u``, u in [-1, 1].
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from reinfer.tasks import TaskDistribution

HORIZON = 200
TIME_STEP_S = 0.1
MAX_SPEED_MPS = 5.0


@dataclass(frozen=True, slots=True)
class Toy1d:
    """The toy body; states are task-space states (..., 6) of which x and vx are used.

    Args:
        process_noise: standard deviation added to x' (m) and v' (m/s); the published robustness knob (0.1 was best).
        time_step_spread: each *episode* multiplies the distance moved per step by a factor drawn log-uniformly from
            [1/(1+s), 1+s], so that an encoder cannot rely on x' - x = 0.1 v'.
    """

    process_noise: float = 0.0
    time_step_spread: float = 0.0

    name = "toy1d"
    action_size = 1
    channels = ("x", "vx")
    tasks = TaskDistribution((
        ("velocity_forward", 0.5, 3.0),
        ("velocity_backward", 0.5, 3.0),
        ("goal_forward", 1.0, 25.0),
        ("goal_backward", 1.0, 25.0),
    ))

    def reset(self, key, shape=()) -> jax.Array:
        """Initial task-space states, x ~ U(+-0.01) m, vx ~ N(0, 0.1^2) m/s; shape (*shape, 6)."""
        position_key, velocity_key = jax.random.split(key)
        x = jax.random.uniform(position_key, shape, minval=-0.01, maxval=0.01)
        v = 0.1 * jax.random.normal(velocity_key, shape)
        zero = jnp.zeros(shape)
        return jnp.stack([x, zero, zero, v, zero, zero], axis=-1)

    def travel_factor(self, key, shape=()) -> jax.Array:
        """Per-episode multiplier of the distance moved per step, shape ``shape``; all ones without spread."""
        limit = jnp.log1p(self.time_step_spread)
        return jnp.exp(jax.random.uniform(key, shape, minval=-limit, maxval=limit))

    def step(self, state, action, key=None, travel_factor=1.0) -> jax.Array:
        """Next task-space states for ``action`` of shape (..., 1) in [-1, 1] (clipped). ``key`` is needed with noise."""
        u = jnp.clip(action[..., 0], -1.0, 1.0)
        x = state[..., 0] + TIME_STEP_S * MAX_SPEED_MPS * travel_factor * u
        v = MAX_SPEED_MPS * u
        if self.process_noise:
            noise = self.process_noise * jax.random.normal(key, (2, *u.shape))
            x, v = x + noise[0], v + noise[1]
        zero = jnp.zeros_like(x)
        return jnp.stack([x, zero, zero, v, zero, zero], axis=-1)


def sub_goal(state, action):
    """Where the toy would be after ``action``: (x + 0.5 u, 5 u), the position (m) and velocity (m/s) sub-goals.

    Shapes: state (..., 6), action (..., 1) -> two arrays (...,).
    """
    u = jnp.clip(action[..., 0], -1.0, 1.0)
    return state[..., 0] + TIME_STEP_S * MAX_SPEED_MPS * u, MAX_SPEED_MPS * u
