"""Stage "low": one body learns to follow commands. No task inference here, no unknown task.

Objective: maximise the discounted tracking reward (``control.tracking``) by proximal policy optimisation
(``control.ppo``) on many simulations at once, in C threads or by MJX on a GPU. Commands change mid-episode at
random moments; a new command and the time limit end a trajectory for the purpose of credit but not its value; a
fall is the only true end.
"""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.bodies import PlanarBody, robot
from reinfer.control.calibration import calibrate
from reinfer.control.commands import feature_size, restrict
from reinfer.control.curriculum import Practice, no_practice, practised, ramped
from reinfer.control.demands import CRITIC_INPUTS, Demand, Terms, input_mirror
from reinfer.control.device_exercise import DeviceExercise
from reinfer.control.equivariance import reflect, tie_fresh
from reinfer.control.exercise import Exercise
from reinfer.control.low_level_policy import KIND, LowLevelPolicy
from reinfer.control.networks import apply_mlp
from reinfer.control.normalisation import Moments
from reinfer.control.ppo import (
    Hyperparameters,
    LearnerState,
    Schedule,
    Symmetry,
    init_actor_critic,
    init_learner,
    network_mirrors,
    update,
)
from reinfer.runs import random
from reinfer.runs.config import to_dict, validate
from reinfer.runs.directory import resolve
from reinfer.runs.errors import ConfigError
from reinfer.runs.models import load_model
from reinfer.simulation import BatchSimulation
from reinfer.simulation.device import DeviceSimulation, require_gpu
from reinfer.stages.low_level_settings import PRESETS, LowLevelConfig

#: Of a stage module one may ask its presets.
__all__ = ["PRESETS", "LowLevelConfig", "LowLevelStage"]

#: Where annealing of the learning rate ends.
FINAL_LEARNING_RATE = 2e-5

#: Standard deviation of actions at the start: from nothing, and of a policy that is gone on from.
FIRST_STD, RETURNING_STD = 0.6, 0.15


class LowLevelState(NamedTuple):
    """What is learned, and under which commands bodies fell while learning."""

    learner: LearnerState
    practice: Practice


def go_on_from(known: LowLevelPolicy, learner: LearnerState) -> LearnerState:
    """A fresh ``learner`` with the policy of ``known``; its value estimate, which no model holds, starts from nothing.

    Inputs are normalised as ``known`` was used to, since any other way would change what it does.
    """
    width = len(known.moments.mean)
    mean, variance = (
        jnp.concatenate([old, new[width:]]) for old, new in zip(known.moments[:2], learner.moments[:2], strict=True)
    )
    moments = Moments(mean, variance, known.moments.count)
    return learner._replace(networks=learner.networks._replace(policy=known.mlp), moments=moments)


