"""Soft actor-critic (Haarnoja et al., Soft actor-critic algorithms and applications, arXiv 1812.05905).

Pure losses and one pure update of explicit state, key and batch. A time limit is not a termination: only a
transition marked terminal has no value after it.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from reinfer.control.networks import MLP, apply_mlp, init_mlp, normal

#: Bounds of the log standard deviation before the action is squashed.
LOWEST_LOG_STD, HIGHEST_LOG_STD = -20.0, 2.0

#: Added to the variance in a normalised layer.
_EPSILON = 1e-5


class Batch(NamedTuple):
    """B transitions: ``inputs`` and ``next_inputs`` (B, I) of policy and critics; ``actions`` (B, A) in
    [-1, 1]; ``rewards`` (B,); ``terminal`` (B,), 1 where no value follows (never for a time limit); ``discounts``
    (B,) of the value that follows, for actions of different lengths, or None for the common one."""

    inputs: jax.Array
    actions: jax.Array
    rewards: jax.Array
    next_inputs: jax.Array
    terminal: jax.Array
    discounts: jax.Array | None = None


class Hyperparameters(NamedTuple):
    """Constants of an update; the defaults are the published ones.

    ``target_rate``: share of the critics that their targets take on per update. ``policy_rate``: learning rate of the
    policy relative to the others'; 0 trains critics of the policy as it is. ``target_entropy``: entropy
    in nats, summed over actions, to which the temperature is tuned (-A is usual); None keeps it constant.
    ``normalised_critics``: layer normalisation (Ba et al. 2016, without gain and bias) before every
    activation of critics and targets. On the toy, told its task, it halved the updates to a given return;
    scaling values by running statistics of the targets changed nothing there.
    """

    discount: float = 0.99
    target_rate: float = 0.005
    learning_rate: float = 3e-4
    target_entropy: float | None = None
    normalised_critics: bool = False
    policy_rate: float = 1.0


class SacState(NamedTuple):
    """All that changes while learning.

    ``policy`` maps I inputs to A means and A log standard deviations; ``critics`` and ``targets`` (the slowly
    following copies) are two perceptrons each, stacked on a leading axis of 2.
    """

    policy: MLP
    critics: MLP
    targets: MLP
    log_temperature: jax.Array
    policy_adam: optax.OptState
    critic_adam: optax.OptState
    temperature_adam: optax.OptState


def init_sac(
    key,
    inputs: int,
    actions: int,
    hidden,
    temperature: float,
    std: float = 1.0,
    critic_scale: float = 1.0,
    weights: Callable = normal,
):
    """Fresh networks with ``hidden`` widths; target critics are copies of the critics.

    First actions have means near 0 and, before squashing, standard deviations near ``std``; ``critic_scale`` is that of
    the critics' last weights, where values and their differences are small. ``weights`` as in ``init_mlp``: steps of
    Adam have a size of their own, so ``narrow`` weights change faster. With few updates on a robot they are most of
    what sets apart two libraries' SAC (``benchmarks/speed.py updates``).
    """
    policy_key, critic_key = jax.random.split(key)
    policy = init_mlp(policy_key, (inputs, *hidden, 2 * actions), output_scale=0.01, weights=weights)
    spread = jnp.concatenate([jnp.zeros(actions), jnp.full(actions, jnp.log(std))])
    policy = (*policy[:-1], policy[-1]._replace(bias=spread))
    sizes = (inputs + actions, *hidden, 1)
    critics = jax.vmap(lambda k: init_mlp(k, sizes, critic_scale, weights))(jax.random.split(critic_key))
    log_temperature = jnp.log(jnp.float32(temperature))
    adam = optax.scale_by_adam()
    return SacState(
        policy=policy,
        critics=critics,
        targets=jax.tree.map(jnp.copy, critics),
        log_temperature=log_temperature,
        policy_adam=adam.init(policy),
        critic_adam=adam.init(critics),
        temperature_adam=adam.init(log_temperature),
    )


def action_distribution(policy: MLP, inputs):
    """Mean and log standard deviation (..., A) of the action before squashing, for ``inputs`` (..., I)."""
    mean, log_std = jnp.split(apply_mlp(policy, inputs, jax.nn.relu), 2, axis=-1)
    return mean, jnp.clip(log_std, LOWEST_LOG_STD, HIGHEST_LOG_STD)


def mean_action(policy: MLP, inputs):
    """The deterministic action tanh(mean), (..., A) in [-1, 1]."""
    return jnp.tanh(action_distribution(policy, inputs)[0])


def sample_action(key, policy: MLP, inputs):
    """Actions (..., A) drawn from the squashed Gaussian and their log densities (...,) (appendix C)."""
    mean, log_std = action_distribution(policy, inputs)
    noise = jax.random.normal(key, mean.shape)
    raw = mean + jnp.exp(log_std) * noise
    log_normal = -0.5 * jnp.square(noise) - log_std - 0.5 * jnp.log(2.0 * jnp.pi)
    # ln(1 - tanh(u)^2), exact also where tanh rounds to 1.
    log_slope = 2.0 * (jnp.log(2.0) - raw - jax.nn.softplus(-2.0 * raw))
    return jnp.tanh(raw), (log_normal - log_slope).sum(-1)


def values(critics: MLP, inputs, actions, normalised: bool):
    """Both critics' values (2, ...) of ``actions`` (..., A) at ``inputs`` (..., I)."""
    rows = jnp.concatenate([inputs, actions], axis=-1)
    activation = _normalised_relu if normalised else jax.nn.relu
    return jax.vmap(lambda critic: apply_mlp(critic, rows, activation)[..., 0])(critics)


