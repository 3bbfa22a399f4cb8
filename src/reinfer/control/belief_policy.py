"""The toy's policy: from state and belief to a toy action in [-1, 1]."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.bodies import ToyBody
from reinfer.control.bouncing import SHAPE, best_thrust
from reinfer.control.equivariance import layer_mirrors, mlp_mirrors
from reinfer.control.networks import MLP, Layer, apply_mlp, init_mlp, normal
from reinfer.inference.belief import Belief
from reinfer.inference.context import RowLayout
from reinfer.tasks import CHANNELS, GOAL, JUMP, LATERAL_GOAL, STAND
from reinfer.tasks.families import CHANNEL_MIRROR, KIND_COLUMN
from reinfer.tasks.mirror import Mirror, joined, renumbered, signed

#: Kinds whose targets are places: what matters is how far away they are.
PLACES = (GOAL, STAND, LATERAL_GOAL)

#: A toy bounces from this probability of jump tasks on.
BOUNCES_FROM = 0.01

_Z, _VZ = CHANNELS.index("z"), CHANNELS.index("vz")


class BeliefPolicy(NamedTuple):
    """A perceptron and a linear shortcut beside it: near a settled belief the best action is linear in the features.

    On toys that jump the last action, thrust, is not learned but computed from the values ``bounce``
    (``control.bouncing``); elsewhere that is empty.
    """

    network: MLP
    shortcut: Layer
    bounce: jax.Array | tuple = ()


def init_policy(key, hidden: int, body: ToyBody) -> BeliefPolicy:
    """A perceptron K-H-H-A and a shortcut K-A whose first actions are small; K features, A actions that are learned."""
    network_key, shortcut_key = jax.random.split(key)
    features, jumps = feature_size(body), JUMP in body.reach
    actions = body.action_size - jumps
    return BeliefPolicy(
        init_mlp(network_key, (features, hidden, hidden, actions), output_scale=0.1, weights=normal),
        init_mlp(shortcut_key, (features, actions), output_scale=0.1, weights=normal)[0],
        jnp.zeros(SHAPE) if jumps else (),
    )


def feature_size(body: ToyBody) -> int:
    """Number K of ``policy_features``: 6 on toy1d."""
    state = jnp.zeros(len(CHANNELS))
    return len(body.tasks.ranges) + sum(1 + len(body.phase(kind, state)) for kind in body.reach)


def policy_features(body: ToyBody, state, belief: Belief) -> jax.Array:
    """Inputs (N, K): the family probabilities, then per kind what is expected of it, weighed by its probability.

    That is the expected velocity or jump, or how far the expected goal or pitch is, in units of what one action can
    change (5 m/s, 0.5 m, ...); distances saturate at two steps. Absolute x is no input, so the policy is the same
    everywhere. Expectations are taken within the kind, over its forward and backward family. Last, likewise weighed,
    the ``phase`` of each kind: what a robot does in channels that are not to be controlled disturbs nothing.
    """
    probability = belief.family_probability
    kinds = RowLayout.of(body.tasks).kinds
    pursued, phases = [], []
    for kind, reach in body.reach.items():
        member = jnp.asarray(kind == kinds, jnp.float32) * probability
        share = jnp.sum(member, axis=-1)
        expected = jnp.sum(member * belief.target, axis=-1) / (share + 1e-6)
        if kind in PLACES:
            expected = jnp.clip((expected - state[..., KIND_COLUMN[kind]]) / reach, -2.0, 2.0)
            pursued.append(share * expected)
        else:
            pursued.append(share * expected / reach)
        phases += [share * phase for phase in body.phase(kind, state)]
    return jnp.concatenate([probability, jnp.stack(pursued + phases, axis=-1)], axis=-1)


def policy_mirrors(policy: BeliefPolicy, body: ToyBody) -> BeliefPolicy:
    """How the mirror acts on the weights (see ``control.equivariance``); what is not learned stays as it is."""
    features, actions = feature_mirror(body), signed(body.action_mirror[: policy.shortcut.bias.shape[0]])
    return BeliefPolicy(mlp_mirrors(policy.network, features, actions), layer_mirrors(features, actions), ())


def feature_mirror(body: ToyBody) -> Mirror:
    """How the mirror acts on ``policy_features``: families change places, the rest of a kind does as its channel."""
    sign = {kind: float(CHANNEL_MIRROR[KIND_COLUMN[kind]]) for kind in body.reach}
    phases = [sign[kind] for kind in body.reach for _ in body.phase(kind, jnp.zeros(len(CHANNELS)))]
    return joined(renumbered(RowLayout.of(body.tasks).family_mirror), signed([*sign.values(), *phases]))


def policy_action(policy: BeliefPolicy, body: ToyBody, state, belief: Belief) -> jax.Array:
    """Deterministic action (N, A) in [-1, 1] in task-space states (N, C).

    Clipped rather than squashed: where full speed is best, nothing is gained by still larger outputs.
    """
    features = policy_features(body, state, belief)
    output = apply_mlp(policy.network, features, jax.nn.silu)
    action = jnp.clip(output + features @ policy.shortcut.weight + policy.shortcut.bias, -1.0, 1.0)
    if JUMP not in body.reach:
        return action
    jump = int(np.argmax(RowLayout.of(body.tasks).kinds == JUMP))
    thrust = best_thrust(policy.bounce, state[..., _Z], state[..., _VZ], belief.target[..., jump])
    thrust = jnp.where(belief.family_probability[..., jump] >= BOUNCES_FROM, thrust, 0.0)
    return jnp.concatenate([action, jax.lax.stop_gradient(thrust)[..., None]], axis=-1)
