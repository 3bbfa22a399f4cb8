"""The Gymnasium ids keep Gymnasium's contract and let nothing but the reward tell the task."""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import reinfer.simulation  # noqa: F401  (registers the ids)
from reinfer.tasks import FAMILIES, family_index

HORIZONS = {
    "reinfer/HalfCheetahTasks-v0": 500,
    "reinfer/Toy1dTasks-v0": 200,
    "reinfer/Toy2dTasks-v0": 200,
    "reinfer/Toy3dofTasks-v0": 200,
    "reinfer/Walker2dTasks-v0": 1250,
    "reinfer/HopperTasks-v0": 1250,
    "reinfer/AntTasks-v0": 500,
}
IDS = tuple(HORIZONS)


@pytest.fixture(params=IDS)
def env(request):
    with gymnasium.make(request.param) as env:
        yield env


def rollout(env, steps=20, **reset):
    rng = np.random.default_rng(0)
    observation, info = env.reset(**reset)
    observations, rewards = [observation], []
    for _ in range(steps):
        action = rng.uniform(-1, 1, env.action_space.shape).astype(np.float32)
        observation, earned, *_, info = env.step(action)
        observations.append(observation)
        rewards.append(earned)
    return np.stack(observations), np.array(rewards), info


def test_checker(env):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*Box observation space (min|max)imum value is -?infinity")
        check_env(env.unwrapped, skip_render_check=True)


def test_seed_decides_everything(env):
    first, second = rollout(env, seed=3), rollout(env, seed=3)
    for a, b in zip(first[:2], second[:2], strict=True):
        np.testing.assert_array_equal(a, b)
    assert first[2]["task"] == second[2]["task"]
    assert rollout(env, seed=4)[2]["task"] != first[2]["task"]


def test_task_shows_in_reward_and_info_only(env):
    tasks = (("goal_forward", 5.1), ("velocity_backward", -1.75))
    (seen_a, earned_a, info_a), (seen_b, earned_b, info_b) = (
        rollout(env, seed=5, options={"task": task}) for task in tasks
    )
    assert seen_a[0].tobytes() == seen_b[0].tobytes(), "the task must not change the reset"
    assert seen_a.tobytes() == seen_b.tobytes()
    assert np.abs(earned_a - earned_b).min() > 0
    for info, (family, target) in zip((info_a, info_b), tasks, strict=True):
        assert info["task"]["family"] == family
        assert info["task"]["target"] == pytest.approx(target)


def test_reward_is_the_task_error_of_the_state_reached(env):
    env.reset(seed=6, options={"task": ("goal_backward", -4.0)})
    _, earned, *_, info = env.step(env.action_space.sample())
    assert earned == pytest.approx(-abs(info["task_state"][0] + 4.0) / 4.0, rel=1e-6)


def test_time_limit_truncates_and_does_not_terminate(env):
    env.reset(seed=7)
    simulation = getattr(env.unwrapped, "_simulation", None)
    for step in range(1, HORIZONS[env.spec.id] + 1):
        *_, terminated, truncated, _ = env.step(np.zeros(env.action_space.shape, np.float32))
        assert terminated == (simulation is not None and bool(simulation.fallen()[0])), "a fall and nothing else"
        assert truncated == (step == HORIZONS[env.spec.id])


def test_timing_of_the_physics_can_be_chosen():
    dts = [
        gymnasium.make("reinfer/HopperTasks-v0", timing=timing).unwrapped._simulation.control_dt_s
        for timing in (None, "thesis")
    ]
    np.testing.assert_allclose(dts, (0.02, 0.04))
    with pytest.raises(ValueError, match="timing: 'slow' .*hopper"):
        gymnasium.make("reinfer/HopperTasks-v0", timing="slow")


def test_kinds_restrict_the_tasks():
    env = gymnasium.make(IDS[0], kinds=("velocity",))
    families = {env.reset(seed=seed)[1]["task"]["family"] for seed in range(20)}
    assert families == {"velocity_forward", "velocity_backward"}
    with pytest.raises(ValueError, match="kinds: .*fly"):
        gymnasium.make(IDS[0], kinds=("fly",))
    with pytest.raises(ValueError, match="kinds: .*stand"):
        gymnasium.make(IDS[1], kinds=("stand",))


def test_a_wrong_task_is_refused(env):
    with pytest.raises(ValueError, match="family: 'goal_up'"):
        env.reset(options={"task": ("goal_up", 1.0)})
    with pytest.raises(ValueError, match="target: -1.0"):
        env.reset(options={"task": ("goal_forward", -1.0)})
    allowed = env.unwrapped.tasks
    foreign = next(family for family in FAMILIES if family_index(family.name) not in allowed.families)
    with pytest.raises(ValueError, match=f"family: '{foreign.name}' is not among .*allowed: {allowed.ranges[0][0]}, "):
        env.reset(options={"task": (foreign.name, 1.0 * foreign.sign)})
    with pytest.raises(ValueError, match="options: .*tsak"):
        env.reset(options={"tsak": ("goal_forward", 1.0)})


def test_absolute_x_is_seen_on_request_only():
    without, seeing = (
        gymnasium.make(IDS[0], exclude_current_positions_from_observation=exclude) for exclude in (True, False)
    )
    blind, _ = without.reset(seed=8)
    whole, info = seeing.reset(seed=8)
    np.testing.assert_array_equal(whole[1:], blind)
    assert whole[0] == info["task_state"][0]


def test_diverged_physics_ends_the_episode_with_finite_values(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MuJoCo notes the event in MUJOCO_LOG.TXT where it is
    env = gymnasium.make(IDS[0]).unwrapped
    env.reset(seed=9)
    env._simulation.qvel[:] = np.inf
    observation, earned, terminated, truncated, _ = env.step(np.zeros(6, np.float32))
    assert terminated and not truncated
    assert np.isfinite(observation).all() and np.isfinite(earned)
