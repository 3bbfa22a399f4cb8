"""``reinfer doctor --body``: what a robot is, as reinfer sees it, and what is wrong with it."""

import json as json_format
import time

import numpy as np

from reinfer.bodies import Body, Toy1d, robot
from reinfer.bodies.contract import problems

#: Copies stepped, and for how many control steps, to tell how fast physics is.
_COPIES, _STEPS = 256, 20


def doctor_body(reference: str, json: bool) -> int:
    """Print the findings; 1 if anything is wrong. Raises BodyError on a file from which no robot can be made."""
    body = robot(reference, checked=False)
    wrong = problems(body)
    found = {"body": body.name, "problems": wrong, **({} if wrong else describe(body))}
    print(json_format.dumps(found, indent=2) if json else "\n".join(_lines(found)))
    return 1 if wrong else 0


def describe(body: Body) -> dict:
    """A sound robot in plain numbers. ``notes`` are no errors, but worth knowing before hours of training."""
    model = body.model()
    return {
        "files": dict(body.id.files) or {str(body.path()): ""},
        "joints": [model.joint(index).name for index in range(model.njnt)],
        "actions": model.nu,
        "observation": body.observation_size(model),
        "mass_kg": round(float(model.body_mass.sum()), 3),
        "rest": dict(zip(body.channels, body.task_state(model.qpos0, np.zeros(model.nv)).tolist(), strict=True)),
        "control_dt_s": body.control_dt_s,
        "tasks": {name: [low, high] for name, low, high in body.tasks.ranges},
        "control_steps_per_s": _speed(body),
        "notes": _notes(body),
    }


def _notes(body: Body) -> list[str]:
    from reinfer.stages.toy_contexts import SMALLER

    known = {name: (low / SMALLER, high) for name, low, high in Toy1d.tasks.ranges}
    notes = []
    for name, low, high in body.tasks.ranges:
        if name not in known:
            notes.append(f"tasks: {name} is none of the toy's families; transfer leaves it out")
        elif not known[name][0] <= low <= high <= known[name][1]:
            least, most = known[name]
            notes.append(f"tasks: {name} {low:g} to {high:g}: the toy practised {least:g} to {most:g} only")
    return notes


def _speed(body: Body) -> float:
    """Control steps per second of ``_COPIES`` copies under random actions, on all cores."""
    from reinfer.simulation import BatchSimulation

    simulation, rng = BatchSimulation(body, _COPIES), np.random.default_rng(0)
    simulation.reset(rng)
    simulation.step(rng.uniform(-1.0, 1.0, (_COPIES, simulation.action_size)))
    began = time.perf_counter()
    for _ in range(_STEPS):
        simulation.step(rng.uniform(-1.0, 1.0, (_COPIES, simulation.action_size)))
    return round(_COPIES * _STEPS / (time.perf_counter() - began))


def _lines(found: dict) -> list[str]:
    lines = []
    for key, value in found.items():
        if key in ("problems", "notes"):
            lines += [f"{'PROBLEM' if key == 'problems' else 'note':<20} {text}" for text in value]
        elif isinstance(value, dict):
            lines += [f"{key if index == 0 else '':<20} {_pair(*item)}" for index, item in enumerate(value.items())]
        else:
            lines.append(f"{key:<20} {', '.join(value) if isinstance(value, list) else value}")
    return lines


def _pair(name: str, value) -> str:
    if isinstance(value, list):
        return f"{name} {value[0]:g} to {value[1]:g}"
    return f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value[:12]}"
