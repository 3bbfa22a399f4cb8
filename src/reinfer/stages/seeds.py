"""Stages whose iteration is a pure function of arrays and the seed, then some work on the host.

One agent of such a stage is trained by ``SeedStage`` itself, many in one program by ``stages.many``.
"""

import functools
from dataclasses import replace
from typing import Any

import numpy as np

from reinfer.runs.compilation import TrainingProgram, compile_together
from reinfer.runs.stage import State


class SeedStage:
    """Base of such a stage: an iteration is a part on the device, then one on the host. It holds nothing live.

    ``advance`` and ``observe`` are pure functions of arrays, two programs that compile side by side. In them, a
    condition on ``iteration`` alone stays one, since all seeds share it; one on anything else becomes a choice between
    two results that are both computed.

    Attributes:
        config: as of any stage; it has a ``seed``.
        compiled: the same without what no program depends on, the seed above all.
        numbers: names of settings with which the programs only calculate: they may as well be arrays without axes.
        hosted: names of settings that no program depends on.
    """

    config: Any
    compiled: Any
    numbers: tuple[str, ...] = ()
    hosted: tuple[str, ...] = ()
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

    def structure(self) -> Any:
        """``compiled`` with the default of every one of ``numbers``."""
        usual = type(self.compiled)()
        return replace(self.compiled, **{name: getattr(usual, name) for name in self.numbers})

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

    def __call__(self, carried, *rest) -> tuple:
        """What is carried then, metrics, what was observed; ``rest``: seed and iteration, or what is in their place."""
        if not self._compiled:
            compile_together((self.advance, carried, *rest), (self.observe, carried, *rest))
            self._compiled = True
        carried, metrics = self.advance(carried, *rest)
        return carried, metrics, self.observe(carried, *rest)


@functools.cache
def _for_one(stage: type[SeedStage], compiled) -> Programs:
    parts = (functools.partial(part, config=compiled) for part in (stage.advance, stage.observe))
    return Programs(*map(TrainingProgram, parts))
