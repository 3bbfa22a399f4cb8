"""A live session without a browser: it is the one rollout, it obeys, and a changed task shows in rewards alone."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from reinfer.cli.view import ViewOptions, equip
from reinfer.runs import random
from reinfer.tasks import GOAL, VELOCITY, make_tasks, reward
from reinfer.tasks.families import family_index
from reinfer.transfer import rollout
from reinfer.viewing.live.session import FALL_SHOWN_S, Session


@pytest.fixture(scope="module")
def equipment():
    """The shipped half-cheetah."""
    return equip(ViewOptions(), "half_cheetah")


def begin(equipment, route="oracle", seed=0):
    return Session(lambda body: equipment, "half_cheetah", route, seed)


@pytest.fixture
def told(equipment):
    """A session whose agent is told the task: compiled in no time."""
    return begin(equipment)


@pytest.fixture(scope="module")
def inferring(equipment):
    """A session under the shipped toy agent; tests restart it."""
    return begin(equipment, "toy")


def test_is_the_one_rollout(equipment):
    session = begin(equipment, "toy")
    session.change_task("velocity_forward", 1.5)
    states = [session.tick().task_state for _ in range(30)]
    record = rollout(
        session._hierarchy, make_tasks([("velocity_forward", 1.5)]), 1.5, random.generator(0, "live start")
    )
    np.testing.assert_array_equal(states, record.task_state[1:, 0])


def test_changed_task_is_rewarded_at_once_and_believed_within_few_looks(inferring):
    inferring.change_task("goal_forward", 4.0)
    inferring.restart()
    for _ in range(80):
        before = inferring.tick()
    assert before.likely == family_index("goal_forward") and before.likely_target == pytest.approx(4.0, rel=0.05)
    inferring.change_task("velocity_backward", -2.0)
    after = [inferring.tick()]
    assert after[0].reward == pytest.approx(
        reward(make_tasks([("velocity_backward", -2.0)]), after[0].task_state[None])[0]
    )
    while after[-1].looks < 6:
        after.append(inferring.tick())
    first_look = next(now for now in after if now.looks == 1)
    assert first_look.is_decision and not np.array_equal(first_look.target_estimate, before.target_estimate)
    assert any(
        now.likely == family_index("velocity_backward") and now.likely_target == pytest.approx(-2.0, rel=0.05)
        for now in after
    )
    assert after[-1].command_kind == VELOCITY and before.command_kind == GOAL


def test_nothing_but_rewards_tells_an_agent_of_a_change(equipment, monkeypatch):
    tasks = make_tasks([("goal_forward", 2.0)])
    monkeypatch.setattr(Session, "_reward", lambda self, state: reward(tasks, state))
    seen = []
    for change in (("goal_backward", -7.0), ("velocity_forward", 2.4)):
        session = begin(equipment, "toy")
        for step in range(25):
            if step == 8:
                session.change_task(*change)
            now = session.tick()
            seen.append((now.task_state, now.latent, now.family_probability, now.target_estimate, now.command_target))
    for one, other in zip(seen[:25], seen[25:], strict=True):
        for left, right in zip(one, other, strict=True):
            np.testing.assert_array_equal(left, right)


def test_the_oracle_is_told_and_says_so(told):
    assert told.tick().told
    told.change_task("goal_backward", -3.0)
    for _ in range(2):
        now = told.tick()
    assert (now.command_kind, now.likely_target) == (GOAL, pytest.approx(-3.0))


def test_pause_and_single_steps(told):
    moving = told.tick()
    told.pause(True)
    still = told.tick()
    assert still.paused and still.time_s == moving.time_s == told.tick().time_s
    np.testing.assert_array_equal(still.task_state, moving.task_state)
    told.step_once()
    stepped = told.tick()
    assert stepped.paused and stepped.time_s == pytest.approx(moving.time_s + told.control_dt_s)
    assert told.tick().time_s == stepped.time_s
    told.pause(False)
    assert told.tick().time_s > stepped.time_s


def test_a_single_step_pauses_first(told):
    before = told.tick().time_s
    told.step_once()
    assert told.tick().time_s == pytest.approx(before + told.control_dt_s)
    assert told.tick().paused


def test_a_push_is_felt_at_once(equipment):
    pushed, left_alone = begin(equipment), begin(equipment)
    for session in (pushed, left_alone):
        session.tick()
    pushed.push(2.0)
    assert pushed.tick().task_state[3] > left_alone.tick().task_state[3] + 0.8


def test_restart_forgets_the_context_and_keeps_the_task(told):
    told.change_task("goal_forward", 3.0)
    for _ in range(30):
        now = told.tick()
    assert now.task_state[0] > 0.5
    told.restart()
    again = told.tick()
    assert again.episode == now.episode + 1 and again.rows <= 1 and abs(again.task_state[0]) < 0.3
    assert again.target == now.target and again.time_s > now.time_s


def test_a_fall_is_shown_and_then_over(equipment):
    fragile = replace(equipment, body=replace(equipment.body, fall_pitch_rad=0.15))
    session = begin(fragile)
    seen = [session.tick() for _ in range(100)]
    fallen = [now.fallen for now in seen]
    assert any(fallen)
    first = fallen.index(True)
    lying = round(FALL_SHOWN_S / session.control_dt_s)
    assert all(fallen[first : first + lying]) and not fallen[first + lying]
    assert seen[first].falls == 1 and seen[first + lying].episode == seen[first].episode + 1


def test_frames_are_the_physics_of_the_step(told):
    before, now = told.tick(), told.tick()
    assert now.frames.shape[0] == told.equipment.body.frame_skip
    assert now.frames[-1, 0] == pytest.approx(now.task_state[0])
    assert np.abs(np.diff(np.vstack([before.frames[-1:], now.frames]), axis=0)).max() < 0.5


def test_another_agent_starts_afresh(told):
    told.tick()
    told.choose_route("toy")
    now = told.tick()
    assert (now.route, now.told, now.rows) == ("toy", False, 1)
    told.choose_route("nobody")
    assert told.tick().route == "toy"


def test_another_body_gets_a_task_that_it_can_do(equipment):
    known = {"half_cheetah": equipment}
    session = Session(lambda body: known.get(body) or equip(ViewOptions(), body), "half_cheetah", "oracle")
    session.change_task("goal_forward", 10.0)
    session.tick()
    session.choose_body("hopper")
    now = session.tick()
    ranges = {name: (low, high) for name, low, high in session.equipment.tasks.ranges}
    assert now.body == "hopper" and ranges["goal_forward"][0] <= now.target <= ranges["goal_forward"][1]
    assert now.task_state[1] > 0.5


def test_wrong_tasks_are_refused_where_they_are_asked_for(told):
    with pytest.raises(ValueError, match="sign must be -1"):
        told.change_task("goal_backward", 3.0)
    with pytest.raises(ValueError, match="family: 'fly' is not known"):
        told.change_task("fly", 3.0)
    told.change_task("jump", 2.0)
    assert told.tick().family == family_index("goal_forward")


def test_many_threads_may_command(told):
    def command():
        for target in np.linspace(1.0, 5.0, 50):
            told.change_task("goal_forward", float(target))
            told.push(0.01)

    threads = [threading.Thread(target=command) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        told.tick()
    assert told.tick().target == pytest.approx(5.0)
