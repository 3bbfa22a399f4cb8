"""The oracle: soft actor-critic that is told its task. It is labelled as such wherever it appears."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.control.networks import MLP
from reinfer.control.normalisation import Moments, init_moments
from reinfer.control.sac import mean_action
from reinfer.inference.adaptive.algorithm import Algorithm, policy_inputs, sac_policy
from reinfer.tasks import FAMILIES, Tasks
from reinfer.tasks.families import FAMILY_KIND, FAMILY_SIGN

#: Scale of a told target, per kind of task: m, m/s, rad, m/s.
_TOLD_SCALE = np.array([10.0, 3.0, 1.5, 3.0], np.float32)


class ToldAgent(NamedTuple):
    """Parameters of the oracle: ``policy`` on normalised observation and ``told_features``."""

    policy: MLP
    moments: Moments


def told_features(tasks: Tasks) -> np.ndarray:
    """What the oracle is told of tasks (N,): family and signed target under it, (N, 2 F) float32."""
    family = np.asarray(tasks.family)
    one_hot = np.eye(len(FAMILIES), dtype=np.float32)[family]
    scaled = np.asarray(tasks.target) / (_TOLD_SCALE[FAMILY_KIND[family]] * FAMILY_SIGN[family])
    return np.concatenate([one_hot, one_hot * scaled[:, None]], axis=-1).astype(np.float32)


TOLD_FEATURES = 2 * len(FAMILIES)


def _told_template(sizes: dict) -> ToldAgent:
    return ToldAgent(sac_policy(sizes, TOLD_FEATURES), init_moments(sizes["observation"]))


@jax.jit
def _told_act(params: ToldAgent, memory, observation):
    return memory, mean_action(params.policy, policy_inputs(params.moments, observation, memory))


def _untold(params: ToldAgent, count: int):
    return jnp.zeros((count, TOLD_FEATURES))


def _same(params, memory, *_):
    return memory


SAC_TOLD = Algorithm(_told_template, _untold, _same, _told_act, _same, None, told=True)
