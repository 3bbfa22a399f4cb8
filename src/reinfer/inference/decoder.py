"""Decoder heads: what a latent task means. Family, target under each family, reward and next state."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.control.equivariance import layer_mirrors, mlp_mirrors
from reinfer.control.networks import MLP, Layer, apply_mlp, init_mlp, normal
from reinfer.inference.context import RowLayout
from reinfer.tasks import TaskDistribution
from reinfer.tasks.families import CHANNEL_MIRROR, FAMILY_SIGN
from reinfer.tasks.mirror import fixed, joined, renumbered, signed, swapped

#: Typical sizes of channels (m, m/s, rad), by which decoder inputs and outputs are scaled.
_SCALE = {"x": 10.0, "pitch": 1.0, "vx": 3.0, "vz": 2.0, "y": 10.0, "vy": 3.0}


class Decoder(NamedTuple):
    """Perceptrons on the latent z (family, target) and on (s, action, z) (reward, next state).

    Targets have a linear shortcut from z beside their perceptron: where the encoder is sure, it passes the logarithm of
    the present position or velocity through, and that should arrive exactly.
    """

    family: MLP
    target: MLP
    target_shortcut: Layer
    reward: MLP
    state: MLP


class TargetScale(NamedTuple):
    """Per family: centre and half width of log |target| over the training range, and the target's sign; each (F,)."""

    centre: np.ndarray
    half_width: np.ndarray
    sign: np.ndarray


def target_scale(distribution: TaskDistribution) -> TargetScale:
    """The scale on which targets of the families of ``distribution`` are decoded."""
    low, high = (np.log(np.array([r[i] for r in distribution.ranges], np.float32)) for i in (1, 2))
    return TargetScale((low + high) / 2, np.maximum((high - low) / 2, 0.1), FAMILY_SIGN[distribution.families])


def channel_scale(layout: RowLayout) -> np.ndarray:
    """Typical sizes of the channels of a row."""
    return np.array([_SCALE[channel] for channel in layout.channels], np.float32)


def init_decoder(key, hidden: int, latent: int, layout: RowLayout, actions: int) -> Decoder:
    """Heads with hidden layers of width ``hidden`` for a latent of size ``latent`` and actions of size ``actions``."""
    keys = jax.random.split(key, 5)
    families, channels = len(layout.families), len(layout.channels)
    step = channels + actions + latent
    return Decoder(
        family=init_mlp(keys[0], (latent, hidden, families), output_scale=0.3, weights=normal),
        target=init_mlp(keys[1], (latent, hidden, families), output_scale=0.3, weights=normal),
        target_shortcut=init_mlp(keys[4], (latent, families), output_scale=0.3, weights=normal)[0],
        reward=init_mlp(keys[2], (step, hidden, hidden, 1), output_scale=0.3, weights=normal),
        state=init_mlp(keys[3], (step, hidden, channels), output_scale=0.3, weights=normal),
    )


def decoder_mirrors(decoder: Decoder, layout: RowLayout, action_mirror) -> Decoder:
    """How the mirror acts on the weights (see ``control.equivariance``); ``action_mirror`` as that of a toy."""
    latent = swapped(decoder.target_shortcut.weight.shape[0])
    channels, families = signed(CHANNEL_MIRROR[layout.index]), renumbered(layout.family_mirror)
    step = joined(channels, signed(action_mirror), latent)
    return Decoder(
        family=mlp_mirrors(decoder.family, latent, families),
        target=mlp_mirrors(decoder.target, latent, families),
        target_shortcut=layer_mirrors(latent, families),
        reward=mlp_mirrors(decoder.reward, step, fixed(1)),
        state=mlp_mirrors(decoder.state, step, channels),
    )


def decode_family(decoder: Decoder, latent) -> jax.Array:
    """Family logits (..., F) of latents (..., D)."""
    return apply_mlp(decoder.family, latent, jax.nn.silu)


def decode_log_target(decoder: Decoder, latent, scale: TargetScale) -> jax.Array:
    """log |target| under each family, (..., F); target magnitudes are errors of a factor, as rewards are."""
    output = apply_mlp(decoder.target, latent, jax.nn.silu) + latent @ decoder.target_shortcut.weight
    return scale.centre + scale.half_width * (output + decoder.target_shortcut.bias)


def decode_target(decoder: Decoder, latent, scale: TargetScale) -> jax.Array:
    """Signed target under each family in SI units, (..., F)."""
    # exp(4) m is more than twice the longest goal; the bound only keeps an untrained head finite.
    return scale.sign * jnp.exp(jnp.clip(decode_log_target(decoder, latent, scale), -4.0, 4.0))


def decode_step(decoder: Decoder, channels, action, latent, scale) -> tuple[jax.Array, jax.Array]:
    """Predicted reward (...,) and next row channels (..., C) of a transition from ``channels`` (..., C).

    Args:
        scale: as ``channel_scale``.
    """
    inputs = jnp.concatenate([channels / scale, action, latent], axis=-1)
    reward = apply_mlp(decoder.reward, inputs, jax.nn.silu)[..., 0]
    return reward, scale * apply_mlp(decoder.state, inputs, jax.nn.silu)
