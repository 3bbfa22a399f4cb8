"""What agents that adapt to a task on the robot have in common.

They act on the robot's own observation and adapt within a *trial*: some episodes of one task. All functions are pure,
for N trials at once.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from reinfer.control.networks import MLP, init_mlp, normal
from reinfer.control.normalisation import Moments, normalise


class Algorithm(NamedTuple):
    """How one kind of agent remembers and acts; P are its parameters, M what it remembers of N trials.

    ``template(sizes)`` -> P of the right shapes. ``begin(P, N)`` -> M before anything was seen.
    ``begin_episode(P, M, key)`` -> M. ``act(P, M, observation)`` -> (M, actions (N, A)), without noise.
    ``observe(P, M, observation, action, reward, next_observation)`` -> M after one step.
    ``uncertainty(P, M)`` -> (N,), how wide the belief about the task is; None where there is no belief.
    ``told``: whether it is told its task, by ``tell``; then it is no contestant but an oracle.
    ``bounded``: whether what it remembers means something only within trials as long as those it was trained for.
    """

    template: Callable[[dict], Any]
    begin: Callable
    begin_episode: Callable
    act: Callable
    observe: Callable
    uncertainty: Callable | None
    told: bool = False
    bounded: bool = False


def policy_inputs(moments: Moments, observation, latent):
    """Inputs (..., O + D) of policy and critics."""
    return jnp.concatenate([normalise(moments, observation), latent], axis=-1)


def row_size(observation: int, actions: int) -> int:
    """Width of a transition as the encoder reads it."""
    return 2 * observation + actions + 1


def transition_rows(observation, action, reward, next_observation):
    """Rows (..., R) of transitions whose observations are normalised; ``reward`` (...,)."""
    return jnp.concatenate([observation, action, reward[..., None], next_observation], axis=-1)


def normalised_rows(moments: Moments, observation, action, reward, next_observation):
    """Rows (..., R) of raw transitions, as encoders read them."""
    return transition_rows(normalise(moments, observation), action, reward, normalise(moments, next_observation))


def sac_policy(sizes: dict, extra: int) -> MLP:
    """A policy of the shapes that ``sizes`` tell, with so many inputs beside the observation."""
    widths = (sizes["observation"] + extra, *sizes["hidden"], 2 * sizes["actions"])
    return init_mlp(jax.random.key(0), widths, weights=normal)
