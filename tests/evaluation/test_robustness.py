"""Shifts of the toy: what each does to episodes, what it costs, and the command that tells."""

import json

import jax
import numpy as np
import pytest
from transfer_doubles import FilterAgent, untrained_toy

from reinfer.bodies import Toy1d
from reinfer.cli.main import main
from reinfer.evaluation import robustness
from reinfer.evaluation.robustness import NOMINAL, evaluate_robustness
from reinfer.evaluation.toy import Shift, heldout_tasks, play_toy, score_toy
from reinfer.inference.context import LINE_ROWS

TASKS = heldout_tasks(Toy1d())


def play(steps=40, **levels):
    """Episodes of the told-the-form filter under a shift, and their scores."""
    shift = Shift(*(np.full(TASKS.count, level, np.float32) for level in NOMINAL._replace(**levels)))
    episodes = jax.tree.map(np.asarray, play_toy(FilterAgent(), TASKS, jax.random.key(0), steps, shift))
    return episodes, score_toy(episodes, TASKS, LINE_ROWS)


def test_no_shift_is_the_nominal_toy():
    episodes, scores = play()
    nominal = play_toy(FilterAgent(), TASKS, jax.random.key(0), 40)
    np.testing.assert_allclose(episodes.state, nominal.state, atol=1e-5)
    np.testing.assert_allclose(scores.returns, np.asarray(nominal.reward).sum(0), atol=1e-4)


@pytest.mark.parametrize("travel", [0.2, 5.0])
def test_travel_scales_distances_and_nothing_else(travel):
    episodes, scores = play(travel=travel)
    moved, action = np.diff(episodes.state[..., 0], axis=0), episodes.action[:-1, :, 0]
    np.testing.assert_allclose(moved, travel * 0.5 * action, atol=1e-4)
    np.testing.assert_allclose(episodes.state[1:, :, 3], 5.0 * action, atol=1e-5)
    assert scores.target_error[10].mean() < 0.02, "a row tells as much however far it spans"


def test_process_noise_moves_the_body():
    episodes, _ = play(process_noise=0.1)
    off = np.diff(episodes.state[..., 0], axis=0) - 0.5 * episodes.action[:-1, :, 0]
    assert off.std() == pytest.approx(0.1, rel=0.1)


def test_noise_of_sight_and_of_rewards_is_in_what_is_shown_only():
    for levels in ({"observation_noise": 0.2}, {"reward_noise": 0.2}):
        episodes, scores = play(**levels)
        moved = np.diff(episodes.state[..., 0], axis=0)
        np.testing.assert_allclose(moved, 0.5 * episodes.action[:-1, :, 0], atol=1e-4)
        assert (episodes.reward <= 0.0).all()
        assert scores.target_error[10].mean() > 3 * play()[1].target_error[10].mean()


def test_rows_hold_every_level_and_agent():
    rows = evaluate_robustness([FilterAgent(grid=100), FilterAgent(tolerance=0.5, grid=100)])
    expected = [("none", 0.0)] + [(name, level) for name, levels in robustness.LEVELS.items() for level in levels]
    assert [(row["shift"], row["level"]) for row in rows] == expected
    for row in rows:
        assert [len(row[key]) for key in ("family_known", "target_error", "return")] == [2, 2, 2]
    told = {(row["shift"], row["level"]): row["told_return"] for row in rows}
    assert told["none", 0.0] == pytest.approx(-6.25, abs=0.2), "as published for a controller that is told the task"
    assert told["travel", 0.1] < -40.0 < told["travel", 5.0] and told["travel", 10.0] > told["none", 0.0]
    error = {(row["shift"], row["level"]): row["target_error"][0] for row in rows}
    assert error["reward_noise", 0.1] > error["reward_noise", 0.01] > error["none", 0.0]


@pytest.fixture
def few_levels(monkeypatch):
    monkeypatch.setattr(robustness, "LEVELS", {"travel": (2.0,), "reward_noise": (0.1,)})


def test_command_prints_a_table_or_one_object(few_levels, tmp_path, capsys):
    untrained_toy().save(tmp_path / "toy", config={}, metrics={}, provenance={})
    assert main(["eval", "robustness", "--toy", str(tmp_path / "toy"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["toys"] == [str(tmp_path / "toy")] and found["n_tasks"] == 40
    assert [(row["shift"], row["level"]) for row in found["shifts"]] == [
        ("none", 0.0),
        ("travel", 2.0),
        ("reward_noise", 0.1),
    ]
    assert main(["eval", "robustness", "--toy", str(tmp_path / "toy")]) == 0
    assert "reward noise" in capsys.readouterr().out


def test_shipped_toys_are_the_default(few_levels, capsys):
    assert main(["eval", "robustness", "--seeds", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["toys"] == ["shipped:toy/seed0"]
    none, travel, noise = found["shifts"]
    assert none["return"][0] > -10.0 and none["family_known"][0] >= 0.99 and travel["family_known"][0] >= 0.99
    assert noise["target_error"][0] > 10 * none["target_error"][0] and noise["return"][0] < none["return"][0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--seeds", "99"], "seeds: 99 is not allowed; 5 toy agents are shipped"),
        (["--seeds", "0"], "seeds: 0 is not allowed; it must be at least 1"),
        (["--toy", "nowhere"], "no run or model at nowhere"),
        (["--toy", "a", "b", "--seeds", "3"], "seeds: 3 does not fit the 2 given by toy"),
        (["--noise", "1"], "unknown option '--noise'"),
    ],
)
def test_mistakes_are_one_line(arguments, words, capsys):
    assert main(["eval", "robustness", *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1
