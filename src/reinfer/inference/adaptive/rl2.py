"""RL2 (Duan et al. 2016): a recurrent policy, whose hidden state is all there is of a belief."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from reinfer.control.networks import apply_mlp
from reinfer.control.normalisation import Moments, init_moments
from reinfer.control.recurrent_ppo import Percept, RecurrentActorCritic, advance, init_recurrent, percept_rows
from reinfer.inference.adaptive.algorithm import Algorithm


class Rl2Agent(NamedTuple):
    """Parameters of RL2: a recurrent policy."""

    networks: RecurrentActorCritic
    moments: Moments


class Rl2Memory(NamedTuple):
    """The hidden state (N, H), which outlasts episodes, and what came of the last action."""

    hidden: jax.Array
    action: jax.Array
    reward: jax.Array
    back: jax.Array


def _rl2_template(sizes: dict) -> Rl2Agent:
    observation = sizes["observation"]
    widths = observation, sizes["actions"], sizes["memory"], sizes["hidden"]
    return Rl2Agent(init_recurrent(jax.random.key(0), *widths, std=1.0), init_moments(observation))


def rl2_begin(params: Rl2Agent, count: int) -> Rl2Memory:
    """As ``Algorithm.begin``."""
    actions = params.networks.log_std.shape[0]
    hidden = jnp.zeros((count, params.networks.gru.hidden_size))
    return Rl2Memory(hidden, jnp.zeros((count, actions)), jnp.zeros(count), jnp.ones(count))


def rl2_begin_episode(params: Rl2Agent, memory: Rl2Memory, key=None) -> Rl2Memory:
    """As ``Algorithm.begin_episode``: the policy notices, and forgets nothing."""
    return memory._replace(back=jnp.ones_like(memory.back))


def perceive(memory: Rl2Memory, observation) -> Percept:
    """What is noticed at ``observation`` (N, O)."""
    return Percept(jnp.asarray(observation), memory.action, memory.reward, memory.back)


@jax.jit
def rl2_mean(params: Rl2Agent, memory: Rl2Memory, observation):
    """As ``Algorithm.act``, with the mean of the actions before they are clipped."""
    rows = percept_rows(params.moments, perceive(memory, observation))
    hidden, features = advance(params.networks, memory.hidden, rows)
    return memory._replace(hidden=hidden), apply_mlp(params.networks.policy, features)


def _rl2_act(params: Rl2Agent, memory: Rl2Memory, observation):
    memory, mean = rl2_mean(params, memory, observation)
    return memory, jnp.clip(mean, -1.0, 1.0)


def rl2_observe(params: Rl2Agent, memory: Rl2Memory, observation, action, reward, next_observation) -> Rl2Memory:
    """As ``Algorithm.observe``."""
    return memory._replace(
        action=jnp.asarray(action, jnp.float32), reward=jnp.asarray(reward), back=jnp.zeros_like(memory.back)
    )


RL2 = Algorithm(_rl2_template, rl2_begin, rl2_begin_episode, _rl2_act, rl2_observe, None, bounded=True)
