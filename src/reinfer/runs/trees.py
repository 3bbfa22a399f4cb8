"""Training state as named leaves: canonical form, signature, copies on the host, finiteness, restoration."""

import hashlib

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.runs.errors import ArtifactError, NonFiniteError, RunError


def canonical(state):
    """``state`` as it would come back from a checkpoint: no weak types, NumPy leaves in C order.

    Both can change later arithmetic by a rounding, so an uninterrupted run gets the same treatment.
    """
    return jax.tree.map(_canonical_leaf, state)


def signature(state) -> dict[str, str]:
    """Leaf name -> kind (jax, numpy, key, python), dtype and shape in words."""
    return {name: _describe(leaf) for name, leaf in named_leaves(state).items()}


def require_signature(state, expected: dict[str, str], where: str) -> None:
    """Raise RunError naming the first leaf of ``state`` that differs in presence, shape or dtype."""
    difference = _difference(expected, signature(state))
    if difference:
        raise RunError(f"{where}: the training state changed its form: {difference}")


def named_leaves(state) -> dict:
    """Leaves by path, e.g. ``networks/policy/0/weight``. Raises RunError if two leaves have the same path."""
    leaves = {}
    for path, leaf in jax.tree_util.tree_flatten_with_path(state)[0]:
        name = jax.tree_util.keystr(path, simple=True, separator="/") or "state"
        if name in leaves:
            raise RunError(f"training state: two leaves are called {name!r}; rename one")
        leaves[name] = leaf
    return leaves


def to_host(state) -> dict[str, np.ndarray]:
    """NumPy arrays by leaf name; PRNG keys as their raw words."""
    return {name: _host_leaf(leaf) for name, leaf in named_leaves(state).items()}


def digest(state) -> str:
    """SHA-256 of all arrays of ``state``, to see whether anything changed."""
    found = hashlib.sha256()
    for leaf in jax.tree.leaves(state):
        found.update(np.asarray(leaf).tobytes())
    return found.hexdigest()


def require_finite(arrays: dict[str, np.ndarray], where: str) -> None:
    """Raise NonFiniteError naming the first array that holds NaN or infinity."""
    for name, array in arrays.items():
        if np.issubdtype(array.dtype, np.integer) or array.dtype == bool:
            continue
        bad = np.size(array) - int(np.isfinite(array).sum())
        if bad:
            raise NonFiniteError(f"{where}: state leaf {name!r} has {bad} of {array.size} values not finite")


def from_host(arrays: dict[str, np.ndarray], found: dict[str, str], template, source: str):
    """The state taken apart into ``arrays`` and signature ``found``.

    ``template`` lends its structure; of arrays the shapes will do (``jax.eval_shape``). Raises ArtifactError, led by
    ``source``, naming the first leaf that is missing, unexpected or different.
    """
    difference = _difference(signature(template), found)
    if difference:
        raise ArtifactError(f"{source} does not fit this stage: {difference}")
    leaves = [_restore_leaf(arrays[name], found[name]) for name in named_leaves(template)]
    return jax.tree.unflatten(jax.tree.structure(template), leaves)


def _is_key(leaf) -> bool:
    return isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _canonical_leaf(leaf):
    if _is_key(leaf):
        return leaf
    if isinstance(leaf, jax.Array):
        return jax.lax.convert_element_type(leaf, leaf.dtype) if leaf.weak_type else leaf
    if isinstance(leaf, np.generic) or (isinstance(leaf, np.ndarray) and not leaf.flags.c_contiguous):
        return np.array(leaf, order="C")
    return leaf


def _describe(leaf) -> str:
    if _is_key(leaf):
        return f"key {jax.random.key_impl(leaf)} {leaf.shape}"
    if isinstance(leaf, jax.Array | jax.ShapeDtypeStruct):
        return f"jax {leaf.dtype} {leaf.shape}"
    if isinstance(leaf, np.ndarray | np.generic):
        return f"numpy {leaf.dtype} {leaf.shape}"
    if isinstance(leaf, bool | int | float):
        return f"python {type(leaf).__name__}"
    raise RunError(f"training state: a leaf is {type(leaf).__name__}; arrays, PRNG keys and numbers are allowed")


def _host_leaf(leaf) -> np.ndarray:
    return np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf, order="C")


def _restore_leaf(array: np.ndarray, description: str):
    kind, detail = description.split()[:2]
    if kind == "key":
        return jax.random.wrap_key_data(jnp.array(array), impl=detail)
    if kind == "jax":
        return jnp.array(array)
    if kind == "numpy":
        return np.array(array, order="C")
    return {"bool": bool, "int": int, "float": float}[detail](array[()])


def _form(description: str) -> str:
    """What a program compiled for a leaf depends on: not whether NumPy or JAX holds it."""
    return description.removeprefix("jax ").removeprefix("numpy ")


def _difference(expected: dict[str, str], found: dict[str, str]) -> str:
    """The first difference of two signatures in words, empty if there is none."""
    for name in expected:
        if name not in found:
            return f"leaf {name!r} ({expected[name]}) is missing"
        if _form(found[name]) != _form(expected[name]):
            return f"leaf {name!r} is {found[name]}, expected {expected[name]}"
    unexpected = [name for name in found if name not in expected]
    return f"leaf {unexpected[0]!r} ({found[unexpected[0]]}) is unexpected" if unexpected else ""
