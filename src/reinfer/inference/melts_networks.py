"""Networks of the published method (MELTS) on the toy, and the agent made of them (architecture ``melts``).

A GRU over 32 raw rows, padding included, gives a Gaussian over the latent task; decoders predict next state
and reward of any transition, and the task family at the start of an episode. There is no head for targets:
the target under a family is read out of the reward decoder.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from reinfer.bodies import Toy1d
from reinfer.bodies.toy1d import MAX_SPEED_MPS
from reinfer.control.equivariance import layer_mirrors, mlp_mirrors
from reinfer.control.networks import MLP, Layer, apply_mlp, init_mlp, normal
from reinfer.control.sac import mean_action
from reinfer.inference.belief import Belief
from reinfer.inference.context import LINE_ROWS, ContextWindow
from reinfer.inference.encoder import Posterior
from reinfer.inference.mixture import MixturePrior, standard_normal_prior
from reinfer.inference.recurrent import GRU, gru_mirrors, init_gru
from reinfer.inference.rows import row_mirror
from reinfer.tasks import FAMILIES, PLANE_CHANNELS, Tasks, reward
from reinfer.tasks.families import CHANNEL_MIRROR, FAMILY_SIGN
from reinfer.tasks.mirror import Mirror, fixed, joined, renumbered, signed, swapped

#: Widths are this many times the number of inputs (``net_complex_enc_dec`` of the publication).
COMPLEXITY = 5
ENCODER_HIDDEN = COMPLEXITY * LINE_ROWS.size
ACTIONS = Toy1d.action_size
CLASSES = len(Toy1d.tasks.ranges)


class MeltsEncoder(NamedTuple):
    """GRU over rows, and linear heads for mean and log variance of the latent task."""

    gru: GRU
    mean: Layer
    log_variance: Layer


class MeltsDecoder(NamedTuple):
    """ReLU perceptrons: next (x', vx') and reward from [x, vx, action, z], family from [x, vx, z]."""

    state: MLP
    reward: MLP
    family: MLP


class MeltsNetworks(NamedTuple):
    """What task inference learns."""

    encoder: MeltsEncoder
    decoder: MeltsDecoder


class MeltsAgent(NamedTuple):
    """Parameters of architecture ``melts``: inference, soft actor-critic policy on [x, vx, z], mixture."""

    inference: MeltsNetworks
    policy: MLP
    prior: MixturePrior


class MeltsSizes(NamedTuple):
    """Of what is read and decoded: widths of a ``row``, of the ``state`` and of the ``action``; number of ``classes``;
    widths of the hidden layers of ``encoder`` and ``decoder``, the latter as published where None."""

    row: int
    state: int
    action: int
    classes: int
    encoder: int
    decoder: int | None = None


TOY_SIZES = MeltsSizes(LINE_ROWS.size, len(LINE_ROWS.channels), ACTIONS, CLASSES, ENCODER_HIDDEN)


def init_melts(key, latent: int, sizes: MeltsSizes = TOY_SIZES) -> MeltsNetworks:
    """Fresh networks for a latent of size ``latent``, by default of the toy; 4 gives the published sizes 7-35-35-2."""
    keys = jax.random.split(key, 6)
    inputs = sizes.state + sizes.action + latent
    hidden = sizes.decoder or COMPLEXITY * inputs
    encoder = MeltsEncoder(
        gru=init_gru(keys[0], sizes.row, sizes.encoder),
        mean=init_mlp(keys[1], (sizes.encoder, latent), weights=normal)[0],
        log_variance=init_mlp(keys[2], (sizes.encoder, latent), weights=normal)[0],
    )
    decoder = MeltsDecoder(
        state=init_mlp(keys[3], (inputs, hidden, hidden, sizes.state), weights=normal),
        reward=init_mlp(keys[4], (inputs, hidden, hidden, hidden // 2, 1), weights=normal),
        family=init_mlp(keys[5], (sizes.state + latent, hidden, hidden, hidden // 2, sizes.classes), weights=normal),
    )
    return MeltsNetworks(encoder, decoder)


def melts_mirrors(networks: MeltsNetworks) -> MeltsNetworks:
    """How the mirror acts on the weights (see ``control.equivariance``); latents change places in pairs."""
    encoder, decoder = networks
    hidden, latent = swapped(ENCODER_HIDDEN), swapped(encoder.mean.bias.shape[0])
    step = joined(_CHANNELS, _ACTIONS, latent)
    head = layer_mirrors(hidden, latent)
    return MeltsNetworks(
        MeltsEncoder(gru_mirrors(row_mirror(LINE_ROWS), ENCODER_HIDDEN), head, head),
        MeltsDecoder(
            state=mlp_mirrors(decoder.state, step, _CHANNELS),
            reward=mlp_mirrors(decoder.reward, step, fixed(1)),
            family=mlp_mirrors(decoder.family, joined(_CHANNELS, latent), renumbered(LINE_ROWS.family_mirror)),
        ),
    )


def policy_mirrors(policy: MLP, latent: int) -> MLP:
    """The same of a soft actor-critic policy on ``policy_inputs``: means are odd, standard deviations even."""
    return mlp_mirrors(policy, joined(_CHANNELS, swapped(latent)), joined(_ACTIONS, fixed(ACTIONS)))


def critic_mirrors(critics: MLP, latent: int) -> MLP:
    """The same of its critics on ``policy_inputs`` and actions: values are even."""
    return mlp_mirrors(critics, joined(_CHANNELS, swapped(latent), _ACTIONS), fixed(1))


_CHANNELS: Mirror = signed(CHANNEL_MIRROR[LINE_ROWS.index])
_ACTIONS: Mirror = signed(Toy1d.action_mirror)


def encode(encoder: MeltsEncoder, rows) -> Posterior:
    """Posterior over the latent, leaves (N, D), from rows (N, W, R) with their zero padding."""
    columns = rows.transpose(1, 2, 0)
    start = jnp.zeros((encoder.gru.hidden_size, rows.shape[0]))
    hidden, _ = jax.lax.scan(lambda h, x: (_gru_step_on_columns(encoder.gru, h, x), None), start, columns)
    summary = jax.nn.relu(hidden).T
    return Posterior(
        summary @ encoder.mean.weight + encoder.mean.bias,
        summary @ encoder.log_variance.weight + encoder.log_variance.bias,
    )


def _gru_step_on_columns(gru: GRU, hidden, inputs):
    """``recurrent.gru_step`` with one sequence per column: ``hidden`` (H, N), ``inputs`` (I, N).

    A layer this narrow takes a third of the time that way on a CPU, gradient included.
    """
    size = gru.hidden_size
    given = gru.input.T @ inputs + gru.bias[:, None]
    recurrent = gru.recurrent.T @ hidden
    reset = jax.nn.sigmoid(given[:size] + recurrent[:size])
    update = jax.nn.sigmoid(given[size : 2 * size] + recurrent[size : 2 * size])
    remembered = recurrent[2 * size :] + gru.candidate_bias[:, None]
    candidate = jnp.tanh(given[2 * size :] + reset * remembered)
    return (1.0 - update) * candidate + update * hidden


def sample_latent(key, posterior: Posterior) -> jax.Array:
    """One reparametrised draw of each latent, (N, D)."""
    noise = jax.random.normal(key, posterior.mean.shape)
    return posterior.mean + jnp.exp(0.5 * posterior.log_variance) * noise


def row_channels(state) -> jax.Array:
    """x (m) and vx (m/s), (..., 2), of task-space states (..., 6)."""
    return state[..., LINE_ROWS.index]


def policy_inputs(state, latent) -> jax.Array:
    """Inputs (..., 2 + D) of policy and critics: raw x (m) and vx (m/s) of states (..., 6), latent."""
    return jnp.concatenate([row_channels(state), latent], axis=-1)


def decode_family(decoder: MeltsDecoder, state, latent) -> jax.Array:
    """Family logits (..., F) at states (..., 6); trained at the second state of an episode only."""
    return apply_mlp(decoder.family, policy_inputs(state, latent), jax.nn.relu)


def decode_transitions(decoder: MeltsDecoder, state, action, latent):
    """Next (x', vx') (B, T, 2) and reward (B, T) from states (B, T, 6), actions (B, T, A), latents (B, D).

    Computed with one transition per column: with layers this narrow several times faster on a CPU.
    """
    return decode_steps(decoder, row_channels(state), action, latent)


def decode_steps(decoder: MeltsDecoder, state, action, latent):
    """The same from the states (B, T, C) that the networks are of."""
    batch, length = state.shape[:2]
    spread = jnp.broadcast_to(latent[:, None], (batch, length, latent.shape[-1]))
    rows = jnp.concatenate([state, action, spread], axis=-1)
    columns = rows.reshape(batch * length, -1).T
    next_channels = _apply_to_columns(decoder.state, columns).T.reshape(batch, length, -1)
    return next_channels, _apply_to_columns(decoder.reward, columns).reshape(batch, length)


def _apply_to_columns(mlp: MLP, columns):
    for layer in mlp[:-1]:
        columns = jax.nn.relu(layer.weight.T @ columns + layer.bias[:, None])
    return mlp[-1].weight.T @ columns + mlp[-1].bias[:, None]


# ---- the agent


def melts_template(sizes: dict) -> MeltsAgent:
    """Parameters of the shapes given by ``sizes``: ``latent``, ``max_components``, ``policy`` (hidden widths)."""
    latent = sizes["latent"]
    widths = (len(LINE_ROWS.channels) + latent, *sizes["policy"], 2 * ACTIONS)
    policy = init_mlp(jax.random.key(0), widths, weights=normal)
    prior = standard_normal_prior(latent, sizes["max_components"])
    return MeltsAgent(init_melts(jax.random.key(0), latent), policy, prior)


def melts_infer(params: MeltsAgent, window: ContextWindow) -> Belief:
    """The belief after the rows of ``window``, at the posterior mean; the family as seen at the origin."""
    posterior = encode(params.inference.encoder, window.rows)
    decoder = params.inference.decoder
    origin = jnp.zeros((posterior.mean.shape[0], len(PLANE_CHANNELS)))
    probability = jax.nn.softmax(decode_family(decoder, origin, posterior.mean))
    return Belief(posterior.mean, posterior.log_variance, probability, read_targets(decoder, posterior.mean))


def melts_act(params: MeltsAgent, body: Toy1d, state, belief: Belief) -> jax.Array:
    """The policy's action (N, 1) without noise, at the posterior mean."""
    return mean_action(params.policy, policy_inputs(state, belief.latent))


