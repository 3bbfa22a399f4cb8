"""Stride policies: the rule as documented, the features, learning on a problem solved by hand."""

import jax
import numpy as np
import pytest
from transfer_doubles import DT, POINT, RANGES

from reinfer.control.commands import Commands
from reinfer.control.commands import feature_size as command_feature_size
from reinfer.control.normalisation import init_moments
from reinfer.inference.belief import Belief
from reinfer.runs.errors import ArtifactError
from reinfer.tasks import GOAL, VELOCITY
from reinfer.transfer import MAX_STRIDE, LearnedStride, RuleStride, StrideInputs
from reinfer.transfer.experience import WORST_REWARD, Gains
from reinfer.transfer.loading import load
from reinfer.transfer.stride_learning import Hyperparameters, empty_episodes, init_learner, learn
from reinfer.transfer.strides import feature_size, greedy_stride, init_stride_network, stride_features, stride_values


def inputs(kind, target, x=0.0, sure=1.0, rows=10, goal_estimate=2.0):
    state = np.zeros((1, 6))
    state[0, 0] = x
    probability = np.array([[0.0, 0.0, sure, 1.0 - sure]])
    estimate = np.array([[1.5, -1.5, goal_estimate, -2.0]])
    belief = Belief(np.ones((1, 3)), np.zeros((1, 3)), probability, estimate)
    commands = Commands(np.array([kind]), np.array([target]))
    return StrideInputs(np.arange(5.0)[None], state, commands, belief, np.array([rows]), np.array([4]), np.array([3.0]))


@pytest.mark.parametrize(
    "given, expected",
    [
        (inputs(GOAL, 2.0, rows=2), 2),
        (inputs(GOAL, 2.0, sure=0.8), 2),
        (inputs(GOAL, 2.0), 13),
        (inputs(GOAL, -3.0, x=-2.4), 4),
        (inputs(GOAL, 3.0), 20),
        (inputs(GOAL, 0.01), 1),
        (inputs(VELOCITY, 2.0), 10),
    ],
)
def test_rule(given, expected):
    assert RuleStride(DT).choose(given).tolist() == [expected]


def test_features_do_not_hold_absolute_x():
    here = stride_features(inputs(GOAL, 1.0, x=0.5, goal_estimate=2.0), RANGES)
    # The same relative error of the estimate, seen from 7 m further on.
    there = inputs(GOAL, 8.0, x=7.5, goal_estimate=30.0)
    there.belief.target[0, 3] = -2.0
    there = stride_features(there, RANGES)
    changed = np.flatnonzero(here != there)
    assert here.shape == (1, feature_size(5, RANGES, 4)) and np.isfinite(here).all()
    # Only the error against the other direction's estimate differs, which comes after observation, sub-goal and
    # probabilities; it is clipped.
    errors = 5 + command_feature_size(RANGES) + 4
    assert changed.tolist() == [errors + 3] and there[0, errors + 3] == -2.0
    assert np.abs(here[0, 5:]).max() <= 2.0


def test_learned_stride_survives_the_disk(tmp_path):
    network = init_stride_network(jax.random.key(0), feature_size(5, RANGES, 4), 8)
    learned = LearnedStride(POINT, RANGES, init_moments(feature_size(5, RANGES, 4)), network, baseline=4)
    learned.save(tmp_path / "model", config={}, metrics={}, provenance={})
    again = LearnedStride.load(tmp_path / "model", RANGES)
    given = inputs(GOAL, 1.0)
    assert again.choose(given).tolist() == learned.choose(given).tolist() and again.sha256
    assert 1 <= again.choose(given)[0] <= MAX_STRIDE
    with pytest.raises(ArtifactError, match="is not a model"):
        LearnedStride.load(tmp_path, RANGES)


def test_a_stride_is_loaded_above_a_low_level_of_its_own_robot_only():
    with pytest.raises(ArtifactError, match="stride/seed0 was made for body 'half_cheetah', not for 'walker2d'"):
        load("shipped:half_cheetah/stride/seed0", load("shipped:walker2d/low"))


def test_gains_of_a_constant_reward_are_that_reward():
    """Whatever the stride, with what follows weighed; at once where a fall leaves nothing to follow."""
    gains, nobody = Gains(3, 0.9), np.zeros(3, bool)
    gains.earned(np.full(3, -0.3), nobody)
    gains.begin(np.ones(3, bool))
    for fell in (nobody, nobody, np.array([False, False, True])):
        gains.earned(np.array([-0.5, 9.0 * WORST_REWARD, -0.5]), fell)
    np.testing.assert_allclose(gains.weight, 0.9**3)
    worth = np.array([-0.5, WORST_REWARD])
    np.testing.assert_allclose(gains.gain[:2] + gains.weight[:2] * worth, worth)
    assert gains.gain[2] == pytest.approx(-0.5)


