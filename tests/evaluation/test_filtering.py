"""The filter that learns nothing: it finds what rows tell, says so when they tell nothing, and agrees with a grid."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from transfer_doubles import FilterAgent

from reinfer.bodies import Toy1d, Toy3dof
from reinfer.inference.context import LINE_ROWS, RowLayout, append, empty_window
from reinfer.inference.decoder import target_scale
from reinfer.inference.filtering import filtered_belief
from reinfer.tasks import FAMILY_NAMES, Tasks, make_tasks, reward

SMALLEST, LARGEST = (np.array([row[index] for row in Toy1d.tasks.ranges]) for index in (1, 2))


def filtered(window):
    return filtered_belief(window, SMALLEST / 5.0, LARGEST, target_scale(Toy1d.tasks), LINE_ROWS)


def window_of(tasks: Tasks, visited, noise=0.0):
    """What an agent is shown whose x and vx are those of ``visited`` (T, 2)."""
    window = empty_window(tasks.count)
    state = np.zeros((tasks.count, 6), np.float32)
    rng = np.random.default_rng(0)
    for x, velocity in visited:
        reached = np.tile(np.array([x, 0, 0, velocity, 0, 0], np.float32), (tasks.count, 1))
        told = reward(tasks, reached) + noise * rng.standard_normal(tasks.count)
        window, state = append(window, state, told, reached), reached
    return window


TASKS = make_tasks(
    [("velocity_forward", 2.0), ("velocity_backward", -0.8), ("goal_forward", 5.0), ("goal_backward", -0.7)]
)
WANDERING = [(0.1, 1.0), (0.3, 2.0), (0.2, -1.0), (-0.4, -3.0), (-0.1, 1.5)]


def test_two_rows_tell_family_and_target_exactly():
    belief = filtered(window_of(TASKS, WANDERING[:2]))
    np.testing.assert_array_equal(belief.family_probability.argmax(-1), TASKS.family)
    found = np.take_along_axis(np.asarray(belief.target), np.asarray(TASKS.family)[:, None], 1)[:, 0]
    np.testing.assert_allclose(found, TASKS.target, rtol=1e-4)


def test_no_row_tells_nothing():
    belief = filtered(empty_window(3))
    np.testing.assert_allclose(belief.family_probability, 0.25)
    assert np.isfinite(belief.target).all() and (np.sign(belief.target) == [1, -1, 1, -1]).all()


def test_one_row_leaves_more_than_one_family():
    probability = np.asarray(filtered(window_of(TASKS, WANDERING[:1])).family_probability)
    assert (np.sort(probability, axis=-1)[:, -2] > 0.01).all() and np.allclose(probability.sum(-1), 1.0)


def test_targets_out_of_range_are_not_believed():
    far = make_tasks([("goal_forward", 60.0)])
    belief = filtered(window_of(far, WANDERING[:2]))
    assert (np.abs(belief.target) <= LARGEST + 1e-5).all()


def test_it_agrees_with_a_filter_on_a_grid_where_rewards_are_noisy():
    far = [(0.5, 1.0), (-1.0, -1.2), (3.0, 2.4), (-0.6, 0.3), (6.0, -0.6)]
    window = window_of(TASKS, 6 * far, noise=0.01)
    ours, grid = filtered(window), FilterAgent().infer(window)
    np.testing.assert_array_equal(ours.family_probability.argmax(-1), grid.family_probability.argmax(-1))
    place = np.asarray(TASKS.family)[:, None]
    found, expected = (np.take_along_axis(np.asarray(belief.target), place, 1) for belief in (ours, grid))
    np.testing.assert_allclose(found, expected, rtol=0.03)


@pytest.mark.parametrize("name", ["stand_front", "jump"])
def test_it_reads_the_rows_of_other_toys(name):
    layout = RowLayout.of(Toy3dof.tasks)
    low, high = (np.array([row[index] for row in Toy3dof.tasks.ranges]) for index in (1, 2))
    task = Toy3dof.tasks.sample(jax.random.key(0), (64,))
    here = jnp.asarray(task.family) == FAMILY_NAMES.index(name)
    window, state = empty_window(64, layout=layout), np.zeros((64, 6), np.float32)
    for values in ((0.1, 0.0, 0.2, 1.0, 0.5, 0.0), (0.3, 0.1, -0.1, 2.0, -1.2, 0.0), (0.2, 0.0, 0.4, -1.0, 2.0, 0.0)):
        reached = np.tile(np.array(values, np.float32), (64, 1))
        window, state = append(window, state, reward(task, jnp.asarray(reached)), reached, layout=layout), reached
    belief = filtered_belief(window, low, high, target_scale(Toy3dof.tasks), layout)
    place = layout.place(np.asarray(task.family))
    assert here.any() and (np.asarray(belief.family_probability.argmax(-1)) == place)[np.asarray(here)].all()
