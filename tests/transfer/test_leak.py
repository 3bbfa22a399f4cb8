"""Nothing but rewards carries the task: with the same rewards, everything the agent does is the same bits."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from transfer_doubles import (
    POINT,
    RANGES,
    FilterAgent,
    point_hierarchy,
    untrained_correction,
    untrained_low_level,
    untrained_toy,
)

from reinfer.bodies import HALF_CHEETAH, robot
from reinfer.control.commands import COMMAND_KINDS
from reinfer.inference.adaptive.agent import ScratchAgent
from reinfer.inference.context import empty_window
from reinfer.runs.directory import resolve
from reinfer.simulation import BatchSimulation
from reinfer.simulation.tasks import TaskSimulation
from reinfer.tasks import make_tasks, reward
from reinfer.tasks.protocols import protocol
from reinfer.transfer import FixedStride, Hierarchy, OracleAgent, RelearnedAgent, RuleStride, ToyPolicyAgent, rollout
from reinfer.transfer.relearned import feature_size
from reinfer.transfer.trials import play_trials

ONE = make_tasks([("goal_forward", 5.1), ("goal_backward", -3.14), ("velocity_forward", 1.15)])
OTHER = make_tasks([("velocity_backward", -2.35), ("goal_forward", 9.02), ("goal_backward", -9.02)])


def differences(build, tasks, reward_of=None) -> list[str]:
    """Names of what differs in the bits between rollouts under two task batches.

    ``build(tasks)`` makes the hierarchy, so that an agent that should not know the tasks may be given them.
    With ``reward_of`` both get this one reward function in place of their own.
    """
    seen = []
    for own in tasks:
        hierarchy = build(own)
        record = rollout(hierarchy, own, 2.0, np.random.default_rng(0), reward_of)
        observed = {name: np.asarray(v) for name, v in record._asdict().items() if name != "tasks"}
        observed |= {"window": np.asarray(hierarchy.window.rows), "count": np.asarray(hierarchy.window.count)}
        seen.append({name: (v.shape, v.dtype.str, v.tobytes()) for name, v in observed.items()})
    return [name for name in seen[0] if seen[0][name] != seen[1][name]]


def common(state):
    """One stream of rewards for all: those of a goal that is neither batch's."""
    return reward(make_tasks([("goal_forward", 2.0)])[jnp.zeros(3, int)], state)


def point(agent_of):
    return lambda tasks: point_hierarchy(RuleStride(0.05), 3, agent_of(tasks))


def cheetah(agent_of, kinds=("goal", "velocity")):
    simulation, low_level = BatchSimulation(HALF_CHEETAH, 3, 1), untrained_low_level(kinds=kinds)
    return lambda tasks: Hierarchy(simulation, low_level, agent_of(tasks), FixedStride(3))


class PeeksAtShape(FilterAgent):
    """Leaks the task through the shape of what it remembers."""

    def __init__(self, tasks):
        super().__init__()
        self.width = 32 - int(tasks.family[0])


class PeeksAtPadding(ToyPolicyAgent):
    """Leaks the task through the empty part of the window."""

    def __init__(self, tasks):
        super().__init__(FilterAgent())
        self.form, self.hint = None, jnp.asarray(tasks.target) * 1e-6

    def decide(self, parameters, window, situation):
        decision = super().decide(parameters, window, situation)
        return decision._replace(target=decision.target + self.hint * (window.count < 32))


def relearned(toy, observation, body=POINT):
    """An untrained correction above ``toy`` for body observations of length ``observation``."""
    return RelearnedAgent(toy, 6, body, RANGES, untrained_correction(feature_size(observation)))


class PeeksAtObservation(RelearnedAgent):
    """Leaks the task into what the high level takes for the body's own observation."""

    def __init__(self, tasks):
        super().__init__(FilterAgent(), 6, POINT, RANGES, untrained_correction(feature_size(5)))
        self.form, self.hint = None, jnp.asarray(tasks.target)[:, None]

    def decide(self, parameters, window, situation):
        return super().decide(parameters, window, situation._replace(observation=situation.observation + self.hint))


