"""Beliefs: a posterior over the latent task together with what it means in task space."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from reinfer.inference.context import LINE_ROWS, ContextWindow, RowLayout
from reinfer.inference.decoder import Decoder, TargetScale, decode_family, decode_target, decoder_mirrors
from reinfer.inference.encoder import Carry, Encoder, read
from reinfer.tasks import JUMP
from reinfer.tasks.rewards import reward_of_value

#: A target explains rows if it is off by at most this much per reward, and the other possible one by ``FARTHER`` times
#: as much and by no less than ``FAINTEST``: below that rounding decides.
EXACT, FARTHER, FAINTEST = 3e-3, 2.0, 2e-5

#: How close, relative to it, a target that the newest reward allows must be to the decoded one to replace it.
NEAR = 0.1


class Inference(NamedTuple):
    """All weights of task inference."""

    encoder: Encoder
    decoder: Decoder

    def mirrors(self, action_mirror) -> "Inference":
        """How the mirror acts on the weights (see ``control.equivariance``); ``action_mirror`` as that of a toy."""
        decoder = decoder_mirrors(self.decoder, self.encoder.layout, action_mirror)
        return Inference(self.encoder.mirrors(), decoder)


class Belief(NamedTuple):
    """What an agent believes its task is; F families, in the places of the toy's ``RowLayout``; latent size D.

    ``latent`` (N, D) posterior mean, ``log_variance`` (N, D), ``family_probability`` (N, F) and the signed
    ``target`` (N, F) in SI units that each family would have.
    """

    latent: jax.Array
    log_variance: jax.Array
    family_probability: jax.Array
    target: jax.Array


def decoded_belief(inference: Inference, seen: Carry, scale: TargetScale) -> Belief:
    """The belief after what the encoder has ``seen``, decoded at the posterior mean: all of it is learned."""
    encoder, decoder = inference
    posterior = read(encoder, seen)
    probability = jax.nn.softmax(decode_family(decoder, posterior.mean))
    return Belief(posterior.mean, posterior.log_variance, probability, decode_target(decoder, posterior.mean, scale))


def belief_of(inference: Inference, seen: Carry, scale: TargetScale) -> Belief:
    """The decoded belief after what the encoder has ``seen``, targets as the newest row says."""
    belief = decoded_belief(inference, seen, scale)
    return belief._replace(target=refine_target(belief.target, seen.newest, inference.encoder.layout))


def refine_target(target, row, layout: RowLayout = LINE_ROWS) -> jax.Array:
    """Targets (N, F) corrected to what the newest row (N, R) says exactly, where that lies within ``NEAR``.

    A reward ``r = -|q - g| / |g|`` at the value q leaves two targets, ``q / (1 + r)`` and ``q / (1 - r)``: which side
    of the target one is on is for the encoder to remember; how far away it is, a network need not guess. A body that
    rests a little beside its target is so told to move, and finds out if the side was wrong.
    """
    candidates = possible_targets(row, layout)
    distance = jnp.abs(candidates - target)
    closest = jnp.where(distance[0] < distance[1], candidates[0], candidates[1])
    return jnp.where(distance.min(0) < NEAR * jnp.abs(target), closest, target)


def possible_targets(row, layout: RowLayout = LINE_ROWS, least: float = 1e-3) -> jax.Array:
    """The two targets (2, ..., F) that the reward r in a row (..., R) leaves; ``least``: of what 1 + r counts as."""
    reached, reward = rewarded_value(row, layout), row[..., len(layout.channels), None]
    below, above = 1.0 + reward, 1.0 - reward
    return jnp.stack([reached / jnp.where(jnp.abs(below) > least, below, least), reached / above])


def explained_target(target, window: ContextWindow, since, layout: RowLayout = LINE_ROWS) -> jax.Array:
    """Targets (N, F) put on the right side where rows from index ``since`` (N,) on tell it exactly.

    Of the two targets that the newest reward leaves, only the true one gives the rewards of the other rows too, as soon
    as the body has moved at all. An encoder sees millimetres badly: one that takes a wrong side at rest, and sees it
    only when it has gone far towards it, goes to and fro. Rewards that no target explains leave ``target`` as it is.
    """
    candidates = possible_targets(window.rows[:, -1], layout)
    value, reward = rewarded_value(window.rows, layout), window.rows[..., len(layout.channels), None]
    counts = (jnp.arange(window.rows.shape[1]) >= since[:, None])[..., None]
    sides = jnp.broadcast_to(candidates[:, :, None], (2, *value.shape))
    error = jnp.abs(reward - reward_of_value(value, sides)) * counts
    error = error.sum(2) / jnp.maximum(counts.sum(1), 1)
    low, high = error.min(0), error.max(0)
    tells = (low < EXACT) & (high > FARTHER * low) & (high > FAINTEST)
    return jnp.where(tells, jnp.where(error[0] < error[1], candidates[0], candidates[1]), target)


def rewarded_value(row, layout: RowLayout = LINE_ROWS) -> jax.Array:
    """The value reached in the channel of each family, (..., F), in rows (..., R); for jumps its magnitude."""
    value = row[..., layout.reached]
    return jnp.where(layout.kinds == JUMP, jnp.abs(value), value)


def most_likely(belief: Belief) -> tuple[jax.Array, jax.Array]:
    """Place of the most likely family and the target under it, each (N,)."""
    family = jnp.argmax(belief.family_probability, axis=-1)
    return family, jnp.take_along_axis(belief.target, family[:, None], axis=-1)[:, 0]
