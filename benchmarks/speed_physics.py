"""Physics: control steps per second of ``reinfer.BatchSimulation`` beside ``mujoco.rollout`` and AsyncVectorEnv.

All step the same model (Gymnasium's) with the same integrator, physics step and physics steps per control step, that is
our timing ``stock``; Gymnasium's environments get our ``frame_skip``. All take the same random actions and start over
after ``EPISODE`` steps; a body that falls stays down, in all of them. ``environment`` and ``async`` return
observations, rewards and falls; ``physics`` and ``rollout`` states. ``rollout`` is called once per control step, as a
policy needs it; ``open loop`` knows its next 50 actions and is what threads can reach at most. ``fast`` is our other
timing of the legged bodies: another integrator with larger steps, so no like-for-like comparison.
"""

import itertools
import os

from race import Contestant, race, ratio

#: Bodies -> ids of Gymnasium's environments and their models, which peers load by themselves.
BODIES = {
    "half_cheetah": ("HalfCheetah-v5", "half_cheetah.xml"),
    "walker2d": ("Walker2d-v5", "walker2d_v5.xml"),
    "hopper": ("Hopper-v5", "hopper.xml"),
}
COUNTS = (2, 16, 64)

#: Control steps until all start over; and of which every call of a contestant takes so many.
EPISODE, CHUNK = 1000, 50

#: Least ratio that is asked for, by what ours is compared with.
BARS = {"async": 2.0, "rollout": 0.9}


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def draw_actions(count: int, size: int):
    """Actions (CHUNK, count, size), uniform."""
    import numpy as np

    return np.random.default_rng(0).uniform(-1.0, 1.0, (CHUNK, count, size))


def batch_simulation(body: str, count: int, timing: str, with_outcome: bool):
    """Ours; ``with_outcome`` as an environment: observations, rewards and falls too."""
    import numpy as np

    from reinfer import BatchSimulation, robot

    simulation = BatchSimulation(robot(body, timing), count)
    actions = draw_actions(count, simulation.action_size)
    rng = np.random.default_rng(1)
    chunks = itertools.cycle(range(EPISODE // CHUNK))

    def work() -> int:
        if next(chunks) == 0:
            simulation.reset(rng)
        for action in actions:
            if not with_outcome:
                simulation.step(action)
                continue
            x = simulation.qpos[:, 0].copy()
            simulation.step(action)
            speed = (simulation.qpos[:, 0] - x) / simulation.control_dt_s
            _ = simulation.observation(), speed - 0.1 * np.square(action).sum(-1), simulation.fallen()
        return CHUNK * count

    return work


def async_vector_env(body: str, count: int, frame_skip: int):
    """Gymnasium's: a process for each environment."""
    import gymnasium

    # What has fallen stays in the race.
    settings = {} if body == "half_cheetah" else {"terminate_when_unhealthy": False}
    environments = gymnasium.make_vec(
        BODIES[body][0],
        count,
        vectorization_mode="async",
        frame_skip=frame_skip,
        max_episode_steps=EPISODE,
        **settings,
    )
    actions = draw_actions(count, environments.single_action_space.shape[0]).astype("float32")
    environments.reset(seed=0)

    def work() -> int:
        for action in actions:
            environments.step(action)
        return CHUNK * count

    return work


def gymnasium_model(body: str):
    """The model as Gymnasium has it."""
    from pathlib import Path

    import gymnasium
    import mujoco

    assets = Path(gymnasium.__file__).parent / "envs" / "mujoco" / "assets"
    return mujoco.MjModel.from_xml_path(str(assets / BODIES[body][1]))


def mujoco_rollout(body: str, count: int, frame_skip: int, steps: int):
    """``mujoco.rollout`` with a thread per core, ``steps`` control steps at once, without its checks."""
    import mujoco
    import numpy as np
    from mujoco.rollout import Rollout

    model, length = gymnasium_model(body), steps * frame_skip
    data = [mujoco.MjData(model) for _ in range(cores())]
    states = mujoco.mj_stateSize(model, mujoco.mjtState.mjSTATE_FULLPHYSICS)
    start = np.empty((count, states))
    noise = np.random.default_rng(1).uniform(-0.01, 0.01, (count, model.nq))
    for row, moved in zip(start, noise, strict=True):
        data[0].qpos[:] = model.qpos0 + moved
        mujoco.mj_getState(model, data[0], row, mujoco.mjtState.mjSTATE_FULLPHYSICS)
    pool, models = Rollout(nthread=cores()), [model] * count
    reached, sensors = np.empty((count, length, states)), np.empty((count, length, model.nsensordata))
    # (chunks of steps, count, physics steps, actions)
    controls = np.repeat(draw_actions(count, model.nu).swapaxes(0, 1), frame_skip, axis=1)
    controls = [np.ascontiguousarray(part) for part in np.split(controls, CHUNK // steps, axis=1)]
    chunks = itertools.cycle(range(EPISODE // CHUNK))
    state = start

    def work() -> int:
        nonlocal state
        state = start if next(chunks) == 0 else state
        for control in controls:
            pool.rollout(
                models, data, state, control, nstep=length, state=reached, sensordata=sensors, skip_checks=True
            )
            state = np.ascontiguousarray(reached[:, -1])
        return CHUNK * count

    return work


CONTESTANTS = {"ours": batch_simulation, "async": async_vector_env, "rollout": mujoco_rollout}


def measure(seconds: float, peer_python: str, rounds: int = 5) -> dict:
    """Rates and ratios by body and number of simulations, in about ``seconds``."""
    slices = rounds * sum(5 + (body != "half_cheetah") for body in BODIES) * len(COUNTS)
    from reinfer import robot

    each = max(0.1, 0.6 * seconds / slices)
    found = {}
    for body, count in itertools.product(BODIES, COUNTS):
        at = {"body": body, "count": count}
        peers = at | {"frame_skip": robot(body, "stock").frame_skip}

        def ours(timing, with_outcome, at=at):
            return Contestant(__name__, "ours", at | {"timing": timing, "with_outcome": with_outcome})

        contestants = {
            "environment": ours("stock", True),
            "async": Contestant(__name__, "async", peers, peer_python),
            "physics": ours("stock", False),
            "rollout": Contestant(__name__, "rollout", peers | {"steps": 1}, peer_python),
            "open loop": Contestant(__name__, "rollout", peers | {"steps": CHUNK}, peer_python),
        }
        if body != "half_cheetah":
            contestants["fast"] = ours("fast", True)
        one = race(contestants, each, rounds)
        ratios = {
            "async": ratio(one, "environment", "async"),
            "rollout": ratio(one, "physics", "rollout"),
            "open loop": ratio(one, "physics", "open loop"),
        }
        found[f"{body}/{count}"] = {"ratio": ratios, "contestants": one}
        told = ", ".join(f"{value['median']:.2f} x {name}" for name, value in ratios.items())
        print(f"physics {body} {count}: {one['environment']['rate']['median']:.0f} steps/s, {told}", flush=True)
    return found