def _normalised_relu(features):
    centred = features - features.mean(-1, keepdims=True)
    return jax.nn.relu(centred * jax.lax.rsqrt(jnp.square(centred).mean(-1, keepdims=True) + _EPSILON))


def soft_targets(key, state: SacState, batch: Batch, hyper: Hyperparameters):
    """Targets r + gamma (1 - terminal) (min Q'(s', a') - alpha ln pi(a'|s')), shape (B,) (Eq 2, 3 and 5)."""
    actions, log_density = sample_action(key, state.policy, batch.next_inputs)
    value = values(state.targets, batch.next_inputs, actions, hyper.normalised_critics).min(0)
    soft_value = value - jnp.exp(state.log_temperature) * log_density
    discount = hyper.discount if batch.discounts is None else batch.discounts
    return batch.rewards + discount * (1.0 - batch.terminal) * soft_value


def critic_loss(critics: MLP, batch: Batch, targets, hyper: Hyperparameters):
    """Mean squared error against ``targets`` (B,), summed over both critics; a scalar (Eq 5)."""
    predicted = values(critics, batch.inputs, batch.actions, hyper.normalised_critics)
    return jnp.square(predicted - targets).mean(-1).sum()


def policy_loss(policy: MLP, key, critics: MLP, temperature, inputs, hyper: Hyperparameters):
    """Mean of alpha ln pi(a|s) - min Q(s, a) over drawn a, a scalar; and the log densities (B,) (Eq 9)."""
    actions, log_density = sample_action(key, policy, inputs)
    value = values(critics, inputs, actions, hyper.normalised_critics).min(0)
    return (temperature * log_density - value).mean(), log_density


def temperature_loss(log_temperature, log_density, target_entropy: float):
    """-alpha (ln pi + target entropy), averaged over ``log_density`` (B,); a scalar (Eq 18)."""
    return -(jnp.exp(log_temperature) * (log_density + target_entropy)).mean()


@partial(jax.jit, static_argnames="hyper")
def update(key, state: SacState, batch: Batch, hyper: Hyperparameters):
    """One gradient step of everything: (new state, dictionary of scalar metrics).

    Every loss sees the networks as they were before the step; the target critics then move by
    ``hyper.target_rate`` towards the new critics.
    """
    target_key, policy_key = jax.random.split(key)
    targets = soft_targets(target_key, state, batch, hyper)
    error, critic_gradient = jax.value_and_grad(critic_loss)(state.critics, batch, targets, hyper)
    state, metrics = step_with(critic_gradient, policy_key, state, batch.inputs, hyper)
    return state, {"critic_loss": error, **metrics, "target_value": targets.mean()}


def step_with(critic_gradient: MLP, key, state: SacState, inputs, hyper: Hyperparameters):
    """``update`` with a gradient of the critics that is already there, as where others share their loss.

    ``inputs`` (B, I) are those of the policy's loss. Returns (new state, dictionary of scalar metrics).
    """
    temperature = jnp.exp(state.log_temperature)
    (actor_loss, log_density), policy_gradient = jax.value_and_grad(policy_loss, has_aux=True)(
        state.policy, key, state.critics, temperature, inputs, hyper
    )

    policy_rate = hyper.policy_rate * hyper.learning_rate
    policy, policy_adam = adam_step(state.policy, policy_gradient, state.policy_adam, policy_rate)
    critics, critic_adam = adam_step(state.critics, critic_gradient, state.critic_adam, hyper.learning_rate)
    log_temperature, temperature_adam = state.log_temperature, state.temperature_adam
    if hyper.target_entropy is not None:
        gradient = jax.grad(temperature_loss)(log_temperature, log_density, hyper.target_entropy)
        log_temperature, temperature_adam = adam_step(log_temperature, gradient, temperature_adam, hyper.learning_rate)
    new_state = SacState(
        policy=policy,
        critics=critics,
        targets=optax.incremental_update(critics, state.targets, hyper.target_rate),
        log_temperature=log_temperature,
        policy_adam=policy_adam,
        critic_adam=critic_adam,
        temperature_adam=temperature_adam,
    )
    metrics = {"policy_loss": actor_loss, "entropy": -log_density.mean(), "temperature": temperature}
    return new_state, metrics


def adam_step(parameters, gradient, adam_state, rate: float):
    """One step of Adam (Kingma and Ba 2015): (new parameters, new state of ``optax.scale_by_adam``)."""
    direction, adam_state = optax.scale_by_adam().update(gradient, adam_state)
    return jax.tree.map(lambda p, d: p - rate * d, parameters, direction), adam_state
