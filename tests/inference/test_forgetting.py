"""Forgetting: rewards that one task does not explain, and two do, make the encoder start over; nothing else does."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reinfer.bodies import Toy1d
from reinfer.inference import forgetting
from reinfer.inference.agent import ToyAgent
from reinfer.inference.belief import Belief
from reinfer.inference.context import append, empty_window
from reinfer.inference.forgetting import ANY_REWARD, carry_since_change, numbers_of_rows, surprise
from reinfer.inference.melts_networks import melts_template
from reinfer.runs.directory import resolve
from reinfer.runs.errors import ConfigError
from reinfer.tasks import make_tasks, reward


def belief(probability, target):
    family = jnp.array([[probability, 1 - probability, 0.0, 0.0]])
    return Belief(jnp.zeros((1, 2)), jnp.zeros((1, 2)), family, jnp.array([[target, -1.0, 5.0, -5.0]]))


def test_surprise_is_least_where_the_reward_is_as_predicted_and_bounded_where_it_is_not():
    """Velocity 1 believed in at vx' = 0.5: the reward should be -0.5, give or take 0.03."""
    found = [float(surprise(belief(1.0, 1.0), jnp.array([[0.0, 0.0, r, 3.0, 0.5]]))[0]) for r in (-0.5, -0.47, 2.0)]
    exact = -np.log(1 / (np.pi * 0.03) + ANY_REWARD)
    half = -np.log(0.5 / (np.pi * 0.03) + ANY_REWARD)
    np.testing.assert_allclose(found[:2], [exact, half], rtol=1e-4)
    assert 3.0 < found[2] < -np.log(ANY_REWARD)


def test_surprise_counts_what_every_family_predicts():
    """Half sure of velocity 1 and half of velocity -1: at vx' = 0.5 both rewards, -0.5 and -1.5, are expected."""
    rows = [jnp.array([[0.0, 0.0, r, 3.0, 0.5]]) for r in (-0.5, -1.5, -1.0)]
    one, other, neither = (float(surprise(belief(0.5, 1.0), row)[0]) for row in rows)
    assert one < 0.0 and other < 0.0 and neither > 1.0


def test_hypotheses_are_exact_for_a_change_just_now_and_coarser_for_older_ones():
    assert numbers_of_rows(32).tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28]
    assert numbers_of_rows(4).tolist() == [1, 2, 3]


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


@pytest.fixture(scope="module")
def many_windows():
    """70 windows of 40 random steps: in the first half of them the task changed a few rows ago, at any moment."""
    toy, agent = Toy1d(), ToyAgent.load(resolve("shipped:toy/seed0"))
    count = 70
    old, new = (toy.tasks.sample(jax.random.key(seed), (count,)) for seed in (0, 1))
    changed = np.where(np.arange(count) < count // 2, np.arange(count) % 30, 0)
    state, window = toy.reset(jax.random.key(2), (count,)), empty_window(count)
    for step, key in enumerate(jax.random.split(jax.random.key(3), 40)):
        reached = toy.step(state, jax.random.uniform(key, (count, 1), minval=-1.0))
        tasks = jax.tree.map(lambda a, b, now=step >= 40 - changed: np.where(now, b, a), old, new)
        window, state = append(window, state, reward(tasks, reached), reached), reached
    return agent.params.inference, window, agent.params.scale, changed


def test_working_out_only_what_is_possible_changes_nothing(many_windows, monkeypatch):
    *given, changed = many_windows
    (carry, since), sound, worked_out = carry_since_change(*given), forgetting.may_be_better, []

    def all_of_them(cost, window, begin, layout):
        every = begin > window.first[:, None]
        worked_out.append(np.asarray(sound(cost, window, begin, layout))[changed == 0].mean())
        return every

    monkeypatch.setattr(forgetting, "may_be_better", all_of_them)
    whole_carry, whole_since = carry_since_change(*given)
    np.testing.assert_array_equal(since, whole_since)
    for one, other in zip(jax.tree.leaves(carry), jax.tree.leaves(whole_carry), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    assert (np.asarray(since) > 0).sum() > 20, "changes must be among them"
    assert (np.asarray(since)[changed == 0] == 0).mean() > 0.8
    assert worked_out[0] < 0.4, "where nothing changed most need not be worked out"


def test_without_a_surprise_the_whole_window_counts():
    agent = ToyAgent.load(resolve("shipped:toy/seed0")).remember(forget=True)
    window, _ = windows_after((make_tasks([("goal_forward", 7.0)]),), 12)
    forgetting = agent.infer(window)
    for one, two in zip(forgetting, agent.remember(forget=False).infer(window), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-4)


def test_an_agent_that_cannot_forget_says_so():
    sizes = {"latent": 3, "max_components": 4, "policy": [8]}
    agent = ToyAgent("melts", melts_template(sizes), sizes)
    assert agent.forget is False and ToyAgent.load(resolve("shipped:toy/seed0")).forget is True
    with pytest.raises(ConfigError, match="forget: .*'melts'"):
        agent.remember(forget=True)
