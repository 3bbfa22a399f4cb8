"""Task inference of PEARL (Rakelly et al. 2019, section 4): a product of Gaussians over single transitions.

Every transition (observation, action, reward, next observation) of a context gives one Gaussian factor, so the order of
transitions cannot matter (equation 3). The product holds N(0, I) too: a task of which nothing was seen has the prior.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from reinfer.control.networks import MLP, init_mlp, normal
from reinfer.control.normalisation import Moments, init_moments
from reinfer.control.sac import mean_action
from reinfer.inference.adaptive.algorithm import Algorithm, normalised_rows, policy_inputs, row_size, sac_policy
from reinfer.inference.combination import ProductMode
from reinfer.inference.melts_networks import sample_latent
from reinfer.inference.readout import Posterior


class Evidence(NamedTuple):
    """What a context says about each of N tasks: summed precisions and precision-weighted means, (N, D)."""

    precision: jax.Array
    weighted: jax.Array


def init_pearl(key, observation: int, actions: int, hidden, latent: int) -> ProductMode:
    """A fresh encoder with ``hidden`` widths for ``latent`` variables D."""
    return ProductMode(init_mlp(key, (row_size(observation, actions), *hidden, 2 * latent), 0.3, normal))


def no_evidence(count: int, latent: int) -> Evidence:
    """Of tasks of which nothing was seen."""
    return Evidence(jnp.zeros((count, latent)), jnp.zeros((count, latent)))


def gather_evidence(encoder: ProductMode, rows) -> Evidence:
    """Evidence (N, D) in contexts of K transitions each, ``rows`` (N, K, R)."""
    return Evidence(*(part.sum(-2) for part in encoder.prepare(rows, None)))


def add_evidence(encoder: ProductMode, evidence: Evidence, rows) -> Evidence:
    """Evidence after one more transition each, ``rows`` (N, R)."""
    return Evidence(*encoder.add(tuple(evidence), encoder.prepare(rows, None), None))


def posterior_of(encoder: ProductMode, evidence: Evidence) -> Posterior:
    """The product of all factors and N(0, I)."""
    return encoder.read(evidence, None, None)


class PearlAgent(NamedTuple):
    """Parameters of PEARL: ``policy`` of soft actor-critic on normalised observation and latent task."""

    encoder: ProductMode
    policy: MLP
    moments: Moments


class PearlMemory(NamedTuple):
    """What was seen in the trial, and the draw (N, D) from the posterior that holds for an episode."""

    evidence: Evidence
    latent: jax.Array


def _pearl_template(sizes: dict) -> PearlAgent:
    observation, latent = sizes["observation"], sizes["latent"]
    encoder = init_pearl(jax.random.key(0), observation, sizes["actions"], sizes["encoder_hidden"], latent)
    return PearlAgent(encoder, sac_policy(sizes, latent), init_moments(observation))


def _pearl_begin(params: PearlAgent, count: int) -> PearlMemory:
    latent = params.encoder.factor[-1].bias.shape[0] // 2
    return PearlMemory(no_evidence(count, latent), jnp.zeros((count, latent)))


@jax.jit
def _pearl_begin_episode(params: PearlAgent, memory: PearlMemory, key) -> PearlMemory:
    """Posterior sampling: an episode is played as if the task were the one drawn."""
    return memory._replace(latent=sample_latent(key, posterior_of(params.encoder, memory.evidence)))


@jax.jit
def _pearl_act(params: PearlAgent, memory: PearlMemory, observation):
    return memory, mean_action(params.policy, policy_inputs(params.moments, observation, memory.latent))


@jax.jit
def _pearl_observe(params: PearlAgent, memory: PearlMemory, *step) -> PearlMemory:
    rows = normalised_rows(params.moments, *step)
    return memory._replace(evidence=add_evidence(params.encoder, memory.evidence, rows))


@jax.jit
def _pearl_uncertainty(params: PearlAgent, memory: PearlMemory):
    """Standard deviation of the latent task, averaged over its variables; 1 before anything was seen."""
    return jnp.exp(0.5 * posterior_of(params.encoder, memory.evidence).log_variance).mean(-1)


PEARL = Algorithm(_pearl_template, _pearl_begin, _pearl_begin_episode, _pearl_act, _pearl_observe, _pearl_uncertainty)
