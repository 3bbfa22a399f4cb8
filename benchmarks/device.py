"""Control steps per second of MJX on JAX's device and of C MuJoCo in threads, over numbers of simulations.

    python benchmarks/device.py [--body BODY] [--counts N ...] [--train]

Writes docs/results/device.json: what the device is, and per way of stepping and number of simulations the control steps
per second (random actions, from a reset; best of three) and, for MJX, the seconds it took to compile. With ``--train``,
on a GPU, also how long `reinfer train low --device gpu` takes from a cold start, and the errors of what it trained.
Runs without a GPU too, where MJX is slow: one number of simulations takes a minute or two.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jax
import numpy as np

from reinfer.bodies import robot
from reinfer.runs import provenance, random
from reinfer.runs.compilation import training_options
from reinfer.runs.random import Draws
from reinfer.simulation import BatchSimulation
from reinfer.simulation.device import DeviceSimulation

RESULT = Path(__file__).resolve().parent.parent / "docs" / "results" / "device.json"

#: Control steps per timing, timings of which the best counts.
STEPS, REPEATS = 32, 3


def measure_device(body, count: int) -> dict:
    """MJX: a rollout as one program, as training does it."""
    simulation = DeviceSimulation(body)

    def step(state, key):
        return simulation.step(state, jax.random.uniform(key, (count, simulation.action_size), minval=-1.0)), None

    def roll_out(state, key):
        state, _ = jax.lax.scan(step, state, jax.random.split(key, STEPS))
        return state, simulation.fallen(state).mean()

    state = simulation.reset(Draws(random.key(0, "physics")), count)
    started = time.perf_counter()
    compiled = jax.jit(roll_out, compiler_options=training_options()).lower(state, jax.random.key(0)).compile()
    compile_s = time.perf_counter() - started
    best = _best(lambda: float(compiled(state, jax.random.key(1))[1]))
    return {"physics": "mjx", "simulations": count, "steps_per_s": count * STEPS / best, "compile_s": compile_s}


def measure_cpu(body, count: int) -> dict:
    """C MuJoCo in as many threads as there are cores."""
    simulation = BatchSimulation(body, count)
    actions = np.random.default_rng(1).uniform(-1.0, 1.0, (STEPS, count, simulation.action_size))

    def roll_out():
        simulation.reset(np.random.default_rng(0))
        for action in actions:
            simulation.step(action)

    return {"physics": "c", "simulations": count, "steps_per_s": count * STEPS / _best(roll_out)}


def _best(work) -> float:
    """Shortest wall-clock seconds of ``work``, which returns when all is done."""
    found = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        found.append(time.perf_counter() - started)
    return min(found)


def measure_training(body: str) -> dict:
    """A whole training on the GPU in a fresh process without a compilation cache, and the errors it ends with."""
    environment = os.environ | {"REINFER_COMPILATION_CACHE": "0"}
    reinfer = [sys.executable, "-m", "reinfer.cli.main"]
    with tempfile.TemporaryDirectory() as folder:
        options = ["train", "low", "--body", body, "--device", "gpu"]
        started = time.perf_counter()
        subprocess.run([*reinfer, *options, "--runs", folder, "--name", "run"], check=True, env=environment)
        seconds = time.perf_counter() - started
        judge = [*reinfer, "eval", "low", "--body", body, "--model", f"{folder}/low/run", "--json"]
        judged = json.loads(subprocess.run(judge, check=True, env=environment, capture_output=True).stdout)
    errors = {name: judged[name] for name in ("goal_error_m", "speed_error_windowed", "fall_rate")}
    return {"command": " ".join(["reinfer", *options]), "train_s": seconds} | errors


def main() -> None:
    """Measure, print a table, write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--body", default="half_cheetah", help="robot that is stepped")
    parser.add_argument("--counts", type=int, nargs="+", default=[256, 1024, 4096, 16384], help="simulations at once")
    parser.add_argument("--train", action="store_true", help="also train a low level; needs a GPU")
    parser.add_argument("--output", type=Path, default=RESULT, help="JSON file that is written")
    options = parser.parse_args()
    body, chip = robot(options.body), jax.devices()[0]
    found = {
        "body": body.name,
        "device": f"{chip.platform} {chip.device_kind}",
        "versions": provenance.versions(),
        "machine": provenance.machine(),
        "speed": [],
    }
    print(f"device: {found['device']}; cores: {found['machine']['cores']}")
    print(f"{'physics':<10}{'simulations':>12}{'steps/s':>12}{'compile s':>12}")
    for measure in (measure_cpu, measure_device):
        for count in options.counts:
            row = measure(body, count)
            found["speed"].append(row)
            compile_s = f"{row['compile_s']:.0f}" if "compile_s" in row else ""
            print(f"{row['physics']:<10}{count:>12}{row['steps_per_s']:>12.0f}{compile_s:>12}", flush=True)
    if options.train:
        found["training"] = measure_training(options.body)
        print(json.dumps(found["training"], indent=2))
    options.output.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