def read_targets(decoder: MeltsDecoder, latent) -> jax.Array:
    """Signed target under each family, (N, F): the one whose rewards fit the decoded ones best.

    Rewards are decoded on fixed transitions and compared with those of evenly spaced targets of the family's
    range, by least squares of rewards cut at -2 (the decoder was trained only near where tasks lead).
    """
    found = []
    for (_, low, high), family in zip(Toy1d.tasks.ranges, Toy1d.tasks.families, strict=True):
        targets = FAMILY_SIGN[family] * jnp.linspace(low, high, _CANDIDATES)
        state, action = _probes(family, FAMILY_SIGN[family] * high)
        reached = Toy1d().step(state, action)
        earned = _cut(reward(Tasks(jnp.full((_CANDIDATES, 1), family), targets[:, None]), reached))
        state, action = (jnp.broadcast_to(leaf, (latent.shape[0], *leaf.shape)) for leaf in (state, action))
        decoded = _cut(decode_transitions(decoder, state, action, latent)[1])
        error = jnp.square(earned).sum(-1) - 2.0 * decoded @ earned.T
        found.append(targets[jnp.argmin(error, axis=-1)])
    return jnp.stack(found, axis=-1)


_CANDIDATES, _PROBES, _LOWEST_PROBED_REWARD = 241, 101, -2.0


def _cut(rewards):
    return jnp.clip(rewards, _LOWEST_PROBED_REWARD, 0.0)


def _probes(family: int, farthest):
    """States (P, 6) and actions (P, 1) that reach evenly spaced values of the family's channel up to
    ``farthest``: standing still at positions, or leaving the origin at velocities."""
    along = jnp.linspace(0.0, farthest, _PROBES)
    state, action = jnp.zeros((_PROBES, len(PLANE_CHANNELS))), jnp.zeros((_PROBES, ACTIONS))
    if FAMILIES[family].channel == "x":
        return state.at[:, 0].set(along), action
    return state, action.at[:, 0].set(along / MAX_SPEED_MPS)
