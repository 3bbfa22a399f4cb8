"""Stages of which one seed, or many, can be trained in one program: ``reinfer train STAGE --seeds N``.

What an iteration computes on the device is compiled once, for all seeds (``jax.vmap``), and spread over the devices;
what it does on the host (mixture fits, models) is done seed by seed, by the stage itself. Keys are those of a run of
the seed alone, so results agree with it up to rounding.
"""

import functools
from dataclasses import fields, make_dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from reinfer.runs import random
from reinfer.runs.compilation import compile_together, training_options
from reinfer.runs.config import digest, setting, validate
from reinfer.runs.stage import State

_SPLIT = PartitionSpec("seeds")


class SeedStage:
    """Base of such a stage: an iteration is a part on the device, then one on the host. It holds nothing live.

    ``advance`` and ``observe`` are pure functions of arrays, two programs that compile side by side. In them, a
    condition on ``iteration`` alone stays one, since all seeds share it; one on anything else becomes a choice between
    two results that are both computed.

    Attributes:
        config: as of any stage; it has a ``seed``.
        compiled: the same without what no program depends on, the seed above all.
    """

    config: Any
    compiled: Any
    sync_interval = 1

    @staticmethod
    def advance(carried, seed, iteration, config) -> tuple[Any, dict]:
        """What is carried after ``iteration``, in the same form, and metrics; ``config`` is ``compiled``."""
        raise NotImplementedError

    @staticmethod
    def observe(carried, seed, iteration, config) -> Any:
        """What the host needs to know besides, of what is carried after ``iteration``."""
        return ()

    def carried(self, state: State) -> Any:
        """The part of ``state`` that the device works on."""
        return state

    def conclude(self, state: State, carried, metrics, observed, iteration: int) -> tuple[State, dict[str, float]]:
        """The next state and metrics, from those of ``advance`` and what ``observe`` gave (NumPy or JAX arrays)."""
        return carried, {name: float(value) for name, value in metrics.items()}

    def begin(self, iteration: int) -> None:
        """Nothing to reset."""

    def iterate(self, state: State, iteration: int) -> tuple[State, dict[str, float]]:
        """Advance, observe, conclude."""
        found = self.programs()(self.carried(state), np.uint32(self.config.seed), iteration)
        return self.conclude(state, *found, iteration)

    def programs(self) -> "Programs":
        """What runs on the device; the same for all stages that differ in no compiled setting."""
        return _for_one(type(self), self.compiled)


class Programs:
    """``advance`` and ``observe``, jitted; compiled at the same time when first called."""

    def __init__(self, advance, observe):
        self.advance, self.observe = advance, observe
        self._compiled = False

    def __call__(self, carried, seed, iteration) -> tuple:
        """What is carried then, metrics, what was observed."""
        if not self._compiled:
            compile_together((self.advance, carried, seed, iteration), (self.observe, carried, seed, iteration))
            self._compiled = True
        carried, metrics = self.advance(carried, seed, iteration)
        return carried, metrics, self.observe(carried, seed, iteration)


@functools.cache
def _for_one(stage: type[SeedStage], compiled) -> Programs:
    parts = (functools.partial(part, config=compiled) for part in (stage.advance, stage.observe))
    return Programs(*(jax.jit(part, compiler_options=training_options()) for part in parts))


@functools.cache
def _for_many(stage: type[SeedStage], compiled, mesh: Mesh) -> Programs:
    """All arguments but the iteration are stacked; every device of ``mesh`` has some, and nothing to tell another."""

    def spread(part):
        every = jax.vmap(functools.partial(part, config=compiled), in_axes=(0, 0, None))
        specs = (_SPLIT, _SPLIT, PartitionSpec())
        on_each = jax.shard_map(every, mesh=mesh, in_specs=specs, out_specs=_SPLIT, check_vma=False)
        return jax.jit(on_each, compiler_options=training_options())

    return Programs(spread(stage.advance), spread(stage.observe))


