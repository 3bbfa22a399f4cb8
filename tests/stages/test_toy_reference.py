"""The published method: what it must share with the publication, and that it is deterministic and resumable."""

import json
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tomli_w

from reinfer.bodies import Toy1d
from reinfer.cli.main import main
from reinfer.control.replay import Anchors, whole_episodes
from reinfer.control.sac import (
    Hyperparameters,
    action_distribution,
    critic_loss,
    policy_loss,
    soft_targets,
    values,
)
from reinfer.evaluation import toy as evaluation_toy
from reinfer.inference import melts_loss, melts_networks
from reinfer.inference.agent import ToyAgent
from reinfer.inference.context import append, empty_window
from reinfer.inference.mixture import kl_to_mixture
from reinfer.inference.recurrent import gru_step, project_inputs
from reinfer.runs.config import to_dict
from reinfer.runs.directory import RunDirectory
from reinfer.runs.errors import ConfigError
from reinfer.runs.loop import fit
from reinfer.stages.toy_reference import (
    PUBLISHED_MIXTURE,
    REFERENCE,
    MeltsStage,
    context_rows,
    policy_batch,
    rollout,
)
from reinfer.tasks import Tasks, reward

TINY = replace(
    REFERENCE,
    iterations=4,
    train_tasks=2,
    held_out_tasks=1,
    horizon=36,
    capacity=20,
    inference_steps=2,
    inference_batch=32,
    policy_steps=2,
    policy_batch=16,
    policy_hidden=(16, 16),
    mixture=replace(PUBLISHED_MIXTURE, min_count=4, max_components=8),
)


def run(config, iterations):
    stage = MeltsStage(config)
    state, rows = stage.init(), []
    for iteration in range(iterations):
        state, row = stage.iterate(state, iteration)
        rows.append(row)
    return state, rows


@pytest.fixture(scope="module")
def two_epochs():
    return run(TINY, 2)


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))


# ---- as published


def test_sizes_of_networks_and_of_an_epoch():
    def size(tree):
        return sum(leaf.size for leaf in jax.tree.leaves(tree))

    inference = jax.eval_shape(lambda key: melts_networks.init_melts(key, REFERENCE.latent), jax.random.key(0))
    stage = MeltsStage(REFERENCE)
    sac = jax.eval_shape(lambda: stage.init().sac)
    # The publication has 75 - 25 superfluous biases in its GRU and 4 classes that do not exist in its task head.
    assert size(inference.encoder.gru) == 2400 - 50
    assert size(inference.encoder[1:]) == 208
    assert size(inference.decoder.state) == 1612 and size(inference.decoder.reward) == 2170
    assert size(inference.decoder.family) == 2261 - 4 * 18
    assert size(sac.critics) == 2 * 183_301 and size(sac.policy) == 183_302
    assert same(stage.held_out_tasks, Toy1d.tasks.grid_split(evaluation_toy.SPLIT_SEED)[1])
    assert (stage.train_tasks.count, stage.held_out_tasks.count, stage.steps_per_iteration) == (80, 40, 16_000)


def test_steps_collected_per_epoch(two_epochs):
    state, rows = two_epochs
    per_epoch = 4 * TINY.train_tasks * TINY.horizon
    assert [row["collected_steps"] for row in rows] == [2 * per_epoch, 3 * per_epoch]
    assert int(state.replay.added) == 3 * 4 * TINY.train_tasks
    assert not np.asarray(state.replay.episodes.terminated).any(), "a time limit is not a termination"


def test_the_encoder_is_a_gru_over_padded_rows():
    encoder = melts_networks.init_melts(jax.random.key(0), 4).encoder
    rows = jax.random.normal(jax.random.key(1), (6, 32, 5)).at[:, :20].set(0.0)
    hidden = jnp.zeros((6, 25))
    for t in range(32):
        hidden = gru_step(encoder.gru, hidden, project_inputs(encoder.gru, rows[:, t]))
    summary = jax.nn.relu(hidden)
    found = melts_networks.encode(encoder, rows)
    np.testing.assert_allclose(found.mean, summary @ encoder.mean.weight, atol=1e-5)
    np.testing.assert_allclose(found.log_variance, summary @ encoder.log_variance.weight, atol=1e-5)


