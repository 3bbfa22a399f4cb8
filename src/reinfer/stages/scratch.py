"""What the algorithms of stage "scratch" share: the robot at the training tasks of a benchmark."""

from pathlib import Path

import numpy as np

from reinfer.bodies import Body, robot
from reinfer.control.task_replay import TaskTransitions
from reinfer.inference.adaptive.agent import ScratchAgent
from reinfer.runs import random
from reinfer.runs.config import to_dict
from reinfer.runs.errors import ConfigError
from reinfer.simulation.tasks import TaskSimulation
from reinfer.tasks import Tasks
from reinfer.tasks.protocols import PROTOCOLS, protocol
from reinfer.transfer.trials import play_trials

PROTOCOL_NAMES = tuple(PROTOCOLS)


def families_in_turn(tasks: Tasks) -> Tasks:
    """``tasks`` (K,) so ordered that the first of every family come first, then the second, and so on.

    However many of them are played, and whatever is left over where they are played again, families have equal shares.
    """
    family = np.asarray(tasks.family)
    rank = np.zeros(len(family), int)
    for one in np.unique(family):
        rank[family == one] = np.arange((family == one).sum())
    return tasks[np.lexsort((family, rank))]


class Ground:
    """Where an algorithm trains.

    Args:
        config: has ``body``, ``tasks`` (name of a protocol), ``simulations`` and ``threads``.
    Raises ConfigError where the robot has no such benchmark.
    """

    def __init__(self, config):
        self.body: Body = robot(config.body)
        self._threads = config.threads
        try:
            self.protocol = protocol(config.tasks, self.body.name, self.body.tasks)
        except ValueError as error:
            raise ConfigError(str(error)) from error
        training = families_in_turn(self.protocol.train)
        #: The task of each simulation, leaves (M,).
        self.tasks: Tasks = training[np.arange(config.simulations) % training.count]
        self.simulation = TaskSimulation(self.body, self.protocol, config.simulations, config.threads)
        self.observation, self.actions = self.simulation.observation_size, self.simulation.action_size
        self.steps = self.simulation.steps
        self._held_out: TaskSimulation | None = None

    def iterations(self, robot_steps: int, episodes: int = 1) -> int:
        """How often a budget allows so many ``episodes`` of all simulations. Raises ConfigError if it never does."""
        each = self.steps * self.simulation.count * episodes
        if robot_steps < each:
            raise ConfigError(f"robot_steps: {robot_steps} is not allowed; an iteration takes {each}")
        return robot_steps // each

    def play(self, rng: np.random.Generator, choose, observe=None) -> tuple[TaskTransitions, np.ndarray]:
        """One episode: its transitions (T, M), with rewards as they may be shown, and returns (M,).

        Args:
            rng: for the start.
            choose: actions (M, A) by step and observations (M, O).
            observe: is told what came of them: observations, actions, rewards, next observations.
        """
        simulation, steps, returns = self.simulation, [], np.zeros(self.simulation.count)
        observation = simulation.start(rng, self.tasks)
        for index in range(self.steps):
            action = np.clip(np.asarray(choose(index, observation), np.float32), -1.0, 1.0)
            reward, following = simulation.step(action)
            returns, reward = returns + reward, simulation.shown(reward)
            if observe is not None:
                observe(observation, action, reward, following)
            steps.append(TaskTransitions(observation, action, reward, following))
            observation = following
        return TaskTransitions(*map(np.stack, zip(*steps, strict=True))), returns

    def agent(self, algorithm: str, params, sizes: dict) -> ScratchAgent:
        """An agent that was trained here."""
        return ScratchAgent(algorithm, params, sizes, self.protocol.name, self.body.id, self.body.timing)

    def judge(self, agent: ScratchAgent, episodes: int, seed: int, iteration: int) -> dict:
        """Mean return on held-out tasks: of the first and of the last episode of a trial, without noise."""
        tasks = self.protocol.held_out
        if self._held_out is None:
            self._held_out = TaskSimulation(self.body, self.protocol, tasks.count, self._threads)
        rng = random.generator(seed, "evaluation", iteration)
        key = random.key(seed, "evaluation", iteration)
        trial = play_trials(agent, self._held_out, tasks, episodes, rng, key)
        names = ("first_return_held_out", "return_held_out")
        return {name: float(trial[index].returns.mean()) for name, index in zip(names, (0, -1), strict=True)}


class ScratchStage:
    """What the stages of all algorithms have; an iteration starts its own physics, so every iteration is a boundary.

    A stage has its ``config``, its ``ground``, and the ``agent`` in a state.
    """

    name = "scratch"
    score_key = "return_held_out"
    # What training costs is half of what is compared: the curve has to outlast the run.
    exports_scores = True
    sync_interval = 1
    ground: Ground

    def agent(self, state) -> ScratchAgent:
        """The agent in ``state``, which acts without noise."""
        raise NotImplementedError

    def parents(self) -> list[dict]:
        """The files of a robot of a user's own."""
        return self.ground.body.parents()

    def export(self, state, folder: Path, provenance: dict) -> None:
        """Write the agent as a model folder."""
        self.agent(state).save(folder, config=to_dict(self.config), metrics={}, provenance=provenance)