class LowLevelStage:
    """Implements ``runs.Stage``; the simulations are live, everything else is in ``LowLevelState``."""

    name = "low"
    score_key = "reward"

    def __init__(self, config: LowLevelConfig):
        self.config = validate(config)
        if config.copies * config.horizon % config.minibatches:
            raise ConfigError(
                f"minibatches: {config.minibatches} is not allowed; it must divide simulations x horizon"
                f" = {config.copies * config.horizon}"
            )
        self.body = robot(config.body, config.timing)
        if config.posed_starts and not isinstance(self.body, PlanarBody):
            raise ConfigError(
                f"posed_starts: {config.posed_starts} is not allowed with {self.body.name}: it is not planar"
            )
        promised = restrict(self.body.commands, config.kinds)
        low, high = promised.speed_mps
        self.ranges = replace(promised, speed_mps=(low, high * config.speed_reserve))
        self.iterations = config.iterations
        self.sync_interval = 25
        self.steps_per_iteration = config.copies * config.horizon
        self.exercise = self._exercise()
        self.simulation = self.exercise.simulation
        self.policy_inputs = self.body.observation_size(self.simulation.model) + feature_size(self.ranges)
        self.symmetry = self._symmetry() if config.equivariant else None
        self.known, self._known_parents = self._load_start()
        self.hyper = Hyperparameters(
            policy_inputs=self.policy_inputs,
            epochs=config.epochs,
            minibatches=config.minibatches,
            discount=config.discount,
            trace=config.trace,
        )

    def _exercise(self) -> Exercise | DeviceExercise:
        """The copies of the body that learn, on the device asked for."""
        config = self.config
        terms = Terms(*(getattr(config, field) for field in Terms._fields))
        if config.device == "gpu":
            require_gpu()
            return DeviceExercise(DeviceSimulation(self.body), config.copies, self.ranges, terms)
        return Exercise(BatchSimulation(self.body, config.copies, config.threads), self.ranges, terms)

    def _symmetry(self) -> Symmetry:
        """Of the body. Raises ConfigError where there is none, or where commands have none."""
        mirror = self.body.mirror(self.simulation.model)
        if mirror is None:
            raise ConfigError(f"equivariant: {self.body.name} is not the same forward and backward")
        try:
            return Symmetry(input_mirror(mirror.observation, self.ranges), mirror.action)
        except ValueError as error:
            raise ConfigError(str(error)) from error

    # ---- state

    def init(self) -> LowLevelState:
        """Fresh networks; the critic alone sees the averaged error and the age of the command."""
        hidden = (self.config.hidden, self.config.hidden)
        inputs = self.policy_inputs + CRITIC_INPUTS
        networks = init_actor_critic(
            random.key(self.config.seed, "networks"),
            self.policy_inputs,
            inputs,
            self.simulation.action_size,
            hidden,
            std=RETURNING_STD if self.known else FIRST_STD,
        )
        if self.symmetry:
            networks = tie_fresh(networks, network_mirrors(networks, self.symmetry))
        learner = init_learner(networks, inputs, learning_rate=5e-4)
        if self.known:
            learner = go_on_from(self.known, learner)
        return LowLevelState(learner, no_practice())

    def _load_start(self) -> tuple[LowLevelPolicy | None, list[dict]]:
        """The policy to go on from, and what it came from."""
        config = self.config
        if config.start is None:
            return None, []
        folder = resolve(config.start)
        known = LowLevelPolicy.load(folder)
        known.body.require(self.body.id, f"start: {config.start}")
        its_timing, hidden = robot(config.body, known.timing).timing, (config.hidden,) * 2
        if (known.ranges, its_timing, known.hidden) != (self.ranges, self.body.timing, hidden):
            raise ConfigError(
                f"start: {config.start} knows {known.ranges}, timing {its_timing}, widths {known.hidden}; this run is"
                f" for {self.ranges}, timing {self.body.timing}, widths {hidden}, which must be the same"
            )
        if config.equivariant and not self._is_tied(known):
            raise ConfigError(f"start: {config.start} was not trained equivariant, which this run is")
        return known, [load_model(folder, KIND).parent("start")]

    def _is_tied(self, known: LowLevelPolicy) -> bool:
        """Whether the policy of ``known`` respects the symmetry."""
        width = len(known.moments.mean)
        rows = np.random.default_rng(0).standard_normal((8, width), np.float32)
        seen = self.symmetry.inputs.first(width)
        action, image = (apply_mlp(known.mlp, given) for given in (rows, reflect(rows, seen)))
        return np.allclose(reflect(action, self.symmetry.actions), image, atol=1e-4)

    def begin(self, iteration: int) -> None:
        """Reset every simulation, at a random point of its time limit, with a fresh command."""
        self.exercise.ask(self._demand(iteration, no_practice()))
        self.exercise.begin(self.config.seed, iteration)

    def _demand(self, iteration: int, practice: Practice) -> Demand:
        """What is asked for in ``iteration``.

        In the end most should be asked for as often: accuracy at those that are easy is lost without practice.
        """
        config, progress = self.config, iteration / self.iterations
        asked = ramped(self.ranges, progress, config.speed_ramp)
        grown = min(1.0, progress / config.anneal_from) if config.anneal_from else 1.0
        fall_cost = config.first_fall_cost + (config.last_fall_cost - config.first_fall_cost) * grown
        left = self._left(iteration)
        hard_share = None
        if config.hard_commands or config.last_hard_commands:
            hard_share = config.last_hard_commands + (config.hard_commands - config.last_hard_commands) * left
        promised = asked.speed_mps[1] / config.speed_reserve
        first_changes_hz = config.first_changes_hz if progress >= config.anneal_from else 0.0
        return Demand(asked, promised, hard_share, practice, fall_cost, first_changes_hz)

    # ---- one iteration: collect, update

    def iterate(self, state: LowLevelState, iteration: int):
        """Collect ``horizon`` steps with the present policy, then learn from them."""
        self.exercise.ask(self._demand(iteration, state.practice))
        rollout, metrics = self.exercise.collect(state.learner, self.config.horizon, self.config.seed, iteration)
        key = random.key(self.config.seed, "update", iteration)
        learner, learning = update(key, state.learner, rollout, self._schedule(iteration), self.hyper, self.symmetry)
        metrics |= {name: float(value) for name, value in learning.items()}
        return LowLevelState(learner, practised(state.practice, self.exercise.count())), metrics

    def _schedule(self, iteration: int) -> Schedule:
        """Constant, then annealed: at the end no entropy bonus, a small learning rate, little noise.

        What counts is the policy without noise; with much noise a body runs at other speeds than without.
        """
        left = self._left(iteration)
        rate = FINAL_LEARNING_RATE + (self.config.highest_learning_rate - FINAL_LEARNING_RATE) * left
        return Schedule(
            target_kl=np.float32(self.config.target_kl),
            entropy_weight=np.float32(self.config.entropy_weight * left),
            highest_learning_rate=np.float32(rate),
            highest_std=np.float32(self.config.final_std ** (1.0 - left)),
        )

    def _left(self, iteration: int) -> float:
        """1 until annealing begins, then falling to 0 at the end of the run."""
        start = self.config.anneal_from * self.iterations
        return 1.0 - max(0.0, iteration - start) / max(1.0, self.iterations - start)

    # ---- result

    def parents(self) -> list[dict]:
        """The policy gone on from, and the files of a robot of a user's own."""
        return [*self._known_parents, *self.body.parents()]

    def policy(self, state: LowLevelState) -> LowLevelPolicy:
        """The deterministic policy in ``state``."""
        width, (networks, _, _, moments) = self.policy_inputs, state.learner
        moments = Moments(moments.mean[:width], moments.variance[:width], moments.count)
        return LowLevelPolicy(self.body.id, self.ranges, moments, networks.policy, timing=self.body.timing)

    def export(self, state: LowLevelState, folder: Path, provenance: dict) -> None:
        """Write the policy as a model folder, its speeds calibrated."""
        policy = self.policy(jax.device_get(state))
        if rounds := self.config.calibration_rounds:
            rng = random.generator(self.config.seed, "calibration")
            policy.calibration = calibrate(
                policy, self.body, rng, rounds, self.config.threads, same_both_ways=self.config.equivariant
            )
        policy.save(folder, config=to_dict(self.config), metrics={}, provenance=provenance)
