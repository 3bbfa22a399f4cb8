"""What a scene shows of a task: where or how fast the body should be, what the agent believes, and what it does."""

import numpy as np

from reinfer.tasks import FAMILIES, FAMILY_NAMES, GOAL
from reinfer.viewing.scene import Scene
from reinfer.viewing.style import FAMILY_COLOUR, INK, KIND_UNIT


def draw_goals(scene: Scene, record, step: int, simulation: int, estimate: float | None) -> None:
    """Flag of the goal, triangle of the goal believed in (``estimate``, None as long as nothing is known), sub-goal."""
    family, target = record.tasks.family[simulation], record.tasks.target[simulation]
    x = record.task_state[step, simulation, 0]
    believed = int(np.argmax(record.family_probability[step, simulation]))
    if FAMILIES[family].kind == "goal":
        away = abs(target - x)
        label = f"goal {target:+.2f} m" + (f", {away:.1f} m away" if away > 1.0 else "")
        scene.goal(target, FAMILY_COLOUR[FAMILY_NAMES[family]], label)
    if estimate is not None and FAMILIES[believed].kind == "goal":
        scene.believed_goal(estimate, FAMILY_COLOUR[FAMILY_NAMES[believed]], f"believed {estimate:+.2f} m")
    if record.command_kind[step, simulation] == GOAL:
        scene.sub_goal(record.command_target[step, simulation])


def draw_speeds(scene: Scene, record, step: int, simulation: int, speed: float, estimate: float | None) -> None:
    """Arrows of the speed asked for, of that believed in, and of the present ``speed``, m/s."""
    family, target = record.tasks.family[simulation], float(record.tasks.target[simulation])
    believed = int(np.argmax(record.family_probability[step, simulation]))
    arrows, unit = [], KIND_UNIT["velocity"]
    if FAMILIES[family].kind == "velocity":
        arrows.append((target, FAMILY_COLOUR[FAMILY_NAMES[family]], f"target {target:+.2f} {unit}", False))
        arrows.append((speed, INK, f"speed {speed:+.2f} {unit}", True))
    if estimate is not None and FAMILIES[believed].kind == "velocity":
        colour = FAMILY_COLOUR[FAMILY_NAMES[believed]]
        arrows.insert(1, (estimate, colour, f"believed {estimate:+.2f} {unit}", False))
    if arrows:
        scene.speeds(record.task_state[step, simulation, 0], arrows)
