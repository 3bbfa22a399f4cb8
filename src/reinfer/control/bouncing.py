"""The best way to bounce on toy3dof when one is told how fast: the teacher of the policy's thrust.

Where acting greedily on a settled belief is nearly optimal, a policy learns by gradients over a few steps
(``control.short_horizon``). Jumps are not such a case: thrust acts only near the ground and not on the way up, the
ground stops what falls on it, and how hard to push now decides where the next flight ends; greedily one loses a tenth
of the return. But height and vertical speed make a problem of two dimensions, which value iteration solves on a grid
within seconds. What it finds depends on the toy's closed form and reward alone. It teaches the policy in training,
where tasks are known; the policy itself sees beliefs.
"""

from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.bodies import ToyBody
from reinfer.bodies.toy3dof import LARGEST_VERTICAL_MPS, THRUST_BELOW_M, has_thrust, hop
from reinfer.control.belief_policy import BeliefPolicy, policy_action
from reinfer.inference.belief import Inference, belief_of
from reinfer.inference.decoder import TargetScale
from reinfer.inference.encoder import Carry
from reinfer.tasks import CHANNELS, JUMP, Tasks
from reinfer.tasks.families import FAMILY_KIND
from reinfer.tasks.rewards import reward_of_value

#: Grid of heights (m), vertical speeds (m/s) and targets (m/s); beyond it values are those of its edge.
HEIGHT_M, SPEED_MPS, TARGET_MPS = (0.0, 0.9, 91), (-LARGEST_VERTICAL_MPS, LARGEST_VERTICAL_MPS, 121), (0.3, 3.0, 28)

#: Index of the thrust among the toy's actions.
_THRUST = 2

#: Thrusts that are compared, and how many steps ahead values look.
THRUSTS, STEPS = 121, 60

#: Weights of neighbouring thrusts when one is judged: a learned policy is never exact, and the best thrust on a knife's
#: edge is not the best for it.
_SLIPS = (0.25, 0.5, 0.25)

_Z, _VZ = CHANNELS.index("z"), CHANNELS.index("vz")


@lru_cache(maxsize=1)
def bounce_values() -> np.ndarray:
    """Cost of the next ``STEPS`` steps for the best bouncer, on the grid: (targets, heights, speeds) float32."""
    with jax.ensure_compile_time_eval():
        return np.asarray(_iterate_values())


@jax.jit
def _iterate_values():
    target, height, speed = (jnp.linspace(*axis) for axis in (TARGET_MPS, HEIGHT_M, SPEED_MPS))
    grid = jnp.meshgrid(height, speed, indexing="ij")
    # Thrust acts in one corner of the grid only; elsewhere there is nothing to choose.
    rows = int(round(THRUST_BELOW_M / (HEIGHT_M[1] - HEIGHT_M[0]) * (HEIGHT_M[2] - 1))) + 1
    columns = (SPEED_MPS[2] + 1) // 2

    def sweep(value, _):
        def of_target(value, target):
            free = _outcome(value, *grid, jnp.zeros(()), target)
            corner = (axis[:rows, :columns, None] for axis in grid)
            pushed = _judged(_outcome(value, *corner, jnp.linspace(0.0, 1.0, THRUSTS), target)).min(-1)
            return free.at[:rows, :columns].set(pushed)

        return jax.vmap(of_target)(value, target), None

    start = jnp.zeros((TARGET_MPS[2], HEIGHT_M[2], SPEED_MPS[2]))
    return jax.lax.scan(sweep, start, length=STEPS)[0]


def best_thrust(values, height, speed, target) -> jax.Array:
    """The thrust (N,) in [0, 1] that is best at ``height`` (m), ``speed`` (m/s) under ``target`` (m/s), each (N,).

    Args:
        values: ``bounce_values()``.
    """
    low, high, count = TARGET_MPS
    nearest = jnp.clip(jnp.round((target - low) / (high - low) * (count - 1)), 0, count - 1).astype(int)
    thrusts = jnp.linspace(0.0, 1.0, THRUSTS)

    def of_one(nearest, height, speed, target):
        return thrusts[jnp.argmin(_judged(_outcome(values[nearest], height, speed, thrusts, target)))]

    return jax.vmap(of_one)(nearest, height, speed, target)


def teaching_cost(
    policy: BeliefPolicy, inference: Inference, scale: TargetScale, body: ToyBody, tasks: Tasks, state, seen: Carry
):
    """Mean squared error of the policy's thrust in (state (N, 6), what the encoder has ``seen``) where it matters.

    That is where the task is a jump and thrust acts; the mean is over all N.
    """
    values = jnp.asarray(bounce_values())
    target, height, speed = tasks.target, state[..., _Z], state[..., _VZ]
    matters = (jnp.asarray(FAMILY_KIND)[tasks.family] == JUMP) & has_thrust(height, speed)
    thrust = policy_action(policy, body, state, belief_of(inference, seen, scale))[..., _THRUST]
    best = jax.lax.stop_gradient(best_thrust(values, height, speed, target))
    return jnp.mean(jnp.where(matters, jnp.square(thrust - best), 0.0))


def _outcome(value, height, speed, thrust, target):
    """Cost of a step and of all after it, in the broadcast shape of ``height``, ``speed`` and ``thrust``."""
    height, speed = hop(height, speed, thrust)
    cost = -reward_of_value(jnp.abs(speed), jnp.broadcast_to(target, jnp.shape(speed)))
    return cost + _interpolate(value, height, speed)


def _judged(outcome):
    """Outcomes (..., THRUSTS) averaged over slips to neighbouring thrusts."""
    reach = len(_SLIPS) // 2
    padded = jnp.concatenate([outcome[..., :1]] * reach + [outcome] + [outcome[..., -1:]] * reach, axis=-1)
    return sum(weight * padded[..., i : i + outcome.shape[-1]] for i, weight in enumerate(_SLIPS))


def _interpolate(value, height, speed):
    """``value`` (heights, speeds) between its grid points."""
    place = []
    for (low, high, count), at in ((HEIGHT_M, height), (SPEED_MPS, speed)):
        exact = jnp.clip((at - low) / (high - low) * (count - 1), 0.0, count - 1.001)
        index = exact.astype(int)
        place.append((index, exact - index))
    (i, a), (j, b) = place
    lower = (1.0 - b) * value[i, j] + b * value[i, j + 1]
    return (1.0 - a) * lower + a * ((1.0 - b) * value[i + 1, j] + b * value[i + 1, j + 1])
