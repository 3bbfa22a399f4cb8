"""Networks for one family of tasks whose parameter varies: a Neural Process (architecture ``process``).

A short context, projected on what the family rewards, is summarised by a GRU into a Gaussian over one or two latent
numbers; a decoder predicts reward and next position of any transition from them. There is no head for the parameter
and no mixture: what the latent means is for the decoder, and for the policy, to find out. Sources: Garnelo et al.
(2018), Neural Processes; and the GRU variant of the published toy for parametric task variation.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.bodies import Toy1d
from reinfer.control.networks import MLP, Layer, apply_mlp, init_mlp, normal
from reinfer.inference.belief import Belief
from reinfer.inference.context import LINE_ROWS, ContextWindow
from reinfer.inference.readout import Posterior, bounded
from reinfer.inference.recurrent import GRU, gru_step, init_gru, project_inputs
from reinfer.tasks import GOAL, TaskDistribution

#: The family, and the range of its parameter: goals in metres.
FAMILY = "goal_forward"
GOALS = TaskDistribution(((FAMILY, 1e-3, 10.0),))
HIGHEST_GOAL_M = GOALS.ranges[0][2]

#: Rows of a context.
ROWS = 5

#: Where the middle of the goals is, and how far they reach from it: positions and rewards are given on this scale (m).
MIDDLE_M = HIGHEST_GOAL_M / 2

#: What one action of the toy moves (m), and what is little beside it.
_MOVE_M, _LITTLE_M = Toy1d.reach[GOAL], 0.05

_CHANNELS = len(LINE_ROWS.channels)
_X = LINE_ROWS.channels.index("x")
#: Columns of a row that the family is about: x, reward, x'.
PROJECTED = np.array([_X, _CHANNELS, _CHANNELS + 1 + _X])
_FEATURES = 7


class ProcessEncoder(NamedTuple):
    """Embedding of a row (7-H-H), GRU (H), a perceptron (H+9)-H-(1+2D), and a linear shortcut 1-D.

    The shortcut is from where the goal is if the newest row is believed, on the side that the perceptron's first output
    chooses: which side that is takes several rows to tell, how far away it is one.
    """

    embedding: MLP
    gru: GRU
    readout: MLP
    shortcut: Layer


class ProcessDecoder(NamedTuple):
    """Of (x, action, z): perceptrons and linear shortcuts beside them for the reward and for the displacement."""

    reward: MLP
    reward_shortcut: Layer
    displacement: MLP
    displacement_shortcut: Layer


class ProcessNetworks(NamedTuple):
    """What task inference learns."""

    encoder: ProcessEncoder
    decoder: ProcessDecoder


class ProcessPolicy(NamedTuple):
    """A perceptron and a linear shortcut beside it on [x, mean and log variance of the latent]."""

    network: MLP
    shortcut: Layer


class ProcessAgent(NamedTuple):
    """Parameters of architecture ``process``.

    ``goal``: the straight line from latent to goal, fitted after training, by which a belief is reported in metres.
    Nothing the agent does depends on it.
    """

    inference: ProcessNetworks
    policy: ProcessPolicy
    goal: Layer


def init_process(key, hidden: int, decoder_hidden: int, latent: int) -> ProcessNetworks:
    """Fresh networks for a latent of size D = ``latent``."""
    keys = jax.random.split(key, 8)
    encoder = ProcessEncoder(
        embedding=init_mlp(keys[0], (_FEATURES, hidden, hidden), weights=normal),
        gru=init_gru(keys[1], hidden, hidden),
        readout=init_mlp(keys[2], (hidden + _FEATURES + 2, hidden, 1 + 2 * latent), output_scale=0.3, weights=normal),
        shortcut=init_mlp(keys[3], (1, latent), weights=normal)[0],
    )
    inputs = 2 + latent

    def head(key):
        return init_mlp(key, (inputs, decoder_hidden, 1), output_scale=0.3, weights=normal)

    def shortcut(key):
        return init_mlp(key, (inputs, 1), weights=normal)[0]

    decoder = ProcessDecoder(head(keys[4]), shortcut(keys[5]), head(keys[6]), shortcut(keys[7]))
    return ProcessNetworks(encoder, decoder)


def init_process_policy(key, hidden: int, latent: int) -> ProcessPolicy:
    """A policy whose first actions are small."""
    keys = jax.random.split(key)
    inputs = 1 + 2 * latent
    return ProcessPolicy(
        init_mlp(keys[0], (inputs, hidden, hidden, 1), output_scale=0.1, weights=normal),
        init_mlp(keys[1], (inputs, 1), output_scale=0.1, weights=normal)[0],
    )


def project(rows) -> jax.Array:
    """What rows (..., 5) of the line say of the family: x (m), reward, x' (m), shape (..., 3)."""
    return rows[..., PROJECTED]


