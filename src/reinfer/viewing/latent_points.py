"""Latents to put on a map: of tasks on the toy, and of a recorded robot."""

import jax
import numpy as np

from reinfer.bodies import Toy1d
from reinfer.inference.context import append, empty_window
from reinfer.tasks import Tasks, reward

#: Moments of the second half of an episode at which a robot's latents are taken.
_MOMENTS = 5


def toy_latents(agent, key, count: int = 400, steps: int = 16) -> tuple[np.ndarray, Tasks]:
    """Latents (count, D) of random tasks after ``steps`` steps of the agent on the toy, and the tasks.

    Args:
        agent: as ``inference.agent.ToyAgent``.
        key: of tasks, starts and noise.
    """
    toy = Toy1d()
    task_key, start_key = jax.random.split(key)
    tasks = toy.tasks.sample(task_key, (count,))

    def step(carry, _):
        window, state = carry
        reached = toy.step(state, agent.act(state, agent.infer(window)))
        return (append(window, state, reward(tasks, reached), reached), reached), None

    @jax.jit
    def run(start):
        (window, _), _ = jax.lax.scan(step, (empty_window(count, agent.width), start), length=steps)
        return agent.infer(window).latent

    latents = np.asarray(run(toy.reset(start_key, (count,))))
    return latents, Tasks(*map(np.asarray, tasks))


def record_latents(record) -> tuple[np.ndarray, Tasks]:
    """Latents (M, D) of a recorded robot in the second half of its episodes, and the tasks they belong to.

    Simulations that fell are left out.
    """
    steps = np.linspace(len(record.reward) // 2, len(record.reward) - 1, _MOMENTS).astype(int)
    upright = np.flatnonzero(~record.fallen[-1])
    latents = record.latent[np.ix_(steps, upright)].reshape(-1, record.latent.shape[-1])
    which = np.tile(upright, len(steps))
    return latents, Tasks(np.asarray(record.tasks.family)[which], np.asarray(record.tasks.target)[which])
