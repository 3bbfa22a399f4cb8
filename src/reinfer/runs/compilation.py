"""The persistent compilation cache of JAX, switched on by the command line only."""

import os
from pathlib import Path

import jax

SWITCH = "REINFER_COMPILATION_CACHE"


def enable_cache() -> Path | None:
    """Keep compiled programs in the user's cache folder and return it; None if the switch is ``0``."""
    if os.environ.get(SWITCH) == "0":
        return None
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(root) / "reinfer" / f"jax-{jax.__version__}"
    jax.config.update("jax_compilation_cache_dir", str(folder))
    return folder
