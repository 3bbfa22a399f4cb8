"""Forgetting: a reward that a sure belief did not predict makes the encoder start over, and nothing else does."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reinfer.bodies import Toy1d
from reinfer.inference.agent import ToyAgent
from reinfer.inference.belief import Belief
from reinfer.inference.context import append, empty_window
from reinfer.inference.forgetting import SURE, contradicts
from reinfer.inference.melts_networks import melts_template
from reinfer.runs.directory import resolve
from reinfer.runs.errors import ConfigError
from reinfer.tasks import make_tasks, reward


def belief(probability, target):
    family = jnp.array([[probability, 1 - probability, 0.0, 0.0]])
    return Belief(jnp.zeros((1, 2)), jnp.zeros((1, 2)), family, jnp.array([[target, -1.0, 5.0, -5.0]]))


@pytest.mark.parametrize(
    ("probability", "found", "expected"),
    [(1.0, -0.5, False), (1.0, -0.42, False), (1.0, -0.3, True), (1.0, -0.7, True), (SURE - 0.01, -0.1, False)],
)
def test_contradiction_needs_a_sure_belief_and_a_reward_off_by_more_than_the_tolerance(probability, found, expected):
    """Velocity 1 believed in at vx' = 0.5: the reward must be -0.5."""
    row = jnp.array([[0.0, 0.0, found, 3.0, 0.5]])
    assert bool(contradicts(belief(probability, 1.0), row)[0]) is expected


def windows_after(tasks, steps, seed=0):
    """Windows after ``steps`` random steps per task of the sequence ``tasks``, and after the last task's alone."""
    toy = Toy1d()
    state, whole, last = toy.reset(jax.random.key(seed), (1,)), empty_window(1), None
    for task in tasks:
        last = empty_window(1)
        for key in jax.random.split(jax.random.key(seed + 1), steps):
            reached = toy.step(state, jax.random.uniform(key, (1, 1), minval=-1.0))
            row = (state, reward(task, reached), reached)
            whole, last, state = append(whole, *row), append(last, *row), reached
    return whole, last


def test_after_a_change_only_rows_of_the_new_task_count():
    agent = ToyAgent.load(resolve("shipped:toy/seed0")).remember(forget=True)
    old, new = make_tasks([("velocity_forward", 1.2)]), make_tasks([("goal_backward", -6.0)])
    whole, last = windows_after((old, new), 8)
    remembering, alone = agent.infer(whole), agent.infer(last)
    np.testing.assert_allclose(remembering.latent, alone.latent, atol=1e-4)
    assert int(remembering.family_probability.argmax()) == 3
    with_old_rows = agent.remember(forget=False).infer(whole)
    assert np.abs(with_old_rows.latent - alone.latent).max() > 1e-2


def test_without_a_surprise_the_whole_window_counts():
    agent = ToyAgent.load(resolve("shipped:toy/seed0")).remember(forget=True)
    window, _ = windows_after((make_tasks([("goal_forward", 7.0)]),), 12)
    forgetting = agent.infer(window)
    for one, two in zip(forgetting, agent.remember(forget=False).infer(window), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-4)


def test_an_agent_that_cannot_forget_says_so():
    sizes = {"latent": 3, "max_components": 4, "policy": [8]}
    agent = ToyAgent("melts", melts_template(sizes), sizes)
    assert agent.forget is False
    with pytest.raises(ConfigError, match="forget: .*'melts'"):
        agent.remember(forget=True)
