"""Learning stride values from rewards: Q-learning on every prefix of every executed stride.

After TempoRL (Biedenkapp et al. 2021): a stride of k control steps holds k shorter ones, and each of them is
learned from. What would have been decided had the stride ended after l steps is known (the hierarchy can look
at any control step), so the l-step transition is exact. Targets are double (van Hasselt et al. 2016), the
discount is per control step. Pure functions of explicit state and keys.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from reinfer.control.networks import MLP
from reinfer.control.normalisation import Moments, init_moments, update_moments
from reinfer.transfer.strides import MAX_STRIDE, MEMBERS, init_stride_network, stride_values


class StrideLearner(NamedTuple):
    """All that changes while learning: ensembles as in ``strides``, and their optimiser."""

    network: MLP
    target: MLP
    adam: optax.OptState
    moments: Moments


class Episodes(NamedTuple):
    """The last E episodes of N simulations and T control steps; the stride under way at step t is described
    at t.

    ``features`` (E, T+1, N, F): what the stride policy was, or would have been, shown before step t;
    ``start`` (E, T, N): step at which the stride under way began; ``gain`` (E, T, N): discounted rewards
    from there to the end of step t; ``terminal`` (E, T, N): 0, or 1 where step t ended in a fall;
    ``valid`` (E, T, N): 0 after a fall. Only the first ``count`` episodes are filled.
    """

    features: np.ndarray
    start: np.ndarray
    gain: np.ndarray
    terminal: np.ndarray
    valid: np.ndarray
    count: np.ndarray


class Hyperparameters(NamedTuple):
    """Constants of learning; ``discount`` is per control step, ``target_rate`` per gradient step."""

    discount: float
    learning_rate: float
    batch: int
    updates: int
    target_rate: float


def init_learner(key, features: int, hidden: int, hyper: Hyperparameters) -> StrideLearner:
    """Two hidden layers of width ``hidden``; all strides start with nearly equal values."""
    network = init_stride_network(key, features, hidden)
    return StrideLearner(network, network, _adam(hyper).init(network), init_moments(features))


def empty_episodes(episodes: int, steps: int, simulations: int, features: int) -> Episodes:
    """Room for ``episodes`` episodes."""
    shape = (episodes, steps, simulations)
    return Episodes(
        np.zeros((episodes, steps + 1, simulations, features), np.float32),
        np.zeros(shape, np.int32),
        *(np.zeros(shape, np.float32) for _ in range(3)),
        np.zeros((), np.int32),
    )


@partial(jax.jit, static_argnames="hyper")
def learn(key, learner: StrideLearner, episodes: Episodes, hyper: Hyperparameters):
    """``hyper.updates`` gradient steps on transitions drawn uniformly, for each member: (learner, metrics)."""

    def step(carry, step_key):
        networks, targets, adam = carry
        losses, gradients = jax.vmap(_member_gradient, in_axes=(0, 0, 0, None, None, None))(
            jax.random.split(step_key, MEMBERS), networks, targets, learner.moments, episodes, hyper
        )
        change, adam = _adam(hyper).update(gradients, adam)
        networks = optax.apply_updates(networks, change)
        targets = optax.incremental_update(networks, targets, hyper.target_rate)
        return (networks, targets, adam), losses

    carry = (learner.network, learner.target, learner.adam)
    carry, (losses, values) = jax.lax.scan(step, carry, jax.random.split(key, hyper.updates))
    return learner._replace(network=carry[0], target=carry[1], adam=carry[2]), {
        "loss": losses.mean(),
        "value": values.mean(),
    }


def _member_gradient(key, network: MLP, target: MLP, moments: Moments, episodes: Episodes, hyper):
    """Loss, mean value and gradient of one member on a batch of its own."""
    _, steps, simulations = episodes.start.shape
    keys = jax.random.split(key, 3)
    episode = jax.random.randint(keys[0], (hyper.batch,), 0, episodes.count)
    time = jax.random.randint(keys[1], (hyper.batch,), 0, steps)
    which = jax.random.randint(keys[2], (hyper.batch,), 0, simulations)
    batch = _transitions(episodes, episode, time, which)
    return jax.value_and_grad(_loss, has_aux=True)(network, target, moments, batch, hyper)


def seen(episodes: Episodes, episode: int) -> np.ndarray:
    """``features`` of one of ``episodes``, (T+1, N, F), or (R, F) of the bodies that still stood if some have fallen:
    what follows a fall is never learned from."""
    features, valid = episodes.features[episode], episodes.valid[episode]
    stands = np.concatenate([valid, valid[-1:] * (1.0 - episodes.terminal[episode, -1:])]) > 0.0
    # In which order numbers are summed depends on the shape: without falls it stays, and so do results, to the bit.
    return features if stands.all() else features[stands]


@jax.jit
def observe(learner: StrideLearner, features) -> StrideLearner:
    """Count ``features`` (..., F) into the normalisation of inputs."""
    return learner._replace(moments=update_moments(learner.moments, features.reshape(-1, features.shape[-1])))


class _Transitions(NamedTuple):
    """B rows: a stride of ``length`` from ``features`` earned ``gain`` and led to ``next_features``."""

    features: jax.Array
    length: jax.Array
    gain: jax.Array
    next_features: jax.Array
    terminal: jax.Array
    valid: jax.Array


def _transitions(episodes: Episodes, episode, time, which) -> _Transitions:
    start = episodes.start[episode, time, which]
    # After a fall no stride begins. Such rows are not valid, but what is computed of them must be finite.
    length = jnp.minimum(time + 1 - start, MAX_STRIDE)
    return _Transitions(
        episodes.features[episode, start, which],
        length,
        episodes.gain[episode, time, which],
        episodes.features[episode, time + 1, which],
        episodes.terminal[episode, time, which],
        episodes.valid[episode, time, which],
    )


def _loss(network: MLP, target: MLP, moments: Moments, batch: _Transitions, hyper: Hyperparameters):
    """Huber loss of the value of ``length`` against gain plus discounted double-Q value of what follows.

    A fall ends the decisions, not the rewards: the caller's ``gain`` holds all that follows it.
    """
    value = jnp.take_along_axis(stride_values(moments, network, batch.features), batch.length[:, None] - 1, axis=-1)[
        :, 0
    ]
    best = jnp.argmax(stride_values(moments, network, batch.next_features), axis=-1)
    following = stride_values(moments, target, batch.next_features)
    following = jnp.take_along_axis(following, best[:, None], axis=-1)[:, 0]
    weight = hyper.discount**batch.length * (1.0 - batch.terminal)
    wanted = jax.lax.stop_gradient(batch.gain + weight * following)
    losses = optax.huber_loss(value, wanted)
    return (batch.valid * losses).sum() / jnp.maximum(batch.valid.sum(), 1.0), value.mean()


def _adam(hyper: Hyperparameters) -> optax.GradientTransformation:
    return optax.chain(optax.clip_by_global_norm(1.0), optax.adam(hyper.learning_rate))
