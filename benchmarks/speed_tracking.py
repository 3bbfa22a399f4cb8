"""The task of the race on the wall clock: half-cheetahs that are asked for one forward speed during a whole episode.

Every contestant sees the same: the body's own observation and what networks are told of a command. Every one earns the
same and is judged alike, on speeds that lie between those of training.
"""

import numpy as np

from reinfer.bodies import robot
from reinfer.control.commands import Commands, command_features, feature_size, restrict
from reinfer.control.curriculum import no_practice
from reinfer.control.demands import CRITIC_INPUTS
from reinfer.control.exercise import Exercise
from reinfer.control.tracking import tracking_error
from reinfer.runs import random
from reinfer.simulation import BatchSimulation
from reinfer.tasks import VELOCITY

BODY = "half_cheetah"
SPEEDS_MPS = (0.3, 3.0)

#: Length of an episode, and its end over which the mean speed is judged, simulated seconds.
EPISODE_S, WINDOW_S = 12.0, 3.0
JUDGED = 64


class SpeedTracking(Exercise):
    """``simulation`` at the task, in place of the exercise of a stage, which collects as ever.

    Episodes end by a fall, which earns nothing more, or by the time limit, which is no end to value.
    """

    def __init__(self, simulation: BatchSimulation):
        self.simulation, self.ranges = simulation, restrict(simulation.body.commands, ("goal", "velocity"))
        self.episode_steps = round(EPISODE_S / simulation.control_dt_s)
        self.observation_size = simulation.body.observation_size(simulation.model) + feature_size(self.ranges)

    def ask(self, demand) -> None:
        """What is asked for is always the same."""

    def count(self):
        """There is no practice of what bodies fell at."""
        return no_practice()

    def begin(self, seed: int, iteration: int) -> None:
        """Start over, as ``Exercise.begin`` does."""
        self.start(random.generator(seed, "physics", iteration))

    def start(self, rng: np.random.Generator) -> None:
        """Reset every simulation, at a random point of its time limit, with a speed to run at."""
        count = self.simulation.num_simulations
        self.simulation.reset(rng)
        self.age = rng.integers(0, self.episode_steps, count)
        self.commands = Commands(np.full(count, VELOCITY), rng.uniform(*SPEEDS_MPS, count))

    def _push(self, rng) -> None:
        """Nobody is pushed."""

    def observation(self) -> np.ndarray:
        """What policies see, (N, observation_size) float32."""
        features = command_features(self.simulation.task_state(), self.commands, self.ranges)
        return np.nan_to_num(np.concatenate([self.simulation.observation(), features], axis=-1).astype(np.float32))

    def inputs(self) -> np.ndarray:
        """The same, and nothing in the columns that a value estimate of ours may have beyond it."""
        return np.pad(self.observation(), ((0, 0), (0, CRITIC_INPUTS)))

    def step(self, action) -> tuple[np.ndarray, np.ndarray]:
        """One control step of ``action`` (N, A) in [-1, 1]: rewards, at most 1, and falls, (N,)."""
        before = self.simulation.task_state()
        self.simulation.step(action)
        self.age += 1
        fallen = self.simulation.fallen()
        error = tracking_error(before, self.simulation.task_state(), self.commands, self.simulation.control_dt_s)
        wide = np.maximum(1.0 - np.abs(error) / self.commands.target, 0.0)
        earned = 0.7 * wide + 0.3 * np.exp(-np.square(error / 0.3)) - 0.01 * np.square(action).sum(-1)
        return np.where(fallen, 0.0, earned), fallen

    def renew(self, rng: np.random.Generator, fallen, present):
        """Reset what fell or ran out of time, as ``Exercise.renew`` does: which rows are cut (N,), fresh inputs."""
        over = fallen | (self.age >= self.episode_steps)
        ids = np.flatnonzero(over)
        if len(ids):
            self.simulation.reset(rng, ids)
            self.age[ids] = 0
            self.commands.target[ids] = rng.uniform(*SPEEDS_MPS, len(ids))
            present = present.copy()
            present[ids] = self.inputs()[ids]
        return over, present


class Judge:
    """Judges policies, always from the same starts at the same ``JUDGED`` speeds."""

    def __init__(self):
        self.track = SpeedTracking(BatchSimulation(robot(BODY, "stock"), JUDGED))

    def __call__(self, act) -> dict:
        """Scores of ``act`` (observations (N, O) to actions (N, A)) over one episode without noise: ``error``, of the
        mean speed over the last 3 s, relative; ``reward`` per step; ``fallen``, the share that ever fell."""
        track = self.track
        track.start(np.random.default_rng(0))
        edges = np.linspace(*SPEEDS_MPS, JUDGED + 1)
        track.commands.target[:] = (edges[1:] + edges[:-1]) / 2
        fallen, rewards, x = np.zeros(JUDGED, bool), [], []
        for _ in range(track.episode_steps):
            reward, down = track.step(np.clip(act(track.observation()), -1.0, 1.0))
            fallen |= down
            rewards.append(np.where(fallen, 0.0, reward))
            x.append(np.nan_to_num(track.simulation.task_state()[:, 0]))
        window = round(WINDOW_S / track.simulation.control_dt_s)
        speed = (x[-1] - x[-1 - window]) / WINDOW_S
        error = np.where(fallen, 1.0, np.abs(speed / track.commands.target - 1.0))
        return {"error": float(error.mean()), "reward": float(np.mean(rewards)), "fallen": float(fallen.mean())}
