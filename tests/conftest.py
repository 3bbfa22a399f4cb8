"""What all tests share."""

import os
import shutil
import tempfile

import pytest
from hypothesis import settings

# How long an example takes tells of the machine, not of the code.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

#: Every process of a run of the tests - workers and the commands they start - keeps compiled programs in one folder.
CACHE = "JAX_COMPILATION_CACHE_DIR"


def pytest_configure(config):
    """Workers inherit the folder from the process that starts them: set before anything imports JAX."""
    if CACHE not in os.environ:
        os.environ[CACHE] = config.cache_of_programs = tempfile.mkdtemp(prefix="reinfer-tests-")
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.2"


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
