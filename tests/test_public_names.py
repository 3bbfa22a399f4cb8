"""The package's public names exist and cost nothing until used."""

import subprocess
import sys

import pytest

import reinfer


def test_every_public_name_resolves():
    for name in reinfer.__all__:
        assert getattr(reinfer, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = reinfer.no_such_name


def test_importing_the_package_imports_no_numerics():
    code = "import reinfer, sys; assert not {'jax', 'numpy', 'mujoco'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
