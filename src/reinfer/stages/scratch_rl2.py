"""Stage "scratch", algorithm ``rl2``: a recurrent policy that learns to learn (Duan et al. 2016; Wang et al. 2016).

Objective: the discounted sum of rewards over a *trial* of some episodes of one task, by proximal policy optimisation
(``control.recurrent_ppo``). The policy reads its own last action and reward beside the observation, and its hidden
state outlasts episodes: task inference is whatever it keeps there. On-policy: an iteration is one whole trial of every
simulation, each with a training task of its own.

Rewards are multiplied by 1 - discount, so that values are means of rewards whatever the benchmark.
"""

from dataclasses import dataclass, replace

import numpy as np

from reinfer.bodies import ALLOWED
from reinfer.control.ppo import Hyperparameters, LearnerState, Schedule, init_learner
from reinfer.control.recurrent_ppo import Percept, Trials, init_recurrent, update
from reinfer.inference.adaptive.agent import ScratchAgent
from reinfer.inference.adaptive.rl2 import Rl2Agent, perceive, rl2_begin, rl2_begin_episode, rl2_mean, rl2_observe
from reinfer.runs import random
from reinfer.runs.config import seed_setting, setting, validate
from reinfer.runs.errors import ConfigError
from reinfer.stages.scratch import PROTOCOL_NAMES, Ground, ScratchStage


@dataclass(frozen=True, slots=True)
class Rl2Config:
    """Everything a run of RL2 depends on."""

    algo: str = setting("rl2", "rl2", choices=("rl2",))
    body: str = setting("half_cheetah", f"robot that learns: {ALLOWED}")
    tasks: str = setting("standard", "benchmark", choices=PROTOCOL_NAMES)
    seed: int = seed_setting("seed of all randomness")
    robot_steps: int = setting(8_000_000, "control steps of the robot", low=1)
    simulations: int = setting(100, "copies of the body, which take the training tasks in turn", low=1)
    trial: int = setting(2, "episodes of a trial, after which everything seen is forgotten", low=1)
    memory: int = setting(128, "size of the hidden state", low=1)
    hidden: int = setting(64, "width of the layer above it, of policy and value each", low=1)
    sequence: int = setting(40, "steps that gradients pass through; must divide those of a trial", low=1)
    epochs: int = setting(4, "passes over each trial", low=1)
    minibatches: int = setting(10, "gradient steps per pass; must divide the number of sequences", low=1)
    discount: float = setting(0.98, "per control step", low=0.0, high=0.9999)
    trace: float = setting(0.95, "lambda of the advantage estimate", low=0.0, high=1.0)
    target_kl: float = setting(0.015, "policy change aimed at per update, nats", low=1e-6)
    highest_learning_rate: float = setting(1e-3, "bound on the steered learning rate", low=1e-8)
    entropy_weight: float = setting(0.002, "bonus on the log standard deviation", low=0.0)
    first_std: float = setting(0.6, "standard deviation of actions at the start, and its bound", low=1e-3)
    last_std: float = setting(0.2, "bound of the standard deviation at the end", low=1e-3)
    evaluation_interval: int = setting(5, "trials between evaluations on held-out tasks", low=1)
    threads: int = setting(0, "physics threads; 0 uses every core", low=0)


PRESETS = {"rl2": Rl2Config(), "rl2-quick": replace(Rl2Config(), robot_steps=1_200_000)}