def test_the_gradient_in_chunks_is_that_of_the_loss(two_epochs):
    """Against one plain differentiation of the loss as it is written down."""
    state, _ = two_epochs
    replay, prior = state.replay, jax.tree.map(jnp.asarray, state.prior)
    slot = jnp.arange(24) % 16
    anchors = Anchors(slot, jnp.arange(24))
    anchored = melts_loss.Anchored(context_rows(replay, anchors), slot, replay.episodes.tasks.family[slot])
    weights = melts_loss.Weights(0.3, 0.2, 0.05, 0.01)
    key = jax.random.key(3)
    gradient, latent, terms = jax.jit(
        lambda networks: melts_loss.inference_gradient(
            key, networks, anchored, lambda s: whole_episodes(replay, s), prior, weights, "soft"
        )
    )(state.inference)

    def loss(networks):
        posterior = melts_networks.encode(networks.encoder, anchored.rows)
        noise = (latent - expected.mean) / jnp.exp(0.5 * expected.log_variance)
        z = posterior.mean + jnp.exp(0.5 * posterior.log_variance) * noise
        steps = jax.tree.map(lambda leaf: leaf[:, 1:], whole_episodes(replay, slot))
        inputs = melts_networks.policy_inputs(steps.state, jnp.repeat(z[:, None], TINY.horizon - 1, 1))
        inputs = jnp.concatenate([inputs[..., :2], steps.action, inputs[..., 2:]], -1)
        relu_mlp = melts_networks.apply_mlp
        state_error = relu_mlp(networks.decoder.state, inputs, jax.nn.relu) - steps.next_state[..., jnp.array([0, 3])]
        reward_error = relu_mlp(networks.decoder.reward, inputs, jax.nn.relu)[..., 0] - steps.reward
        first = jnp.concatenate([inputs[:, 0, :2], z], -1)
        log_class = jax.nn.log_softmax(relu_mlp(networks.decoder.family, first, jax.nn.relu))
        cross_entropy = -log_class[jnp.arange(24), anchored.family]
        kl = kl_to_mixture(*posterior, prior, z, "soft")
        return (
            0.3 * (state_error**2).mean((1, 2)) + 0.2 * (reward_error**2).mean(1) + 0.05 * cross_entropy + 0.01 * kl
        ).sum()

    expected = melts_networks.encode(state.inference.encoder, anchored.rows)
    for a, b in zip(*map(jax.tree.leaves, (gradient, jax.jit(jax.grad(loss))(state.inference))), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-4 * float(jnp.abs(b).max()) + 1e-6)
    assert latent.shape == (24, 4) and set(terms) >= {"state_error", "reward_error", "family_loss", "kl"}


def test_acting_and_learning_see_the_same_contexts(two_epochs):
    """A window grown during an episode is the window rebuilt from the replay, and the reward is the task's."""
    state, _ = two_epochs
    episodes = state.replay.episodes
    count = 16
    window, at = empty_window(count), jnp.arange(count)
    grow, rebuild = jax.jit(append), jax.jit(context_rows)
    for step in range(TINY.horizon):
        rows = rebuild(state.replay, Anchors(at, jnp.full(count, step)))
        np.testing.assert_array_equal(rows, window.rows)
        before, after = episodes.state[:count, step], episodes.state[:count, step + 1]
        window = grow(window, before, episodes.reward[:count, step], after)
        tasks = Tasks(episodes.tasks.family[:count], episodes.tasks.target[:count])
        np.testing.assert_allclose(reward(tasks, after), episodes.reward[:count, step], rtol=1e-5, atol=1e-6)


def test_no_gradient_of_control_reaches_the_encoder(two_epochs):
    state, _ = two_epochs
    key, hyper = jax.random.key(0), Hyperparameters()

    @jax.jit
    def control(inference):
        batch = policy_batch(key, inference, state.replay, TINY)
        targets = soft_targets(key, state.sac, batch, hyper)
        actor, _ = policy_loss(state.sac.policy, key, state.sac.critics, 0.2, batch.inputs, hyper)
        return critic_loss(state.sac.critics, batch, targets, hyper) + actor, batch

    (loss, batch), gradient = jax.value_and_grad(control, has_aux=True)(state.inference)
    assert all(not leaf.any() for leaf in jax.tree.leaves(gradient))
    other, _ = control(jax.tree.map(lambda leaf: 1.1 * leaf, state.inference))
    assert loss != other, "though the latent is that of the present encoder"
    np.testing.assert_array_equal(batch.inputs[:, 2:], batch.next_inputs[:, 2:])
    assert not batch.terminal.any() and float(state.sac.log_temperature) == pytest.approx(np.log(0.2))


