"""What all tests share."""

import jax
import pytest


@pytest.fixture(scope="module", autouse=True)
def _compiled_programs_end_with_their_module():
    """A process may map only so many pieces of memory, and every compiled program takes some."""
    yield
    jax.clear_caches()
