"""A controller that is told the tasks of a toy: what it earns is the yardstick for agents that are not."""

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.bodies.toy import HORIZON, Aim, Aims
from reinfer.tasks import GOAL, LATERAL_GOAL, LATERAL_VELOCITY, STAND, VELOCITY, Tasks, reward
from reinfer.tasks.families import FAMILY_KIND


def returns_of(toy, tasks: Tasks) -> np.ndarray:
    """Undiscounted returns (N,) over an episode of always heading for ``tasks`` (N,), at rest in all else."""
    kind, target = FAMILY_KIND[tasks.family], jnp.asarray(tasks.target)

    def of(member):
        return jnp.where(member, target, 0.0)

    aims = Aims(
        x=Aim(jnp.asarray(kind != VELOCITY), of(kind == GOAL), target),
        pitch=of(kind == STAND),
        jump=jnp.abs(target),
        y=Aim(jnp.asarray(kind != LATERAL_VELOCITY), of(kind == LATERAL_GOAL), target),
    )
    tasks = Tasks(jnp.asarray(tasks.family), target)

    def step(state, _):
        state = toy.step(state, jnp.clip(toy.toward(state, aims, 1.0), -1.0, 1.0))
        return state, reward(tasks, state)

    rewards = jax.lax.scan(step, toy.reset(jax.random.key(3), target.shape), length=HORIZON)[1]
    return np.asarray(rewards.sum(0))
