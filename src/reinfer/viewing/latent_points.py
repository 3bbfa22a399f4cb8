"""Latents to put on a map: of tasks on the toy, and of a recorded robot."""

import jax
import numpy as np

from reinfer.evaluation.toy import play_toy
from reinfer.tasks import Tasks

#: Moments of the second half of an episode at which a robot's latents are taken.
_MOMENTS = 5


def toy_latents(agent, key, count: int = 400, steps: int = 16) -> tuple[np.ndarray, Tasks]:
    """Latents (count, D) of random tasks after ``steps`` steps of the agent on the toy, and the tasks.

    Args:
        agent: as ``inference.agent.ToyAgent``.
        key: of tasks and starts.
    """
    task_key, start_key = jax.random.split(key)
    tasks = Tasks(*map(np.asarray, agent.body.tasks.sample(task_key, (count,))))
    episodes = play_toy(agent.keeping(), tasks, start_key, steps + 1)
    return np.asarray(episodes.latent[-1]), tasks


def record_latents(record) -> tuple[np.ndarray, Tasks]:
    """Latents (M, D) of a recorded robot in the second half of its episodes, and the tasks they belong to.

    Simulations that fell are left out.
    """
    steps = np.linspace(len(record.reward) // 2, len(record.reward) - 1, _MOMENTS).astype(int)
    upright = np.flatnonzero(~record.fallen[-1])
    latents = record.latent[np.ix_(steps, upright)].reshape(-1, record.latent.shape[-1])
    which = np.tile(upright, len(steps))
    return latents, Tasks(np.asarray(record.tasks.family)[which], np.asarray(record.tasks.target)[which])
