"""``reinfer doctor``: what this machine offers, and what is missing; with ``--body``, the same of a robot."""

import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from reinfer.cli.parsing import parse
from reinfer.runs import provenance
from reinfer.runs.config import setting, validate
from reinfer.runs.directory import shipped_models
from reinfer.runs.errors import ArtifactError
from reinfer.runs.models import DESCRIPTION_FILE, load_model

GL_BACKENDS = ("egl", "osmesa", "glfw")
_RENDER = """
import mujoco
model = mujoco.MjModel.from_xml_string("<mujoco><worldbody><geom size='1'/></worldbody></mujoco>")
with mujoco.Renderer(model, 16, 16) as renderer:
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    renderer.update_scene(data)
    renderer.render()
"""
_DEVICES = "import jax; print(jax.device_count(), jax.devices()[0].platform, jax.devices()[0].device_kind)"


@dataclass(frozen=True, slots=True)
class DoctorOptions:
    """Tell what this machine offers. Exit code 1 if something that every command needs is broken, or the robot is."""

    body: str | None = setting(None, "examine this robot in place of the machine: a name, or a file of your own")
    json: bool = setting(False, "print one JSON object")
    runs: str = setting("runs", "folder in which runs would be kept")


def run(arguments: list[str]) -> int:
    """Print the findings."""
    options = validate(parse(DoctorOptions, "reinfer doctor", arguments))
    if options.body:
        from reinfer.cli.doctor_body import doctor_body

        return doctor_body(options.body, options.json)
    found = examine(Path(options.runs))
    print(json.dumps(found, indent=2) if options.json else "\n".join(_lines(found)))
    return 1 if found["problems"] else 0


def examine(runs: Path) -> dict:
    """Findings as a plain dict. Rendering is tried in other processes; the environment stays as it is."""
    with ThreadPoolExecutor() as pool:
        devices = pool.submit(_python, _DEVICES, {})
        tries = {name: pool.submit(_python, _RENDER, {"MUJOCO_GL": name}) for name in GL_BACKENDS}
        rendering = {name: attempt.result()[0] for name, attempt in tries.items()}
    jax_works, jax_says = devices.result()
    models = {name: _model_state(path) for name, path in shipped_models().items()}
    runs_state = _writable(runs)
    problems = [f"shipped model {name}: {state}" for name, state in models.items() if state != "ok"]
    problems += [] if jax_works else [f"JAX does not start: {jax_says}"]
    problems += [] if runs_state == "writable" else [f"runs folder {runs}: {runs_state}"]
    return {
        "versions": provenance.versions(),
        "machine": provenance.machine(),
        "jax_devices": jax_says if jax_works else None,
        "rendering": rendering,
        "shipped_models": models,
        "runs": {"path": str(runs.absolute()), "state": runs_state},
        "problems": problems,
    }


def _python(program: str, environment: dict[str, str]) -> tuple[bool, str]:
    """Whether ``program`` runs in a fresh interpreter, and the last line it said."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )
    except subprocess.TimeoutExpired:
        return False, "it did not answer in 120 s"
    said = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    return done.returncode == 0, said[-1] if said else ""


def _model_state(folder: Path) -> str:
    try:
        for path in sorted(folder.rglob(DESCRIPTION_FILE)):
            load_model(path.parent)
    except ArtifactError as error:
        return str(error)
    return "ok"


def _writable(folder: Path) -> str:
    """Whether runs can be made in ``folder``, tried on the nearest folder that exists."""
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            return "writable"
    except OSError as error:
        return f"not writable: {error.strerror}"


def _lines(found: dict) -> list[str]:
    machine, rendering = found["machine"], found["rendering"]
    lines = [f"{name:<12} {version}" for name, version in found["versions"].items()]
    lines += [f"{'platform':<12} {machine['platform']}", f"{'cores':<12} {machine['cores']}"]
    lines += [f"{'jax devices':<12} {found['jax_devices']}"]
    lines += [f"{name:<12} {value}" for name, value in machine["environment"].items()]
    lines += [f"{'GL ' + name:<12} {'works' if works else 'not available'}" for name, works in rendering.items()]
    if not any(rendering.values()):
        lines.append(f"{'':<12} videos are drawn without GL")
    lines += [f"{'shipped':<12} {name}: {state}" for name, state in found["shipped_models"].items()]
    if not found["shipped_models"]:
        lines.append(f"{'shipped':<12} no models")
    lines.append(f"{'runs':<12} {found['runs']['path']} ({found['runs']['state']})")
    lines += [f"{'PROBLEM':<12} {problem}" for problem in found["problems"]]
    return lines
