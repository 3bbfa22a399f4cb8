"""Proximal policy optimisation of a recurrent policy: ``control.ppo`` on sequences instead of rows.

Rollouts are cut into sequences of fixed length. Gradients pass through a sequence and not beyond; each begins with the
hidden state that the networks of the rollout had there (stored states, as in R2D2, Kapturowski et al. 2019).
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from reinfer.control.networks import MLP, apply_mlp, init_mlp
from reinfer.control.normalisation import Moments, normalise, update_moments
from reinfer.control.ppo import (
    Hyperparameters,
    LearnerState,
    Samples,
    Schedule,
    advantages,
    descend,
    log_probability,
    objective,
)
from reinfer.inference.recurrent import GRU, gru_step, init_gru, project_inputs


class RecurrentActorCritic(NamedTuple):
    """``gru`` over inputs; ``policy`` and ``value`` read its hidden state and the newest input."""

    gru: GRU
    policy: MLP
    log_std: jax.Array
    value: MLP


class Percept(NamedTuple):
    """What an agent notices before it acts: ``observation`` (..., O) and what came of its last action: this
    ``action`` (..., A), its ``reward`` (...), and whether the body is ``back`` at rest (...), 1 or 0."""

    observation: jax.Array
    action: jax.Array
    reward: jax.Array
    back: jax.Array


class Trials(NamedTuple):
    """Whole trials of N simulations, T steps each: ``percepts`` (T + 1, N), with the one after the last step,
    ``actions`` (T, N, A) as drawn, ``rewards`` (T, N)."""

    percepts: Percept
    actions: jax.Array
    rewards: jax.Array


def init_recurrent(key, observation: int, actions: int, memory: int, hidden: int, std: float) -> RecurrentActorCritic:
    """Fresh networks: a hidden state of size ``memory``, then one layer of ``hidden`` units for each head."""
    gru_key, policy_key, value_key = jax.random.split(key, 3)
    inputs = observation + actions + 2
    return RecurrentActorCritic(
        init_gru(gru_key, inputs, memory),
        init_mlp(policy_key, (memory + inputs, hidden, actions), output_scale=0.01),
        jnp.full(actions, jnp.log(std), jnp.float32),
        init_mlp(value_key, (memory + inputs, hidden, 1)),
    )


def percept_rows(moments: Moments, percept: Percept):
    """Inputs (..., I) of the networks; observations are normalised."""
    rest = (percept.action, percept.reward[..., None], percept.back[..., None])
    return jnp.concatenate([normalise(moments, percept.observation), *rest], axis=-1)


def advance(networks: RecurrentActorCritic, hidden, rows):
    """Next hidden state (N, H) and what the heads read (N, H + I) of ``rows`` (N, I)."""
    hidden = gru_step(networks.gru, hidden, project_inputs(networks.gru, rows))
    return hidden, jnp.concatenate([hidden, rows], axis=-1)


def unroll(networks: RecurrentActorCritic, hidden, rows):
    """Hidden states before each step (T, N, H), mean actions (T, N, A), values (T, N), for ``rows`` (T, N, I)."""
    projected = project_inputs(networks.gru, rows)

    def step(before, given):
        return gru_step(networks.gru, before, given), before

    last, before = jax.lax.scan(step, hidden, projected)
    features = jnp.concatenate([jnp.concatenate([before[1:], last[None]]), rows], axis=-1)
    return before, apply_mlp(networks.policy, features), apply_mlp(networks.value, features)[..., 0]


class Sequences(NamedTuple):
    """S sequences of L steps: ``hidden`` (S, H) at their start, and ``samples`` (S, L)."""

    hidden: jax.Array
    samples: Samples

    @property
    def mean(self) -> jax.Array:
        """Mean actions (S, L, A) of the policy that acted."""
        return self.samples.mean


def loss(networks: RecurrentActorCritic, sequences: Sequences, entropy_weight, hyper: Hyperparameters):
    """As ``ppo.loss``, for a minibatch of sequences."""
    samples = jax.tree.map(lambda leaf: leaf.swapaxes(0, 1), sequences.samples)
    _, mean, value = unroll(networks, sequences.hidden, samples.inputs)
    total, (value_error, _) = objective(mean, networks.log_std, value, samples, entropy_weight, hyper)
    return total, (value_error, mean.swapaxes(0, 1))


def to_sequences(networks: RecurrentActorCritic, moments: Moments, trials: Trials, length: int, hyper) -> Sequences:
    """Evaluate ``trials`` and cut them into sequences of ``length``, which must divide T.

    A trial is one stretch of experience: value passes from an episode to the next one, which is why exploring in the
    first pays. It is cut, not ended, after the last.
    """
    rows = percept_rows(moments, trials.percepts)
    steps, count = trials.rewards.shape
    start = jnp.zeros((count, networks.gru.hidden_size))
    hidden, mean, value = unroll(networks, start, rows)
    cut = jnp.zeros_like(trials.rewards).at[-1].set(1.0)
    advantage = advantages(trials.rewards, value[:-1], value[1:], jnp.zeros_like(cut), cut, hyper.discount, hyper.trace)
    log_prob = log_probability(trials.actions, mean[:-1], networks.log_std)
    samples = Samples(rows[:-1], trials.actions, mean[:-1], log_prob, advantage, advantage + value[:-1])

    def pieces(leaf):
        split = leaf.reshape(steps // length, length, count, *leaf.shape[2:]).swapaxes(1, 2)
        return split.reshape(-1, length, *leaf.shape[2:])

    return Sequences(pieces(hidden[:-1])[:, 0], jax.tree.map(pieces, samples))


@partial(jax.jit, static_argnames=("hyper", "length"))
def update(key, state: LearnerState, trials: Trials, schedule: Schedule, hyper: Hyperparameters, length: int):
    """One iteration of learning from ``trials``: (new state, dictionary of scalar metrics); moments move last."""
    sequences = to_sequences(state.networks, state.moments, trials, length, hyper)
    state, metrics = descend(key, state, sequences, loss, schedule, hyper)
    observation = trials.percepts.observation
    moments = update_moments(state.moments, observation.reshape(-1, observation.shape[-1]))
    return state._replace(moments=moments), metrics
