"""The best way to bounce on toy3dof when one knows how fast: its policy's thrust.

Where acting greedily on a settled belief is nearly optimal, a policy learns by gradients over a few steps
(``control.short_horizon``). Jumps are not such a case: thrust acts only near the ground and not on the way up, the
ground stops what falls on it, and how hard to push now decides where the next flight ends. Acting greedily, or thrusts
that are off by 0.05, lose a tenth of the return. But height and vertical speed make a problem of two dimensions, which
value iteration solves on a grid within seconds, from the toy's closed form and the reward alone.
"""

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.bodies.toy3dof import LARGEST_VERTICAL_MPS, THRUST_BELOW_M, has_thrust, hop
from reinfer.tasks.rewards import reward_of_value

#: Grid of targets (m/s), heights (m) and vertical speeds (m/s); beyond it values are those of its edge.
TARGET_MPS, HEIGHT_M, SPEED_MPS = (0.75, 3.0, 19), (0.0, 0.75, 101), (-LARGEST_VERTICAL_MPS, LARGEST_VERTICAL_MPS, 161)
SHAPE = tuple(axis[2] for axis in (TARGET_MPS, HEIGHT_M, SPEED_MPS))

#: Thrusts that are compared, and how many steps ahead values look.
THRUSTS, STEPS = 101, 60


@jax.jit
def bounce_values() -> jax.Array:
    """Cost of the next ``STEPS`` steps for the best bouncer on the grid, array of ``SHAPE``."""
    target, height, speed = (jnp.linspace(*axis) for axis in (TARGET_MPS, HEIGHT_M, SPEED_MPS))
    grid = jnp.meshgrid(height, speed, indexing="ij")
    # Thrust acts in one corner of the grid only; elsewhere there is nothing to choose.
    rows = int((np.linspace(*HEIGHT_M) <= THRUST_BELOW_M + 1e-6).sum())
    columns = int((np.linspace(*SPEED_MPS) <= 1e-6).sum())

    def sweep(values, _):
        def of_target(value, target):
            def value_at(row, column):
                return value[row, column]

            free = _outcome(value_at, *grid, jnp.zeros(()), target)
            corner = (axis[:rows, :columns, None] for axis in grid)
            pushed = _outcome(value_at, *corner, jnp.linspace(0.0, 1.0, THRUSTS), target).min(-1)
            return free.at[:rows, :columns].set(pushed)

        return jax.vmap(of_target)(values, target), None

    return jax.lax.scan(sweep, jnp.zeros(SHAPE), length=STEPS)[0]


def best_thrust(values, height, speed, target) -> jax.Array:
    """The thrust (N,) in [0, 1] that is best at ``height`` (m), ``speed`` (m/s) under ``target`` (m/s), each (N,).

    Zero where none acts.

    Args:
        values: ``bounce_values()``.
    """
    index, share = (part[:, None] for part in _place(TARGET_MPS, target))
    thrusts = jnp.linspace(0.0, 1.0, THRUSTS)
    now = (height[:, None], speed[:, None], thrusts, target[:, None])
    outcome = [_outcome(lambda *at, which=which: values[(which, *at)], *now) for which in (index, index + 1)]
    best = thrusts[jnp.argmin((1.0 - share) * outcome[0] + share * outcome[1], axis=-1)]
    return jnp.where(has_thrust(height, speed), best, 0.0)


def _outcome(value_at, height, speed, thrust, target):
    """Cost of a step and of all after it, in the broadcast shape of all; ``value_at`` reads values by grid index."""
    height, speed = hop(height, speed, thrust)
    cost = -reward_of_value(jnp.abs(speed), jnp.broadcast_to(target, jnp.shape(speed)))
    return cost + _interpolate(value_at, height, speed)


def _interpolate(value_at, height, speed):
    """Values between grid points."""
    (i, a), (j, b) = _place(HEIGHT_M, height), _place(SPEED_MPS, speed)
    lower = (1.0 - b) * value_at(i, j) + b * value_at(i, j + 1)
    return (1.0 - a) * lower + a * ((1.0 - b) * value_at(i + 1, j) + b * value_at(i + 1, j + 1))


def _place(axis, at):
    """Index of the grid point at or below ``at``, and how far it is to the next, in [0, 1)."""
    low, high, count = axis
    exact = jnp.clip((at - low) / (high - low) * (count - 1), 0.0, count - 1.001)
    index = exact.astype(int)
    return index, exact - index
