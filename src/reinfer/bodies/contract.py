"""What every robot promises, as checks: tests run them over ours, ``bodies.own`` over every body file that is used.

A check yields sentences that name field, value and what is allowed. Later checks need what earlier ones establish, so
``problems`` stops at the first that finds something.
"""

import math
import re
from collections.abc import Iterator

import mujoco
import numpy as np

from reinfer.bodies.body import Body
from reinfer.tasks import CHANNELS, FAMILIES, family_index

#: Families that the contest is made of.
NEEDED_FAMILIES = ("velocity_forward", "velocity_backward", "goal_forward", "goal_backward")

#: Bounds of a control step (s), and of what an observation may grow to.
CONTROL_STEP_S, LARGEST_OBSERVATION = (0.01, 0.1), 1e3

#: Length of the trial under random actions, s.
_TRIAL_S = 1.0


def problems(body: Body) -> list[str]:
    """What is wrong with ``body``, one sentence each; empty if nothing is."""
    for check in (settings, compiles, actions, map_of_task_space, observations, falls, motion, mirror):
        try:
            found = list(check(body))
        # Code of a user's own: whatever it raises is about the robot, not about us, and it must not end the program.
        except (Exception, SystemExit) as error:
            found = [f"{check.__name__.replace('_', ' ')}: {type(error).__name__}: {error}"]
        if found:
            return found
    return []


# ---- what needs no physics


def settings(body: Body) -> Iterator[str]:
    """Name, timings, tasks and commands."""
    if not re.fullmatch("[a-z][a-z0-9_]*", body.name):
        yield f"name: {body.name!r} is not allowed; it must be small letters, digits and _"
    if body.timing not in body.timings:
        yield f"timing: {body.timing!r} is not allowed; it must be one of timings: {', '.join(body.timings)}"
    elif not CONTROL_STEP_S[0] <= body.control_dt_s <= CONTROL_STEP_S[1]:
        low, high = CONTROL_STEP_S
        yield f"timings: a control step of {body.control_dt_s:g} s is not allowed; it must last {low} to {high} s"
    for field in ("reset_position_noise", "reset_velocity_noise"):
        value = getattr(body, field)
        if not 0.0 <= value < math.inf:
            yield f"{field}: {value!r} is not allowed; it must be a number of at least 0"
    yield from _commands(body)


def _commands(body: Body) -> Iterator[str]:
    commands = body.commands
    limits = {"velocity": commands.speed_mps, "stand": commands.stand_rad, "jump": commands.jump_mps}
    for kind, limit in limits.items():
        if limit is not None and not 0.0 < limit[0] < limit[1] < math.inf:
            yield f"commands: {kind} {limit} is not allowed; it must be (low, high) with 0 < low < high"
    if not 0.3 < commands.goal_m < math.inf:
        yield f"commands: goal_m {commands.goal_m} is not allowed; it must be above 0.3"
    ranges = {name: (low, high) for name, low, high in body.tasks.ranges}
    for name in NEEDED_FAMILIES:
        if name not in ranges:
            yield f"tasks: {name} is missing; the families {', '.join(NEEDED_FAMILIES)} are needed"
    for name, (low, high) in ranges.items():
        family = FAMILIES[family_index(name)]
        kind, limit = family.kind, limits.get(family.kind, (0.0, math.inf))
        if family.channel not in body.channels:
            yield f"tasks: {name} is not allowed; states of this body have no {family.channel}"
        if limit is None or not limit[0] <= low <= high <= limit[1]:
            allowed = "nothing" if limit is None else f"{limit[0]} to {limit[1]}"
            yield f"tasks: {name} {low} to {high} is not allowed; commands for {kind} are {allowed}"


# ---- the model


def compiles(body: Body) -> Iterator[str]:
    """The MJCF is there and MuJoCo takes it."""
    if not body.path().is_file():
        yield f"xml: {body.xml!r} is not allowed; there is no file {body.path()}"
        return
    try:
        mujoco.MjModel.from_xml_path(str(body.path()))
    except ValueError as error:
        yield f"xml: MuJoCo does not take {body.path()}: {error}"


