"""The published inference loss (MELTS with task classes), its gradient taken in chunks that fit a cache.

Per anchor i, from the window before it, z ~ q(z | window) must explain the *whole* episode, past and future:

    w_s mean |s' - s'^|^2 + w_r mean (r - r^)^2 + w_c CE(family) + w_kl KL(q || mixture)

with means over the episode but its first step. The family is decoded at the second state only, as published.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from reinfer.control.replay import Steps
from reinfer.inference.melts_networks import (
    MeltsDecoder,
    MeltsNetworks,
    decode_family,
    decode_transitions,
    encode,
    row_channels,
    sample_latent,
)
from reinfer.inference.mixture import MixturePrior, kl_to_mixture

#: Windows encoded, and episodes decoded, at once, so that intermediate results stay in a second-level cache:
#: 8 x 199 columns of 35 numbers. Six times faster on one core than all 4096 at once.
ENCODED_AT_ONCE, DECODED_AT_ONCE = 128, 8


class Weights(NamedTuple):
    """Weights of the terms of the loss."""

    state: float
    reward: float
    family: float
    divergence: float


class Anchored(NamedTuple):
    """B anchors: ``rows`` (B, W, 5) of the windows before them; ``slot`` and ``family`` of their episodes."""

    rows: jax.Array
    slot: jax.Array
    family: jax.Array


def decoding_loss(decoder: MeltsDecoder, latent, steps: Steps, family, weights: Weights):
    """The first three terms of the loss, summed over B anchors; and each of them, with the accuracy, summed.

    Args:
        latent: one draw per anchor (B, D).
        steps: their whole episodes (B, H), none shorter than H.
        family: their classes (B,).
    """
    steps = jax.tree.map(lambda leaf: leaf[:, 1:], steps)
    next_channels, rewards = decode_transitions(decoder, steps.state, steps.action, latent)
    logits = decode_family(decoder, steps.state[:, 0], latent)
    terms = {
        "state_error": jnp.square(next_channels - row_channels(steps.next_state)).mean((1, 2)).sum(),
        "reward_error": jnp.square(rewards - steps.reward).mean(1).sum(),
        "family_loss": optax.softmax_cross_entropy_with_integer_labels(logits, family).sum(),
    }
    loss = (
        weights.state * terms["state_error"]
        + weights.reward * terms["reward_error"]
        + weights.family * terms["family_loss"]
    )
    return loss, terms | {"class_accuracy": (jnp.argmax(logits, -1) == family).sum() * 1.0}


def inference_gradient(
    key,
    networks: MeltsNetworks,
    anchored: Anchored,
    episodes: Callable[[jax.Array], Steps],
    prior: MixturePrior,
    weights: Weights,
    method: str,
):
    """Gradient of the loss summed over B anchors, the draws z (B, D) behind it, and its terms as means.

    Args:
        episodes: the whole episodes (b, H) in slots (b,).
        method: form of the KL divergence, one of ``mixture.METHODS``; published: ``soft``.
    """

    def decode(latent, group: Anchored):
        """Gradients with respect to decoder and latents, and the summed terms."""

        def part(gradient, chunk):
            latent, slot, family = chunk
            (_, terms), (change, latent_gradient) = jax.value_and_grad(decoding_loss, (0, 1), has_aux=True)(
                networks.decoder, latent, episodes(slot), family, weights
            )
            return jax.tree.map(jnp.add, gradient, change), (latent_gradient, terms)

        start = jax.tree.map(jnp.zeros_like, networks.decoder)
        chunks = _split((latent, group.slot, group.family), DECODED_AT_ONCE)
        gradient, (latent_gradient, terms) = jax.lax.scan(part, start, chunks)
        return gradient, latent_gradient.reshape(latent.shape), jax.tree.map(jnp.sum, terms)

    def add_group(gradient, keyed_group):
        group_key, group = keyed_group

        def infer(encoder):
            posterior = encode(encoder, group.rows)
            latent = sample_latent(group_key, posterior)
            return latent, kl_to_mixture(*posterior, prior, latent, method)

        (latent, divergence), pull_back = jax.vjp(infer, networks.encoder)
        decoder_gradient, latent_gradient, terms = decode(latent, group)
        (encoder_gradient,) = pull_back((latent_gradient, jnp.full_like(divergence, weights.divergence)))
        change = MeltsNetworks(encoder_gradient, decoder_gradient)
        return jax.tree.map(jnp.add, gradient, change), (latent, terms | {"kl": divergence.sum()})

    groups = _split(anchored, ENCODED_AT_ONCE)
    keys = jax.random.split(key, groups.slot.shape[0])
    start = jax.tree.map(jnp.zeros_like, networks)
    gradient, (latent, terms) = jax.lax.scan(add_group, start, (keys, groups))
    count = anchored.slot.shape[0]
    terms = {name: values.sum() / count for name, values in terms.items()}
    return gradient, latent.reshape(count, -1), terms


def _split(tree, at_once: int):
    """Leaves (N, ...) as (N / n, n, ...), n the largest divisor of N that also divides ``at_once``."""
    size = math.gcd(jax.tree.leaves(tree)[0].shape[0], at_once)
    return jax.tree.map(lambda leaf: leaf.reshape(-1, size, *leaf.shape[1:]), tree)
