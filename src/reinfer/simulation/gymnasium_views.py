"""Gymnasium views of our bodies: one copy, an unknown task, and nothing but the reward to tell which.

``gymnasium.make("reinfer/HalfCheetahTasks-v0")`` draws a task from the body's distribution at every reset;
``reset(options={"task": ("goal_forward", 5.1)})`` sets one. The true task is in ``info`` for evaluation only.
Time limits come from the registration and truncate; only a fall terminates.
"""

import gymnasium
import jax
import numpy as np

from reinfer.bodies import TOYS, robot
from reinfer.bodies.toy import HORIZON
from reinfer.simulation.batch import BatchSimulation
from reinfer.tasks import CHANNELS, FAMILY_NAMES, KINDS, TaskDistribution, Tasks, make_tasks, reward

#: Length of an episode of a robot, simulated seconds.
ROBOT_EPISODE_S = 25.0


class TaskView(gymnasium.Env):
    """One body under one task; subclasses supply the body.

    Args:
        tasks: what to draw tasks from.
        kinds: restrict ``tasks`` to these kinds (names in ``tasks.KINDS``); all by default.
    """

    metadata = {"render_modes": []}

    def __init__(self, tasks: TaskDistribution, kinds=None):
        if kinds is not None:
            unknown = sorted(set(kinds) - set(KINDS))
            tasks = tasks.only(kinds)
            if unknown or not tasks.ranges:
                raise ValueError(f"kinds: {tuple(kinds)} do not name tasks of this body; kinds are {KINDS}")
        self.tasks = tasks
        self.task: Tasks | None = None

    def reset(self, *, seed=None, options=None):
        """Start over under ``options["task"]`` (family name, signed target) or a task that is drawn.

        Raises ValueError on a family that is not among ``tasks``, or a target of the wrong sign.
        """
        super().reset(seed=seed)
        unknown = sorted(set(options or {}) - {"task"})
        if unknown:
            raise ValueError(f"options: {unknown} are not known; allowed: 'task'")
        if options and options.get("task") is not None:
            task = make_tasks([options["task"]])
            if task.family[0] not in self.tasks.families:
                allowed = ", ".join(name for name, _, _ in self.tasks.ranges)
                raise ValueError(f"family: {options['task'][0]!r} is not among the tasks here; allowed: {allowed}")
            self.task = task
        else:
            key = jax.random.key(int(self.np_random.integers(2**31)))
            self.task = Tasks(*(np.asarray(leaf) for leaf in self.tasks.sample(key, (1,))))
        self._reset_body()
        return self._observe(), self._info()

    def step(self, action):
        """One control step: (observation, reward, fallen, False, info)."""
        fallen = self._step_body(np.asarray(action))
        earned = float(reward(self.task, self._task_state()[None])[0])
        return self._observe(), earned, fallen, False, self._info()

    def _info(self) -> dict:
        family, target = int(self.task.family[0]), float(self.task.target[0])
        return {"task": {"family": FAMILY_NAMES[family], "target": target}, "task_state": self._task_state()}

    def _reset_body(self) -> None:
        raise NotImplementedError

    def _step_body(self, action) -> bool:
        """Advance by one control step; whether the body fell."""
        raise NotImplementedError

    def _task_state(self) -> np.ndarray:
        """Task-space state, shape (C,), always finite."""
        raise NotImplementedError

    def _observe(self) -> np.ndarray:
        raise NotImplementedError


class RobotTasks(TaskView):
    """A MuJoCo robot.

    Args:
        body: name of the robot.
        kinds: restrict the tasks to these kinds.
        exclude_current_positions_from_observation: leave absolute x out, as Gymnasium's own agents do. Goal
            tasks are then partly observed: how far it is shows in the reward alone.
        timing: how physics is stepped, one of the body's timings; None is its own.
    """

    def __init__(
        self,
        body: str,
        kinds=None,
        exclude_current_positions_from_observation: bool = True,
        timing: str | None = None,
    ):
        self._simulation = BatchSimulation(robot(body, timing), num_simulations=1, threads=1)
        super().__init__(self._simulation.body.tasks, kinds)
        self._with_x = not exclude_current_positions_from_observation
        self._last = self._read()
        size = self._last[1].shape
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, size, np.float64)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (self._simulation.action_size,), np.float32)

    def _read(self):
        state, observation = self._simulation.task_state()[0], self._simulation.observation()[0]
        return state, np.concatenate([state[:1], observation]) if self._with_x else observation

    def _reset_body(self):
        self._simulation.reset(self.np_random)
        self._last = self._read()

    def _step_body(self, action):
        self._simulation.step(action[None])
        reached = self._read()
        # Physics that diverged ends the episode as a fall; the last finite state stands for it.
        if all(np.isfinite(part).all() for part in reached):
            self._last = reached
        return bool(self._simulation.fallen()[0])

    def _task_state(self):
        return self._last[0].copy()

    def _observe(self):
        return self._last[1].copy()


class ToyTasks(TaskView):
    """A toy: observation of its channels, e.g. (x, vx); noise and spread as in ``ToyBody``.

    Args:
        body: name of the toy.
        kinds: restrict the tasks to these kinds.
    """

    def __init__(self, body: str, kinds=None, process_noise: float = 0.0, time_step_spread: float = 0.0):
        self._body = TOYS[body](process_noise, time_step_spread)
        super().__init__(self._body.tasks, kinds)
        self._step = jax.jit(self._body.step)
        self._channels = [CHANNELS.index(name) for name in self._body.channels]
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (len(self._channels),), np.float64)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (self._body.action_size,), np.float32)

    def _key(self):
        return jax.random.key(int(self.np_random.integers(2**31)))

    def _reset_body(self):
        self._variation = self._body.variation(self._key())
        self._state = self._body.reset(self._key())

    def _step_body(self, action):
        self._state = self._step(self._state, action, self._key(), self._variation)
        return False

    def _task_state(self):
        return np.asarray(self._state, np.float64)

    def _observe(self):
        return self._task_state()[self._channels]


def register_views() -> None:
    """Register the ids; importing ``reinfer.simulation`` does it."""
    here = "reinfer.simulation.gymnasium_views"
    names = (("HalfCheetah", "half_cheetah"), ("Walker2d", "walker2d"), ("Hopper", "hopper"), ("Ant", "ant"))
    for name, body in names:
        gymnasium.register(
            f"reinfer/{name}Tasks-v0",
            entry_point=f"{here}:RobotTasks",
            max_episode_steps=round(ROBOT_EPISODE_S / robot(body).control_dt_s),
            kwargs={"body": body},
        )
    for name, body in (("Toy1d", "toy1d"), ("Toy2d", "toy2d"), ("Toy3dof", "toy3dof")):
        gymnasium.register(
            f"reinfer/{name}Tasks-v0",
            entry_point=f"{here}:ToyTasks",
            max_episode_steps=HORIZON,
            kwargs={"body": body},
        )
