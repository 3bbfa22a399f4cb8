"""Bounds on the likelihood of transitions that a context does not hold, for tasks of one family.

With context c, targets t of the same task and the decoder p(r, x' | x, a, z) of fixed standard deviations, the log
likelihood of all targets under one latent is ``l(z) = sum_t log p(r_t | ..) + log p(x'_t | ..)``. Then

* prior ``context`` (Neural Process, Garnelo et al. 2018): z ~ q(z | c, t), ``E[l] - beta KL(q(z|c,t) || q(z|c))``;
* prior ``normal`` (plain variational): z ~ q(z | c), ``E[l] - beta KL(q(z|c) || N(0, I))``;

or, with either, the importance-weighted bound ``log mean_n exp(l(z_n) + beta (log prior(z_n) - log q(z_n)))`` (Burda et
al. 2016). Under the first, what the policy uses, q(z|c), is trained by the divergence alone.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.inference.process_networks import ProcessDecoder, ProcessNetworks, decode, encode
from reinfer.inference.readout import Posterior

PRIORS = ("context", "normal")
BOUNDS = ("elbo", "importance")


class ProcessBatch(NamedTuple):
    """Of B tasks: context ``rows`` (B, C, 3) with ``valid`` (B, C), padding first, and T targets of the same task:
    ``target_rows`` (B, T, 3) (x, reward, x') and the toy's ``action`` (B, T)."""

    rows: jax.Array
    valid: jax.Array
    target_rows: jax.Array
    action: jax.Array


class Objective(NamedTuple):
    """Which bound: ``prior`` and ``bound`` as in the module's text, ``samples`` of z, ``beta``, and the decoder's
    standard ``deviation`` of rewards and positions (m)."""

    prior: str
    bound: str
    samples: int
    beta: float
    deviation: float


def ceiling(targets: int, deviation: float) -> float:
    """The highest bound there can be: a perfect decoder, nothing left to find out."""
    return -2 * targets * float(0.5 * np.log(2 * np.pi) + np.log(deviation))


def process_bound(networks: ProcessNetworks, batch: ProcessBatch, key, objective: Objective):
    """The bound of every task (B,), in nats, and errors of the context's posterior mean, {name: scalar}."""
    shuffle_key, draw_key = jax.random.split(key)
    of_context = encode(networks.encoder, batch.rows, batch.valid)
    if objective.prior == "context":
        approximate, prior = encode(networks.encoder, *_shuffled(shuffle_key, batch)), of_context
    else:
        approximate, prior = of_context, Posterior(*map(jnp.zeros_like, of_context))
    noise = jax.random.normal(draw_key, (objective.samples, *approximate.mean.shape))
    latent = approximate.mean + jnp.exp(0.5 * approximate.log_variance) * noise
    likelihood = log_likelihood(networks.decoder, batch, latent, objective.deviation)
    divergence = gaussian_divergence(approximate, prior)
    if objective.bound == "elbo":
        bound = likelihood.mean(0) - objective.beta * divergence
    else:
        weight = log_density(prior, latent) - log_density(approximate, latent)
        weighted = likelihood + objective.beta * weight
        bound = jax.nn.logsumexp(weighted, axis=0) - jnp.log(objective.samples)
    reward, position = decode(networks.decoder, batch.target_rows[..., 0], batch.action, _per_target(of_context, batch))
    errors = {
        "divergence": divergence.mean(),
        "reward_error": jnp.abs(reward - batch.target_rows[..., 1]).mean(),
        "state_error": jnp.abs(position - batch.target_rows[..., 2]).mean(),
    }
    return bound, errors


def log_likelihood(decoder: ProcessDecoder, batch: ProcessBatch, latent, deviation: float) -> jax.Array:
    """``l(z)`` (S, B) of latents (S, B, D)."""
    shape = (*latent.shape[:2], batch.action.shape[1])
    spread = jnp.broadcast_to(latent[:, :, None], (*shape, latent.shape[-1]))
    position, action = (jnp.broadcast_to(leaf, shape) for leaf in (batch.target_rows[..., 0], batch.action))
    reward, reached = decode(decoder, position, action, spread)
    squares = jnp.square(reward - batch.target_rows[..., 1]) + jnp.square(reached - batch.target_rows[..., 2])
    return ceiling(shape[-1], deviation) - 0.5 * squares.sum(-1) / deviation**2


def gaussian_divergence(one: Posterior, other: Posterior) -> jax.Array:
    """KL(one || other) of diagonal Gaussians (..., D), in nats, (...,)."""
    square = jnp.exp(one.log_variance) + jnp.square(one.mean - other.mean)
    terms = other.log_variance - one.log_variance + square * jnp.exp(-other.log_variance) - 1.0
    return 0.5 * terms.sum(-1)


def log_density(posterior: Posterior, latent) -> jax.Array:
    """Log density (...,) of latents (..., D)."""
    mean, log_variance = posterior
    terms = jnp.log(2 * jnp.pi) + log_variance + jnp.square(latent - mean) * jnp.exp(-log_variance)
    return -0.5 * terms.sum(-1)


def _shuffled(key, batch: ProcessBatch):
    """Context and targets as one context, its rows in random order: which are targets must not show."""
    rows = jnp.concatenate([batch.rows, batch.target_rows], axis=1)
    valid = jnp.concatenate([batch.valid, jnp.ones(batch.action.shape, bool)], axis=1)
    # Padding stays in front.
    order = jnp.argsort(jnp.where(valid, jax.random.uniform(key, valid.shape), -1.0), axis=1)
    return jnp.take_along_axis(rows, order[..., None], axis=1), jnp.take_along_axis(valid, order, axis=1)


def _per_target(posterior: Posterior, batch: ProcessBatch):
    mean = posterior.mean[:, None]
    return jnp.broadcast_to(mean, (*batch.action.shape, mean.shape[-1]))
