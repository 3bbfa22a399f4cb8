"""Schedules: which task is in force, and when it gives way to the next."""

import jax.numpy as jnp
import numpy as np
import pytest

from reinfer.tasks import Tasks, make_schedule


def some_tasks(phases=3, count=2):
    target = 1.0 + np.arange(phases * count, dtype=np.float32).reshape(phases, count)
    return Tasks(np.full((phases, count), 2, np.int32), target)


def phases_of(schedule, steps, x=0.0, uniform=0.99, xp=np):
    """Phase (steps + 1, N) before each step and at the end."""
    count = schedule.steps.shape[1]
    phase, age = xp.zeros(count, int), xp.zeros(count, int)
    state = xp.zeros((count, 6)) + x * xp.eye(6)[0]
    seen = [phase]
    for _ in range(steps):
        phase, age = schedule.advance(phase, age, state, xp.full(count, uniform))
        seen.append(phase)
    return np.stack(seen)


@pytest.mark.parametrize("xp", [np, jnp])
def test_a_task_lasts_its_steps_and_the_last_one_stays(xp):
    schedule = make_schedule(some_tasks(), np.array([[2, 1], [1, 4], [1, 1]]))
    np.testing.assert_array_equal(phases_of(schedule, 6, xp=xp).T, [[0, 0, 1, 2, 2, 2, 2], [0, 1, 1, 1, 1, 2, 2]])


def test_it_may_end_by_chance_or_where_the_agent_is():
    by_chance = make_schedule(some_tasks(), 100, probability=0.5)
    assert phases_of(by_chance, 3, uniform=0.49)[:, 0].tolist() == [0, 1, 2, 2]
    assert phases_of(by_chance, 3, uniform=0.5)[-1, 0] == 0
    by_place = make_schedule(some_tasks(), 100, beyond_m=5.0)
    assert phases_of(by_place, 2, x=-5.0)[:, 0].tolist() == [0, 1, 2]
    assert phases_of(by_place, 2, x=4.9)[-1, 0] == 0


def test_the_task_in_force_is_that_of_each_episodes_phase():
    schedule = make_schedule(some_tasks(), 5)
    assert schedule.phases == 3
    np.testing.assert_array_equal(schedule.at(np.array([2, 0])).target, [5.0, 2.0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "steps: 0 "),
        ({"steps": 5, "probability": 1.5}, "probability: 1.5 .* between 0 and 1"),
        ({"steps": 5, "beyond_m": 0.0}, "beyond_m: 0.0 .* above 0"),
    ],
)
def test_bad_schedules_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        make_schedule(some_tasks(), **change)
    with pytest.raises(ValueError, match="tasks: leaves of shape"):
        make_schedule(some_tasks()[0], 5)
