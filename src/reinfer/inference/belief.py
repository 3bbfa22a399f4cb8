"""Beliefs: a posterior over the latent task together with what it means in task space."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from reinfer.inference.decoder import Decoder, TargetScale, decode_family, decode_target
from reinfer.inference.encoder import Posterior


class Belief(NamedTuple):
    """What an agent believes its task is; F families of the toy, latent size D.

    ``latent`` (N, D) posterior mean, ``log_variance`` (N, D), ``family_probability`` (N, F) and the signed
    ``target`` (N, F) in SI units that each family would have.
    """

    latent: jax.Array
    log_variance: jax.Array
    family_probability: jax.Array
    target: jax.Array


def belief_of(decoder: Decoder, posterior: Posterior, scale: TargetScale) -> Belief:
    """The belief that goes with a posterior, decoded at its mean."""
    probability = jax.nn.softmax(decode_family(decoder, posterior.mean))
    target = decode_target(decoder, posterior.mean, scale)
    return Belief(posterior.mean, posterior.log_variance, probability, target)


def most_likely(belief: Belief) -> tuple[jax.Array, jax.Array]:
    """Index of the most likely family and the target under it, each (N,)."""
    family = jnp.argmax(belief.family_probability, axis=-1)
    return family, jnp.take_along_axis(belief.target, family[:, None], axis=-1)[:, 0]
