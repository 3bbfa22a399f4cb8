"""Comparisons in numbers that can be checked by hand."""

import numpy as np
import pytest

from reinfer.evaluation.comparison import Contender, Curve, compare, curve_of
from reinfer.evaluation.scratch import Measured
from reinfer.evaluation.statistics import performance_profile
from reinfer.tasks import make_tasks
from reinfer.tasks.protocols import protocol
from reinfer.transfer.trials import Episode


class Record:
    """As much of a rollout record as is measured: a body that runs at ``speed`` all along."""

    def __init__(self, tasks, speed, steps):
        self.tasks = tasks
        self.task_state = np.zeros((steps + 1, tasks.count, 6))
        self.task_state[..., 3] = speed
        self.fallen = np.zeros((steps + 1, tasks.count), bool)


def episodes(rewards, speed=1.0, steps=100):
    """Episodes that earn each of ``rewards`` per step at both tasks."""
    tasks = make_tasks([("velocity_forward", 1.0), ("velocity_forward", 2.0)])
    return [
        Episode(Record(tasks, speed, steps), np.full((steps, 2), reward), np.full((steps, 2), width))
        for reward, width in zip(rewards, (1.0, 0.5), strict=True)
    ]


def trial(rewards):
    """What is measured of them."""
    return Measured(episodes(rewards))


def test_where_faster_is_better_an_error_is_what_is_lacking():
    """At 1 m/s of 1 and 2 that are wanted: nothing, and 1 m/s; at 1.5 m/s there is half too much of the one."""
    for speed, distance, lacking in ((1.0, [0.0, 1.0], [0.0, 1.0]), (1.5, [0.5, 0.5], [-0.5, 0.5])):
        played = episodes((-0.3, -0.3), speed)
        assert Measured(played).final_error[-1] == pytest.approx(distance)
        assert Measured(played, shortfall=True).final_error[-1] == pytest.approx(lacking)
    assert (protocol("cheetah-dir", "half_cheetah", None).held_out.target == [3.0, -3.0]).all()


def test_error_against_steps():
    vel = protocol("cheetah-vel", "half_cheetah", None)
    curve = Curve(np.array([10.0, 20.0, 30.0, 40.0]), np.array([[-90.0, -20.0, -60.0, -20.0]]))
    contenders = {
        "reuse": Contender([trial((-0.3, -0.3)), trial((-0.3, -0.3))], 0),
        "pearl": Contender([trial((-0.9, -0.2))], 40, curve),
        "sac-told": Contender([trial((-0.1, -0.1))], 40, curve, told=True),
    }
    found = compare(contenders, vel, 100, ["reuse"])
    reuse, pearl, told = found["agents"].values()
    assert told["told"] and not pearl["told"] and not reuse["told"]
    assert found["lower_is_better"]
    assert reuse["per_step"]["iqm"] == pytest.approx(0.3) and pearl["per_step"]["iqm"] == pytest.approx(0.2)
    assert pearl["return_by_episode"] == pytest.approx([-90.0, -20.0])
    shots = pearl["few_shot"]
    assert shots["steps"] == list(range(0, 200, 10))
    assert shots["per_step"] == pytest.approx([0.9] * 10 + [0.2] * 10)
    assert shots["belief"] == pytest.approx([1.0] * 10 + [0.5] * 10)
    # It was as good at 20 steps, but did not stay so.
    assert pearl["steps_to"] == {"reuse": {"first": 20, "stays": 40}} and reuse["steps_to"] == {"reuse": None}
    assert pearl["curve"]["iqm"] == pytest.approx([0.9, 0.2, 0.6, 0.2])
    assert pearl["final_error_by_family"] == {"velocity_forward": pytest.approx(0.5)}
    assert (
        pearl["profile"][-1] == 0.0
        and told["profile"][-1] == 1.0
        and reuse["profile"][-1] == 0.0
        and reuse["profile"][0] == 1.0
    )


def test_what_must_be_reached_is_what_curves_are_made_of():
    """The mean over tasks: an interquartile mean over tasks would leave out those that go badly."""
    vel = protocol("cheetah-vel", "half_cheetah", None)
    reuse, pearl = trial((-0.2, -0.2)), trial((-0.2, -0.2))
    reuse.returns = np.array([[-10.0, -50.0]] * 2)
    curve = Curve(np.array([10.0, 20.0]), np.array([[-31.0, -29.0]]))
    found = compare({"reuse": Contender([reuse], 0), "pearl": Contender([pearl], 20, curve)}, vel, 100, ["reuse"])
    assert found["agents"]["reuse"]["over_seeds"]["iqm"] == pytest.approx(0.3)
    assert found["agents"]["pearl"]["steps_to"] == {"reuse": {"first": 20, "stays": 20}}
    worse = Contender([pearl], 20, curve._replace(returns=curve.returns - 50.0))
    never = compare({"reuse": Contender([reuse], 0), "pearl": worse}, vel, 100, ["reuse"])["agents"]["pearl"]
    assert never["steps_to"] == {"reuse": {"first": None, "stays": None}}


def test_curves_of_different_settings_do_not_mix():
    same = curve_of([([1, 2, 3], [0.0, 1.0, 2.0]), ([1, 2], [2.0, 3.0])])
    assert same.steps.tolist() == [1.0, 2.0] and same.returns.tolist() == [[0.0, 1.0], [2.0, 3.0]]
    with pytest.raises(ValueError, match="different steps"):
        curve_of([([1, 2], [0.0, 0.0]), ([1, 3], [0.0, 0.0])])


def test_performance_profile():
    assert performance_profile([[1.0, 2.0], [3.0, 4.0]], [0.0, 2.0, 5.0]).tolist() == [1.0, 0.75, 0.0]