def test_without_a_mixture_all_but_the_divergence_is_the_same(two_epochs):
    state, rows = two_epochs
    alone, others = run(replace(TINY, prior="normal"), 2)
    shared = set(others[0])
    assert set(rows[0]) - shared == {"components", "purity"}
    assert {name: rows[0][name] for name in shared} == others[0], "the first epoch has no mixture yet"
    assert alone.mixture.fits == 0 and state.mixture.fits == 2
    np.testing.assert_array_equal(state.replay.episodes.reward, alone.replay.episodes.reward)
    assert rows[1]["kl"] != others[1]["kl"] and not same(state.inference, alone.inference)


# ---- the stage


def test_same_seed_same_numbers(two_epochs):
    state, rows = two_epochs
    again, others = run(TINY, 2)
    assert rows == others and same(state, again)
    assert run(replace(TINY, seed=1), 1)[1][0] != rows[0]


def test_evaluation_changes_nothing(two_epochs):
    seldom, rows = run(replace(TINY, evaluation_interval=2), 2)
    assert same(seldom, two_epochs[0]) and "return_train" not in rows[0] and rows[1] == two_epochs[1][1]
    _, rows = run(replace(TINY, iterations=2, evaluation_interval=5), 2)
    assert "return_train" not in rows[0] and rows[1] == two_epochs[1][1], "the last epoch is always evaluated"


def test_a_run_that_died_resumes_to_the_same_bytes_and_its_agent_acts(tmp_path, monkeypatch):
    whole = RunDirectory.create(tmp_path, "toy", TINY, ["test"], [], name="whole")
    state = fit(MeltsStage(TINY), whole, progress=False)
    broken = RunDirectory.create(tmp_path, "toy", TINY, ["test"], [], name="broken")
    stage = MeltsStage(TINY)
    iterate = stage.iterate

    def die(state, iteration):
        if iteration == 2:
            raise KeyboardInterrupt
        return iterate(state, iteration)

    monkeypatch.setattr(stage, "iterate", die)
    with pytest.raises(KeyboardInterrupt):
        fit(stage, broken, progress=False, checkpoint_interval_s=0.0)
    fit(MeltsStage(TINY), broken, resume=True, progress=False)
    for file in ("metrics.csv", "model/model.safetensors"):
        assert (broken.path / file).read_bytes() == (whole.path / file).read_bytes(), file

    agent = ToyAgent.load(broken.model)
    assert agent.architecture == "melts"
    description = json.loads((broken.model / "model.json").read_text())
    assert description["config"]["training"]["divergence"] == "soft"
    rows = context_rows(state.replay, Anchors(jnp.arange(5), jnp.arange(5)))
    window = empty_window(5)._replace(rows=rows, count=jnp.arange(5))
    belief = jax.jit(agent.infer)(window)
    posterior = melts_networks.encode(state.inference.encoder, rows)
    np.testing.assert_allclose(belief.latent, posterior.mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(belief.family_probability.sum(1), 1.0, rtol=1e-5)
    assert np.array_equal(np.sign(belief.target), np.tile([1.0, -1.0, 1.0, -1.0], (5, 1)))
    found = evaluation_toy.evaluate_toy(agent)
    assert found["n_tasks"] == 40 and 0.25 <= found["purity"] <= 1 and found["return_mean"] < 0
    action = agent.act(jnp.ones((5, 6)), belief)
    assert action.shape == (5, 1) and np.abs(action).max() <= 1


def test_the_command_line_picks_the_method_by_preset_and_by_run(tmp_path, capsys):
    file = tmp_path / "tiny.toml"
    file.write_text(tomli_w.dumps(to_dict(replace(TINY, iterations=1))))
    options = ["--runs", str(tmp_path), "--name", "melts", "--no-progress", "--checkpoint-interval-s", "0"]
    assert main(["train", "toy", "--preset", "reference", "--config", str(file), *options]) == 0
    assert main(["resume", str(tmp_path / "toy" / "melts")]) == 0
    assert "it is done" in capsys.readouterr().out
    assert ToyAgent.load(tmp_path / "toy" / "melts" / "model").architecture == "melts"
    assert main(["train", "toy", "--preset", "default", "--policy-batch", "3"]) == 2
    assert "unknown option '--policy-batch'" in capsys.readouterr().err


def test_means_act_without_noise(two_epochs):
    state, _ = two_epochs
    stage = MeltsStage(TINY)
    tasks = stage.held_out_tasks
    calm, noisy = np.zeros(tasks.count, bool), np.ones(tasks.count, bool)

    def actions(seed, noise):
        return np.asarray(
            rollout(jax.random.key(seed), state.inference, state.sac.policy, tasks, noise, stage.compiled)[0].action
        )

    spread = np.abs(actions(0, (calm, calm)) - actions(1, (calm, calm))).max()
    assert spread < 0.05 < np.abs(actions(0, (calm, noisy)) - actions(1, (calm, noisy))).max()
    assert spread < np.abs(actions(0, (noisy, calm)) - actions(1, (noisy, calm))).max()


def test_targets_are_read_out_of_rewards(monkeypatch):
    """With a decoder that knows the rewards of a task, its target is found to the spacing of the candidates."""
    truth = Tasks(jnp.array([0, 1, 2, 3, 2, 3]), jnp.array([1.23, -0.61, 17.4, -3.3, 1.2, -24.0]))

    def decode(decoder, state, action, latent):
        reached = melts_networks.Toy1d().step(state, action)
        return None, reward(Tasks(truth.family[:, None], truth.target[:, None]), reached)

    monkeypatch.setattr(melts_networks, "decode_transitions", decode)
    found = melts_networks.read_targets(None, jnp.zeros((6, 4)))
    found = np.asarray(found)[np.arange(6), np.asarray(truth.family)]
    np.testing.assert_allclose(found, truth.target, atol=0.06)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"inference_batch": 7}, "inference_batch: 7 is not allowed"),
        ({"capacity": 7}, "capacity: 7 is not allowed; an epoch has 8 episodes"),
        ({"prior": "uniform"}, "prior: 'uniform'"),
        ({"horizon": 2}, "horizon: 2"),
    ],
)
def test_mistakes_are_named(changes, words):
    with pytest.raises(ConfigError, match=words):
        MeltsStage(replace(TINY, **changes))


