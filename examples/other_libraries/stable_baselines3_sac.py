"""Stable-Baselines3 on our half-cheetah: soft actor-critic on goals that it is not told.

python examples/other_libraries/stable_baselines3_sac.py [STEPS]   (20000 by default)
"""

import sys

import gymnasium
from stable_baselines3 import SAC
from stable_baselines3.common.monitor import Monitor

import reinfer.simulation  # noqa: F401 (registers the environments)


def main(steps: int) -> None:
    """Train, then play one goal."""
    environment = Monitor(gymnasium.make("reinfer/HalfCheetahTasks-v0", kinds=("goal",)))
    model = SAC("MlpPolicy", environment, learning_starts=min(1000, steps // 2), seed=0, device="cpu")
    model.learn(steps)
    observation, info = environment.reset(seed=1, options={"task": ("goal_forward", 5.0)})
    earned, over = 0.0, False
    while not over:
        action, _ = model.predict(observation, deterministic=True)
        observation, reward, terminated, truncated, info = environment.step(action)
        earned, over = earned + float(reward), terminated or truncated
    print(f"return on {info['task']}: {earned:.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 20_000)
