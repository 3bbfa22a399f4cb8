"""The inference objective: a variational bound on what a task makes happen, plus what it is.

Per belief (posterior after k rows, k = 0..T) with one draw z: ``w_f CE(family | z) + w_t |log target error|
+ w_d [reward + state error of other steps of the episode] + beta KL(q || mixture)``, and of all of them together
``w_v`` times the share of the latents' variance that lies within episodes.
Reconstruction of the *whole* episode from one belief and the mixture prior follow MELTS (Bing et al. 2024); only a few
random steps are decoded, which is unbiased. The target head is new.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from reinfer.inference.belief import Inference
from reinfer.inference.decoder import (
    TargetScale,
    channel_scale,
    decode_family,
    decode_log_target,
    decode_step,
)
from reinfer.inference.encoder import encode_prefixes
from reinfer.inference.mixture import MixturePrior, kl_to_mixture
from reinfer.tasks import Tasks

#: Rows after which a family is known, and only its target is refined.
KNOWN = 5


class Episodes(NamedTuple):
    """Stretches of episodes: ``tasks`` (B,), ``rows`` (B, T, R) and the toy's ``actions`` (B, T, A)."""

    tasks: Tasks
    rows: jax.Array
    actions: jax.Array


class Weights(NamedTuple):
    """Weights of the terms of the loss.

    ``tolerance``: log target errors below it count less. ``last``: how much more the last belief of an episode counts
    than one before it, since a window that is full once stays full. ``drift``: of the share of the latents' variance
    that lies within episodes.
    """

    family: float
    target: float
    decoding: float
    divergence: float
    tolerance: float
    last: float
    drift: float


def robust(error, width: float):
    """Smooth absolute value: quadratic within ``width``, linear beyond (pseudo-Huber), >= 0."""
    return jnp.sqrt(jnp.square(error) + width**2) - width


def inference_loss(
    inference: Inference,
    episodes: Episodes,
    prior: MixturePrior,
    key,
    weights: Weights,
    scale: TargetScale,
    stretches: int = 1,
):
    """Mean loss over all beliefs of ``episodes`` and its parts, {name: scalar}.

    Of every episode there are so many ``stretches``, the first of all before the second of all."""
    draw_key, step_key = jax.random.split(key)
    posterior = encode_prefixes(inference.encoder, episodes.rows)
    noise = jax.random.normal(draw_key, posterior.mean.shape)
    latent = posterior.mean + jnp.exp(0.5 * posterior.log_variance) * noise

    family = jnp.broadcast_to(inference.encoder.layout.place(episodes.tasks.family)[:, None], latent.shape[:2])
    logits = decode_family(inference.decoder, latent)
    weight = _belief_weights(latent.shape[1], weights.last)
    cross_entropy = optax.softmax_cross_entropy_with_integer_labels(logits, family).mean(0) @ weight

    log_target = jnp.take_along_axis(decode_log_target(inference.decoder, latent, scale), family[..., None], axis=-1)[
        ..., 0
    ]
    log_error = log_target - jnp.log(jnp.abs(episodes.tasks.target))[:, None]

    # What the remaining terms cost per belief is large; a random quarter of the beliefs gives the same expectation.
    some_key, step_key = jax.random.split(step_key)
    some = jax.random.randint(some_key, (max(1, latent.shape[1] // 4),), 0, latent.shape[1])
    mean, log_variance, draw = (a[:, some] for a in (posterior.mean, posterior.log_variance, latent))
    reward_error, state_error = _decoding_errors(inference, episodes, draw, step_key)
    divergence = kl_to_mixture(mean, log_variance, prior, draw).mean()

    drift = _drift(posterior.mean, stretches)
    loss = (
        weights.family * cross_entropy
        + weights.target * (robust(log_error, weights.tolerance).mean(0) @ weight)
        + weights.decoding * (reward_error + state_error)
        + weights.divergence * divergence
        + weights.drift * drift
    )
    parts = {
        "family_cross_entropy": cross_entropy,
        "target_error": jnp.abs(log_error[:, -1]).mean(),
        "reward_error": reward_error,
        "state_error": state_error,
        "divergence": divergence,
        "drift": drift,
    }
    return loss, parts


def _belief_weights(count: int, last: float):
    """Weights (count,) of the beliefs after 0 .. count-1 rows, of sum one."""
    weight = jnp.ones(count).at[-1].set(last)
    return weight / jnp.sum(weight)


def _drift(mean, stretches: int):
    """Share of the variance of latents ``mean`` (B, T + 1, D) that lies within episodes once tasks are known.

    What a task is does not depend on what is done about it. Latents that tell approaching a target from resting at it
    fall into two clusters per family, with nothing in between.
    """
    known = mean[:, min(KNOWN, mean.shape[1] - 1) :]
    known = known.reshape(stretches, -1, *known.shape[1:])
    within = jnp.square(known - known.mean((0, 2), keepdims=True)).mean((0, 1, 2)).sum()
    return within / (jnp.square(known - known.mean((0, 1, 2))).mean((0, 1, 2)).sum() + 1e-6)


def _decoding_errors(inference: Inference, episodes: Episodes, latent, key):
    """Robust errors of reward and next state of one random step of the episode per belief."""
    count, length = episodes.rows.shape[:2]
    step = jax.random.randint(key, latent.shape[:2], 0, length)
    rows = jnp.take_along_axis(episodes.rows, step[..., None], axis=1)
    actions = jnp.take_along_axis(episodes.actions, step[..., None], axis=1)
    layout = inference.encoder.layout
    channels, scale = len(layout.channels), channel_scale(layout)
    reward, state = decode_step(inference.decoder, rows[..., :channels], actions, latent, scale)
    reward_error = robust(reward - rows[..., channels], 0.1).mean()
    state_error = jnp.square((state - rows[..., channels + 1 :]) / scale).mean()
    return reward_error, state_error
