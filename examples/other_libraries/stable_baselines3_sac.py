"""Stable-Baselines3 on our half-cheetah: soft actor-critic learns to run at 1.5 m/s, forward.

python examples/other_libraries/stable_baselines3_sac.py [STEPS]   (20000 by default)
"""

import sys

import gymnasium
from stable_baselines3 import SAC
from stable_baselines3.common.monitor import Monitor

import reinfer.simulation  # noqa: F401 (registers the environments)

TASK = ("velocity_forward", 1.5)


class OneTask(gymnasium.Wrapper):
    """The same task at every reset, for agents without memory, which could not find out a hidden one."""

    def reset(self, *, seed=None, options=None):
        """Start over."""
        return self.env.reset(seed=seed, options={"task": TASK})


def main(steps: int) -> None:
    """Train, then play an episode."""
    environment = Monitor(OneTask(gymnasium.make("reinfer/HalfCheetahTasks-v0")))
    model = SAC("MlpPolicy", environment, learning_starts=min(1000, steps // 2), seed=0, device="cpu")
    model.learn(steps)
    observation, info = environment.reset(seed=1)
    earned, over = 0.0, False
    while not over:
        action, _ = model.predict(observation, deterministic=True)
        observation, reward, terminated, truncated, info = environment.step(action)
        earned, over = earned + float(reward), terminated or truncated
    family, target = TASK
    print(f"return on {family} {target:+g} m/s: {earned:.1f}; standing still earns -1 per step")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 20_000)
