"""Bodies under commands that stay."""

import numpy as np

from reinfer.control.commands import Commands
from reinfer.simulation import BatchSimulation


def follow(policy, simulation: BatchSimulation, commands: Commands, seconds: float):
    """Run ``commands`` from where ``simulation`` is: (task states (T, N, 6), whether each ever fell (N,)).

    A body whose physics diverged has fallen; its last finite state stands for the rest.
    """
    states, fallen = [], np.zeros(simulation.num_simulations, bool)
    reached = simulation.task_state()
    for _ in range(round(seconds / simulation.control_dt_s)):
        action = policy.act(simulation.observation(), simulation.task_state(), commands)
        simulation.step(action)
        fallen |= simulation.fallen()
        now = simulation.task_state()
        reached = np.where(np.isfinite(now).all(-1, keepdims=True), now, reached)
        states.append(reached)
    return np.stack(states), fallen