def actions(body: Body) -> Iterator[str]:
    """Actions are from -1 to 1."""
    model = body.model()
    if model.nu == 0:
        yield f"xml: {body.path()} has no actuator; at least one is needed"
    for index, (low, high) in enumerate(model.actuator_ctrlrange):
        if (low, high) != (-1.0, 1.0):
            name = model.actuator(index).name or index
            yield (
                f"xml: ctrlrange of actuator {name!r} is ({low:g}, {high:g}); "
                "it must be (-1, 1): gear says what that means"
            )


def map_of_task_space(body: Body) -> Iterator[str]:
    """The task-space state is where the trunk really is, by MuJoCo's own kinematics, and how it really moves."""
    model = body.model()
    qpos, qvel = _states(model)
    state = body.task_state(qpos, qvel)
    if state.shape != (len(qpos), len(body.channels)):
        yield f"task_state: its shape is {state.shape}; it must be {(len(qpos), len(body.channels))}"
        return
    # Per degree of freedom, how the state changes by its unit of speed.
    moving = body.task_state(np.tile(model.qpos0, (model.nv, 1)), np.eye(model.nv))[:, 3:]
    for channel, direction in zip(CHANNELS[:3], np.eye(3, dtype=int)[[0, 2, 1]], strict=True):
        dof = int(np.argmax(np.abs(moving[:, CHANNELS.index(channel)])))
        part = slice(3, 6) if channel == "pitch" else slice(3)
        found = _motion(model, dof)[part] / moving[dof, CHANNELS.index(channel)]
        if not np.allclose(found, direction, atol=1e-3):
            what = "turns the trunk about" if channel == "pitch" else "moves the trunk along"
            joint = model.joint(model.dof_jntid[dof]).name
            yield f"task_state: {channel} is that of joint {joint!r}, which {what} {found.round(3)}, not {direction}"
            return
    rates = np.array([_rates(body, model, q, v) for q, v in zip(qpos, qvel, strict=True)])
    wrong = np.abs(rates - state[:, 3:]).max(0) > 1e-4
    for index in np.flatnonzero(wrong):
        yield f"task_state: {CHANNELS[3 + index]} is not the rate of change of {CHANNELS[index]}; it must be"


def _motion(model, dof: int) -> np.ndarray:
    """How the trunk moves and turns at rest per unit of speed of one degree of freedom, world's frame, (6,)."""
    data = mujoco.MjData(model)
    data.qvel[dof] = 1.0
    mujoco.mj_forward(model, data)
    spatial = np.zeros(6)
    mujoco.mj_objectVelocity(model, data, mujoco.mjtObj.mjOBJ_XBODY, model.dof_bodyid[dof], spatial, 0)
    return np.concatenate([spatial[3:], spatial[:3]])


def _rates(body: Body, model, position, velocity) -> np.ndarray:
    """Rates of x, z and pitch by finite differences of MuJoCo's own integration, (3,)."""
    before, after = position.copy(), position.copy()
    mujoco.mj_integratePos(model, before, velocity, -1e-5)
    mujoco.mj_integratePos(model, after, velocity, 1e-5)
    return (body.task_state(after, velocity)[:3] - body.task_state(before, velocity)[:3]) / 2e-5


def observations(body: Body) -> Iterator[str]:
    """Right in size, bounded, and the same wherever on the line the body is."""
    model = body.model()
    qpos, qvel = _states(model)
    seen = body.observation(qpos, qvel)
    if seen.shape != (len(qpos), body.observation_size(model)):
        wanted = (len(qpos), body.observation_size(model))
        yield f"observation: its shape is {seen.shape}; by observation_size it must be {wanted}"
        return
    moved = qpos + 37.0 * _along_x(body, model)
    changed = np.flatnonzero((body.observation(moved, qvel) != seen).any(0))
    if len(changed):
        yield f"observation: entry {changed[0]} changes with absolute x; it must be without"
    largest = np.abs(body.observation(qpos, 1e6 * qvel)).max(0)
    if largest.max() > LARGEST_OBSERVATION:
        yield (
            f"observation: entry {largest.argmax()} is {largest.max():.0g} where velocities are huge; they must be "
            "clipped, e.g. to +-10"
        )
    depends = _depends(body, model).any(0)
    for joint in range(model.njnt):
        place = model.jnt_qposadr[joint]
        hinge = model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_HINGE
        if not hinge or model.jnt_limited[joint] or depends[place]:
            continue
        turned = qpos.copy()
        turned[:, place] += 2e3 * np.pi
        if np.abs(body.observation(turned, qvel)).max() > LARGEST_OBSERVATION:
            yield (
                f"observation: it holds the angle of joint {model.joint(joint).name!r}, which has no range and grows "
                "with the way travelled; give the joint a range, or observe its sine and cosine"
            )


