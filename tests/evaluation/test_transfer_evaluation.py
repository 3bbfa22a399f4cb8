"""The contest as a whole, on a point robot with ideal inference, and its JSON."""

import json

import numpy as np
import pytest
from transfer_doubles import FilterAgent, PointLowLevel, PointSimulation, point_body

from reinfer.evaluation import transfer
from reinfer.evaluation.transfer import Contest, Contestant
from reinfer.transfer import FixedStride, OracleAgent, RuleStride

KEYS = {"position", "velocity", "fall_rate", "class_accuracy_by_rows", "target_error_by_rows", "mean_stride"}


class Recounting:
    """A stride policy under another name, to tell seeds apart."""

    name = "learned"

    def choose(self, inputs):
        return np.full(len(inputs.rows), 2)


@pytest.fixture(scope="module")
def report():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transfer, "BatchSimulation", lambda body, count, threads: PointSimulation(count))
        body = point_body()
        contest = Contest(body, PointLowLevel(), "standard")
        contestants = [Contestant(seed, FilterAgent(), Recounting()) for seed in (0, 1)]
        found = contest.compare(contestants, [FixedStride(20), RuleStride(0.05)])
        return found, contest


def test_keys_are_stable_and_json(report):
    found, _ = report
    again = json.loads(json.dumps(found, allow_nan=False))
    assert again.keys() >= KEYS | {"oracle", "random", "zero", "by_task", "ablation"}
    for part in (found, found["oracle"], found["random"], found["zero"]):
        assert part.keys() >= KEYS
        assert {"settled_error_m", "settled_fraction", "error_at_s"} <= part["position"].keys()
        assert {"windowed_relative_error", "settled_fraction", "error_at_s"} <= part["velocity"].keys()
        assert list(part["position"]["error_at_s"]) == ["1", "2", "5", "10", "24"]
        assert list(part["class_accuracy_by_rows"]) == ["1", "2", "5", "10", "32"]
    assert len(found["by_task"]) == found["n_tasks"] == 12 and found["seeds"] == [0, 1]
    assert list(found["ablation"]) == ["learned", "20", "rule"]


def test_one_seed_is_one_contestant(report):
    _, contest = report
    told = contest.tasks
    assert contest.play(OracleAgent(told), Recounting(), 0) is contest.play(OracleAgent(told), Recounting(), 0)
    other = told._replace(target=-told.target)
    with pytest.raises(ValueError, match="seed: 0 was played by another 'oracle' agent"):
        contest.play(OracleAgent(other), Recounting(), 0)


def test_the_order_is_as_it_must_be(report):
    found, _ = report
    errors = [part["position"]["settled_error_m"] for part in (found["oracle"], found, found["zero"])]
    assert errors[0] < 1e-3 and errors[1] < 0.1 and errors[2] > 5.0
    assert found["random"]["position"]["settled_error_m"] > 1.0
    assert found["position"]["settled_fraction"] == 1.0 and found["zero"]["position"]["settled_fraction"] == 0.0
    assert found["velocity"]["windowed_relative_error"] < 0.02
    assert found["zero"]["velocity"]["windowed_relative_error"] == pytest.approx(1.0, abs=0.01)
    assert found["mean_stride"] == 2.0 and found["ablation"]["20"]["mean_stride"] == 20.0
    learned, slow = (found["ablation"][name]["integrated_error_s"] for name in ("learned", "20"))
    assert learned["iqm"] < slow["iqm"] and learned["interval"][0] <= learned["iqm"] <= learned["interval"][1]


def test_all_agents_of_a_seed_start_alike_and_seeds_do_not(report):
    _, contest = report
    starts = {place: record.task_state[0] for place, record in contest.records.items()}
    for (_, _, seed), start in starts.items():
        for (_, _, other_seed), other in starts.items():
            assert np.array_equal(start, other) == (seed == other_seed)
    assert len(starts) == 2 * (4 + 2)
