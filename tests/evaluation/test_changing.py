"""Tasks that change: how soon a change is noticed, how well an agent then settles, and what a fall does to it."""

import numpy as np
import pytest

from reinfer.cli.eval_change import table
from reinfer.cli.main import main
from reinfer.evaluation.changing import Trace, measure_changes
from reinfer.tasks import Tasks, make_schedule, make_tasks

#: One episode of two tasks of 20 steps of 0.1 s each: a goal at 2 m, then a speed of -1 m/s.
FIRST, SECOND = make_tasks([("goal_forward", 2.0)]), make_tasks([("velocity_backward", -1.0)])
SCHEDULE = make_schedule(Tasks(*(np.stack(pair) for pair in zip(FIRST, SECOND, strict=True))), steps=20)


def trace(noticed_at: int, fall_at: int | None = None) -> Trace:
    """It believes in the first task from the third look on, and in the second from step ``noticed_at`` on."""
    steps = np.arange(40)
    phase = (steps >= 20).astype(int)
    x = np.concatenate([np.full(21, 1.9), 1.9 - 0.09 * np.arange(1, 21)])
    fallen = np.zeros(41, bool)
    if fall_at is not None:
        x[fall_at:], fallen[fall_at:] = x[fall_at], True
    believed = np.where(steps < 2, -1, np.where(steps < noticed_at, FIRST.family[0], SECOND.family[0]))
    target = np.where(steps < noticed_at, 2.0, -1.0)
    is_look = np.ones(40, bool) & ~fallen[:-1]
    columns = (phase, x, is_look, believed, target, fallen)
    return Trace(0.1, *(column[:, None] for column in columns))


def test_rows_and_errors_are_those_of_each_task():
    found = measure_changes([trace(noticed_at=24)], [SCHEDULE])
    assert found["first"]["rows_to_identify"] == 2 and found["after_change"]["rows_to_identify"] == 4
    assert found["after_change"]["identified_in_5_rows"] == 1.0
    assert found["first"]["position_error_m"] == pytest.approx(0.1)
    assert found["after_change"]["velocity_error"] == pytest.approx(0.1) and found["fall_rate"] == 0.0
    late = measure_changes([trace(noticed_at=40)], [SCHEDULE])["after_change"]
    assert late["rows_to_identify"] == 20 and late["identified_in_5_rows"] == 0.0


def test_a_fall_counts_in_its_own_task_and_ends_the_episode():
    during = measure_changes([trace(noticed_at=24, fall_at=30)], [SCHEDULE])
    assert during["fall_rate"] == 1.0 and during["after_change"]["velocity_error"] == pytest.approx(1.0)
    before = measure_changes([trace(noticed_at=24, fall_at=10)], [SCHEDULE])
    assert before["fall_rate"] == 1.0 and "after_change" not in before and before["first"]["episodes"] == 1
    # It fell before it looked at all since the change.
    blind = trace(noticed_at=24, fall_at=22)
    blind.is_look[20:] = False
    after = measure_changes([blind], [SCHEDULE])["after_change"]
    assert after["identified_in_5_rows"] == 0.0 and after["rows_to_identify"] == 0
    both = measure_changes([trace(24, fall_at=10), trace(24)], [SCHEDULE, SCHEDULE])
    assert both["fall_rate"] == 0.5 and both["after_change"]["episodes"] == 1


def test_the_table_has_what_there_is():
    report = {"body": "ant", "tasks_per_episode": 2, "seeds": 1}
    report["memory"] = {"32 rows, forget": measure_changes([trace(24, fall_at=10)], [SCHEDULE])}
    (line,) = table(report)[3:]
    assert line.split()[-5:] == ["0.100", "m", "-", "100.0", "%"]


def test_a_low_level_for_the_toy_is_refused(capsys):
    assert main(["eval", "change", "--body", "toy1d", "--low", "mine"]) == 2
    assert "low: 'mine' is not allowed with body 'toy1d'" in capsys.readouterr().err
