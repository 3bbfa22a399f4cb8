"""The toy's policy: from state and belief to a toy action in [-1, 1]."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from reinfer.bodies.toy1d import MAX_SPEED_MPS, TIME_STEP_S
from reinfer.control.networks import MLP, Layer, apply_mlp, init_mlp, normal
from reinfer.inference.belief import Belief
from reinfer.tasks import CHANNELS, GOAL, VELOCITY
from reinfer.tasks.families import FAMILY_KIND

FEATURES = 6
_X = CHANNELS.index("x")
_KIND = FAMILY_KIND[:4]


class BeliefPolicy(NamedTuple):
    """A perceptron and a linear shortcut beside it: near a settled belief the best action is linear in the features."""

    network: MLP
    shortcut: Layer


def init_policy(key, hidden: int) -> BeliefPolicy:
    """A perceptron 6-H-H-1 and a shortcut 6-1 whose first actions are small."""
    network_key, shortcut_key = jax.random.split(key)
    return BeliefPolicy(
        init_mlp(network_key, (FEATURES, hidden, hidden, 1), output_scale=0.1, weights=normal),
        init_mlp(shortcut_key, (FEATURES, 1), output_scale=0.1, weights=normal)[0],
    )


def policy_features(state, belief: Belief) -> jax.Array:
    """Inputs (N, 6): the four family probabilities, the expected velocity, and how far the expected goal is.

    Velocity and distance are in units of one toy step (5 m/s, 0.5 m) and weighed by the probability of their kind;
    distances saturate at two steps. Absolute x is no input, so the policy is the same everywhere. Expectations are
    taken within the kind, over its forward and backward family.
    """
    probability = belief.family_probability

    def expected(kind):
        member = jnp.asarray(kind == _KIND, jnp.float32) * probability
        share = jnp.sum(member, axis=-1)
        return share, jnp.sum(member * belief.target, axis=-1) / (share + 1e-6)

    velocity_share, velocity = expected(VELOCITY)
    goal_share, goal = expected(GOAL)
    distance = jnp.clip((goal - state[..., _X]) / (MAX_SPEED_MPS * TIME_STEP_S), -2.0, 2.0)
    pursued = (velocity_share * velocity / MAX_SPEED_MPS, goal_share * distance)
    return jnp.concatenate([probability, jnp.stack(pursued, axis=-1)], axis=-1)


def policy_action(policy: BeliefPolicy, state, belief: Belief) -> jax.Array:
    """Deterministic action (N, 1) in [-1, 1] in task-space states (N, 6).

    Clipped rather than squashed: where full speed is best, nothing is gained by still larger outputs.
    """
    features = policy_features(state, belief)
    output = apply_mlp(policy.network, features, jax.nn.silu)
    return jnp.clip(output + features @ policy.shortcut.weight + policy.shortcut.bias, -1.0, 1.0)
