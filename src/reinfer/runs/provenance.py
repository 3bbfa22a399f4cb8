"""Where results come from: code, versions, machine. Read-only; nothing here sets anything."""

import functools
import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path

import reinfer

_PACKAGES = ("jax", "jaxlib", "numpy", "mujoco", "mujoco-mjx", "mjbatch", "optax", "safetensors", "gymnasium")
_VARIABLES = (
    "JAX_PLATFORMS",
    "XLA_FLAGS",
    "OMP_NUM_THREADS",
    "JAX_ENABLE_X64",
    "JAX_DEFAULT_MATMUL_PRECISION",
)


@functools.cache
def versions() -> dict[str, str]:
    """Versions of Python, reinfer and the libraries on which results depend, without importing them."""
    found = {"python": platform.python_version(), "reinfer": reinfer.__version__}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def machine() -> dict:
    """Platform, usable cores, and the environment variables that change numbers."""
    return {
        "platform": platform.platform(),
        "processor": platform.machine(),
        "cores": usable_cores(),
        "environment": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
    }


def usable_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


@functools.cache
def code() -> dict | None:
    """Commit of this package's source and whether its tracked modules differ from it; None outside a git tree."""
    folder = Path(reinfer.__file__).parent
    if _git(folder, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    commit = _git(folder, "rev-parse", "HEAD")
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", "*.py")
    return None if commit is None else {"commit": commit.strip(), "dirty": bool(changes)}


def session(argv) -> dict:
    """All of the above, the command line and the folder it was typed in, for the manifest of a run."""
    typed = {"argv": list(argv), "folder": os.getcwd()}
    return typed | {"code": code(), "versions": versions(), "machine": machine()}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def command_line() -> list[str]:
    """The command line of this process as the user typed it, program name without its folder."""
    return [Path(sys.argv[0]).name, *sys.argv[1:]]