# ---- the mirror


def test_tied_networks_stay_equivariant_in_training_critics_and_all():
    """One epoch with the weights tied to x -> -x, and a prior of given classes."""
    stage = MeltsStage(replace(TINY, equivariant=True, prior="gmm"))
    state, row = stage.iterate(stage.init(), 0)
    assert row["components"] == 4
    rows = jax.random.normal(jax.random.key(0), (6, 32, 5))
    posterior = melts_networks.encode(state.inference.encoder, rows)
    image = melts_networks.encode(state.inference.encoder, rows * jnp.array([-1.0, -1.0, 1.0, -1.0, -1.0]))
    for one, two in zip(posterior, image, strict=True):
        np.testing.assert_allclose(two, one[:, ::-1], atol=1e-5)
    latent, channels = posterior.mean, jax.random.normal(jax.random.key(1), (6, 2))
    action = jax.random.uniform(jax.random.key(2), (6, 1), minval=-1.0)
    inputs = jnp.concatenate([channels, latent], axis=1)
    mirrored = jnp.concatenate([-channels, latent[:, ::-1]], axis=1)
    (mean, log_std), (mean_image, log_std_image) = (
        action_distribution(state.sac.policy, given) for given in (inputs, mirrored)
    )
    np.testing.assert_allclose(mean_image, -mean, atol=1e-5)
    np.testing.assert_allclose(log_std_image, log_std, atol=1e-5)
    for critics in (state.sac.critics, state.sac.targets):
        value, value_image = (values(critics, inputs, action, False), values(critics, mirrored, -action, False))
        np.testing.assert_allclose(value_image, value, atol=1e-5)
    logits = melts_networks.decode_family(state.inference.decoder, jnp.zeros((6, 6)), latent)
    logits_image = melts_networks.decode_family(state.inference.decoder, jnp.zeros((6, 6)), latent[:, ::-1])
    np.testing.assert_allclose(logits_image, logits[:, jnp.array([1, 0, 3, 2])], atol=1e-5)
