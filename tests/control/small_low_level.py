"""A low-level stage that is quick to run, and what tests do with it."""

from dataclasses import replace

import jax
import numpy as np

from reinfer.bodies import HALF_CHEETAH
from reinfer.control.commands import restrict
from reinfer.control.low_level_policy import LowLevelPolicy
from reinfer.control.networks import init_mlp
from reinfer.control.normalisation import init_moments
from reinfer.stages.low_level import PRESETS

RANGES = restrict(HALF_CHEETAH.commands, ("goal", "velocity"))
SMALL = replace(PRESETS["quick"], simulations=16, horizon=8, iterations=60, hidden=16, threads=1)


def random_policy(ranges=RANGES, seed=0):
    inputs = HALF_CHEETAH.observation_size(HALF_CHEETAH.model()) + 8
    return LowLevelPolicy(
        HALF_CHEETAH.id, ranges, init_moments(inputs), init_mlp(jax.random.key(seed), (inputs, 16, 6))
    )


def run(stage, state, iterations):
    metrics = []
    for iteration in iterations:
        if iteration % stage.sync_interval == 0:
            stage.begin(iteration)
        state, row = stage.iterate(state, iteration)
        metrics.append(row)
    return state, metrics


def same(a, b):
    return all(
        x.tobytes() == y.tobytes()
        for x, y in zip(*(map(np.asarray, jax.tree.leaves(tree)) for tree in (a, b)), strict=True)
    )
