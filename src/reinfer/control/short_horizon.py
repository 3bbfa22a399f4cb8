"""Policy gradients through the toy's closed form, over a short horizon and through the belief.

The objective of a policy is the expected error over the next few steps from states the agent really visits. Gradients
flow through the dynamics, through the reward into the next context row and through the encoder into the next belief:
an action is credited for what it lets the agent find out. A horizon of three is enough where acting greedily on a
settled belief is nearly optimal, and short enough to keep gradients through a recurrent encoder bounded. For jumps it
is not; nothing of them is learned here (``control.bouncing``).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from reinfer.bodies import ToyBody
from reinfer.control.belief_policy import BeliefPolicy, policy_action
from reinfer.inference.belief import Inference, belief_of
from reinfer.inference.context import make_rows
from reinfer.inference.decoder import TargetScale
from reinfer.inference.encoder import Carry, advance
from reinfer.tasks import JUMP, KINDS, Tasks, reward
from reinfer.tasks.families import FAMILY_KIND

#: Relative errors count up to this much, so that one hopeless task cannot dominate a batch.
HIGHEST_RELATIVE_ERROR = 3.0
RELATIVE_WEIGHT = 0.1


def control_cost(
    policy: BeliefPolicy,
    inference: Inference,
    scale: TargetScale,
    body: ToyBody,
    tasks: Tasks,
    state,
    carry: Carry,
    horizon: int,
):
    """Mean cost over ``horizon`` steps from (state (N, C), what the encoder has seen), differentiable in ``policy``.

    Cost per step: |error| in units of what one action can change (0.5 m, 5 m/s, ...), so that far and near targets pull
    equally, plus a little of the relative error that rewards measure.
    """
    kind = jnp.asarray(FAMILY_KIND)[tasks.family]
    reach = jnp.array([body.reach.get(kind, 1.0) for kind in range(len(KINDS))])[kind]
    layout = inference.encoder.layout

    def act(state, seen):
        return policy_action(policy, body, state, belief_of(inference, seen, scale))

    def see(seen, state, following):
        return advance(inference.encoder, seen, make_rows(state, reward(tasks, following), following, layout))

    def cost_of(following):
        error = -reward(tasks, following)
        cost = jnp.abs(tasks.target) * error / reach + RELATIVE_WEIGHT * jnp.minimum(error, HIGHEST_RELATIVE_ERROR)
        return jnp.where(kind == JUMP, 0.0, cost)

    return cost_ahead(act, see, cost_of, body, state, carry, horizon)


def cost_ahead(act: Callable, see: Callable, cost_of: Callable, body: ToyBody, state, seen, horizon: int):
    """Mean over N agents and ``horizon`` steps of ``cost_of(state reached)`` (N,), from states (N, 6).

    ``seen`` is all an agent knows; its actions are ``act(state, seen)``, and after a step it knows
    ``see(seen, state, state reached)``.
    """

    def step(moment, _):
        state, seen = moment
        following = body.step(state, act(state, seen))
        return (following, see(seen, state, following)), jnp.mean(cost_of(following))

    return jnp.mean(jax.lax.scan(step, (state, seen), length=horizon)[1])