HONEST = {
    "filter on a point": point(lambda _: ToyPolicyAgent(FilterAgent(), 6)),
    "toy agent on the half-cheetah": cheetah(lambda _: ToyPolicyAgent(untrained_toy(), 6)),
    "agent of toy3dof on the half-cheetah": cheetah(
        lambda _: ToyPolicyAgent(untrained_toy(0, "toy3dof"), 6), COMMAND_KINDS
    ),
    "relearned on a point": point(lambda _: relearned(FilterAgent(), 5)),
    "relearned on the half-cheetah": cheetah(lambda _: relearned(untrained_toy(), 17, HALF_CHEETAH.id)),
}
LEAKY = {
    "told": point(OracleAgent),
    "shape": point(lambda tasks: ToyPolicyAgent(PeeksAtShape(tasks))),
    "padding": point(PeeksAtPadding),
    "observation": point(PeeksAtObservation),
    "told, on the half-cheetah": cheetah(OracleAgent),
}


@pytest.mark.parametrize("name", HONEST)
def test_same_rewards_same_bits(name):
    assert differences(HONEST[name], (ONE, OTHER), common) == []


@pytest.mark.parametrize("name", HONEST)
def test_other_rewards_alone_change_the_belief(name):
    changed = differences(HONEST[name], (ONE, OTHER))
    assert {"reward", "window", "latent", "family_probability"} <= set(changed)


@pytest.mark.parametrize("name", LEAKY)
def test_a_leaky_agent_is_caught(name):
    assert differences(LEAKY[name], (ONE, OTHER), common) != []


def test_a_leak_by_the_reset_is_caught():
    def build(tasks):
        hierarchy = point_hierarchy(FixedStride(2), 3)
        reset = hierarchy.simulation.reset

        def leaky(rng):
            reset(rng)
            hierarchy.simulation.qpos[:, 0] += 1e-9 * np.asarray(tasks.target)

        hierarchy.simulation.reset = leaky
        return hierarchy

    assert "task_state" in differences(build, (ONE, OTHER), common)


def test_rows_hold_toy_channels_and_rewards_only():
    """Changing the four channels that the toy does not have changes no row."""
    hierarchy = point_hierarchy(FixedStride(2), 3)
    rollout(hierarchy, ONE, 1.0, np.random.default_rng(0))
    window = np.asarray(hierarchy.window.rows)
    hierarchy.simulation.task_state = lambda: np.concatenate(
        [
            hierarchy.simulation.qpos[:, :1],
            np.full((3, 2), 7.0),
            hierarchy.simulation.qvel[:, :1],
            np.full((3, 2), 9.0),
        ],
        axis=-1,
    )
    rollout(hierarchy, ONE, 1.0, np.random.default_rng(0))
    np.testing.assert_array_equal(window, np.asarray(hierarchy.window.rows))


def test_every_agent_starts_alike():
    """Before the first reward all simulations believe the same."""
    toy = untrained_toy()
    belief = jax.jit(toy.infer)(empty_window(5, toy.width))
    assert all((np.asarray(leaf) == np.asarray(leaf)[:1]).all() for leaf in belief)


@pytest.mark.parametrize(
    ("algorithm", "told"), [("pearl", False), ("rl2", False), ("melts", False), ("sac-told", True)]
)
def test_agents_trained_on_the_robot_know_a_task_by_its_rewards_alone(algorithm, told):
    """Two trials under the same rewards, whatever the tasks; the oracle among them shows what a leak looks like."""
    agent = ScratchAgent.load(resolve(f"shipped:scratch/cheetah-vel/{algorithm}-seed0"))
    published = protocol(agent.protocol, HALF_CHEETAH.name, HALF_CHEETAH.tasks)
    alike = replace(published, reward=lambda tasks, step: -np.abs(step.speed_mps - 1.0))
    simulation = TaskSimulation(robot(HALF_CHEETAH.name, agent.timing), alike, 3, 1)
    seen = []
    for tasks in (ONE, OTHER):
        trial = play_trials(agent, simulation, tasks, 2, np.random.default_rng(0), jax.random.key(0), 12)
        arrays = [array for e in trial for array in (e.record.task_state, e.record.qpos, e.reward, e.uncertainty)]
        seen.append([array.tobytes() for array in arrays if array is not None])
    assert (seen[0] != seen[1]) is agent.told is (algorithm == "sac-told")