def ensemble_that_says(advantages):
    """A stride network whose members give, for any features, the advantages (members, nodes)."""
    network = jax.tree.map(np.zeros_like, init_stride_network(jax.random.key(0), 3, 8))
    last = network[-1]
    bias = np.concatenate([np.zeros((len(advantages), 1)), np.asarray(advantages)], axis=1)
    return (*network[:-1], last._replace(bias=bias.astype(np.float32)))


def test_departs_from_the_best_constant_only_where_all_members_see_a_gain():
    agreed = np.tile([-1.0, 0.0, -1.0, 1.0, -1.0], (4, 1))
    doubted = agreed.copy()
    doubted[:, 3] = [4.0, -1.0, 3.0, -1.0]
    features, moments = np.zeros((2, 3), np.float32), init_moments(3)
    for advantages, expected in ((agreed, 8), (doubted, 2)):
        assert greedy_stride(moments, ensemble_that_says(advantages), features, 2).tolist() == [expected] * 2


def ensemble_mean(learner, features):
    each = jax.vmap(stride_values, in_axes=(None, 0, None))(learner.moments, learner.network, features)
    return np.asarray(each).mean(0)


# ---- a problem with one state: looking costs 1, then every step of a stride costs more than the one before


def cost(steps_into_stride):
    return 1.0 * (steps_into_stride == 0) + 0.02 * steps_into_stride**1.5


def solve(discount):
    """Values of all strides by value iteration, in float64."""
    steps = np.arange(MAX_STRIDE)
    gains = -np.cumsum(discount**steps * (1.0 - discount) * cost(steps))
    lengths = 1 + steps
    value = 0.0
    for _ in range(5000):
        values = gains + discount**lengths * value
        value = values.max()
    return values


def test_learning_finds_the_values_solved_by_hand():
    discount, horizon, count = 0.9, 60, 16
    hyper = Hyperparameters(discount, 3e-3, 256, 1500, 0.02)
    episodes = empty_episodes(1, horizon, count, 3)
    episodes.features[:] = [0.3, -0.2, 0.5]
    rng = np.random.default_rng(0)
    for simulation in range(count):
        start, gain, end = 0, 0.0, 0
        for step in range(horizon):
            if step == end:
                start, gain, end = step, 0.0, step + rng.integers(1, MAX_STRIDE + 1)
            into = step - start
            gain -= discount**into * (1.0 - discount) * cost(into)
            episodes.start[0, step, simulation] = start
            episodes.gain[0, step, simulation] = gain
            episodes.valid[0, step, simulation] = 1.0
    episodes = episodes._replace(count=np.asarray(1, np.int32))
    learner = init_learner(jax.random.key(0), 3, 32, hyper)
    learner, metrics = learn(jax.random.key(1), learner, episodes, hyper)
    values = ensemble_mean(learner, episodes.features[0, 0, 0])
    expected = solve(discount)
    # Advantages are interpolated between a few strides: the choice must be nearly as good as the best.
    assert expected.max() - expected[values.argmax()] < 0.01 < expected.max() - expected[0]
    np.testing.assert_allclose(values, expected, atol=0.06)
    assert np.isfinite(metrics["loss"])


def test_falls_are_not_a_way_out():
    """The value of a stride that ends in a fall is what its gain says, and steps after it teach nothing."""
    hyper = Hyperparameters(0.9, 3e-3, 256, 800, 0.02)
    episodes = empty_episodes(1, 2, 8, 3)
    episodes.features[:] = [0.3, -0.2, 0.5]
    episodes.gain[0] = [[-0.7], [99.0]]
    episodes.start[0] = [[0], [1]]
    episodes.terminal[0, 0], episodes.valid[0, 0] = 1.0, 1.0
    episodes = episodes._replace(count=np.asarray(1, np.int32))
    learner = init_learner(jax.random.key(0), 3, 32, hyper)
    learner, _ = learn(jax.random.key(1), learner, episodes, hyper)
    values = ensemble_mean(learner, episodes.features[0, 0, 0])
    np.testing.assert_allclose(values[0], -0.7, atol=0.01)
