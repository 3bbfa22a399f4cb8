"""What all tests share."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes tells of the machine, not of the code.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

#: Every process of a run of the tests - workers and the commands they start - keeps compiled programs in one folder.
CACHE = "JAX_COMPILATION_CACHE_DIR"

#: Most of the time goes into compiling programs that then run for a moment: what compiles a quarter faster is worth
#: more than what runs faster.
QUICK_TO_COMPILE = "--xla_cpu_use_fusion_emitters=false"


#: Files that take minutes, longest first: workers begin with them, so that none is left over at the end.
LONGEST = (
    "cli/test_reproduce.py",
    "cli/test_own_body_commands.py",
    "stages/test_toy_stage.py",
    "stages/test_toy_variants.py",
    "control/test_low_level_stage.py",
    "cli/test_documentation.py",
    "inference/test_equivariance.py",
    "stages/test_toy_reference.py",
    "transfer/test_high_stage.py",
    "cli/test_sweep.py",
)


def pytest_collection_modifyitems(items):
    """Long files first; otherwise the order stays."""
    tests = Path(__file__).parent
    place = {tests / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(LONGEST)))


def pytest_configure(config):
    """Workers inherit the folder from the process that starts them: set before anything imports JAX."""
    if CACHE not in os.environ:
        os.environ[CACHE] = config.cache_of_programs = tempfile.mkdtemp(prefix="reinfer-tests-")
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.2"
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {QUICK_TO_COMPILE}".strip()


def pytest_unconfigure(config):
    """The process that made the folder removes it."""
    if hasattr(config, "cache_of_programs"):
        shutil.rmtree(config.cache_of_programs, ignore_errors=True)


@pytest.fixture(scope="module", autouse=True)
def _compiled_programs_end_with_their_module():
    """A process may map only so many pieces of memory, and every compiled program takes some."""
    import jax

    yield
    jax.clear_caches()
