"""How well task inference from the toy carries a robot: the contest, with its comparators beside it."""

from dataclasses import dataclass, field

import jax
import numpy as np

from reinfer.bodies import Body
from reinfer.control.commands import promised
from reinfer.evaluation.contest import EPISODE_S, MOMENTS_S, RANDOM_SETS, ROWS, TASK_SETS, Scores, is_kind, measure
from reinfer.evaluation.statistics import describe
from reinfer.runs import random
from reinfer.simulation import BatchSimulation
from reinfer.tasks import FAMILY_NAMES, GOAL, JUMP, STAND, VELOCITY, Tasks
from reinfer.transfer import (
    Hierarchy,
    LearnedStride,
    OracleAgent,
    RandomAgent,
    RolloutRecord,
    ToyPolicyAgent,
    ZeroAgent,
    rollout,
)


@dataclass(frozen=True, slots=True)
class Contestant:
    """One training seed: a toy agent, the stride policy learned with it (or any other stride policy), and the high
    level relearned above it (``transfer.RelearnedAgent``) if that is what is judged."""

    seed: int
    toy: object
    strides: object
    relearned: object | None = None

    @property
    def policy(self) -> str:
        """What is judged: ``relearned`` or ``toy``."""
        return "toy" if self.relearned is None else self.relearned.name


@dataclass(slots=True)
class Contest:
    """One body, one low level, one set of tasks; ``records`` are kept by the names of agent and stride, and by seed.

    Args:
        task_set: ``standard``, ``heldout`` or ``multi``.
        toy_steps: as in ``transfer.ToyPolicyAgent``.
        seconds: length of an episode; the contest's own by default.
        threads: physics threads; 0 uses every core.

    Examples:
        >>> import reinfer
        >>> from reinfer.transfer import FixedStride, ToyPolicyAgent
        >>> low_level = reinfer.load("shipped:half_cheetah/low")
        >>> contest = reinfer.Contest(reinfer.robot("half_cheetah"), low_level, seconds=2.0, threads=1)
        >>> agent = reinfer.load("shipped:toy/seed0").remember(forget=False)
        >>> record = contest.play(ToyPolicyAgent(agent), FixedStride(5), seed=0)
        >>> record.task_state.shape  # 2 s at 20 control steps per second, 12 tasks, 6 channels
        (41, 12, 6)
        >>> float(record.reward[-1].mean()) > float(record.reward[0].mean())
        True

        ``contest.compare([Contestant(seed=0, toy=agent, strides=FixedStride(5))])`` plays the comparators as well and
        gives what ``reinfer eval transfer --json`` prints.
    """

    body: Body
    low_level: object
    task_set: str = "standard"
    toy_steps: int = 6
    seconds: float = EPISODE_S
    threads: int = 0
    records: dict[tuple[str, str, int], RolloutRecord] = field(default_factory=dict)
    _players: dict[tuple[str, str, int], tuple] = field(default_factory=dict)
    _simulation: BatchSimulation | None = None

    @property
    def tasks(self) -> Tasks:
        """The tasks of the set, (K,)."""
        return TASK_SETS[self.task_set](self.body)

    def play(self, agent, strides, seed: int) -> RolloutRecord:
        """One episode of every task; the start depends on ``seed`` only, so it is the same for all agents.

        Raises ValueError where another agent, or other strides, of the same names played with this seed before.
        """
        place = (agent.name, strides.name, seed)
        # An agent's memory is part of the structure of its parameters, and may be set anew.
        structure = jax.tree.structure(agent.parameters)
        known = self._players.setdefault(place, (agent, structure, strides))
        if not (structure == known[1] and _same_agent(agent, known[0]) and _same_strides(strides, known[2])):
            raise ValueError(
                f"seed: {seed} was played by another {agent.name!r} agent or other {strides.name!r} strides; give each"
                " contestant a seed of its own, or make another contest"
            )
        if place not in self.records:
            if self._simulation is None:
                self._simulation = BatchSimulation(self.body, self.tasks.count, self.threads)
            hierarchy = Hierarchy(self._simulation, self.low_level, agent, strides)
            rng = random.generator(seed, "contest start")
            self.records[place] = rollout(hierarchy, self.tasks, self.seconds, rng)
        return self.records[place]

    def agents(self, contestant: Contestant) -> dict:
        """The agent judged, first, and its comparators, by the key under which they are reported."""
        families = len(contestant.toy.layout.families)
        relearned = {} if contestant.relearned is None else {contestant.policy: contestant.relearned}
        return relearned | {
            "toy": ToyPolicyAgent(contestant.toy, self.toy_steps),
            "oracle": OracleAgent(self.tasks, families),
            "random": RandomAgent(promised(self.body.commands, self.low_level.ranges), contestant.seed, families),
            "zero": ZeroAgent(families),
        }

    def compare(self, contestants: list[Contestant], ablation=()) -> dict:
        """The report of ``evaluate`` (see there) for these contestants.

        Args:
            ablation: stride policies to put beside the contestants' own, all with the agents judged.
        """
        scores, judged = {}, contestants[0].policy
        for contestant in contestants:
            for name, agent in self.agents(contestant).items():
                record = self.play(agent, contestant.strides, contestant.seed)
                scores.setdefault(name, []).append(measure(record))
        report = self._summary(scores[judged])
        report |= {name: self._summary(found) for name, found in scores.items() if name != judged}
        report["by_task"] = _by_task(self.tasks, scores[judged])
        report["ablation"] = self._ablation(contestants, ablation)
        return report | {
            "body": self.body.name,
            "body_file": self.body.reference if self.body.origin else None,
            "tasks": self.task_set,
            "policy": judged,
            "stride": contestants[0].strides.name,
            "n_tasks": self.tasks.count,
            "seeds": [contestant.seed for contestant in contestants],
            "episode_s": self.seconds,
            "control_dt_s": next(iter(self.records.values())).control_dt_s,
            "toy_steps": self.toy_steps,
        }

    def _ablation(self, contestants, ablation) -> dict:
        """Integrated error and the rest per stride policy, the contestants' own first."""
        rows = {}
        if not ablation:
            return rows
        choices = [None, *ablation]
        for choice in choices:
            found = [measure(self.play(self.agents(c)[c.policy], choice or c.strides, c.seed)) for c in contestants]
            name = (choice or contestants[0].strides).name
            rows[name] = self._summary(found)
        return rows

    def _summary(self, scores: list[Scores]) -> dict:
        return summarise(self.tasks, scores, resample_tasks=self.task_set in RANDOM_SETS)


