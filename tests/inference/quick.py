"""Programs that are run once: compiled quickly rather than well."""

from functools import partial

import jax

quick_jit = partial(
    jax.jit,
    compiler_options={"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True},
)
