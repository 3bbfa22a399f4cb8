"""Parts of inference: what each of them changes in a belief, and the command that compares them."""

import json

import jax
import numpy as np
import pytest
from transfer_doubles import untrained_toy

import reinfer
from reinfer.cli.main import main
from reinfer.evaluation import inference_parts
from reinfer.evaluation.inference_parts import PARTS, PartialInference, parts_on_toy
from reinfer.evaluation.toy import heldout_tasks, play_toy
from reinfer.inference.context import append, empty_window
from reinfer.tasks import reward


@pytest.fixture(scope="module")
def toy():
    return reinfer.load("shipped:toy/seed0")


@pytest.fixture(scope="module")
def beliefs(toy):
    """Beliefs by part after the same six steps of the toy agent itself."""
    tasks = heldout_tasks(toy.body)
    episodes = jax.tree.map(np.asarray, play_toy(toy.keeping(), tasks, jax.random.key(0), 7))
    window = empty_window(tasks.count)
    for before, after in zip(episodes.state[:-1], episodes.state[1:], strict=True):
        window = append(window, before, reward(tasks, after), after)
    error = {}
    for part in PARTS:
        belief = jax.tree.map(np.asarray, PartialInference(toy, part).infer(window))
        found = np.take_along_axis(belief.target, tasks.family[:, None], 1)[:, 0]
        error[part] = (belief, np.abs(found / tasks.target - 1.0))
    return toy.infer(window, forget=False), error


def test_all_parts_together_are_the_agent(beliefs):
    agent, error = beliefs
    for ours, whole in zip(error["window"][0], agent, strict=True):
        np.testing.assert_array_equal(ours, whole)


def test_every_correction_brings_targets_nearer(beliefs):
    mean = {part: error.mean() for part, (_, error) in beliefs[1].items()}
    assert 0.2 > mean["decoded"] > mean["newest"] > mean["window"] and mean["window"] < 1e-3 > mean["filter"]
    families = [belief.family_probability for part, (belief, _) in beliefs[1].items() if part != "filter"]
    np.testing.assert_array_equal(families[0], families[1])
    np.testing.assert_array_equal(families[0], families[2])


def test_the_filter_uses_nothing_that_was_learned(beliefs):
    stranger = PartialInference(untrained_toy(), "filter")
    window = append(empty_window(1), np.zeros((1, 6)), np.array([-0.5]), np.array([[2.0, 0, 0, 1.0, 0, 0]]))
    known = PartialInference(reinfer.load("shipped:toy/seed1"), "filter")
    for ours, other in zip(known.infer(window), stranger.infer(window), strict=True):
        np.testing.assert_array_equal(ours, other)


def test_agents_without_arithmetic_are_worse_on_the_toy(toy, monkeypatch):
    monkeypatch.setitem(inference_parts.LEVELS, "reward_noise", (0.03,))
    found = {part: [row["return"][0] for row in rows] for part, rows in parts_on_toy([toy]).items()}
    assert found["decoded"][0] < found["newest"][0] <= found["window"][0] + 0.1
    assert all(noisy < exact for exact, noisy in found.values())


def test_command_compares_them_on_a_robot(monkeypatch, capsys):
    monkeypatch.setitem(inference_parts.LEVELS, "reward_noise", (0.03,))
    monkeypatch.setattr("reinfer.evaluation.transfer.EPISODE_S", 2.0)
    assert main(["eval", "inference", "--body", "half_cheetah", "--seeds", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["toys"] == ["shipped:toy/seed0"] and found["n_tasks"] == {"half_cheetah": 12}
    assert set(found["toy"]) == set(found["robots"]["half_cheetah"]) == set(PARTS)
    errors = {part: figures["target_error_by_rows"]["10"] for part, figures in found["robots"]["half_cheetah"].items()}
    assert errors["decoded"] > errors["newest"] > errors["window"]


def test_command_prints_a_table(monkeypatch, capsys):
    monkeypatch.setitem(inference_parts.LEVELS, "reward_noise", ())
    assert main(["eval", "inference", "--seeds", "1"]) == 0
    text = capsys.readouterr().out
    assert "told how rewards are made" in text and "1 toy agent(s)" in text and "robot" not in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--seeds", "99"], "seeds: 99 is not allowed; 5 toy agents are shipped"),
        (["--toy", "shipped:toy3dof/seed0"], "it must be one of toy1d and 'belief'"),
        (["--toy", "shipped:process/seed0"], "knows only"),
        (["--body", "half_cheetah", "--low", "a", "b"], "low: 2 given for 1 robots"),
        (["--body", "centipede"], "centipede"),
    ],
)
def test_mistakes_are_one_line(arguments, words, capsys):
    assert main(["eval", "inference", *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1