def _depends(body: Body, model) -> np.ndarray:
    """Which of x, z, pitch each entry of ``qpos`` moves, (3, nq) bool."""
    rest = np.tile(model.qpos0, (model.nq, 1))
    moved = body.task_state(rest + 1e-3 * np.eye(model.nq), np.zeros((model.nq, model.nv)))
    return np.abs((moved - body.task_state(model.qpos0, np.zeros(model.nv)))[:, :3].T) > 1e-6


def _along_x(body: Body, model) -> np.ndarray:
    """The unit of ``qpos`` along which x is measured, (nq,)."""
    return np.eye(model.nq)[np.argmax(_depends(body, model)[0])]


def falls(body: Body) -> Iterator[str]:
    """At rest it stands; what is not finite has fallen."""
    model = body.model()
    qpos, qvel = np.tile(model.qpos0, (3, 1)), np.zeros((3, model.nv))
    qvel[1, -1], qpos[2, 0] = np.nan, np.inf
    found = np.asarray(body.fallen(qpos, qvel))
    if found.shape != (3,):
        yield f"fallen: its shape is {found.shape} for 3 states; it must be (3,)"
    elif found[0]:
        yield "fallen: the body at rest has fallen; health must allow the pose that the MJCF describes"
    elif not found[1:].all():
        yield "fallen: a state that is not finite must be a fall"


def motion(body: Body) -> Iterator[str]:
    """Physics stays finite under random actions from a reset."""
    model, rng = body.model(), np.random.default_rng(0)
    data = mujoco.MjData(model)
    data.qpos += rng.uniform(-1, 1, model.nq) * body.reset_position_noise
    data.qvel += rng.normal(0, 1, model.nv) * body.reset_velocity_noise
    for step in range(round(_TRIAL_S / body.control_dt_s)):
        data.ctrl[:] = rng.uniform(-1.0, 1.0, model.nu)
        for _ in range(body.frame_skip):
            mujoco.mj_step(model, data)
        if not (np.isfinite(data.qpos).all() and np.isfinite(data.qvel).all()):
            yield (
                f"timings: physics diverges after {step * body.control_dt_s:.2f} s of random actions; "
                f"{body.timing!r} needs a smaller time step or another integrator"
            )
            return


def mirror(body: Body) -> Iterator[str]:
    """If forward and backward are alike: from rest, mirrored actions lead to the mirrored state."""
    model = body.model()
    ways = body.mirror(model)
    if ways is None:
        return
    for name, part, size in zip(ways._fields, ways, (body.observation_size(model), model.nu), strict=True):
        back = np.asarray(part.index)
        if len(back) != size or not np.array_equal(np.sort(back), np.arange(size)):
            yield f"mirror: {name} must put each of {size} entries in one place"
            return
        if not (np.array_equal(back[back], np.arange(size)) and (part.sign * part.sign[back] == 1).all()):
            yield f"mirror: {name} applied twice must change nothing"
            return
    rng, seen = np.random.default_rng(0), []
    actions = rng.uniform(-1.0, 1.0, (round(0.2 * _TRIAL_S / body.control_dt_s) + 1, model.nu))
    for taken in (actions, actions[:, ways.action.index] * ways.action.sign):
        data, here = mujoco.MjData(model), []
        for action in taken:
            here.append(body.observation(data.qpos, data.qvel))
            data.ctrl[:] = action
            for _ in range(body.frame_skip):
                mujoco.mj_step(model, data)
        seen.append(np.array(here))
    off = np.abs(seen[0][:, ways.observation.index] * ways.observation.sign - seen[1])
    if off.max() > 1e-3:
        step, entry = np.unravel_index(off.argmax(), off.shape)
        yield (
            f"mirror: entry {entry} of the observation is off by {off.max():.2g} after {step} control steps of "
            "mirrored actions from rest; forward and backward are not alike, or not in this way"
        )


def _states(model, count: int = 5):
    """States near rest in fast motion: (count, nq), (count, nv)."""
    rng = np.random.default_rng(0)
    return model.qpos0 + rng.uniform(-0.1, 0.1, (count, model.nq)), rng.normal(0, 3, (count, model.nv))
