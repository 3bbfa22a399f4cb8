"""A diagnostic stage: linear regression on noisy rows from a live resource that cannot be saved mid-way."""

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.runs import random
from reinfer.runs.config import seed_setting, setting, validate
from reinfer.runs.models import save_model

WIDTH = 3


def fingerprint(run: Path) -> str:
    """One hash of everything that must not depend on how often a run was killed."""
    newest = max(run.glob("checkpoints/[0-9]*"))
    files = [run / "metrics.csv", newest / "state.safetensors", *sorted(run.glob("model/*"))]
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(run)} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    assert len(files) == 4
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class LineConfig:
    """Settings of the diagnostic stage."""

    seed: int = seed_setting("seed of all randomness")
    iterations: int = setting(40, "iterations in all", low=1)
    learning_rate: float = setting(0.1, "step size", low=0.0, high=1.0)
    sync_interval: int = setting(4, "iterations between boundaries", low=1)
    pause_s: float = setting(0.0, "sleep per iteration, to make room for signals", low=0.0)
    bad_at: int = setting(0, "iteration that goes wrong, 0 for none", low=0)
    bad: str = setting("metric", "what goes wrong there", choices=("metric", "state", "shape", "crash"))


PRESETS = {"default": LineConfig(), "long": LineConfig(iterations=160, sync_interval=5, pause_s=0.004)}


class LineState(NamedTuple):
    """JAX and NumPy arrays, a PRNG key and Python numbers: every kind of leaf there may be."""

    weight: jax.Array
    momentum: dict[str, Any]
    replay: np.ndarray
    key: jax.Array
    gain: jax.Array
    seen: int


class LineStage:
    """Implements ``runs.Stage``."""

    name = "line"
    score_key = "loss"
    steps_per_iteration = 8

    def __init__(self, config: LineConfig):
        self.config = validate(config)
        self.iterations = config.iterations
        self.sync_interval = config.sync_interval
        self.position = None

    def init(self) -> LineState:
        key = random.key(self.config.seed, "init")
        return LineState(
            weight=jax.random.normal(key, (WIDTH,)),
            momentum={"velocity": np.zeros(WIDTH, np.float32)},
            replay=np.zeros((WIDTH, 4)).T,
            key=key,
            gain=jnp.asarray(1.0),
            seen=0,
        )

    def begin(self, iteration: int) -> None:
        """The live resource: a walk whose place is nowhere in the state."""
        self.position = random.generator(self.config.seed, "resource", iteration).standard_normal(WIDTH)

    def iterate(self, state: LineState, iteration: int):
        time.sleep(self.config.pause_s)
        rng = random.generator(self.config.seed, "rows", iteration)
        self.position += 0.1 * rng.standard_normal(WIDTH)
        rows = (self.position + rng.standard_normal((self.steps_per_iteration, WIDTH))).astype(np.float32)
        targets = rows @ np.arange(1, WIDTH + 1, dtype=np.float32)
        key = jax.random.fold_in(state.key, iteration)
        noise = 0.01 * np.asarray(jax.random.normal(key, (WIDTH,)))
        error = rows @ np.asarray(state.weight) - targets
        velocity = 0.5 * state.momentum["velocity"] - self.config.learning_rate * (rows.T @ error) / len(rows)
        state.replay[iteration % len(state.replay)] = self.position
        loss = float(np.mean(error**2)) + float(state.replay.sum()) * 1e-6
        metrics = {"loss": loss}
        if iteration % 10 == 9:
            metrics["evaluation"] = float(jnp.abs(state.weight).sum())
        weight = state.weight + velocity + noise * state.gain
        if self.config.bad_at and iteration + 1 == self.config.bad_at:
            weight, metrics = self._go_wrong(weight, metrics)
        return LineState(
            weight, {"velocity": velocity}, state.replay, key, state.gain * 0.99, state.seen + len(rows)
        ), metrics

    def _go_wrong(self, weight, metrics):
        if self.config.bad == "metric":
            return weight, metrics | {"loss": float("nan")}
        if self.config.bad == "state":
            return weight.at[1].set(jnp.inf), metrics
        if self.config.bad == "shape":
            return weight[:-1], metrics
        raise ZeroDivisionError("the stage itself failed")

    def parents(self) -> list[dict]:
        return []

    def export(self, state: LineState, folder, provenance: dict) -> None:
        save_model(
            folder,
            kind="line",
            arrays={"weight": np.asarray(state.weight)},
            config={},
            metrics={},
            provenance=provenance,
        )
