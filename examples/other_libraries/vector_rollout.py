"""Our environments in vectors with statistics, as single-file implementations such as CleanRL make them.

python examples/other_libraries/vector_rollout.py [STEPS]   (200 by default)
"""

import sys

import gymnasium
import numpy as np


def make_environment(name: str):
    """As ``make_env`` of CleanRL's continuous-control files."""

    def thunk():
        environment = gymnasium.make(name)
        environment = gymnasium.wrappers.FlattenObservation(environment)
        environment = gymnasium.wrappers.RecordEpisodeStatistics(environment)
        return gymnasium.wrappers.ClipAction(environment)

    return thunk


def main(steps: int) -> None:
    """Act at random in four copies."""
    vector = gymnasium.vector.SyncVectorEnv([make_environment("reinfer.simulation:reinfer/HopperTasks-v0")] * 4)
    vector.reset(seed=0)
    vector.action_space.seed(0)
    finished = []
    for _ in range(steps):
        *_, infos = vector.step(vector.action_space.sample())
        if "episode" in infos:
            finished += infos["episode"]["l"][infos["_episode"]].tolist()
    print(f"{len(finished)} episodes, mean length {np.mean(finished):.0f} steps")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 200)
