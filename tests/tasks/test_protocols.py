"""Benchmark protocols: their tasks and rewards are those of the literature, and physics that ended stays as it is."""

import numpy as np
import pytest

from reinfer.bodies import HALF_CHEETAH, WALKER2D
from reinfer.simulation.tasks import TaskSimulation
from reinfer.tasks import reward
from reinfer.tasks.protocols import PROTOCOLS, protocol


def of(name, body=HALF_CHEETAH):
    return protocol(name, body.name, body.tasks)


def test_cheetah_vel_has_the_published_tasks_and_rewards():
    vel = of("cheetah-vel")
    # The first and last of NumPy's uniform numbers of seed 1337, times 3 m/s.
    drawn = np.random.RandomState(1337).uniform(0.0, 3.0, 130)
    assert vel.train.count == 100 and vel.held_out.count == 30
    assert np.allclose(vel.train.target, drawn[:100]) and np.allclose(vel.held_out.target, drawn[100:])
    simulation = TaskSimulation(HALF_CHEETAH, vel, 3, threads=1)
    assert simulation.steps == 200 and simulation.observation_size == 17
    observation = simulation.start(np.random.default_rng(0), vel.train[:3])
    before, action = simulation.state, np.full((3, 6), 0.5)
    assert observation.shape == (3, 17)
    earned, _ = simulation.step(action)
    speed = (simulation.state[:, 0] - before[:, 0]) / 0.05
    assert np.allclose(earned, -np.abs(speed - drawn[:3]) - 0.05 * 6 * 0.25, atol=1e-5)


def test_cheetah_dir_rewards_speed_in_its_direction():
    direction = of("cheetah-dir")
    simulation = TaskSimulation(HALF_CHEETAH, direction, 2, threads=1)
    simulation.start(np.random.default_rng(0), direction.train)
    before = simulation.state
    earned, _ = simulation.step(np.ones((2, 6)))
    speed = (simulation.state[:, 0] - before[:, 0]) / 0.05
    assert np.allclose(earned, np.array([1.0, -1.0]) * speed - 0.3, atol=1e-5)


def test_standard_tasks_have_the_one_reward_and_show_x_and_a_fallen_body_stays():
    standard = of("standard", WALKER2D)
    assert standard.train.count == 80 and standard.held_out.count == 40
    simulation = TaskSimulation(WALKER2D, standard, 4, threads=1)
    observation = simulation.start(np.random.default_rng(0), standard.train[:4])
    assert observation.shape == (4, 18) and np.allclose(observation[:, -1], simulation.state[:, 0], atol=1e-6)
    for _ in range(150):
        earned, observation = simulation.step(-np.ones((4, 6)))
    assert simulation.fallen.all()
    last = simulation.state, earned, observation
    earned, observation = simulation.step(np.ones((4, 6)))
    for old, new in zip(last, (simulation.state, earned, observation), strict=True):
        assert np.array_equal(old, new)
    assert np.allclose(earned, reward(standard.train[:4], simulation.state), atol=1e-5)


def test_unknown_protocols_and_other_robots_are_refused():
    with pytest.raises(ValueError, match="tasks: 'ant-goal' is not known; allowed: " + ", ".join(PROTOCOLS)):
        of("ant-goal")
    with pytest.raises(ValueError, match="'cheetah-vel' is not defined on walker2d; body must be half_cheetah"):
        of("cheetah-vel", WALKER2D)
