"""A live session: one robot under one agent, stepped by ``transfer.Hierarchy`` and commanded from any thread.

Nothing here knows of a browser. Whoever owns the session calls ``tick`` once per control step; whoever wants something
changed says so from any thread and is obeyed at the next tick. A changed task reaches an agent in one way only: the
rewards from then on are those of the new one. The oracle alone is told, as its label says.
"""

import queue
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from reinfer.bodies import Body
from reinfer.runs import random
from reinfer.simulation import BatchSimulation
from reinfer.tasks import FAMILIES, FAMILY_NAMES, TaskDistribution, Tasks, family_index, make_tasks, reward
from reinfer.transfer import Hierarchy, OracleAgent

#: How long a robot that fell is left lying before it starts again.
FALL_SHOWN_S = 1.5


@dataclass(frozen=True, slots=True)
class Equipment:
    """One robot and all that moves it.

    Args:
        body: under the timing that its low level was trained with.
        low_level: as ``control.low_level_policy.LowLevelPolicy``.
        strides: as in ``transfer.strides``.
        agents: agents by route; one of them may be an ``OracleAgent``.
        tasks: what it may be set: families that the agents and the low level know, with ranges of targets.
        latent_map: of the toy behind the agents (``viewing.live.latent_map``), None where it has no mixture.
    """

    body: Body
    low_level: object
    strides: object
    agents: dict
    tasks: TaskDistribution
    latent_map: object = None

    def first_task(self) -> tuple[str, float]:
        """A task to begin with: family and signed target, the middle of its range; a goal ahead if there is one."""
        ahead = [r for r in self.tasks.ranges if r[0] == "goal_forward"]
        name, low, high = (*ahead, *self.tasks.ranges)[0]
        return name, 0.5 * (low + high) * FAMILIES[family_index(name)].sign


class Snapshot(NamedTuple):
    """One moment of a session, right after a control step; arrays are copies, SI units.

    ``time_s`` never goes back; ``episode`` counts starts, ``looks`` the decisions since the task was last changed.
    ``frames`` (K, nq): positions after every physics step of the control step. ``family`` and ``target`` are the true
    task, ``family_probability`` (F,) and ``target_estimate`` (F,) the belief, ``latent`` (D,) its mean; ``told``
    whether the agent knows the task. ``command_kind`` and ``command_target``: the sub-goal; ``rows`` of context.
    """

    time_s: float
    episode: int
    body: str
    route: str
    told: bool
    paused: bool
    fallen: bool
    falls: int
    frames: np.ndarray
    task_state: np.ndarray
    reward: float
    family: int
    target: float
    looks: int
    rows: int
    stride: int
    is_decision: bool
    command_kind: int
    command_target: float
    family_probability: np.ndarray
    target_estimate: np.ndarray
    latent: np.ndarray

    @property
    def likely(self) -> int:
        """Index of the most likely family."""
        return int(np.argmax(self.family_probability))

    @property
    def likely_target(self) -> float:
        """The target believed in, under the most likely family."""
        return float(self.target_estimate[self.likely])