def devices_for(count: int) -> list[jax.Device]:
    """The devices that ``count`` seeds are spread over: no more than are needed where the fullest has the fewest."""
    devices = jax.devices()
    each = -(-count // len(devices))
    return devices[: -(-count // each)]


@functools.cache
def many_config(kind: type) -> type:
    """The type of config ``kind`` with one field more: how many seeds, which follow each other from ``seed`` on."""
    count = setting(1, "agents trained in one program, of this seed and those that follow it", low=1)
    return make_dataclass(f"{kind.__name__}Seeds", [("seeds", int, count)], bases=(kind,), frozen=True, slots=True)


def with_seeds(config, seeds: int = 1):
    """``config`` as a ``many_config``."""
    return many_config(type(config))(**_values(config, type(config)), seeds=seeds)


def of_seed(config, seed: int):
    """The config of one of the seeds of a ``many_config``: what a run of it alone would have."""
    kind = type(config).__base__
    return replace(kind(**_values(config, kind)), seed=seed)


def many(stage: type[SeedStage]) -> type["ManySeeds"]:
    """The stage that trains many seeds of ``stage``."""
    shared = {"one": stage, "name": stage.name, "score_key": stage.score_key, "sync_interval": stage.sync_interval}
    return type(f"Many{stage.__name__}", (ManySeeds,), shared)


class ManySeeds:
    """Implements ``runs.Stage`` for several seeds of the stage ``one``; a state is the tuple of their states.

    Metrics are those of each seed, ``seed3/target_error``, and their means, ``target_error``. Environment steps are
    those of one seed, so that curves can be compared with those of a run of one.
    """

    one: type[SeedStage]

    def __init__(self, config):
        self.config = validate(config)
        seeds = range(config.seed, config.seed + config.seeds)
        random.check_seed(seeds[-1])
        self.stages = {f"seed{seed}": self.one(of_seed(config, seed)) for seed in seeds}
        first = self.stages[f"seed{config.seed}"]
        self.iterations, self.steps_per_iteration = first.iterations, first.steps_per_iteration
        devices = devices_for(config.seeds)
        # All devices have equally many: where seeds do not go round, the first is trained again, for nothing.
        self._again = -config.seeds % len(devices)
        self._seeds = np.array([*seeds, *[config.seed] * self._again], np.uint32)
        mesh = Mesh(np.array(devices), ("seeds",))
        self._placed = NamedSharding(mesh, _SPLIT)
        self.programs = _for_many(self.one, first.compiled, mesh)

    def init(self) -> tuple:
        """Every seed's own."""
        return tuple(stage.init() for stage in self.stages.values())

    def begin(self, iteration: int) -> None:
        """Nothing to reset."""

    def iterate(self, state: tuple, iteration: int):
        """Advance and observe all seeds at once, then conclude one after the other."""
        found = jax.tree.map(np.asarray, self.programs(*self.inputs(state), iteration))
        concluded = [
            stage.conclude(part, *jax.tree.map(lambda leaf, place=place: leaf[place], found), iteration)
            for place, (stage, part) in enumerate(zip(self.stages.values(), state, strict=True))
        ]
        states, rows = zip(*concluded, strict=True)
        own = {f"{name}/{key}": row[key] for name, row in zip(self.stages, rows, strict=True) for key in row}
        return states, own | {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}

    def inputs(self, state: tuple) -> tuple:
        """What ``programs`` take besides the iteration, spread: what all seeds carry, stacked, and their numbers."""
        carried = [stage.carried(part) for stage, part in zip(self.stages.values(), state, strict=True)]
        carried += carried[:1] * self._again
        return jax.device_put((jax.tree.map(lambda *leaves: np.stack(leaves), *carried), self._seeds), self._placed)

    def parents(self) -> list[dict]:
        """What every seed is built from."""
        return next(iter(self.stages.values())).parents()

    def export(self, state: tuple, folder: Path, provenance: dict) -> None:
        """Every seed's model in a folder of its own, with its own config, and a note of the seeds trained beside it."""
        together = {"seeds": self._seeds.tolist(), "config_sha256": provenance["config_sha256"]}
        metrics = provenance["last_metrics"]
        for (name, stage), part in zip(self.stages.items(), state, strict=True):
            own = {key.removeprefix(f"{name}/"): value for key, value in metrics.items() if key.startswith(f"{name}/")}
            story = {
                "seed": stage.config.seed,
                "config_sha256": digest(stage.config),
                "last_metrics": {key: metrics[key] for key in ("iteration", "env_steps")} | own,
                "trained_together": together,
            }
            stage.export(part, folder / name, provenance | story)


def _values(config, kind: type) -> dict:
    """The settings of ``config`` that a ``kind`` has."""
    return {field.name: getattr(config, field.name) for field in fields(kind)}
