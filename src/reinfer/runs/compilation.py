"""The persistent compilation cache of JAX, switched on by the command line only, and how training is compiled."""

import functools
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax

SWITCH = "REINFER_COMPILATION_CACHE"

#: A third of the compilation time saved, and no slower: training programs are matrix products in library calls.
TRAINING_OPTIONS = {"xla_backend_optimization_level": 1, "xla_llvm_disable_expensive_passes": True}


def training_options() -> dict | None:
    """``TRAINING_OPTIONS`` where JAX computes on a CPU; other compilers are left as they are."""
    return TRAINING_OPTIONS if jax.default_backend() == "cpu" else None


class TrainingProgram:
    """``function`` as ``jax.jit`` compiles it with ``training_options``, and with its own ``settings``.

    Which compiler it is for is asked when it is first used: asking starts JAX, which imports must not.
    """

    def __init__(self, function, **settings):
        self._function, self._settings = function, settings
        functools.update_wrapper(self, function)

    @functools.cached_property
    def _jitted(self):
        return jax.jit(self._function, compiler_options=training_options(), **self._settings)

    def __call__(self, *arguments, **named):
        return self._jitted(*arguments, **named)

    def __getattr__(self, name: str):
        """What compiled functions have beside: ``lower`` and the like."""
        return getattr(self._jitted, name)


def enable_cache() -> Path | None:
    """Keep compiled programs in the user's cache folder and return it; None if the switch is ``0``."""
    if os.environ.get(SWITCH) == "0":
        return None
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(root) / "reinfer" / f"jax-{jax.__version__}"
    jax.config.update("jax_compilation_cache_dir", str(folder))
    return folder


def compile_together(*calls: tuple) -> None:
    """Compile what ``function(*arguments)`` will run, for each (jitted function, *arguments), all at the same time.

    Much of a compilation keeps one core busy. Calls that follow find their programs; nothing is run.
    """
    with ThreadPoolExecutor(len(calls)) as pool:
        list(pool.map(lambda call: call[0].lower(*call[1:]).compile(), calls))