class Rl2Stage(ScratchStage):
    """Implements ``runs.Stage``: RL2."""

    def __init__(self, config: Rl2Config):
        self.config = validate(config)
        self.ground = Ground(config)
        steps = self.ground.steps * config.trial
        if steps % config.sequence:
            raise ConfigError(
                f"sequence: {config.sequence} is not allowed; it must divide the {steps} steps of a trial"
            )
        sequences = steps // config.sequence * config.simulations
        if sequences % config.minibatches:
            raise ConfigError(
                f"minibatches: {config.minibatches} is not allowed; it must divide the {sequences} sequences"
            )
        self.steps_per_iteration = steps * config.simulations
        self.iterations = self.ground.iterations(config.robot_steps, config.trial)
        self.hyper = Hyperparameters(
            policy_inputs=self.ground.observation,
            epochs=config.epochs,
            minibatches=config.minibatches,
            discount=config.discount,
            trace=config.trace,
        )

    # ---- state

    def init(self) -> LearnerState:
        """Fresh networks."""
        config, ground = self.config, self.ground
        key = random.key(config.seed, "networks")
        sizes = (ground.observation, ground.actions, config.memory, config.hidden)
        networks = init_recurrent(key, *sizes, std=config.first_std)
        return init_learner(networks, ground.observation, learning_rate=3e-4)

    def begin(self, iteration: int) -> None:
        """Nothing: each iteration resets its physics itself."""

    # ---- one iteration: a trial, then learning

    def iterate(self, state: LearnerState, iteration: int):
        """One trial of all simulations, then ``epochs`` passes over it."""
        config = self.config
        trials, returns = self._collect(state, iteration)
        key = random.key(config.seed, "update", iteration)
        state, learning = update(key, state, trials, self._schedule(iteration), self.hyper, config.sequence)
        metrics = {name: float(value) for name, value in learning.items()}
        metrics |= {"first_return": float(returns[0].mean()), "return": float(returns[-1].mean())}
        if (iteration + 1) % config.evaluation_interval == 0 or iteration + 1 == self.iterations:
            metrics |= self.ground.judge(self.agent(state), config.trial, config.seed, iteration)
        return state, metrics

    def _schedule(self, iteration: int) -> Schedule:
        """Exploration fades: the bound of the standard deviation falls geometrically."""
        config, progress = self.config, iteration / self.iterations
        return Schedule(
            target_kl=np.float32(config.target_kl),
            entropy_weight=np.float32(config.entropy_weight * (1.0 - progress)),
            highest_learning_rate=np.float32(config.highest_learning_rate),
            highest_std=np.float32(config.first_std * (config.last_std / config.first_std) ** progress),
        )

    def _collect(self, state: LearnerState, iteration: int):
        """A trial with drawn actions: (``Trials``, returns (episodes, M))."""
        config, ground = self.config, self.ground
        rng = random.generator(config.seed, "trial", iteration)
        std = np.exp(np.asarray(state.networks.log_std))
        params = Rl2Agent(state.networks, state.moments)
        memory, drawn, percepts, rewards, returns = rl2_begin(params, config.simulations), [], [], [], []

        def choose(_, observation):
            nonlocal memory
            percepts.append(perceive(memory, observation))
            memory, mean = rl2_mean(params, memory, observation)
            drawn.append(np.asarray(mean) + std * rng.standard_normal(mean.shape, np.float32))
            return drawn[-1]

        def observe(*step):
            nonlocal memory
            memory = rl2_observe(params, memory, *step)

        for _ in range(config.trial):
            memory = rl2_begin_episode(params, memory)
            played, earned = ground.play(rng, choose, observe)
            rewards.append(played.reward)
            returns.append(earned)
        percepts.append(perceive(memory, played.next_observation[-1]))
        stacked = Percept(*(np.stack([np.asarray(part) for part in leaf]) for leaf in zip(*percepts, strict=True)))
        scaled = np.concatenate(rewards) * np.float32(1.0 - config.discount)
        return Trials(stacked, np.stack(drawn), scaled), np.stack(returns)

    # ---- result

    def agent(self, state: LearnerState) -> ScratchAgent:
        """The agent in ``state``, which acts without noise."""
        config, ground = self.config, self.ground
        sizes = {
            "observation": ground.observation,
            "actions": ground.actions,
            "memory": config.memory,
            "hidden": config.hidden,
        }
        return ground.agent("rl2", Rl2Agent(state.networks, state.moments), sizes)
