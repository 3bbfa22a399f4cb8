"""``speed_tracking`` for Stable-Baselines3 and what is built on it, and who stops them when their time is over."""

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv

from speed_tracking import SpeedTracking


class TrackingEnvironment(VecEnv):
    """All simulations of ``track``; an environment that ends starts over at once, as this interface wants it."""

    def __init__(self, track: SpeedTracking, seed: int):
        observations = spaces.Box(-np.inf, np.inf, (track.observation_size,), np.float32)
        actions = spaces.Box(-1.0, 1.0, (track.simulation.action_size,), np.float32)
        super().__init__(track.simulation.num_simulations, observations, actions)
        self._track, self._rng = track, np.random.default_rng([seed, 1])

    def reset(self):
        """The present observations; the simulations have begun."""
        return self._track.observation()

    def step_async(self, actions):
        """Take note of actions (N, A)."""
        self._actions = actions

    def step_wait(self):
        """Observations, rewards, ends, and what an ended episode last observed."""
        reward, fallen = self._track.step(self._actions)
        reached = self._track.inputs()
        over, present = self._track.renew(self._rng, fallen, reached)
        infos = [{} for _ in over]
        width = self._track.observation_size
        for index in np.flatnonzero(over):
            last = reached[index, :width]
            infos[index] = {"terminal_observation": last, "TimeLimit.truncated": not fallen[index]}
        return present[:, :width], reward.astype(np.float32), over, infos

    def close(self):
        """Nothing to close."""

    def get_attr(self, attr_name, indices=None):
        """The same of all environments."""
        return [getattr(self, attr_name, None)] * self.num_envs

    def set_attr(self, attr_name, value, indices=None):
        """Not part of the task."""
        raise NotImplementedError

    def env_method(self, method_name, *method_args, indices=None, **method_kwargs):
        """Not part of the task."""
        raise NotImplementedError

    def env_is_wrapped(self, wrapper_class, indices=None):
        """There are no wrappers."""
        return [False] * self.num_envs


class Referee(BaseCallback):
    """Has the policy judged at the marks of ``clock`` and ends training after the last one."""

    def __init__(self, clock):
        super().__init__()
        self._clock = clock

    def _on_step(self) -> bool:
        def act(observation):
            return self.model.predict(observation, deterministic=True)[0]

        return not self._clock.over(act, self.num_timesteps, self.model._n_updates)
