"""What of inference is learned and what is arithmetic: the same agent with parts of it taken away, and without any.

A toy agent decodes a belief from its encoder's posterior, puts the target right by the newest reward, and chooses its
side by the rows before (``inference.belief``). Both corrections invert the known form of the rewards. Here it acts on
what is decoded alone (``decoded``), on that with the first correction (``newest``), with both (``window``, which is the
agent itself, keeping all of its context), and on the beliefs of a filter that learns nothing (``filter``). The policy
that acts is the toy's in all.
"""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp

from reinfer.bodies import Body, ToyBody
from reinfer.evaluation.contest import RANDOM_SETS, measure
from reinfer.evaluation.robustness import LEVELS, evaluate_robustness
from reinfer.evaluation.transfer import Contest, summarise
from reinfer.inference.agent import ToyAgent
from reinfer.inference.belief import Belief, belief_of, decoded_belief
from reinfer.inference.context import ContextWindow, RowLayout
from reinfer.inference.decoder import target_scale
from reinfer.inference.encoder import carry_of_window
from reinfer.inference.filtering import filtered_belief
from reinfer.stages.toy_contexts import SMALLER
from reinfer.transfer import FixedStride, ToyPolicyAgent

#: What beliefs are made of, from what is learned alone to what is not learned at all.
PARTS = ("decoded", "newest", "window", "filter")


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class PartialInference:
    """``toy``, of architecture ``belief``, with inference by one of ``PARTS``: infers and acts in its place."""

    toy: ToyAgent
    part: str = field(metadata={"static": True})
    forget = False
    #: No file holds it; its latents need not be those of ``toy``.
    sha256 = ""

    @property
    def width(self) -> int:
        """Rows of context that it reads."""
        return self.toy.width

    @property
    def body(self) -> ToyBody:
        """The toy it was trained on."""
        return self.toy.body

    @property
    def layout(self) -> RowLayout:
        """Of the rows of its windows."""
        return self.toy.layout

    def infer(self, window: ContextWindow, forget: bool | None = None) -> Belief:
        """Beliefs (N,) after the rows of ``window``, all of which count."""
        if self.part == "window":
            return self.toy.infer(window, forget=False)
        if self.part == "filter":
            ranges = self.body.tasks.ranges
            smallest, largest = (jnp.array([row[index] for row in ranges]) for index in (1, 2))
            # As small as they are in training.
            return filtered_belief(window, smallest / SMALLER, largest, target_scale(self.body.tasks), self.layout)
        belief = {"decoded": decoded_belief, "newest": belief_of}[self.part]
        params = self.toy.params
        return belief(params.inference, carry_of_window(params.inference.encoder, window), params.scale)

    def act(self, state, belief: Belief) -> jax.Array:
        """The toy's own action."""
        return self.toy.act(state, belief)


def parts_on_robot(body: Body, low_level, toys: list[ToyAgent], task_set: str = "standard", threads: int = 0) -> dict:
    """By part the ``summarise``d scores of ``toys`` on a robot, deciding at every control step."""
    found = {}
    for part in PARTS:
        contest, scores = Contest(body, low_level, task_set, threads=threads), []
        for seed, toy in enumerate(toys):
            agent = ToyPolicyAgent(PartialInference(toy, part), contest.toy_steps)
            scores.append(measure(contest.play(agent, FixedStride(1), seed)))
        found[part] = summarise(contest.tasks, scores, resample_tasks=task_set in RANDOM_SETS)
    return found


def parts_on_toy(toys: list[ToyAgent], seed: int = 0) -> dict:
    """By part the rows of ``evaluate_robustness`` of ``toys``: with exact rewards, and with noise on them."""
    levels = {"reward_noise": LEVELS["reward_noise"]}
    return {part: evaluate_robustness([PartialInference(toy, part) for toy in toys], seed, levels) for part in PARTS}