def encode(encoder: ProcessEncoder, rows, valid) -> Posterior:
    """Posterior (N, D) after the ``valid`` (N, L) of the projected rows (N, L, 3); padding comes first."""
    candidates = possible_goals(rows)
    features = _features(rows, candidates)
    gates = project_inputs(encoder.gru, jax.nn.silu(apply_mlp(encoder.embedding, features, jax.nn.silu)))

    def step(hidden, row):
        projected, counts = row
        return jnp.where(counts[:, None], gru_step(encoder.gru, hidden, projected), hidden), None

    begin = jnp.zeros((rows.shape[0], encoder.gru.hidden_size))
    hidden, _ = jax.lax.scan(step, begin, (gates.swapaxes(0, 1), valid.T))
    inputs = (hidden, features[:, -1] * valid[:, -1:], _misfit(rows, candidates[:, -1], valid))
    output = apply_mlp(encoder.readout, jnp.concatenate(inputs, axis=-1), jax.nn.silu)
    side, mean, log_variance = jnp.split(output, [1, 1 + (output.shape[-1] - 1) // 2], axis=-1)
    side = jax.nn.sigmoid(side)
    chosen = side * candidates[:, -1, :1] + (1.0 - side) * candidates[:, -1, 1:]
    mean = mean + (chosen * valid[:, -1:]) @ encoder.shortcut.weight + encoder.shortcut.bias
    return Posterior(mean, bounded(log_variance))


def possible_goals(rows) -> jax.Array:
    """The two goals (..., 2) that the reward of a projected row (..., 3) leaves, on the scale of ``MIDDLE_M``."""
    reward, after = rows[..., 1], rows[..., 2]
    return jnp.stack([after - reward, after + reward], axis=-1) / MIDDLE_M - 1.0


def _features(rows, candidates) -> jax.Array:
    """Inputs (..., 7) of the encoder from projected rows (..., 3)."""
    before, reward, after = jnp.moveaxis(rows, -1, 0)
    moved = after - before
    parts = (
        after / MIDDLE_M - 1.0,
        reward / MIDDLE_M,
        moved / _MOVE_M,
        jnp.tanh(reward / _MOVE_M),
        jnp.tanh(moved / _LITTLE_M),
    )
    return jnp.concatenate([jnp.stack(parts, axis=-1), candidates], axis=-1)


def _misfit(rows, candidates, valid) -> jax.Array:
    """By how much each goal (N, 2) that the newest row leaves fails to explain the rewards of the valid rows.

    That is the logarithm of the mean error in metres, scaled, of shape (N, 2). The true one explains all of them;
    errors below a centimetre are all alike.
    """
    goal = MIDDLE_M * (candidates[:, None] + 1.0)
    error = jnp.abs(jnp.abs(rows[..., 2:] - goal) + rows[..., 1:2]) * valid[..., None]
    return 0.5 * jnp.log(error.sum(1) / jnp.maximum(valid.sum(1), 1)[:, None] + 0.01) + 1.0


def decode(decoder: ProcessDecoder, position, action, latent) -> tuple[jax.Array, jax.Array]:
    """Reward (...,) and next position (...,), in metres, expected of ``action`` (...,) at ``position`` (...,) (m).

    A reward is the negative magnitude of what the network says: it is a distance, with a kink at the goal.
    """
    inputs = jnp.concatenate([position[..., None] / MIDDLE_M - 1.0, action[..., None], latent], axis=-1)

    def output(network, shortcut):
        straight = inputs @ shortcut.weight + shortcut.bias
        return (apply_mlp(network, inputs, jax.nn.relu) + straight)[..., 0]

    reward = -MIDDLE_M * jnp.abs(output(decoder.reward, decoder.reward_shortcut))
    return reward, position + output(decoder.displacement, decoder.displacement_shortcut)


def process_action(policy: ProcessPolicy, state, posterior: Posterior) -> jax.Array:
    """Deterministic action (N, 1) in [-1, 1] in task-space states (N, 6)."""
    position = state[..., :1] / MIDDLE_M - 1.0
    inputs = jnp.concatenate([position, posterior.mean, posterior.log_variance], axis=-1)
    output = apply_mlp(policy.network, inputs, jax.nn.silu)
    return jnp.clip(output + inputs @ policy.shortcut.weight + policy.shortcut.bias, -1.0, 1.0)


# ---- the agent


def process_template(sizes: dict) -> ProcessAgent:
    """Parameters of the right structure and shapes."""
    key, latent = jax.random.key(0), sizes["latent"]
    return ProcessAgent(
        init_process(key, sizes["hidden"], sizes["decoder_hidden"], latent),
        init_process_policy(key, sizes["policy_hidden"], latent),
        Layer(np.zeros((latent, 1), np.float32), np.zeros(1, np.float32)),
    )


def process_infer(params: ProcessAgent, window: ContextWindow) -> Belief:
    """The belief after a window: its family is certain, its target the goal that the latent stands for."""
    posterior = encode(params.inference.encoder, project(window.rows), window.valid)
    goal = posterior.mean @ params.goal.weight + params.goal.bias
    only = jax.nn.one_hot(LINE_ROWS.place(GOALS.families)[0], len(LINE_ROWS.families))
    return Belief(posterior.mean, posterior.log_variance, jnp.tile(only, (goal.shape[0], 1)), only * goal)


def process_act(params: ProcessAgent, body: Toy1d, state, belief: Belief) -> jax.Array:
    """The policy on latent mean and variance."""
    return process_action(params.policy, state, Posterior(belief.latent, belief.log_variance))
