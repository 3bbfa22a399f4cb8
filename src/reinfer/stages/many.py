"""Many agents of one stage, trained in one program: ``reinfer train STAGE --seeds N --over NAME=VALUE,VALUE``.

What an iteration computes on the device is compiled once, for all agents (``jax.vmap``), and spread over the devices;
what it does on the host (mixture fits, models) is done agent by agent, by the stage itself. Keys are those of a run of
the agent alone, so results agree with it up to rounding. Agents may differ in their seeds, in settings with which the
programs only calculate, and in those that concern the host alone.
"""

import functools
from dataclasses import fields, make_dataclass, replace
from pathlib import Path
from typing import get_type_hints

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from tyro.conf import UseAppendAction

from reinfer.runs import random
from reinfer.runs.axes import Axis, combinations, folder_name, parse_axes
from reinfer.runs.compilation import TrainingProgram
from reinfer.runs.config import digest, nearest, setting, validate
from reinfer.runs.errors import ConfigError
from reinfer.stages.seeds import Programs, SeedStage

_SPLIT = PartitionSpec("agents")


@functools.cache
def many_config(kind: type) -> type:
    """The type of config ``kind`` with two fields more: how many seeds, which follow each other from ``seed`` on, and
    what settings agents of each seed are trained with."""
    count = setting(1, "agents trained in one program, of this seed and those that follow it", low=1)
    over = setting(
        (), "NAME=VALUE,VALUE, once per setting: agents with each combination of values, trained in one program"
    )
    added = [("seeds", int, count), ("over", UseAppendAction[tuple[str, ...]], over)]
    return make_dataclass(f"{kind.__name__}Many", added, bases=(kind,), frozen=True, slots=True)


def with_seeds(config, seeds: int = 1, over: tuple[str, ...] = ()):
    """``config`` as a ``many_config``."""
    return many_config(type(config))(**_values(config, type(config)), seeds=seeds, over=over)


def alone(config, seed: int, **settings):
    """The config of one of the agents of a ``many_config``: what a run of it alone would have."""
    kind = type(config).__base__
    return replace(kind(**_values(config, kind)), seed=seed, **settings)


def members(config, stage: type[SeedStage]) -> dict:
    """The configs of all agents of a ``many_config``, by name. Raises ConfigError on a setting that ``stage`` does not
    let differ, or a value that is none of it."""
    kind, seeds = type(config).__base__, range(config.seed, config.seed + config.seeds)
    random.check_seed(seeds[-1])
    found = {}
    for texts in combinations(_axes(config)):
        settings = {name: _value(stage, kind, name, text) for name, text in texts.items()}
        for seed in seeds:
            name = "_".join([*([folder_name(texts)] if texts else []), f"seed{seed}"])
            found[name] = alone(config, seed, **settings)
    return found


def _axes(config) -> tuple[Axis, ...]:
    """What settings the agents of a ``many_config`` go over; none where they differ in seeds alone."""
    return parse_axes(config.over) if config.over else ()


def _value(stage: type[SeedStage], kind: type, name: str, text: str):
    """What setting ``name`` of config ``kind`` is by ``text``."""
    allowed = [*stage.numbers, *stage.hosted]
    if name == "seed":
        raise ConfigError("over: seed may not be given so; --seeds N trains N seeds, from --seed on")
    if name not in allowed:
        hint = nearest(name, allowed) if allowed else "no setting may"
        raise ConfigError(f"over: {name} may not differ between agents of one program; {hint}")
    try:
        return get_type_hints(kind)[name](text)
    except ValueError:
        raise ConfigError(f"over: {name}: {text!r} is not allowed; it must be a number") from None


