"""Proximal policy optimisation (Schulman et al. 2017) with a learning rate steered by the KL divergence.

Pure functions of explicit state and keys. The value estimate may see more than the policy: inputs are rows
whose first columns are the policy's and whose rest is for the critic alone.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from reinfer.control.equivariance import mlp_mirrors, reflect, tie
from reinfer.control.networks import MLP, apply_mlp, init_mlp
from reinfer.control.normalisation import Moments, init_moments, normalise, update_moments
from reinfer.tasks.mirror import Mirror, fixed


class ActorCritic(NamedTuple):
    """``policy``: normalised inputs -> mean actions; ``log_std``: (actions,); ``value``: the same -> 1."""

    policy: MLP
    log_std: jax.Array
    value: MLP


class Symmetry(NamedTuple):
    """How the mirror x -> -x acts on rows of inputs (D,) and on actions (A,)."""

    inputs: Mirror
    actions: Mirror


class Rollout(NamedTuple):
    """T control steps of N simulations.

    ``inputs``, ``next_inputs`` (T, N, D) before and after each step, the latter before any reset or new
    command; ``actions`` (T, N, A) as drawn from the policy; ``rewards`` (T, N). ``terminal`` (T, N): no
    value follows. ``cut`` (T, N): the next row of ``inputs`` does not follow from this one (time limit, new
    command), though value does; it is that of ``next_inputs``. A step with neither flag has
    ``next_inputs[t] == inputs[t + 1]``.
    """

    inputs: jax.Array
    next_inputs: jax.Array
    actions: jax.Array
    rewards: jax.Array
    terminal: jax.Array
    cut: jax.Array


class Samples(NamedTuple):
    """Flattened rows of a rollout as the loss needs them; old policy as ``mean`` and ``log_prob``."""

    inputs: jax.Array
    actions: jax.Array
    mean: jax.Array
    log_prob: jax.Array
    advantage: jax.Array
    value_target: jax.Array


class LearnerState(NamedTuple):
    """All that changes while learning."""

    networks: ActorCritic
    adam: optax.OptState
    learning_rate: jax.Array
    moments: Moments


class Hyperparameters(NamedTuple):
    """Constants of one update; ``policy_inputs``: how many leading input columns the policy sees."""

    policy_inputs: int
    epochs: int
    minibatches: int
    discount: float
    trace: float
    clip: float = 0.2
    value_weight: float = 0.5
    max_gradient_norm: float = 1.0
    lowest_learning_rate: float = 1e-5


class Schedule(NamedTuple):
    """Scalars that may change between updates: KL aimed at, entropy bonus, largest learning rate and std."""

    target_kl: jax.Array
    entropy_weight: jax.Array
    highest_learning_rate: jax.Array
    highest_std: jax.Array


def init_actor_critic(key, policy_inputs: int, inputs: int, actions: int, hidden, std: float) -> ActorCritic:
    """Fresh networks with ``hidden`` widths; the policy starts near zero with standard deviation ``std``."""
    policy_key, value_key = jax.random.split(key)
    policy = init_mlp(policy_key, (policy_inputs, *hidden, actions), output_scale=0.01)
    value = init_mlp(value_key, (inputs, *hidden, 1))
    return ActorCritic(policy, jnp.full(actions, jnp.log(std), jnp.float32), value)


def network_mirrors(networks: ActorCritic, symmetry: Symmetry) -> ActorCritic:
    """How the mirror acts on weights (see ``control.equivariance``): means turn with it, values do not."""
    width = networks.policy[0].weight.shape[0]
    seen = symmetry.inputs.first(width)
    places = Mirror(symmetry.actions.index, jnp.ones_like(symmetry.actions.sign))
    value = mlp_mirrors(networks.value, symmetry.inputs, fixed(1))
    return ActorCritic(mlp_mirrors(networks.policy, seen, symmetry.actions), (places,), value)


def log_probability(actions, mean, log_std):
    """Log density of ``actions`` (..., A) under N(mean, exp(log_std)^2), up to the constant; shape (...,)."""
    return (-0.5 * jnp.square((actions - mean) * jnp.exp(-log_std)) - log_std).sum(-1)


def gaussian_kl(old_mean, old_log_std, mean, log_std):
    """KL(old || new) of diagonal Gaussians, summed over the last axis; shape (...,)."""
    variance_ratio = jnp.exp(2.0 * (old_log_std - log_std))
    shift = jnp.square((old_mean - mean) * jnp.exp(-log_std))
    return (log_std - old_log_std + 0.5 * (variance_ratio + shift - 1.0)).sum(-1)


def advantages(rewards, values, next_values, terminal, cut, discount: float, trace: float):
    """Generalised advantage estimates (Schulman et al. 2016), shape (T, N).

    A terminal step bootstraps from nothing, a cut one from ``next_values``; traces pass neither.
    """
    surprise = rewards + discount * next_values * (1.0 - terminal) - values
    carry = discount * trace * (1.0 - jnp.maximum(terminal, cut))

    def backwards(later, row):
        estimate = row[0] + row[1] * later
        return estimate, estimate

    return jax.lax.scan(backwards, jnp.zeros_like(rewards[0]), (surprise, carry), reverse=True)[1]


def loss(networks: ActorCritic, samples: Samples, entropy_weight, hyper: Hyperparameters):
    """Clipped surrogate + value error - entropy bonus, a scalar; and (value error, new mean actions)."""
    mean = apply_mlp(networks.policy, samples.inputs[:, : hyper.policy_inputs])
    value = apply_mlp(networks.value, samples.inputs)[:, 0]
    return objective(mean, networks.log_std, value, samples, entropy_weight, hyper)


def objective(mean, log_std, value, samples: Samples, entropy_weight, hyper: Hyperparameters):
    """``loss`` of the mean actions (..., A), log standard deviations (A,) and values (...,) that networks give."""
    ratio = jnp.exp(log_probability(samples.actions, mean, log_std) - samples.log_prob)
    advantage = (samples.advantage - samples.advantage.mean()) / (samples.advantage.std() + 1e-6)
    clipped = jnp.clip(ratio, 1.0 - hyper.clip, 1.0 + hyper.clip)
    surrogate = -jnp.minimum(ratio * advantage, clipped * advantage).mean()
    value_error = jnp.square(value - samples.value_target).mean()
    total = surrogate + hyper.value_weight * value_error - entropy_weight * log_std.sum()
    return total, (value_error, mean)


def to_samples(networks: ActorCritic, moments: Moments, rollout: Rollout, hyper: Hyperparameters) -> Samples:
    """Normalise, evaluate and flatten ``rollout``: shapes (T * N, ...)."""
    inputs, following = normalise(moments, rollout.inputs), normalise(moments, rollout.next_inputs)
    values = apply_mlp(networks.value, inputs)[..., 0]
    next_values = apply_mlp(networks.value, following)[..., 0]
    advantage = advantages(
        rollout.rewards, values, next_values, rollout.terminal, rollout.cut, hyper.discount, hyper.trace
    )
    mean = apply_mlp(networks.policy, inputs[..., : hyper.policy_inputs])
    log_prob = log_probability(rollout.actions, mean, networks.log_std)
    rows = Samples(inputs, rollout.actions, mean, log_prob, advantage, advantage + values)
    return jax.tree.map(lambda array: array.reshape(-1, *array.shape[2:]), rows)


@partial(jax.jit, static_argnames="hyper")
def update(
    key,
    state: LearnerState,
    rollout: Rollout,
    schedule: Schedule,
    hyper: Hyperparameters,
    symmetry: Symmetry | None = None,
):
    """One iteration of learning from ``rollout``: (new state, dictionary of scalar metrics).

    Moments take in the rollout last, so that the policy that acted and the one that learns saw the same inputs. With a
    ``symmetry`` they take in its image too, and networks that are tied to it stay so.
    """
    samples = to_samples(state.networks, state.moments, rollout, hyper)
    mirrors = None if symmetry is None else network_mirrors(state.networks, symmetry)
    state, metrics = descend(key, state, samples, loss, schedule, hyper, mirrors)
    rows = rollout.inputs.reshape(-1, rollout.inputs.shape[-1])
    if symmetry is not None:
        rows = jnp.concatenate([rows, reflect(rows, symmetry.inputs)])
    return state._replace(moments=update_moments(state.moments, rows)), metrics


def descend(key, state: LearnerState, samples, loss, schedule: Schedule, hyper: Hyperparameters, mirrors=None):
    """Epochs of minibatches of ``samples`` (a pytree with a leading axis): (new state, dictionary of scalar metrics).

    ``loss`` as above, of any networks that have a ``log_std``; ``mirrors``: what their gradient is tied to. After every
    minibatch the learning rate is divided by 1.5 where KL(old || new) exceeds twice the aim and multiplied by 1.5 where
    it is below half of it.
    """
    old_log_std = state.networks.log_std
    adam = optax.scale_by_adam()
    clip_norm = optax.clip_by_global_norm(hyper.max_gradient_norm)

    def minibatch(carry, rows):
        networks, adam_state, rate = carry
        batch = jax.tree.map(lambda array: array[rows], samples)
        (total, (value_error, mean)), gradient = jax.value_and_grad(loss, has_aux=True)(
            networks, batch, schedule.entropy_weight, hyper
        )
        kl = gaussian_kl(batch.mean, old_log_std, mean, networks.log_std).mean()
        rate = jnp.where(kl > 2.0 * schedule.target_kl, rate / 1.5, rate)
        rate = jnp.where(kl < 0.5 * schedule.target_kl, rate * 1.5, rate)
        rate = jnp.clip(rate, hyper.lowest_learning_rate, schedule.highest_learning_rate)
        if mirrors is not None:
            gradient = tie(gradient, mirrors)
        gradient, _ = clip_norm.update(gradient, clip_norm.init(networks))
        direction, adam_state = adam.update(gradient, adam_state)
        networks = jax.tree.map(lambda p, d: p - rate * d, networks, direction)
        log_std = jnp.minimum(networks.log_std, jnp.log(schedule.highest_std))
        return (networks._replace(log_std=log_std), adam_state, rate), (total, value_error, kl)

    def epoch(carry, epoch_key):
        count = len(jax.tree.leaves(samples)[0])
        rows = jax.random.permutation(epoch_key, count).reshape(hyper.minibatches, -1)
        return jax.lax.scan(minibatch, carry, rows)

    carry = (state.networks, state.adam, state.learning_rate)
    (networks, adam_state, rate), (total, value_error, kl) = jax.lax.scan(
        epoch, carry, jax.random.split(key, hyper.epochs)
    )
    metrics = {
        "loss": total.mean(),
        "value_error": value_error.mean(),
        "kl": kl[-1].mean(),
        "learning_rate": rate,
        "action_std": jnp.exp(networks.log_std).mean(),
    }
    return state._replace(networks=networks, adam=adam_state, learning_rate=rate), metrics


def init_learner(networks: ActorCritic, inputs: int, learning_rate: float) -> LearnerState:
    """The state before the first update, for rows of ``inputs`` columns."""
    adam_state = optax.scale_by_adam().init(networks)
    return LearnerState(networks, adam_state, jnp.float32(learning_rate), init_moments(inputs))


@jax.jit
def mean_action(networks: ActorCritic, moments: Moments, inputs):
    """Unclipped mean actions (N, A) for rows of ``inputs`` (N, D); critic-only columns are ignored."""
    width = networks.policy[0].weight.shape[0]
    return apply_mlp(networks.policy, normalise(moments, inputs)[..., :width])
