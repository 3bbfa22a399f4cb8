"""The replay: windows that see only the past of their own episode, recency, wrap-around, ends of episodes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reinfer.control.replay import (
    Anchors,
    Episodes,
    add_episodes,
    init_replay,
    sample_anchors,
    steps_at,
    steps_before,
    whole_episodes,
)
from reinfer.tasks import Tasks

HORIZON = 7

# Operation by operation, these would be compiled in dozens of small programs.
steps_at, whole_episodes, add_episodes = map(jax.jit, (steps_at, whole_episodes, add_episodes))
steps_before = jax.jit(steps_before, static_argnums=2)
sample_anchors = jax.jit(sample_anchors, static_argnums=(2, 3))


def numbered(first, count, lengths=None, terminated=False):
    """Episodes whose x is 100 * episode + step + 1, and whose action is its negative; nothing is zero."""
    episode = np.arange(first, first + count)
    state = np.zeros((count, HORIZON + 1, 6), np.float32)
    state[..., 0] = 100 * episode[:, None] + np.arange(HORIZON + 1) + 1
    action = -state[:, :HORIZON, :1]
    length = np.full(count, HORIZON, np.int32) if lengths is None else np.array(lengths, np.int32)
    tasks = Tasks(np.full(count, 2, np.int32), episode.astype(np.float32) + 1)
    return Episodes(tasks, state, action, action[..., 0] / 10, length, np.full(count, terminated))


def filled(capacity, *batches):
    replay = init_replay(capacity, HORIZON, 1)
    for batch in batches:
        replay = add_episodes(replay, batch)
    return replay


def every_anchor(replay):
    slot, step = np.meshgrid(np.arange(replay.capacity), np.arange(HORIZON), indexing="ij")
    return Anchors(jnp.asarray(slot.ravel()), jnp.asarray(step.ravel()))


@pytest.mark.parametrize("batches", [[(0, 5)], [(0, 5), (5, 5), (10, 3)]], ids=["fresh", "wrapped"])
@pytest.mark.parametrize("width", [3, 32])
def test_windows_hold_the_steps_before_the_anchor_and_nothing_else(batches, width):
    replay = filled(5, *(numbered(*batch) for batch in batches))
    anchors = every_anchor(replay)
    before, at = steps_before(replay, anchors, width), steps_at(replay, anchors)
    for index, step in enumerate(np.asarray(anchors.step)):
        real = min(step, width)
        assert before.valid[index].sum() == real
        here = float(at.state[index, 0])
        expected = np.zeros(width, np.float32)
        expected[width - real :] = here - np.arange(real, 0, -1)
        np.testing.assert_array_equal(before.state[index, :, 0], expected)
        np.testing.assert_array_equal(before.next_state[index, :, 0], np.where(expected, expected + 1, 0))
        np.testing.assert_array_equal(before.action[index, :, 0], -expected)
        np.testing.assert_allclose(before.reward[index], -expected / 10)


def test_wrapping_keeps_the_newest_episodes():
    replay = filled(5, numbered(0, 4), numbered(4, 4), numbered(8, 4))
    kept = sorted((np.asarray(replay.episodes.state[:, 0, 0]) // 100).astype(int))
    assert kept == [7, 8, 9, 10, 11] and int(replay.added) == 12 and int(replay.episodes.length.sum()) == 35
    assert sorted(np.asarray(replay.episodes.tasks.target)) == [8, 9, 10, 11, 12]
    drawn = sample_anchors(jax.random.key(0), replay, 3500)
    order = np.asarray(replay.episodes.state[drawn.slot, drawn.step, 0])
    assert np.all(np.diff(order) <= 0), "newest first, whatever the slot"
    assert order.max() == 1107 and order.min() == 701


def test_short_episodes_are_padded_and_never_drawn_beyond_their_end():
    replay = filled(5, numbered(0, 3, lengths=[2, 7, 4]))
    drawn = sample_anchors(jax.random.key(0), replay, 1300)
    found, counts = np.unique(np.stack([drawn.slot, drawn.step], 1), axis=0, return_counts=True)
    assert found.tolist() == [[0, 0], [0, 1], *([1, t] for t in range(7)), *([2, t] for t in range(4))]
    assert counts.min() >= 97 and counts.max() <= 103, "uniform over steps, not over episodes"
    episodes = whole_episodes(replay, jnp.array([0, 2]))
    assert episodes.valid.sum(1).tolist() == [2, 4]
    assert not np.asarray(episodes.state)[~np.asarray(episodes.valid)].any()


def test_an_end_by_time_limit_is_not_terminal():
    replay = filled(6, numbered(0, 2), numbered(2, 2, terminated=True), numbered(4, 1, [3], terminated=True))
    terminal = np.asarray(steps_at(replay, every_anchor(replay)).terminal).reshape(6, HORIZON)
    assert np.argwhere(terminal).tolist() == [[2, 6], [3, 6], [4, 2]]


def test_recency_weights_fall_linearly_from_newest_to_oldest():
    replay = filled(40, numbered(0, 40))
    size, draws = 40 * HORIZON, 100
    counts = np.zeros((40, HORIZON))
    keys = jax.random.split(jax.random.key(0), 300)
    anchors = jax.jit(jax.vmap(lambda key: sample_anchors(key, replay, draws, "linear")))(keys)
    np.add.at(counts, tuple(np.ravel(leaf) for leaf in anchors), 1)
    age_weight = np.linspace(0.9, 0.1, size)
    expected = (age_weight / age_weight.sum() * 300 * draws)[::-1]
    np.testing.assert_allclose(counts.ravel(), expected, atol=5 * np.sqrt(expected.max()))
    halves = counts.reshape(4, -1).sum(1) / counts.sum()
    np.testing.assert_allclose(halves, expected.reshape(4, -1).sum(1) / expected.sum(), atol=0.002)


def test_uniform_draws_of_a_large_share_hardly_repeat():
    replay = filled(40, numbered(0, 40))
    anchors = sample_anchors(jax.random.key(0), replay, 140)
    assert len(np.unique(np.stack(anchors, 1), axis=0)) > 110, "independent draws would give about 110"
    assert len(np.unique(np.stack(sample_anchors(jax.random.key(0), replay, 280), 1), axis=0)) > 200


@pytest.mark.parametrize(
    "attempt, words",
    [
        (lambda: init_replay(0, 5, 1), "capacity: 0"),
        (lambda: init_replay(10**6, 200, 1), "16777216 steps"),
        (lambda: filled(3, numbered(0, 4)), "capacity of 3"),
        (lambda: sample_anchors(jax.random.key(0), filled(3, numbered(0, 1)), 2, "newest"), "'newest'"),
    ],
)
def test_mistakes_are_named(attempt, words):
    with pytest.raises(ValueError, match=words):
        attempt()
