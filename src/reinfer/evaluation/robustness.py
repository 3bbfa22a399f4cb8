"""What it costs a frozen toy agent that the body it meets is not the one it learned on, one difference at a time.

Each difference is also one between the toy and a robot: a row of the context spans another distance than 0.1 s at the
present speed (``travel``), the body does not go quite where it should (``process_noise``), and what is measured of it
or of the reward is not exact (``observation_noise``, ``reward_noise``).
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.bodies import Toy1d
from reinfer.bodies.toy1d import MAX_SPEED_MPS, TIME_STEP_S
from reinfer.evaluation.toy import Shift, heldout_tasks, play_toy, score_toy
from reinfer.inference.agent import ToyAgent
from reinfer.inference.belief import Belief, most_likely
from reinfer.inference.context import LINE_ROWS
from reinfer.runs import random
from reinfer.tasks import CHANNELS, GOAL, Tasks
from reinfer.tasks.families import FAMILY_KIND

#: Levels of each field of ``Shift``; the others stay nominal.
LEVELS = {
    "travel": (0.1, 0.2, 0.5, 2.0, 5.0, 10.0),
    "process_noise": (0.01, 0.03, 0.1, 0.3),
    "observation_noise": (0.01, 0.03, 0.1, 0.3),
    "reward_noise": (0.003, 0.01, 0.03, 0.1),
}
NOMINAL = Shift(travel=1.0, process_noise=0.0, observation_noise=0.0, reward_noise=0.0)

#: Numbers of context rows after which the family and its target are judged.
FAMILY_ROWS, TARGET_ROWS = 5, 10


def shifts(levels: dict[str, tuple[float, ...]]) -> list[tuple[str, float, Shift]]:
    """(name, level, all of it) of every shift, the nominal toy first."""
    every = [("none", 0.0, NOMINAL)]
    return every + [(n, level, NOMINAL._replace(**{n: level})) for n, some in levels.items() for level in some]


@jax.tree_util.register_dataclass
@dataclass
class ToldController:
    """Comparator that is TOLD the tasks (N,) and the travel: what a shift costs whoever has nothing to find out."""

    tasks: Tasks
    travel: jax.Array
    width, body, layout, forget = 1, Toy1d(), LINE_ROWS, False

    def infer(self, window, forget: bool | None = None) -> Belief:
        """The truth, whatever was seen."""
        probability = jax.nn.one_hot(self.tasks.family, len(Toy1d.tasks.ranges))
        nothing = jnp.zeros((self.tasks.count, 1))
        return Belief(nothing, nothing, probability, probability * self.tasks.target[:, None])

    def act(self, state, belief: Belief) -> jax.Array:
        """To the goal in one step, or the speed itself, as far as an action goes."""
        family, target = most_likely(belief)
        away = target - state[:, CHANNELS.index("x")]
        is_goal = jnp.asarray(FAMILY_KIND)[family] == GOAL
        reach_m = TIME_STEP_S * MAX_SPEED_MPS * self.travel
        return jnp.where(is_goal, away / reach_m, target / MAX_SPEED_MPS)[:, None]


def evaluate_robustness(agents: list[ToyAgent], seed: int = 0, levels: dict | None = None) -> list[dict]:
    """One row per shift (of ``levels``, by default ``LEVELS``): ``shift``, ``level`` and, as lists over ``agents`` of
    toy1d, means over its held-out tasks.

    These are ``family_known`` after ``FAMILY_ROWS`` rows, ``target_error`` (relative, under the true family) after
    ``TARGET_ROWS`` rows and the undiscounted ``return`` over 200 steps. Its rewards are the true ones. ``told_return``
    is that of ``ToldController``.
    """
    every, tasks = shifts(levels or LEVELS), heldout_tasks(Toy1d())
    repeated = Tasks(*(np.tile(leaf, len(every)) for leaf in tasks))
    columns = np.array([shift for *_, shift in every], np.float32).T
    shift = Shift(*np.repeat(columns, tasks.count, axis=1))
    rows = [
        {"shift": name, "level": level, "family_known": [], "target_error": [], "return": []}
        for name, level, _ in every
    ]
    where = [slice(index * tasks.count, (index + 1) * tasks.count) for index in range(len(every))]

    def play(agent):
        episodes = play_toy(agent, repeated, random.key(seed, "robustness"), shift=shift)
        return score_toy(episodes, repeated, agent.layout)

    told = play(ToldController(repeated, shift.travel))
    for row, here in zip(rows, where, strict=True):
        row["told_return"] = float(told.returns[here].mean())
    for agent in agents:
        scores = play(agent)
        for row, here in zip(rows, where, strict=True):
            row["family_known"].append(float(scores.found[FAMILY_ROWS, here].mean()))
            row["target_error"].append(float(scores.target_error[TARGET_ROWS, here].mean()))
            row["return"].append(float(scores.returns[here].mean()))
    return rows
