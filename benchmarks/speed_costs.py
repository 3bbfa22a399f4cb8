"""Where the time of a training goes: parts of an iteration, timed while the stage does what it always does.

Functions are replaced by ones that keep time, which wait for what JAX computes; the time of those that one calls is not
counted as its own. The first iteration compiles and is reported apart: what it took longer than the others.
"""

import functools
import importlib
import statistics
import time

import jax

#: Per stage: the body it is trained on, iterations that are timed, and functions with what they do; what is left of an
#: iteration comes last. A function is where it is looked up: ``module:name`` or ``module:class.name``.
STAGES = {
    "toy": (
        None,
        4,
        {
            "reinfer.stages.seeds:Programs.__call__": "compiled updates and latents",
            "reinfer.stages.toy:refit": "refit of the mixture",
        },
        "handing over",
    ),
    "low": (
        "half_cheetah",
        25,
        {
            "reinfer.simulation.batch:BatchSimulation.step": "physics",
            "reinfer.stages.low_level:update": "learning",
            "reinfer.control.exercise:mean_action": "policy",
        },
        "rewards, observations, commands, resets",
    ),
    "stride": (
        "half_cheetah",
        2,
        {
            "reinfer.simulation.batch:BatchSimulation.step": "physics",
            "reinfer.stages.stride:learn": "learning",
            "reinfer.transfer.hierarchy:extend_and_decide": "inference and sub-goals",
            "reinfer.stages.stride:greedy_stride": "strides",
            "reinfer.control.low_level_policy:LowLevelPolicy.act": "low level",
        },
        "rows, rewards, observations",
    ),
}


class Stopwatch:
    """Own time of functions, s, by what they do."""

    def __init__(self):
        self.seconds: dict[str, float] = {}
        self._inner: list[float] = []

    def timed(self, function, part: str):
        """``function``, keeping time."""

        @functools.wraps(function)
        def call(*arguments, **named):
            self._inner.append(0.0)
            start = time.perf_counter()
            result = jax.block_until_ready(function(*arguments, **named))
            whole = time.perf_counter() - start
            self.seconds[part] = self.seconds.get(part, 0.0) + whole - self._inner.pop()
            if self._inner:
                self._inner[-1] += whole
            return result

        return call

    def watch(self, place: str, part: str):
        """Replace the function at ``place``; returns what puts it back."""
        module, _, path = place.partition(":")
        *owners, name = path.split(".")
        owner = functools.reduce(getattr, owners, importlib.import_module(module))
        original = getattr(owner, name)
        setattr(owner, name, self.timed(original, part))
        return lambda: setattr(owner, name, original)


def costs(stage, iterations: int, parts: dict[str, str], rest: str) -> dict:
    """``parts`` (s per iteration, what is left of it as ``rest``), ``iteration_s`` and ``compile_s``."""
    watch = Stopwatch()
    undo = [watch.watch(place, part) for place, part in parts.items()]
    try:
        state, spent = stage.init(), []
        # A policy that learns from some moment on does so in the middle of a training.
        first = stage.iterations // 2
        stage.begin(first)
        for number in range(iterations + 1):
            start = time.perf_counter()
            state, _ = stage.iterate(state, first + number)
            spent.append(time.perf_counter() - start)
            if number == 0:
                watch.seconds.clear()
    finally:
        for put_back in undo:
            put_back()
    mean = statistics.mean(spent[1:])
    found = {part: watch.seconds[part] / iterations for part in parts.values()}
    return {
        "iterations": iterations,
        "iteration_s": mean,
        "compile_s": spent[0] - mean,
        "parts": found | {rest: mean - sum(found.values())},
    }


def measure(seconds: float, peer_python: str) -> dict:
    """The costs of every one of ``STAGES`` by its preset for the body; that they take is what it takes."""
    del seconds, peer_python
    from reinfer.cli.stages import build
    from reinfer.cli.train import read_training

    found = {}
    for name, (body, iterations, parts, rest) in STAGES.items():
        wanted = read_training([name, *(["--body", body] if body else [])])
        found[name] = {"body": body} | costs(build(wanted.classes, wanted.config), iterations, parts, rest)
        print(f"{name}: {found[name]['iteration_s']:.2f} s per iteration", flush=True)
    return found
