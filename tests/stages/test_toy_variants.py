"""Every encoder and prior through the stage: it trains, exports, loads, infers (forgetting too) and acts."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reinfer.bodies import Toy1d
from reinfer.cli.main import main
from reinfer.control.equivariance import tie
from reinfer.inference.agent import ToyAgent
from reinfer.inference.context import WINDOW, append, empty_window
from reinfer.inference.encoder import ENCODERS
from reinfer.inference.mixture import PRIORS
from reinfer.runs.errors import ConfigError
from reinfer.stages.toy import ToyStage
from reinfer.stages.toy_contexts import TaskDraw, training_tasks
from reinfer.tasks.families import CHANNEL_MIRROR, FAMILY_MIRROR
from tiny_toy import TINY

SMALL = dataclasses.replace(
    TINY,
    iterations=2,
    latent=4,
    policy_episodes=8,
    policy_starts=1,
    horizon=1,
    mixture_points=64,
    policy_from=0.0,
)

#: Each encoder and each prior once, with whatever else can be chosen; the gru and the dpmm alone are in
#: ``test_toy_stage``.
VARIANTS = [
    {"encoder": "mlp", "context_mode": "product", "prior": "dpmm"},
    {
        "encoder": "conv",
        "context_mode": "learned",
        "prior": "stick-breaking",
        "directions": "forward",
        "equivariant": True,
    },
    {"encoder": "transformer", "prior": "gmm", "pcgrad": True, "relabelled": 0.5},
    {"encoder": "attention", "prior": "normal"},
]


def seen_by(agent, steps, sign=1.0):
    """Windows (3, .) after ``steps`` random transitions."""
    states = sign * jax.random.normal(jax.random.key(0), (steps + 1, 3, 6))
    rewards = jax.random.normal(jax.random.key(1), (steps, 3))
    window = empty_window(3, WINDOW, agent.layout)
    for t in range(steps):
        window = append(window, states[t], rewards[t], states[t + 1])
    return window, states[-1]


@pytest.mark.parametrize("settings", VARIANTS, ids=lambda settings: settings["encoder"])
def test_a_variant_trains_exports_infers_and_acts(tmp_path, settings):
    stage = ToyStage(dataclasses.replace(SMALL, **settings))
    begin = state = stage.init()
    before = jax.tree.map(np.asarray, begin.learned.inference)
    for iteration in range(2):
        state, metrics = stage.iterate(state, iteration)
    assert all(np.isfinite(value) for value in metrics.values()) and metrics["control_cost"] > 0.0
    fitted = metrics["components"]
    assert {"dpmm": fitted >= 1, "stick-breaking": fitted >= 2, "gmm": fitted == 4, "normal": fitted == 0}[
        stage.config.prior
    ]
    moved = jax.tree.map(lambda one, two: np.abs(one - two).max() > 0.0, before, state.learned.inference)
    assert all(jax.tree.leaves(moved.encoder)), "every weight of the encoder must learn"

    stage.export(state, tmp_path / "model", {})
    agent, made = ToyAgent.load(tmp_path / "model"), stage.agent(state)
    assert type(agent.params.inference.encoder) is type(made.params.inference.encoder)
    for one, two in zip(*map(jax.tree.leaves, (agent.params, made.params)), strict=True):
        np.testing.assert_array_equal(one, two)
    window, last = seen_by(agent, 5)
    infer = jax.jit(agent.infer, static_argnums=1)
    for forget in (False, True):
        belief = infer(window, forget)
        assert np.allclose(belief.family_probability.sum(axis=-1), 1.0, atol=1e-5)
    action = agent.act(last, belief)
    assert action.shape == (3, 1) and np.abs(action).max() <= 1.0
    if stage.config.equivariant:
        assert_equivariant(agent, infer, belief, action)


def assert_equivariant(agent, infer, belief, action):
    """A trained agent still is what its weights were tied to be."""
    inference = agent.params.inference
    for one, two in zip(*map(jax.tree.leaves, (inference, tie(inference, inference.mirrors((-1.0,))))), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-6)
    mirrored, last = seen_by(agent, 5, CHANNEL_MIRROR[:6])
    image = infer(mirrored, True)
    np.testing.assert_allclose(image.family_probability, belief.family_probability[:, FAMILY_MIRROR[:4]], atol=1e-4)
    np.testing.assert_allclose(image.target, -belief.target[:, FAMILY_MIRROR[:4]], rtol=1e-3)
    np.testing.assert_allclose(agent.act(last, image), -action, atol=1e-4)


def test_all_encoders_and_priors_are_covered():
    assert {settings["encoder"] for settings in VARIANTS} | {"gru"} == set(ENCODERS)
    assert {settings["prior"] for settings in VARIANTS} == set(PRIORS)


def test_tasks_are_drawn_in_one_direction_and_balanced_where_asked():
    forward = training_tasks(jax.random.key(0), TaskDraw(Toy1d, "forward"), 200)
    assert set(np.asarray(forward.family)) == {0, 2} and (forward.target > 0).all()
    balanced = training_tasks(jax.random.key(0), TaskDraw(Toy1d, balanced=True), 8)
    assert np.asarray(balanced.family).tolist() == [0, 1, 2, 3] * 2
    np.testing.assert_array_equal(jnp.sign(balanced.target), [1, -1] * 4)
    both = training_tasks(jax.random.key(0), TaskDraw(Toy1d), 200)
    assert set(np.asarray(both.family)) == {0, 1, 2, 3}


def test_pcgrad_needs_families_of_equal_share():
    with pytest.raises(ConfigError, match="policy_episodes: 12 .* multiple of 8, for 4 families"):
        ToyStage(dataclasses.replace(SMALL, pcgrad=True, policy_episodes=12))
    ToyStage(dataclasses.replace(SMALL, pcgrad=True, policy_episodes=12, directions="forward"))


def test_a_prior_that_cannot_be_fitted_is_refused():
    mixture = dataclasses.replace(SMALL.mixture, min_count=5000)
    with pytest.raises(ConfigError, match=f"mixture_points: {SMALL.mixture_points} .* 2 x mixture.min_count = 10000"):
        ToyStage(dataclasses.replace(SMALL, mixture=mixture))


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("--encoder lstm", "encoder: 'lstm' is not allowed; it must be one of gru, mlp, conv, transformer, attention"),
        ("--context-mode product", "context_mode: 'product' is not defined for encoder 'gru'"),
        ("--prior flow", "prior: 'flow' is not allowed; it must be one of dpmm, gmm, stick-breaking, normal"),
        ("--prior gmm --mixture.max-components 3", "mixture.max_components: 3 is not allowed with prior 'gmm'"),
        ("--directions left", "directions: 'left' is not allowed; it must be one of both, forward"),
        ("--encoder conv --hidden 12", "hidden: 12 is not allowed with encoder 'conv'"),
        ("--pcgrad --behaviour-episodes 10", "behaviour_episodes: 10 is not allowed with pcgrad"),
        ("--preset reference --encoder mlp", "unknown option '--encoder'"),
        ("--preset reference --pcgrad", "unknown option '--pcgrad'"),
    ],
)
def test_what_is_not_defined_is_one_line_and_code_2(typed, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "toy", *typed.split()]) == 2
    output = capsys.readouterr()
    assert words in output.err and output.err.count("\n") == 1
    assert not list(tmp_path.iterdir()), "nothing may be made before the mistake is told"
