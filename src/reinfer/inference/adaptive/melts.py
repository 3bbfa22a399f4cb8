"""MELTS on a robot (Bing et al. 2024): a recurrent encoder over a sliding window of transitions."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from reinfer.control.networks import MLP
from reinfer.control.normalisation import Moments, init_moments
from reinfer.control.sac import mean_action
from reinfer.inference.adaptive.algorithm import Algorithm, normalised_rows, policy_inputs, row_size, sac_policy
from reinfer.inference.context import WINDOW
from reinfer.inference.melts_networks import MeltsNetworks, MeltsSizes, encode, init_melts
from reinfer.tasks import FAMILIES


class MeltsRobotAgent(NamedTuple):
    """Parameters of MELTS on a robot: what it infers and decodes with, ``policy`` on observation and latent task."""

    inference: MeltsNetworks
    policy: MLP
    moments: Moments


def melts_sizes(sizes: dict) -> MeltsSizes:
    """Of its networks."""
    observation, actions = sizes["observation"], sizes["actions"]
    row = row_size(observation, actions)
    return MeltsSizes(row, observation, actions, len(FAMILIES), sizes["encoder_hidden"], sizes["decoder_hidden"])


def _melts_template(sizes: dict) -> MeltsRobotAgent:
    inference = init_melts(jax.random.key(0), sizes["latent"], melts_sizes(sizes))
    return MeltsRobotAgent(inference, sac_policy(sizes, sizes["latent"]), init_moments(sizes["observation"]))


def _melts_begin(params: MeltsRobotAgent, count: int):
    return jnp.zeros((count, WINDOW, params.inference.encoder.gru.input.shape[0]))


def melts_begin_episode(params: MeltsRobotAgent, memory, key=None):
    """As ``Algorithm.begin_episode``: the window (N, W, R) begins anew."""
    return jnp.zeros_like(memory)


@jax.jit
def melts_posterior(params: MeltsRobotAgent, memory):
    """The posterior over the latent task after the rows of a window (N, W, R)."""
    return encode(params.inference.encoder, memory)


@jax.jit
def _melts_act(params: MeltsRobotAgent, memory, observation):
    latent = melts_posterior(params, memory).mean
    return memory, mean_action(params.policy, policy_inputs(params.moments, observation, latent))


@jax.jit
def melts_observe(params: MeltsRobotAgent, memory, *step):
    """As ``Algorithm.observe``: the oldest row gives way to the newest."""
    return jnp.concatenate([memory[:, 1:], normalised_rows(params.moments, *step)[:, None]], axis=1)


def _melts_uncertainty(params: MeltsRobotAgent, memory):
    """Standard deviation of the latent task, averaged over its variables, after the last window."""
    return jnp.exp(0.5 * melts_posterior(params, memory).log_variance).mean(-1)


MELTS = Algorithm(_melts_template, _melts_begin, melts_begin_episode, _melts_act, melts_observe, _melts_uncertainty)
