"""Updates per second of soft actor-critic, on one thread, at two sizes.

    python benchmarks/sac_updates.py [--updates N]

Prints updates per second of wall time and of processor time (the latter does not suffer from other programs),
best of three, without compilation. Batches of 256 random transitions are made in the same compiled program.
"""

import argparse
import os
import time

# Before JAX is imported: one thread per matrix product, so that a figure is one of a core.
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false"

from functools import partial

import jax
import jax.numpy as jnp

from reinfer.control.sac import Batch, Hyperparameters, init_sac, update

BATCH = 256

#: Name -> inputs, actions, hidden widths.
SIZES = {
    "robot, 256 x 256": (26, 6, (256, 256)),
    "published toy, 300 x 300 x 300": (6, 1, (300, 300, 300)),
    "toy, 64 x 64": (6, 1, (64, 64)),
}


@partial(jax.jit, static_argnames=("updates", "hyper"))
def learn(state, key, updates: int, hyper: Hyperparameters):
    """``updates`` updates on random transitions."""
    inputs, actions = state.policy[0].weight.shape[0], state.policy[-1].bias.shape[0] // 2

    def step(state, key):
        keys = jax.random.split(key, 4)
        batch = Batch(
            jax.random.normal(keys[0], (BATCH, inputs)),
            jax.random.uniform(keys[1], (BATCH, actions), minval=-1.0),
            jax.random.normal(keys[2], (BATCH,)),
            jax.random.normal(keys[3], (BATCH, inputs)),
            jnp.zeros(BATCH),
        )
        return update(key, state, batch, hyper)[0], None

    return jax.lax.scan(step, state, jax.random.split(key, updates))[0]


def measure(inputs: int, actions: int, hidden, normalised: bool, updates: int) -> tuple[float, float]:
    """Updates per second of wall time and of processor time."""
    hyper = Hyperparameters(normalised_critics=normalised)
    state = init_sac(jax.random.key(0), inputs, actions, hidden, temperature=0.2)
    state = jax.block_until_ready(learn(state, jax.random.key(1), updates, hyper))
    wall_s, processor_s = [], []
    for repeat in range(3):
        wall, processor = time.perf_counter(), time.process_time()
        state = jax.block_until_ready(learn(state, jax.random.key(repeat), updates, hyper))
        wall_s.append(time.perf_counter() - wall)
        processor_s.append(time.process_time() - processor)
    return updates / min(wall_s), updates / min(processor_s)


def main() -> None:
    """Measure every size, with and without normalised critics, and print a table."""
    parser = argparse.ArgumentParser(description="Updates per second of soft actor-critic on one thread.")
    parser.add_argument("--updates", type=int, default=200, help="updates per timing")
    updates = parser.parse_args().updates
    print(f"{'size':<32}{'critics':<12}{'per wall s':>12}{'per core s':>12}")
    for name, size in SIZES.items():
        for normalised in (False, True):
            wall, processor = measure(*size, normalised, updates)
            print(f"{name:<32}{'normalised' if normalised else 'plain':<12}{wall:>12.0f}{processor:>12.0f}")


if __name__ == "__main__":
    main()
