"""Invariants of the hierarchical rollout and of its record."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from transfer_doubles import DT, RANGES, FilterAgent, point_hierarchy, untrained_toy

from reinfer.bodies import BodyId, Toy1d
from reinfer.inference.context import append, empty_window
from reinfer.runs.errors import ArtifactError
from reinfer.tasks import GOAL, VELOCITY, make_tasks, reward
from reinfer.transfer import (
    MAX_STRIDE,
    FixedStride,
    Hierarchy,
    OracleAgent,
    RandomAgent,
    RuleStride,
    Situation,
    ToyPolicyAgent,
    ZeroAgent,
    hierarchy,
    load_record,
    rollout,
    save_record,
)

TASKS = make_tasks(
    [
        ("goal_forward", 5.1),
        ("goal_backward", -3.14),
        ("goal_forward", 9.02),
        ("goal_backward", -1.2),
        ("velocity_forward", 1.15),
        ("velocity_backward", -2.35),
        ("velocity_forward", 2.35),
        ("velocity_backward", -1.75),
    ]
)
RANDOM = np.random.default_rng


class UnevenStride:
    """A different constant stride for every simulation."""

    name = "uneven"

    def choose(self, inputs):
        return 1 + np.arange(len(inputs.rows)) % MAX_STRIDE


@pytest.mark.parametrize("strides", [FixedStride(1), FixedStride(7), RuleStride(DT), UnevenStride()])
@pytest.mark.parametrize("toy_steps", [1, 6])
def test_invariants(strides, toy_steps):
    agent = ToyPolicyAgent(FilterAgent(), toy_steps)
    record = rollout(point_hierarchy(strides, agent=agent), TASKS, 6.0, RANDOM(0))
    assert record.reward.shape == (120, 8) and record.task_state.shape == (121, 8, 6)
    assert (record.stride >= 1).all() and (record.stride <= MAX_STRIDE).all()
    # Sub-goals keep within what the low level knows, and stand still in space for the whole stride.
    start = np.where(record.is_decision, record.task_state[:-1, :, 0], np.nan)
    ahead = np.abs(record.command_target - start)[record.is_decision & (record.command_kind == GOAL)]
    assert (ahead <= min(0.5 * toy_steps, RANGES.goal_m) + 1e-6).all()
    speed = np.abs(record.command_target)[record.command_kind == VELOCITY]
    assert (speed <= RANGES.speed_mps[1] + 1e-6).all()
    held = ~record.is_decision[1:]
    assert (record.command_target[1:] == record.command_target[:-1])[held].all()
    assert (record.rows == np.cumsum(record.is_decision, axis=0) - 1).all()
    # The next decision comes exactly when the stride has run out.
    for simulation in range(8):
        decisions = np.flatnonzero(record.is_decision[:, simulation])
        assert (np.diff(decisions) == record.stride[decisions[:-1], simulation]).all()
    np.testing.assert_array_equal(record.reward, reward(TASKS, record.task_state[1:]))


def test_fixed_stride_decides_every_k_steps():
    record = rollout(point_hierarchy(FixedStride(7)), TASKS, 6.0, RANDOM(0))
    assert (record.is_decision == (np.arange(120) % 7 == 0)[:, None]).all()


@pytest.mark.parametrize("strides", [FixedStride(1), UnevenStride()])
def test_context_is_what_the_record_says(strides):
    hierarchy = point_hierarchy(strides)
    record = rollout(hierarchy, TASKS, 6.0, RANDOM(0))
    for simulation in range(8):
        shown, count = np.asarray(hierarchy.window.rows[simulation]), int(hierarchy.window.count[simulation])
        rebuilt = record.context(simulation)
        assert len(rebuilt) == record.rows[-1, simulation]
        assert count == min(len(rebuilt), 32)
        np.testing.assert_array_equal(shown[32 - count :], rebuilt[-32:][:count])
        assert not shown[: 32 - count].any()


def test_belief_of_a_decision_follows_from_the_rows_before_it():
    record = rollout(point_hierarchy(UnevenStride()), TASKS, 3.0, RANDOM(0))
    infer = jax.jit(FilterAgent().infer)
    for simulation in (0, 5):
        window, rows = empty_window(1), record.context(simulation)
        decisions = np.flatnonzero(record.is_decision[:, simulation])
        for index, step in enumerate(decisions):
            belief = infer(window)
            np.testing.assert_allclose(
                belief.family_probability[0], record.family_probability[step, simulation], atol=1e-6
            )
            np.testing.assert_allclose(belief.latent[0], record.latent[step, simulation], atol=1e-6)
            if index < len(rows):
                x, vx, earned, next_x, next_vx = rows[index]
                state, reached = (
                    jnp.zeros((1, 6)).at[0, jnp.array([0, 3])].set(jnp.array(s)) for s in ((x, vx), (next_x, next_vx))
                )
                window = append(window, state, jnp.array([earned]), reached)


def test_simulations_decide_on_their_own():
    """What one simulation does is the same whatever strides its neighbours take."""
    uneven = rollout(point_hierarchy(UnevenStride()), TASKS, 3.0, RANDOM(0))
    for simulation in (0, 4, 7):
        even = rollout(point_hierarchy(FixedStride(1 + simulation)), TASKS, 3.0, RANDOM(0))
        np.testing.assert_array_equal(even.task_state[:, simulation], uneven.task_state[:, simulation])
        np.testing.assert_array_equal(even.is_decision[:, simulation], uneven.is_decision[:, simulation])


def test_reaches_its_targets():
    agent = ToyPolicyAgent(FilterAgent(), 6)
    record = rollout(point_hierarchy(FixedStride(2), agent=agent), TASKS, 12.0, RANDOM(0))
    value = np.where(TASKS.family >= 2, record.task_state[-1, :, 0], record.task_state[-1, :, 3])
    np.testing.assert_allclose(value, TASKS.target, rtol=0.02, atol=0.05)


def test_a_fallen_simulation_is_frozen():
    hierarchy = point_hierarchy(FixedStride(5), agent=OracleAgent(TASKS), fall_at_x=4.0)
    record = rollout(hierarchy, TASKS, 6.0, RANDOM(0))
    assert record.fallen[-1].tolist() == [True, False, True, False, True, True, True, True]
    for simulation in np.flatnonzero(record.fallen[-1]):
        first = record.fallen[:, simulation].argmax()
        after = record.task_state[first:, simulation]
        assert (after == after[0]).all() and abs(after[0, 0]) > 4.0
        assert (record.reward[first - 1 :, simulation] == record.reward[first - 1, simulation]).all()
        assert not record.is_decision[first:, simulation].any()
    assert (record.fallen[1:] >= record.fallen[:-1]).all()


def test_diverged_physics_keeps_the_last_finite_state():
    hierarchy = point_hierarchy(FixedStride(3))
    simulation, step = hierarchy.simulation, hierarchy.simulation.step
    taken = []

    def diverging(action):
        step(action)
        taken.append(action)
        if len(taken) == 10:
            simulation.qpos[2] = np.nan

    simulation.step = diverging
    simulation.fallen = lambda: ~np.isfinite(simulation.qpos).all(-1)
    record = rollout(hierarchy, TASKS, 1.0, RANDOM(0))
    assert np.isfinite(record.task_state).all() and np.isfinite(record.reward).all()
    assert (record.fallen[:, 2] == (np.arange(21) >= 10)).all() and not record.fallen[:, [0, 1, 3]].any()
    assert all(np.isfinite(action).all() for action in taken)


def test_same_start_same_bytes_and_strides_out_of_range_are_refused():
    first, second = (rollout(point_hierarchy(RuleStride(DT)), TASKS, 2.0, RANDOM(3)) for _ in range(2))
    for one, other in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        np.testing.assert_array_equal(one, other)

    class Wrong:
        def choose(self, inputs):
            return np.zeros(len(inputs.rows), int)

    with pytest.raises(ValueError, match="stride: .* 1 to 20"):
        rollout(point_hierarchy(Wrong()), TASKS, 1.0, RANDOM(0))
    with pytest.raises(ValueError, match=r"tasks: shape \(3,\) does not fit 8"):
        rollout(point_hierarchy(FixedStride(1)), TASKS[:3], 1.0, RANDOM(0))
    for length in (0, 21):
        with pytest.raises(ValueError, match="between 1 and 20"):
            FixedStride(length)


def test_sub_goal_is_where_the_toy_would_be():
    filter_agent = FilterAgent()
    window = empty_window(2)
    state = jnp.zeros((2, 6)).at[:, 0].set(jnp.array([1.0, -2.0]))
    reached = state.at[:, 0].add(0.25).at[:, 3].set(0.7)
    tasks = make_tasks([("goal_forward", 4.0), ("velocity_backward", -2.0)])
    window = append(window, state, reward(tasks, reached), reached)
    belief = filter_agent.infer(window)
    situation = Situation(reached, jnp.zeros((2, 0)), jnp.ones(2), jnp.int32(1))
    toy, action_state = Toy1d(), reached
    for steps in range(1, 8):
        action = filter_agent.act(action_state, belief)
        action_state = toy.step(action_state, action)
        expected = action_state[:, 0], action_state[:, 3]
        decision = ToyPolicyAgent(filter_agent, steps).decide(filter_agent, window, situation)
        wanted = np.where(decision.kind == GOAL, *expected)
        np.testing.assert_allclose(decision.target, wanted, rtol=1e-5)
    with pytest.raises(ValueError, match="toy_steps: 0"):
        ToyPolicyAgent(filter_agent, 0)


def test_no_speed_is_commanded_that_the_body_does_not_promise():
    """A low-level policy may know higher ones, as a reserve."""
    known = point_hierarchy(FixedStride(5), agent=OracleAgent(TASKS))
    simulation = known.simulation
    simulation.body.commands = replace(RANGES, speed_mps=(0.3, 1.5))
    limited = Hierarchy(simulation, known.low_level, known.agent, known.strides)
    fastest = [
        np.abs(r.command_target[:, 4:]).max() for r in (rollout(h, TASKS, 1.0, RANDOM(0)) for h in (known, limited))
    ]
    assert fastest == pytest.approx([2.35, 1.5])


def test_a_low_level_of_another_robot_is_refused():
    known = point_hierarchy(FixedStride(5))
    known.low_level.body = BodyId("spot")
    with pytest.raises(ArtifactError, match="low-level policy was made for body 'spot', not for 'point'"):
        Hierarchy(known.simulation, known.low_level, known.agent, known.strides)


def test_agents_of_one_form_share_their_program():
    agents = [ToyPolicyAgent(untrained_toy(seed), 2) for seed in (0, 1)]
    before = hierarchy.extend_and_decide._cache_size()
    one, other = (rollout(point_hierarchy(FixedStride(5), agent=agent), TASKS, 1.0, RANDOM(0)) for agent in agents)
    assert hierarchy.extend_and_decide._cache_size() == before + 1
    assert (one.command_target != other.command_target).any(), "their weights are their own"
    assert agents[0] == agents[1] != ToyPolicyAgent(untrained_toy(0), 3)


def test_comparators():
    for agent, moves in ((ZeroAgent(), False), (RandomAgent(RANGES, 0), True), (OracleAgent(TASKS), True)):
        record = rollout(point_hierarchy(FixedStride(5), agent=agent), TASKS, 4.0, RANDOM(0))
        assert (np.abs(np.diff(record.task_state[..., 0], axis=0)).sum(0) > 0.1).all() == moves
    goals = TASKS.family >= 2
    np.testing.assert_allclose(record.task_state[-1, goals, 0], TASKS.target[goals], atol=1e-6)
    np.testing.assert_allclose(record.task_state[-1, ~goals, 3], TASKS.target[~goals], atol=1e-6)
    wandering = rollout(point_hierarchy(FixedStride(5), agent=RandomAgent(RANGES, 0)), TASKS, 4.0, RANDOM(0))
    assert len(np.unique(wandering.command_target)) > 100


def test_record_survives_the_disk(tmp_path):
    record = rollout(point_hierarchy(FixedStride(4)), TASKS, 2.0, RANDOM(0))
    save_record(tmp_path / "deep" / "record.safetensors", record)
    again = load_record(tmp_path / "deep" / "record.safetensors")
    for one, other in zip(jax.tree.leaves(record), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(one, other)
        assert np.asarray(one).dtype == np.asarray(other).dtype
    with pytest.raises(ArtifactError, match="cannot be read"):
        load_record(tmp_path / "none.safetensors")
    (tmp_path / "foreign.safetensors").write_bytes(b"something else")
    with pytest.raises(ArtifactError, match="cannot be read"):
        load_record(tmp_path / "foreign.safetensors")
