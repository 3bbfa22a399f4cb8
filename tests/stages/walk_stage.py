"""A stage of which many agents can be trained in one program, and which takes a moment: random walks."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.runs import random
from reinfer.runs.config import seed_setting, setting, to_dict, validate
from reinfer.runs.models import save_model
from reinfer.stages.seeds import SeedStage


@dataclass(frozen=True, slots=True)
class WalkConfig:
    """Settings of the walk."""

    seed: int = seed_setting("seed of all randomness")
    iterations: int = setting(4, "iterations in all", low=1)
    bad_seed: int = setting(-1, "seed that goes wrong")
    pace: float = setting(1.0, "size of its steps", low=0.0)
    host: float = setting(1.0, "what the host adds counts so much")


class WalkState(NamedTuple):
    """A part on the device and one on the host."""

    place: jax.Array
    steps: jax.Array
    visited: np.ndarray


def step(carried, seed, iteration, config: WalkConfig):
    """A step."""
    place, steps = carried
    change = jax.random.normal(random.key(seed, "step", iteration), place.shape)
    return (place + config.pace * change * jnp.where(seed == config.bad_seed, jnp.nan, 1.0), steps + 1), {
        "far": jnp.abs(place).max()
    }


def look(carried, seed, iteration, config: WalkConfig):
    """What can be seen from there."""
    return carried[0] + jax.random.normal(random.key(seed, "look", iteration), (3,))


class WalkStage(SeedStage):
    """Implements ``runs.Stage``."""

    name = "walk"
    score_key = "far"
    steps_per_iteration = 1
    advance, observe = staticmethod(step), staticmethod(look)
    numbers, hosted = ("pace",), ("host",)

    def __init__(self, config: WalkConfig):
        self.config = validate(config)
        self.compiled = WalkConfig(bad_seed=config.bad_seed, pace=config.pace)
        self.iterations = config.iterations

    def init(self):
        place = jax.random.normal(random.key(self.config.seed, "start"), (3,))
        return WalkState(place, jnp.zeros((), jnp.int32), np.zeros(3))

    def carried(self, state):
        return state.place, state.steps

    def conclude(self, state, carried, metrics, seen, iteration):
        place, steps = carried
        visited = (
            state.visited
            + random.generator(self.config.seed, "host", iteration).normal() * np.asarray(seen) * self.config.host
        )
        metrics = {"far": float(metrics["far"]), "length": float(np.abs(place).sum())}
        return WalkState(place, steps, visited), metrics

    def parents(self):
        return []

    def export(self, state, folder, provenance):
        arrays = {"place": np.asarray(state.place), "visited": state.visited}
        training = {"training": to_dict(self.config)}
        save_model(folder, kind="walk", arrays=arrays, config=training, metrics={}, provenance=provenance)


PRESETS = {"default": WalkConfig(), "long": WalkConfig(iterations=8)}
