"""How well a Neural Process knows the parameter of its one family, and how far that carries a robot.

Rewards are those it was trained on, ``-|x - g|`` (``tasks.distance_reward``). *Linear fit*: R^2 of the best straight
line from latent to goal, over all beliefs of full contexts.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.bodies import Body
from reinfer.control.low_level_policy import LowLevelPolicy
from reinfer.evaluation.toy import play_toy
from reinfer.inference.agent import ToyAgent
from reinfer.inference.context import ContextWindow
from reinfer.inference.process_loss import Objective, ceiling, process_bound
from reinfer.inference.process_networks import FAMILY, GOALS, ROWS
from reinfer.runs import random
from reinfer.simulation import BatchSimulation
from reinfer.stages.process_contexts import make_batch, random_walks, targets, walk_contexts
from reinfer.tasks import CHANNELS, Tasks, distance_reward, family_index
from reinfer.transfer import FixedStride, Hierarchy, OracleAgent, RolloutRecord, ToyPolicyAgent, rollout

#: Toy: fresh goals, steps of an episode, targets per context and draws of the latent for the bound.
TOY_GOALS, TOY_STEPS, BOUND_TASKS, TARGETS, SAMPLES, DEVIATION_M = 200, 250, 2000, 5, 32, 0.1

#: Robot: goals (m), evenly spaced, and when one counts as reached (m).
ROBOT_GOALS_M, REACHED_M = np.linspace(1.0, 9.0, 17), 0.5

_X = CHANNELS.index("x")


def evaluate_process(agent: ToyAgent, seed: int = 0) -> dict:
    """Figures on the toy, on fresh tasks.

    Returns a dict: ``elbo`` (nats, of ``TARGETS`` targets given a full context, walks as published), its ``ceiling``;
    ``reward_error`` and ``state_error`` (m) of what the context's posterior mean predicts of them; ``r2`` and
    ``r2_random_order`` (linear fit, rows in their order or ``ROWS`` random ones of an episode); ``steady_error_m``
    (mean |x - g| over the second half of 250 deterministic steps), ``return_mean`` of these, ``best_return`` of going
    straight to the goal; ``n_tasks``, ``seed``.
    """
    tasks = Tasks(*map(np.asarray, GOALS.sample(random.key(seed, "process tasks"), (TOY_GOALS,))))
    episodes = play_toy(agent, tasks, random.key(seed, "process"), TOY_STEPS, reward=distance_reward)
    position, rewards = np.asarray(episodes.state[..., _X]), np.asarray(episodes.reward)
    latent = np.asarray(episodes.belief.latent)[ROWS:]
    shuffled = _shuffled_latents(agent, tasks, position, rewards, random.generator(seed, "process order"))
    return _bound(agent, seed) | {
        "r2": linear_fit(latent, np.broadcast_to(tasks.target, latent.shape[:2])),
        "r2_random_order": linear_fit(shuffled, tasks.target),
        "steady_error_m": float(-rewards[TOY_STEPS // 2 :].mean()),
        "return_mean": float(rewards.sum(0).mean()),
        "best_return": float(np.mean([best_return(goal) for goal in tasks.target])),
        "n_tasks": TOY_GOALS,
        "seed": seed,
    }


def best_return(goal: float, move: float = 0.5) -> float:
    """Return of who is told the goal (m) and goes ``move`` metres a step from zero."""
    return -float(np.maximum(goal - move * np.arange(1, int(goal / move) + 2), 0.0).sum())


def _bound(agent: ToyAgent, seed: int) -> dict:
    keys = jax.random.split(random.key(seed, "process bound"), 5)
    tasks = GOALS.sample(keys[0], (BOUND_TASKS,))
    walks = random_walks(keys[1], tasks, published=True)
    batch = make_batch(*walk_contexts(keys[2], walks, tasks, published=True), *targets(keys[3], walks, tasks, TARGETS))
    objective = Objective("context", "elbo", SAMPLES, 1.0, DEVIATION_M)
    bound, parts = jax.jit(process_bound, static_argnums=3)(agent.params.inference, batch, keys[4], objective)
    found = {name: float(parts[name]) for name in ("reward_error", "state_error")}
    return {"elbo": float(bound.mean()), "ceiling": ceiling(TARGETS, DEVIATION_M)} | found


def _shuffled_latents(agent: ToyAgent, tasks: Tasks, position, rewards, rng: np.random.Generator) -> np.ndarray:
    """Latents (N, D) of contexts of ``ROWS`` random steps of each episode."""
    count = tasks.count
    chosen = rng.integers(0, TOY_STEPS - 1, (ROWS, count))
    every = np.arange(count)
    rows = np.zeros((count, ROWS, agent.layout.size), np.float32)
    for column, leaf, step in ((0, position, chosen), (2, rewards, chosen), (3, position, chosen + 1)):
        rows[..., column] = leaf[step, every].T
    return np.asarray(agent.infer(ContextWindow(jnp.array(rows), jnp.full(count, ROWS))).latent)


def linear_fit(latent, goal) -> float:
    """R^2 of the least-squares line from latents (..., D) to goals (...,)."""
    latent, goal = latent.reshape(-1, latent.shape[-1]).astype(float), np.ravel(goal).astype(float)
    inputs = np.column_stack([latent, np.ones(len(latent))])
    residual = goal - inputs @ np.linalg.lstsq(inputs, goal, rcond=None)[0]
    return float(1.0 - np.square(residual).sum() / np.square(goal - goal.mean()).sum())


# ---- on a robot


@dataclass(slots=True)
class ProcessTransfer:
    """A frozen encoder and toy policy above the low level of ``body``: sub-goals x + 0.5 action, one toy step ahead.

    ``seconds``: length of an episode; ``threads``: physics threads, 0 uses every core.
    """

    body: Body
    low_level: LowLevelPolicy
    seconds: float
    threads: int = 0

    @property
    def longest_span(self) -> int:
        """Most control steps that a row of the context may span, if an episode is to have a belief of a full one."""
        return (round(self.seconds / self.body.control_dt_s) - 1) // ROWS

    @property
    def tasks(self) -> Tasks:
        """Goals of the robot."""
        goals = ROBOT_GOALS_M.astype(np.float32)
        return Tasks(np.full(len(goals), family_index(FAMILY), np.int32), goals)

    def evaluate(self, agent: ToyAgent, steps: int, context_stride: int = 1, seed: int = 0) -> dict:
        """Figures with ``steps`` control steps per sub-goal, every row of the context spanning ``context_stride`` of
        these: see ``measure``."""
        agent.remember(stride=context_stride)
        record = self._play(ToyPolicyAgent(agent, toy_steps=1), steps, seed)
        row = {"steps_per_sub_goal": steps, "context_stride": context_stride}
        return row | measure(record, ROWS * context_stride)

    def told(self, seed: int = 0) -> dict:
        """The same of a comparator that is TOLD the goals."""
        found = measure(self._play(OracleAgent(self.tasks), 1, seed), 0)
        return {name: found[name] for name in ("steady_error_m", "worst_error_m", "fall_rate")}

    def _play(self, agent, steps: int, seed: int) -> RolloutRecord:
        tasks = self.tasks
        simulation = BatchSimulation(self.body, tasks.count, self.threads)
        hierarchy = Hierarchy(simulation, self.low_level, agent, FixedStride(steps))
        rng = random.generator(seed, "process transfer")
        return rollout(hierarchy, tasks, self.seconds, rng, lambda state: distance_reward(tasks, state))


def measure(record: RolloutRecord, rows: int) -> dict:
    """Of an episode: ``r2`` (linear fit over decisions after at least ``rows`` rows; None where all but one fell before
    these), ``steady_error_m`` (mean |x - g| over the second half), ``worst_error_m`` (the worst goal's),
    ``moved_per_decision_m`` (median until the goal is first within ``REACHED_M``), ``decisions_to_reach`` (mean) and
    ``ideal_decisions``, ``reached`` (fraction), ``fall_rate``."""
    goal = record.tasks.target
    error = np.abs(record.task_state[1:, :, _X] - goal)
    steady = error[record.steps // 2 :].mean(0)
    is_near = error <= REACHED_M
    reached, first = is_near.any(0), is_near.argmax(0)
    decides = record.is_decision & (record.rows >= rows)
    known = np.broadcast_to(goal, decides.shape)[decides]
    moved, decisions = [], []
    for index in np.flatnonzero(reached):
        moments = np.flatnonzero(record.is_decision[: first[index] + 1, index])
        decisions.append(len(moments))
        moved.append(np.diff(record.task_state[moments, index, _X]))
    moved = np.concatenate(moved) if moved else np.zeros(0)
    return {
        "r2": linear_fit(record.latent[decides], known) if len(np.unique(known)) > 1 else None,
        "steady_error_m": float(steady.mean()),
        "worst_error_m": float(steady.max()),
        "moved_per_decision_m": float(np.median(moved)) if len(moved) else None,
        "decisions_to_reach": float(np.mean(decisions)) if decisions else None,
        "ideal_decisions": float(np.ceil((goal - REACHED_M) / 0.5).mean()),
        "reached": float(reached.mean()),
        "fall_rate": float(record.fallen[-1].mean()),
    }