class Session:
    """A robot at work.

    Args:
        load: what gives the ``Equipment`` of a body by name; called in ``tick``, and once per body.
        body: the first one.
        route: key of the first agent among those of the equipment.
        seed: of the starts.
    """

    def __init__(self, load: Callable[[str], Equipment], body: str, route: str, seed: int = 0):
        self._load, self._rng = load, random.generator(seed, "live start")
        self._asked: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._equipped: dict[str, Equipment] = {}
        self._hierarchies: dict[tuple[str, str], Hierarchy] = {}
        self._paused, self._single_steps = False, 0
        self._steps_s, self._episode, self._falls, self._looks = 0.0, 0, 0, 0
        self._body, self._route = body, route
        self._tasks = None
        self._take_up()

    # What may be asked for from any thread; obeyed at the next tick.

    def change_task(self, family: str, target: float) -> None:
        """Set another task: ``family`` by name and its signed ``target``. Raises ValueError if they do not fit."""
        tasks = make_tasks([(family, target)])
        self._asked.put(lambda: self._set_tasks(tasks))

    def push(self, speed_mps: float) -> None:
        """Add ``speed_mps`` to the robot's speed along x."""
        self._asked.put(lambda: self._hierarchy.simulation.push([0], np.array([speed_mps])))

    def pause(self, paused: bool) -> None:
        """Stop, or go on."""
        self._asked.put(lambda: setattr(self, "_paused", paused))

    def step_once(self) -> None:
        """Pause, and take one control step."""

        def ask():
            self._paused, self._single_steps = True, self._single_steps + 1

        self._asked.put(ask)

    def restart(self) -> None:
        """Put the robot at the start with an empty context, its task kept."""
        self._asked.put(self._start)

    def choose_route(self, route: str) -> None:
        """Another agent, from a fresh start. What this body does not have is ignored."""
        self._asked.put(lambda: self._switch(self._body, route))

    def choose_body(self, body: str) -> None:
        """Another robot, from a fresh start."""
        self._asked.put(lambda: self._switch(body, self._route))

    # What the owner calls.

    @property
    def equipment(self) -> Equipment:
        """Of the present body."""
        return self._equipped[self._body]

    @property
    def control_dt_s(self) -> float:
        """Length of a control step in seconds."""
        return self.equipment.body.control_dt_s

    def tick(self) -> Snapshot:
        """Obey what was asked for, take one control step unless paused, and tell how things stand."""
        while not self._asked.empty():
            self._asked.get()()
        if self._paused and not self._single_steps:
            return self._snapshot(False)
        self._single_steps = max(0, self._single_steps - 1)
        if self._fallen_s >= FALL_SHOWN_S:
            self._start()
        hierarchy = self._hierarchy
        hierarchy.advance(self._reward)
        # Deciding at the end of a step instead of before the next is the same sequence, and shown sooner.
        decided = bool(hierarchy.choose()[0])
        self._looks += decided
        self._steps_s += self.control_dt_s
        if hierarchy.fallen[0]:
            self._falls += self._fallen_s == 0.0
            self._fallen_s += self.control_dt_s
        return self._snapshot(decided)

    # What happens then.

    def _reward(self, state) -> np.ndarray:
        return reward(self._tasks, state)

    def _set_tasks(self, tasks: Tasks) -> None:
        if FAMILY_NAMES[int(tasks.family[0])] not in [name for name, _, _ in self.equipment.tasks.ranges]:
            return
        self._tasks, self._looks = tasks, 0
        if isinstance(self._hierarchy.agent, OracleAgent):
            self._hierarchy.agent.tell(tasks)

    def _switch(self, body: str, route: str) -> None:
        self._body = body
        self._equip()
        self._route = route if route in self.equipment.agents else next(iter(self.equipment.agents))
        self._take_up()

    def _equip(self) -> None:
        if self._body not in self._equipped:
            self._equipped[self._body] = self._load(self._body)

    def _take_up(self) -> None:
        """Make the hierarchy of body and route, compiled, and start."""
        self._equip()
        equipment, place = self.equipment, (self._body, self._route)
        if place not in self._hierarchies:
            simulation = BatchSimulation(equipment.body, 1, 1, film=True)
            self._hierarchies[place] = Hierarchy(
                simulation, equipment.low_level, equipment.agents[self._route], equipment.strides
            )
        self._hierarchy = self._hierarchies[place]
        self._set_tasks(make_tasks([self._fitting_task()]))
        self._start()

    def _fitting_task(self) -> tuple[str, float]:
        """The present task, cut to what the present body may be set, or else its first task."""
        if self._tasks is not None:
            name, target = FAMILY_NAMES[int(self._tasks.family[0])], float(self._tasks.target[0])
            for known, low, high in self.equipment.tasks.ranges:
                if known == name:
                    return name, float(np.copysign(np.clip(abs(target), low, high), target))
        return self.equipment.first_task()

    def _start(self) -> None:
        self._hierarchy.start(self._rng)
        self._hierarchy.choose()
        self._episode += 1
        self._fallen_s, self._looks = 0.0, 0

    def _snapshot(self, decided: bool) -> Snapshot:
        hierarchy, simulation = self._hierarchy, self._hierarchy.simulation
        belief = hierarchy.belief
        frames = simulation.frames[:, 0].copy()
        if hierarchy.step_index == 0 or not np.isfinite(frames).all():
            frames[:] = hierarchy.qpos[0]
        return Snapshot(
            time_s=self._steps_s,
            episode=self._episode,
            body=self._body,
            route=self._route,
            told=isinstance(hierarchy.agent, OracleAgent),
            paused=self._paused,
            fallen=bool(hierarchy.fallen[0]),
            falls=self._falls,
            frames=frames,
            task_state=hierarchy.state[0].copy(),
            reward=float(hierarchy.reward[0]),
            family=int(self._tasks.family[0]),
            target=float(self._tasks.target[0]),
            looks=self._looks,
            rows=int(hierarchy.rows[0]),
            stride=int(hierarchy.stride[0]),
            is_decision=decided,
            command_kind=int(hierarchy.commands.kind[0]),
            command_target=float(hierarchy.commands.target[0]),
            family_probability=np.array(belief.family_probability[0]),
            target_estimate=np.array(belief.target[0]),
            latent=np.array(belief.latent[0]),
        )