@functools.cache
def _for_many(stage: type[SeedStage], compiled, mesh: Mesh) -> Programs:
    """All arguments but the iteration are stacked; every device of ``mesh`` has some, and nothing to tell another.

    Programs are called with what is carried, seeds, the dictionary of settings that differ, and the iteration.
    """

    def spread(part):
        def of_one(carried, seed, numbers, iteration):
            return part(carried, seed, iteration, replace(compiled, **numbers))

        every = jax.vmap(of_one, in_axes=(0, 0, 0, None))
        specs = (_SPLIT, _SPLIT, _SPLIT, PartitionSpec())
        return TrainingProgram(jax.shard_map(every, mesh=mesh, in_specs=specs, out_specs=_SPLIT, check_vma=False))

    return Programs(spread(stage.advance), spread(stage.observe))


def devices_for(count: int) -> list[jax.Device]:
    """The devices that ``count`` agents are spread over: no more than are needed where the fullest has the fewest."""
    devices = jax.devices()
    each = -(-count // len(devices))
    return devices[: -(-count // each)]


def many(stage: type[SeedStage]) -> type["ManyAgents"]:
    """The stage that trains many agents of ``stage``."""
    shared = {"one": stage, "name": stage.name, "score_key": stage.score_key, "sync_interval": stage.sync_interval}
    return type(f"Many{stage.__name__}", (ManyAgents,), shared)


class ManyAgents:
    """Implements ``runs.Stage`` for several agents of the stage ``one``; a state is the tuple of their states.

    Metrics are those of each agent, ``seed3/target_error``, and their means, ``target_error``. Environment steps are
    those of one agent, so that curves can be compared with those of a run of one.
    """

    one: type[SeedStage]

    def __init__(self, config):
        self.config = validate(config)
        configs = members(config, self.one)
        self.stages = {name: self.one(own) for name, own in configs.items()}
        first = next(iter(self.stages.values()))
        self.iterations, self.steps_per_iteration = first.iterations, first.steps_per_iteration
        devices = devices_for(len(configs))
        # All devices have equally many: where agents do not go round, the first is trained again, for nothing.
        self._again = -len(configs) % len(devices)
        every = [*configs.values(), *[first.config] * self._again]
        self._seeds = np.array([own.seed for own in every], np.uint32)
        differing = {name for axis in _axes(config) for name in axis.names}
        self._numbers = {
            name: np.array([getattr(own, name) for own in every], np.float32)
            for name in sorted(differing.intersection(self.one.numbers))
        }
        mesh = Mesh(np.array(devices), ("agents",))
        self._placed = NamedSharding(mesh, _SPLIT)
        self.programs = _for_many(self.one, first.compiled, mesh)

    def init(self) -> tuple:
        """Every agent's own."""
        return tuple(stage.init() for stage in self.stages.values())

    def begin(self, iteration: int) -> None:
        """Nothing to reset."""

    def iterate(self, state: tuple, iteration: int):
        """Advance and observe all agents at once, then conclude one after the other."""
        found = jax.tree.map(np.asarray, self.programs(*self.inputs(state), iteration))
        concluded = [
            stage.conclude(part, *jax.tree.map(lambda leaf, place=place: leaf[place], found), iteration)
            for place, (stage, part) in enumerate(zip(self.stages.values(), state, strict=True))
        ]
        states, rows = zip(*concluded, strict=True)
        own = {f"{name}/{key}": row[key] for name, row in zip(self.stages, rows, strict=True) for key in row}
        return states, own | {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}

    def inputs(self, state: tuple) -> tuple:
        """What ``programs`` take besides the iteration, spread: what all agents carry, stacked, their seeds, and the
        settings in which they differ."""
        carried = [stage.carried(part) for stage, part in zip(self.stages.values(), state, strict=True)]
        carried += carried[:1] * self._again
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *carried)
        return jax.device_put((stacked, self._seeds, self._numbers), self._placed)

    def parents(self) -> list[dict]:
        """What every agent is built from."""
        return next(iter(self.stages.values())).parents()

    def export(self, state: tuple, folder: Path, provenance: dict) -> None:
        """Every agent's model in a folder of its own, with its own config, and a note of those trained beside it."""
        seeds = list(range(self.config.seed, self.config.seed + self.config.seeds))
        together = {"seeds": seeds, "config_sha256": provenance["config_sha256"]}
        together |= {"over": list(self.config.over)} if self.config.over else {}
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
