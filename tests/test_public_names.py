"""The package's public names exist, cost nothing until used, and do what their examples say."""

import doctest
import subprocess
import sys

import pytest

import reinfer

NAMES = [name for name in reinfer.__all__ if name != "__version__"]


def test_every_public_name_resolves():
    for name in reinfer.__all__:
        assert getattr(reinfer, name) is not None
    assert len(NAMES) == 10
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = reinfer.no_such_name


def test_importing_the_package_imports_no_numerics():
    code = "import reinfer, sys; assert not {'jax', 'numpy', 'mujoco'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", NAMES)
def test_the_example_in_its_docstring_runs(name):
    (example,) = doctest.DocTestFinder(recurse=False).find(getattr(reinfer, name), name, globs={})
    assert any("reinfer." in line.source for line in example.examples)
    said = []
    doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS).run(example, out=said.append)
    assert not said, "".join(said)