def _same_agent(one, other) -> bool:
    """Whether two agents, whose parameters have one structure, decide alike."""
    return one == other and all(map(np.array_equal, *(jax.tree.leaves(agent.parameters) for agent in (one, other))))


def _same_strides(one, other) -> bool:
    """Whether two stride policies choose alike; a learned one is the same only if it is the very same."""
    return one is other or (type(one) is type(other) and not isinstance(one, LearnedStride) and one.name == other.name)


def summarise(tasks: Tasks, scores: list[Scores], *, resample_tasks: bool) -> dict:
    """Plain numbers over seeds x tasks: the keys are told in ``cli.eval_transfer``."""
    goal, velocities, stands, jumps = (is_kind(tasks, kind) for kind in (GOAL, VELOCITY, STAND, JUMP))
    table = Scores(*(np.stack(leaf) for leaf in zip(*scores, strict=True)))

    def stated(values, which):
        return describe(values[:, which], tasks.family[which], seed=0, resample_tasks=resample_tasks)

    position = _part(table, goal, stated)
    position["settled_error_m"] = position["settled_error"]["mean"]
    position["worst_error_m"] = float(table.settled_error[:, goal].max())
    position["overshoot_m"] = stated(table.overshoot_m, goal)
    velocity = _part(table, velocities, stated)
    velocity["windowed_relative_error"] = velocity["relative_error"]["mean"]
    velocity["windowed_error_mps"] = velocity["settled_error"]["mean"]
    velocity["instantaneous_error_mps"] = float(table.instantaneous_error[:, velocities].mean())
    velocity["instantaneous_rms_mps"] = float(table.instantaneous_rms[:, velocities].mean())
    velocity["worst_relative_error"] = float(table.relative_error[:, velocities].max())
    found = {"position": position, "velocity": velocity}
    if stands.any():
        found["stand"] = stand = _part(table, stands, stated)
        stand["settled_error_rad"] = stand["settled_error"]["mean"]
        stand["worst_error_rad"] = float(table.settled_error[:, stands].max())
    if jumps.any():
        found["jump"] = jump = _part(table, jumps, stated)
        jump["peak_relative_error"] = jump["relative_error"]["mean"]
        jump["worst_peak_relative_error"] = float(table.relative_error[:, jumps].max())
        jump["mean_ratio"] = float(table.jump_ratio[:, jumps].mean())
    return found | {
        "integrated_error_s": stated(table.integrated_error_s, np.ones_like(goal)),
        "fall_rate": float(table.fallen.mean()),
        "class_accuracy_by_rows": _by_rows(table.right_class),
        "target_error_by_rows": _by_rows(table.target_error),
        "mean_stride": float(table.mean_stride.mean()),
        "by_family": {
            FAMILY_NAMES[family]: _part(table, tasks.family == family, stated) for family in np.unique(tasks.family)
        },
    }


def _part(table: Scores, which, stated) -> dict:
    """Measures of the tasks ``which``."""
    times = table.settling_time_s[:, which]
    return {
        "settled_error": stated(table.settled_error, which),
        "relative_error": stated(table.relative_error, which),
        "integrated_error_s": stated(table.integrated_error_s, which),
        "settled_fraction": float(table.settled[:, which].mean()),
        # Half of the episodes settle by this time; None if fewer than half settle.
        "settling_time_s": float(np.median(times)) if np.isfinite(np.median(times)) else None,
        "error_at_s": {
            str(moment): float(table.error_at[:, which, index].mean())
            for index, moment in enumerate(MOMENTS_S)
            if np.isfinite(table.error_at[..., index]).all()
        },
    }


def _by_rows(values) -> dict:
    """Mean over seeds and tasks per number of rows; None where no episode had so many."""
    found = {}
    for index, rows in enumerate(ROWS):
        seen = values[..., index][np.isfinite(values[..., index])]
        found[str(rows)] = float(seen.mean()) if len(seen) else None
    return found


def _by_task(tasks: Tasks, scores: list[Scores]) -> list[dict]:
    table = Scores(*(np.stack(leaf) for leaf in zip(*scores, strict=True)))
    rows = []
    for task in range(tasks.count):
        times = table.settling_time_s[:, task]
        rows.append(
            {
                "family": FAMILY_NAMES[int(tasks.family[task])],
                "target": float(tasks.target[task]),
                "settled_error": float(table.settled_error[:, task].mean()),
                "relative_error": float(table.relative_error[:, task].mean()),
                "settled_fraction": float(table.settled[:, task].mean()),
                "settling_time_s": float(np.median(times)) if np.isfinite(np.median(times)) else None,
                "integrated_error_s": float(table.integrated_error_s[:, task].mean()),
                "overshoot_m": float(table.overshoot_m[:, task].mean()),
                "fall_rate": float(table.fallen[:, task].mean()),
            }
        )
    return rows
