"""toy3dof: a box that slides, turns and jumps, with closed-form dynamics: the toy of all seven families.

Dynamics of the published toy of three degrees of freedom, each with an action of its own in [-1, 1] and a time step of
0.1 s; x is that of toy1d. Pitch: ``w' = w + 0.1 (50 u1 - 12.5 / pi w)``, bounded by +-4 pi rad/s,
``pitch' = pitch + 0.1 w'``, bounded by +-pi / 2. Height: thrust ``30.981 |u2|`` against gravity acts only at z <= 0.3 m
and vz <= 0; ``vz'`` is bounded by +-3 m/s, z by 0 and 4 m, and the ground stops what falls on it.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from reinfer.bodies.toy import TIME_STEP_S, Aims, ToyBody, Variation
from reinfer.bodies.toy1d import LINE_FAMILIES, Toy1d, slide, slide_toward
from reinfer.tasks import JUMP, PLANE_CHANNELS, STAND, TaskDistribution

TORQUE, TURNING_DRAG = 50.0, 50.0 / (4.0 * jnp.pi)
LARGEST_PITCH_RATE, LARGEST_PITCH_RAD = 4.0 * jnp.pi, jnp.pi / 2.0
GRAVITY_MPS2 = 9.81
LARGEST_VERTICAL_MPS, LARGEST_THRUST_MPS2 = 3.0, 3.0 / 0.1 + GRAVITY_MPS2 * 0.1
THRUST_BELOW_M, HIGHEST_M = 0.3, 4.0

_X, _Z, _PITCH, _, _VZ, _PITCH_RATE = range(len(PLANE_CHANNELS))


@dataclass(frozen=True, slots=True)
class Toy3dof(ToyBody):
    """The toy body; all of a state is used."""

    name = "toy3dof"
    action_size = 3
    action_mirror = (-1.0, -1.0, 1.0)
    channels = PLANE_CHANNELS
    tasks = TaskDistribution(
        (
            *LINE_FAMILIES,
            ("stand_front", jnp.pi / 5, jnp.pi / 2),
            ("stand_back", jnp.pi / 5, jnp.pi / 2),
            ("jump", 1.5, 3.0),
        )
    )
    reach = {
        **Toy1d.reach,
        STAND: TIME_STEP_S**2 * TORQUE,
        JUMP: LARGEST_VERTICAL_MPS,
    }

    def reset(self, key, shape=()) -> jax.Array:
        """Initial task-space states: positions U(+-0.01), z >= 0, rates N(0, 0.1^2), none downwards; (*shape, 6)."""
        position_key, rate_key = jax.random.split(key)
        position = jax.random.uniform(position_key, (*shape, 3), minval=-0.01, maxval=0.01)
        rate = 0.1 * jax.random.normal(rate_key, (*shape, 3))
        state = jnp.concatenate([position, rate], axis=-1)
        return state.at[..., (_Z, _VZ)].set(jnp.abs(state[..., (_Z, _VZ)]))

    def scatter(self, key, shape=()) -> jax.Array:
        """As ``reset`` in x and vx; any pitch, turning, in the air or on the ground."""
        reset_key, any_key = jax.random.split(key)
        low = jnp.array([-LARGEST_PITCH_RAD, -5.0, -0.3, -LARGEST_VERTICAL_MPS])
        high = jnp.array([LARGEST_PITCH_RAD, 5.0, 0.6, LARGEST_VERTICAL_MPS])
        pitch, pitch_rate, z, vz = jnp.moveaxis(
            jax.random.uniform(any_key, (*shape, 4), minval=low, maxval=high), -1, 0
        )
        z, vz = jnp.maximum(z, 0.0), jnp.where(z > 0.0, vz, 0.0)
        state = self.reset(reset_key, shape)
        return state.at[..., (_Z, _PITCH, _VZ, _PITCH_RATE)].set(jnp.stack([z, pitch, vz, pitch_rate], axis=-1))

    def step(self, state, action, key=None, variation: Variation | None = None) -> jax.Array:
        """As ``ToyBody.step``; actions (..., 3): along x, turning, thrust."""
        u = jnp.clip(action, -1.0, 1.0)
        travel, noise = 1.0, jnp.zeros((len(PLANE_CHANNELS), *u.shape[:-1]))
        if variation is not None:
            travel = variation.travel
            noise = variation.noise * jax.random.normal(key, noise.shape)
        x, vx = slide(state[..., _X], u[..., 0], variation, noise[:2])
        pitch, pitch_rate = turn(state[..., _PITCH], state[..., _PITCH_RATE], u[..., 1], travel)
        z, vz = hop(state[..., _Z], state[..., _VZ], u[..., 2])
        # A robot's vz is rougher than the rest of its state.
        reached = (x, z, pitch + noise[2], vx, vz + 5.0 * noise[3], pitch_rate + noise[4])
        return jnp.stack(reached, axis=-1)

    def toward(self, state, aims: Aims, travel) -> jax.Array:
        """As ``ToyBody.toward``."""
        x, _, pitch, _, vz, pitch_rate = jnp.moveaxis(state, -1, 0)
        wanted_rate = (aims.pitch - pitch) / (TIME_STEP_S * travel)
        torque = ((wanted_rate - pitch_rate) / TIME_STEP_S + TURNING_DRAG * pitch_rate) / TORQUE
        thrust = jnp.clip(((aims.jump - vz) / TIME_STEP_S + GRAVITY_MPS2) / LARGEST_THRUST_MPS2, 0.0, 1.0)
        return jnp.stack([slide_toward(x, aims.x, travel), torque, thrust], axis=-1)

    def phase(self, kind: int, state) -> tuple[jax.Array, ...]:
        """Turning for stands; for jumps height, whether there is thrust, and vertical speed."""
        if kind == STAND:
            return (state[..., _PITCH_RATE] / 10.0,)
        if kind == JUMP:
            z, vz = state[..., _Z], state[..., _VZ]
            return (
                jnp.clip(z / THRUST_BELOW_M, 0.0, 3.0),
                has_thrust(z, vz).astype(z.dtype),
                vz / LARGEST_VERTICAL_MPS,
            )
        return ()


def turn(pitch, rate, u, travel) -> tuple[jax.Array, jax.Array]:
    """pitch' (rad) and its rate (rad/s) after torque ``u`` in [-1, 1]; all (...,). ``travel``: see ``Variation``."""
    rate = rate + TIME_STEP_S * (TORQUE * u - TURNING_DRAG * rate)
    rate = jnp.clip(rate, -LARGEST_PITCH_RATE, LARGEST_PITCH_RATE)
    return jnp.clip(pitch + travel * TIME_STEP_S * rate, -LARGEST_PITCH_RAD, LARGEST_PITCH_RAD), rate


def has_thrust(z, vz) -> jax.Array:
    """Whether thrust acts at height ``z`` (m) and vertical speed ``vz`` (m/s), (...,) bool."""
    return (z <= THRUST_BELOW_M) & (vz <= 0.0)


def hop(z, vz, u) -> tuple[jax.Array, jax.Array]:
    """z' (m) and vz' (m/s) after thrust |u|, u in [-1, 1]; all (...,)."""
    thrust = jnp.where(has_thrust(z, vz), LARGEST_THRUST_MPS2 * jnp.abs(u), 0.0)
    vz = jnp.clip(vz + TIME_STEP_S * (thrust - GRAVITY_MPS2), -LARGEST_VERTICAL_MPS, LARGEST_VERTICAL_MPS)
    z = z + TIME_STEP_S * vz
    return jnp.clip(z, 0.0, HIGHEST_M), jnp.where((z < 0.0) & (vz < 0.0), 0.0, vz)
