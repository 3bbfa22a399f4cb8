"""Relabelling: rewards of another task for steps, windows and whole episodes."""

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.control.relabelling import relabel
from reinfer.control.replay import Episodes, add_episodes, init_replay, sample_anchors, steps_at, steps_before
from reinfer.tasks import Tasks, make_tasks, reward


@jax.jit
def draw(key, replay, tasks):
    """Anchors, their windows and steps, and one of ``tasks`` for each."""
    anchors = sample_anchors(key, replay, 64)
    return steps_before(replay, anchors, 5), steps_at(replay, anchors), tasks[anchors.slot]


def replay_of(tasks, horizon=9):
    rng = np.random.default_rng(0)
    state = rng.normal(0, 3, (tasks.count, horizon + 1, 6)).astype(np.float32)
    own = Tasks(tasks.family[:, None], tasks.target[:, None])
    episodes = Episodes(
        tasks,
        state,
        np.zeros((tasks.count, horizon, 1), np.float32),
        np.asarray(reward(own, state[:, 1:])),
        np.full(tasks.count, horizon, np.int32),
        np.zeros(tasks.count, bool),
    )
    return add_episodes(init_replay(tasks.count, horizon, 1), episodes)


OWN = make_tasks([("goal_forward", 4.0), ("velocity_backward", -2.0), ("stand_front", 0.7), ("jump", 2.0)])
OTHER = make_tasks([("velocity_forward", 1.5), ("jump", 1.0), ("goal_backward", -9.0), ("stand_back", -0.6)])


def test_its_own_task_changes_nothing():
    replay = replay_of(OWN)
    before, at, tasks = draw(jax.random.key(0), replay, Tasks(*map(jnp.asarray, OWN)))
    for steps in (before, at):
        np.testing.assert_allclose(jax.jit(relabel)(steps, tasks).reward, steps.reward, rtol=1e-6)


def test_another_task_gives_the_whole_context_its_rewards():
    replay = replay_of(OWN)
    before, at, tasks = draw(jax.random.key(1), replay, Tasks(*map(jnp.asarray, OTHER)))
    window, step = jax.jit(relabel)(before, tasks), jax.jit(relabel)(at, tasks)
    column = {0: 3, 3: 0, 5: 2, 6: 4}
    for index in range(64):
        family, target = int(tasks.family[index]), float(tasks.target[index])
        for found, steps in ((window, before), (step, at)):
            value = np.asarray(steps.next_state[index])[..., column[family]]
            value = np.abs(value) if family == 6 else value
            expected = np.where(steps.valid[index], -np.abs(value - target) / abs(target), 0.0)
            np.testing.assert_allclose(found.reward[index], expected, rtol=1e-5)
    assert not np.asarray(window.reward)[~np.asarray(before.valid)].any(), "padding stays padding"
    for field in ("state", "action", "next_state", "terminal", "valid"):
        np.testing.assert_array_equal(getattr(window, field), getattr(before, field))
