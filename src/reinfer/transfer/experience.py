"""What strides earn; and experience of the high level: an agent that explores, a recorder of its transitions."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.control.normalisation import normalise
from reinfer.control.sac import Batch, action_distribution
from reinfer.inference.context import ContextWindow
from reinfer.transfer.agents import Decision, Situation
from reinfer.transfer.relearned import ACTIONS, RelearnedAgent, cautious_action, correct

#: Rewards below this, an error twice the target, teach as if they were this.
WORST_REWARD = -2.0


class Gains:
    """What the strides under way of N simulations have earned: ``gain`` (N,).

    A stride of k control steps earns ``(1 - d) (r1 + d r2 + ...)``, d the ``discount`` per control step, and ``weight``
    (N,) = d^k is that of the value of what follows: a constant reward is its own value, whatever the strides. What
    falls stays where it is, so it keeps its last reward for ever. Rewards count as ``WORST_REWARD`` at least.
    """

    def __init__(self, count: int, discount: float):
        self.discount = discount
        self.gain, self.weight = np.zeros(count), np.ones(count)

    def begin(self, due) -> None:
        """New strides begin where ``due`` (N,)."""
        self.gain[due], self.weight[due] = 0.0, 1.0

    def earned(self, reward, fell) -> None:
        """One control step earned ``reward`` (N,); where ``fell`` (N,), nothing else will ever be."""
        self.gain += self.weight * np.maximum(reward, WORST_REWARD) * np.where(fell, 1.0, 1.0 - self.discount)
        self.weight *= self.discount


class Play(NamedTuple):
    """How one episode of N simulations and T control steps is played.

    ``noise`` (T+1, N, 3) standard normal; ``explores`` (N,) bool: act on draws from the policy; ``corrects`` (N,) bool:
    of those that do not explore, which depart from the toy's policy at all.
    """

    noise: jax.Array
    explores: jax.Array
    corrects: jax.Array


class ExploringAgent(RelearnedAgent):
    """As the agent that is learned, but stochastic where told; its ``parameters`` are ``(ToyAgent, Correction, Play)``.

    The noise comes from outside, so that it can be correlated in time: independent draws at every look would cancel
    before the body has moved. The memo of a decision is ``(features, action)``.
    """

    name = "exploring"

    def decide(self, parameters, window: ContextWindow, situation: Situation) -> Decision:
        """Sub-goals after drawn, mean or no corrections."""
        toy, correction, play = parameters
        belief, proposal, rows = self.consider(toy, window, situation)
        inputs = normalise(correction.moments, rows)
        mean, log_std = action_distribution(correction.policy, inputs)
        drawn = jnp.tanh(mean + jnp.exp(log_std) * play.noise[situation.step])
        steady = jnp.where(play.corrects[:, None], cautious_action(correction, inputs), 0.0)
        action = jnp.where(play.explores[:, None], drawn, steady)
        return Decision(*correct(proposal, action, situation.task_state), belief, memo=(rows, action))


def correlated_noise(rng: np.random.Generator, steps: int, count: int, correlation: float) -> np.ndarray:
    """Standard normal noise (steps, count, 3) float32 whose neighbours in time have the given ``correlation``."""
    noise = rng.standard_normal((steps, count, ACTIONS))
    for step in range(1, steps):
        noise[step] = correlation * noise[step - 1] + np.sqrt(1.0 - correlation**2) * noise[step]
    return noise.astype(np.float32)


class Recorder:
    """Gathers the strides of N simulations, which earn as ``Gains`` has it, as transitions of soft actor-critic."""

    def __init__(self, count: int, discount: float):
        self.gains = Gains(count, discount)
        self.begun = np.zeros(count, bool)
        self.inputs = self.actions = None
        self.parts: list[Batch] = []

    def decided(self, due, memo) -> None:
        """New strides begin where ``due`` (N,), with ``memo`` (features, actions); those before them have ended."""
        rows, actions = memo
        self.end(due, rows)
        if self.inputs is None:
            self.inputs, self.actions = np.array(rows), np.array(actions)
        self.inputs[due], self.actions[due] = rows[due], actions[due]
        self.gains.begin(due)
        self.begun[due] = True

    def earned(self, reward, fell) -> None:
        """One control step earned ``reward`` (N,); where ``fell`` (N,), everything is over."""
        self.gains.earned(reward, fell)
        self.end(fell, self.inputs, terminal=1.0)

    def end(self, which, next_rows, terminal: float = 0.0) -> None:
        """The strides under way in ``which`` (N,) are over and led to ``next_rows`` (N, F)."""
        which = which & self.begun
        if which.any():
            gains, ends = self.gains, np.full(len(which), terminal)
            parts = (self.inputs, self.actions, gains.gain, next_rows, ends, gains.weight)
            self.parts.append(Batch(*(np.array(part[which], np.float32) for part in parts)))
        self.begun = self.begun & ~which

    def batch(self) -> Batch:
        """All transitions so far."""
        return Batch(*(np.concatenate(leaves) for leaves in zip(*self.parts, strict=True)))
