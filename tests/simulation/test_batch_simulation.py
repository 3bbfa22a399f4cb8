"""The batched simulation is MuJoCo: the numbers of a plain ``mj_step`` loop, copies independent."""

import mujoco
import numpy as np
import pytest

from reinfer.bodies import ROBOTS, robot
from reinfer.simulation import BatchSimulation


@pytest.fixture(params=sorted(ROBOTS))
def body(request):
    return robot(request.param)


def started(body, count=4, seed=0):
    simulation = BatchSimulation(body, count, threads=1)
    simulation.reset(np.random.default_rng(seed))
    return simulation


def test_agrees_with_plain_mujoco_over_an_episode(body):
    simulation = started(body, count=3)
    model, rng = body.model(), np.random.default_rng(1)
    single = mujoco.MjData(model)
    single.qpos[:], single.qvel[:] = simulation.qpos[1], simulation.qvel[1]
    mujoco.mj_forward(model, single)
    for _ in range(1000):
        action = rng.uniform(-1.3, 1.3, (3, simulation.action_size))
        simulation.step(action)
        single.ctrl[:] = np.clip(action[1], -1.0, 1.0)
        for _ in range(body.frame_skip):
            mujoco.mj_step(model, single)
        np.testing.assert_allclose(simulation.qpos[1], single.qpos, rtol=0, atol=1e-10)
        np.testing.assert_allclose(simulation.qvel[1], single.qvel, rtol=0, atol=1e-10)


def test_number_of_threads_changes_nothing(body):
    simulations = [BatchSimulation(body, 8, threads=threads) for threads in (1, 2)]
    for simulation in simulations:
        simulation.reset(np.random.default_rng(2))
        rng = np.random.default_rng(3)
        for _ in range(50):
            simulation.step(rng.uniform(-1, 1, (8, simulation.action_size)))
    np.testing.assert_array_equal(simulations[0].qpos, simulations[1].qpos)
    np.testing.assert_array_equal(simulations[0].qvel, simulations[1].qvel)


def test_filming_changes_nothing(body):
    plain, filmed = started(body), BatchSimulation(body, 4, threads=1, film=True)
    filmed.reset(np.random.default_rng(0))
    rng = np.random.default_rng(5)
    for _ in range(50):
        action = rng.uniform(-1, 1, (4, plain.action_size))
        plain.step(action)
        filmed.step(action)
    np.testing.assert_array_equal(plain.qpos, filmed.qpos)
    np.testing.assert_array_equal(plain.qvel, filmed.qvel)
    np.testing.assert_array_equal(filmed.frames[-1], filmed.qpos)
    assert filmed.frames.shape == (body.frame_skip, 4, filmed.model.nq)
    assert (np.abs(np.diff(filmed.frames, axis=0)).max((1, 2)) > 0).all()


def test_reset_by_ids_touches_nothing_else(body):
    touched, untouched = started(body), started(body)
    rng = np.random.default_rng(4)
    action = rng.uniform(-1, 1, (20, 4, touched.action_size))
    for step in range(10):
        touched.step(action[step])
        untouched.step(action[step])
    touched.reset(rng, ids=[2, 0])
    assert np.abs(touched.qpos[[0, 2]] - untouched.qpos[[0, 2]]).min(axis=1).max() > 0
    for step in range(10, 20):
        touched.step(action[step])
        untouched.step(action[step])
    np.testing.assert_array_equal(touched.qpos[[1, 3]], untouched.qpos[[1, 3]])
    np.testing.assert_array_equal(touched.qvel[[1, 3]], untouched.qvel[[1, 3]])


def test_a_reset_copy_forgets_its_past(body):
    """After a reset, equal states and actions give equal trajectories: no warm start is left over."""
    fresh, used = started(body, 1, seed=5), started(body, 1, seed=6)
    rng = np.random.default_rng(7)
    for _ in range(30):
        used.step(rng.uniform(-1, 1, (1, used.action_size)))
    used.reset(np.random.default_rng(5))
    for _ in range(30):
        action = rng.uniform(-1, 1, (1, used.action_size))
        fresh.step(action)
        used.step(action)
    np.testing.assert_array_equal(fresh.qpos, used.qpos)


def test_a_push_adds_speed_and_does_not_outlive_a_reset(body):
    pushed, untouched = started(body, seed=5), started(body, seed=5)
    pushed.push(np.array([0, 2]), np.array([1.0, -2.0]))
    np.testing.assert_allclose(pushed.qvel[:, 0] - untouched.qvel[:, 0], [1.0, 0.0, -2.0, 0.0], atol=1e-12)
    pushed.push(np.array([], int), np.array([]))
    for simulation in (pushed, untouched):
        simulation.reset(np.random.default_rng(6))
    np.testing.assert_array_equal(pushed.qvel, untouched.qvel)


def test_reset_of_no_ids_is_nothing(body):
    simulation = started(body)
    before = simulation.qpos.copy()
    simulation.reset(np.random.default_rng(8), ids=[])
    np.testing.assert_array_equal(simulation.qpos, before)


def test_copies_do_not_alias_the_physics(body):
    simulation = started(body)
    state, observation = simulation.task_state(), simulation.observation()
    kept = state.copy(), observation.copy()
    simulation.step(np.ones((4, simulation.action_size)))
    np.testing.assert_array_equal(state, kept[0])
    np.testing.assert_array_equal(observation, kept[1])


def test_diverged_physics_counts_as_a_fall_and_harms_no_other_copy(body, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MuJoCo notes the event in MUJOCO_LOG.TXT where it is
    simulation, reference = started(body), started(body)
    simulation.qvel[1] = np.nan
    still = np.zeros((4, simulation.action_size))
    simulation.step(still)
    reference.step(still)
    assert simulation.fallen()[1], "not silently started over"
    others = [0, 2, 3]
    assert not simulation.fallen()[others].any()
    np.testing.assert_array_equal(simulation.qpos[others], reference.qpos[others])
    simulation.reset(np.random.default_rng(9), ids=[1])
    simulation.step(still)
    assert not simulation.fallen().any()


def test_at_least_one_copy(body):
    with pytest.raises(ValueError, match="num_simulations: 0"):
        BatchSimulation(body, 0)
