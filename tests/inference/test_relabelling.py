"""Hindsight relabelling: the rewards of another task for whole episodes, and nothing else changed."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.inference.context import RowLayout, make_rows
from reinfer.inference.loss import Episodes
from reinfer.inference.relabelling import relabel
from reinfer.stages.toy import cut_windows, under_other_tasks
from reinfer.tasks import Tasks, make_tasks, reward
from tiny_toy import TINY

LAYOUT = RowLayout(tuple(range(7)))
OWN = make_tasks([("goal_forward", 4.0), ("velocity_backward", -2.0), ("stand_front", 0.7), ("jump", 2.0)])
OTHER = make_tasks([("velocity_forward", 1.5), ("jump", 1.0), ("goal_backward", -9.0), ("stand_back", -0.6)])


def rows_of(tasks: Tasks, states, layout=LAYOUT):
    """Rows of episodes through ``states`` (B, T + 1, 6) under ``tasks``."""
    earned = reward(Tasks(*(np.asarray(leaf)[:, None] for leaf in tasks)), states[:, 1:])
    return make_rows(states[:, :-1], np.asarray(earned, np.float32), states[:, 1:], layout)


def episodes_of(tasks: Tasks, states, layout=LAYOUT):
    count, length = states.shape[0], states.shape[1] - 1
    return Episodes(tasks, rows_of(tasks, states, layout), np.zeros((count, length, 1), np.float32))


def some_states(count, length=6):
    return np.random.default_rng(0).normal(0, 3, (count, length + 1, 6)).astype(np.float32)


def test_its_own_task_changes_nothing():
    episodes = episodes_of(OWN, some_states(4))
    found = jax.jit(partial(relabel, layout=LAYOUT))(episodes, OWN, np.ones(4, bool))
    np.testing.assert_allclose(found.rows, episodes.rows, rtol=1e-6)


def test_another_task_gives_whole_episodes_its_rewards_where_asked():
    states, where = some_states(4), np.array([True, True, False, True])
    episodes = episodes_of(OWN, states)
    found = relabel(episodes, OTHER, where, LAYOUT)
    mixed = Tasks(*(np.where(where, new, own) for new, own in zip(OTHER, OWN, strict=True)))
    np.testing.assert_array_equal(found.tasks.family, mixed.family)
    np.testing.assert_array_equal(found.tasks.target, mixed.target.astype(np.float32))
    np.testing.assert_allclose(found.rows, rows_of(mixed, states), rtol=1e-5)
    np.testing.assert_array_equal(found.rows[2], episodes.rows[2])
    assert found.actions is episodes.actions


def test_both_windows_of_an_episode_stay_of_one_task():
    layout, config = RowLayout((0, 1, 2, 3)), replace(TINY, policy_episodes=64, relabelled=0.5)
    tasks = Tasks(jnp.arange(64) % 4, jnp.tile(jnp.array([2.0, -2.0, 5.0, -5.0]), 16))
    windows = cut_windows(jax.random.key(0), jax.tree.map(jnp.asarray, episodes_of(tasks, some_states(64, 70), layout)))
    found = under_other_tasks(jax.random.key(1), windows, layout, config)
    changed = np.asarray((found.tasks.target != windows.tasks.target) | (found.tasks.family != windows.tasks.family))
    np.testing.assert_array_equal(changed[:32], changed[32:])
    np.testing.assert_array_equal(found.tasks.target[:32], found.tasks.target[32:])
    assert 8 <= changed[:32].sum() <= 24
    reward_column = len(layout.channels)
    np.testing.assert_array_equal(np.delete(found.rows, reward_column, -1), np.delete(windows.rows, reward_column, -1))
