"""The mirror x -> -x: tied networks respect it to rounding, whatever the encoder; untied ones do not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from quick import quick_jit

from reinfer.bodies import TOYS, Toy1d, Toy2d, Toy3dof
from reinfer.control.belief_policy import feature_mirror as policy_feature_mirror
from reinfer.control.belief_policy import init_policy, policy_action, policy_features, policy_mirrors
from reinfer.control.equivariance import reflect, tie, tie_fresh
from reinfer.inference.belief import Inference, belief_of
from reinfer.inference.context import RowLayout, make_rows
from reinfer.inference.decoder import decode_step, init_decoder, target_scale
from reinfer.inference.encoder import advance, init_encoder, start
from reinfer.inference.rows import feature_mirror, row_features, row_mirror
from reinfer.tasks import FAMILY_NAMES, Tasks, reward
from reinfer.tasks.families import CHANNEL_MIRROR, FAMILY_MIRROR
from reinfer.tasks.mirror import joined, renumbered, signed, swapped

#: Every trunk and every mode once, the other toys, and what is not tied.
EVERY = [
    (Toy1d, "gru", "trajectory", True),
    (Toy1d, "mlp", "trajectory", True),
    (Toy1d, "mlp", "product", True),
    (Toy1d, "conv", "learned", True),
    (Toy1d, "transformer", "trajectory", True),
    (Toy1d, "attention", "trajectory", True),
    (Toy2d, "gru", "trajectory", True),
    (Toy3dof, "gru", "trajectory", True),
    (Toy1d, "gru", "trajectory", False),
]


def test_the_mirror_exchanges_families_as_rewards_say():
    assert [FAMILY_NAMES[f] for f in FAMILY_MIRROR] == [
        "velocity_backward",
        "velocity_forward",
        "goal_backward",
        "goal_forward",
        "stand_back",
        "stand_front",
        "jump",
        "velocity_left",
        "velocity_right",
        "goal_left",
        "goal_right",
    ]
    tasks = Toy3dof.tasks.sample(jax.random.key(0), (50,))
    sign = jnp.where(tasks.family == 6, 1.0, -1.0)
    mirrored = Tasks(jnp.asarray(FAMILY_MIRROR)[tasks.family], sign * tasks.target)
    states = jax.random.normal(jax.random.key(1), (50, 6))
    np.testing.assert_array_equal(reward(tasks, states), reward(mirrored, states * CHANNEL_MIRROR[:6]))


@pytest.mark.parametrize("name", TOYS)
def test_toys_move_alike_in_the_mirror(name):
    toy, state = TOYS[name](), TOYS[name]().scatter(jax.random.key(0), (20,))
    action = jax.random.uniform(jax.random.key(1), (20, toy.action_size), minval=-1.0)
    mirror = CHANNEL_MIRROR[: state.shape[-1]]
    moved = toy.step(state * mirror, action * jnp.asarray(toy.action_mirror))
    np.testing.assert_allclose(moved, toy.step(state, action) * mirror, atol=1e-6)


def test_mirrors_applied_twice_change_nothing_and_features_follow_rows():
    layout = RowLayout.of(Toy3dof.tasks)
    for mirror in (swapped(5), renumbered(FAMILY_MIRROR), joined(signed([-1, 1]), swapped(3)), feature_mirror(layout)):
        values = jax.random.normal(jax.random.key(0), (4, mirror.size))
        np.testing.assert_array_equal(reflect(reflect(values, mirror), mirror), values)
    rows = jax.random.normal(jax.random.key(1), (6, layout.size))
    mirrored = row_features(reflect(rows, row_mirror(layout)), layout)
    np.testing.assert_allclose(mirrored, reflect(row_features(rows, layout), feature_mirror(layout)), atol=1e-6)


def test_tying_projects_and_keeps_the_variance_of_fresh_weights():
    encoder = init_encoder(jax.random.key(0), 32, 8)
    tied = tie(encoder, encoder.mirrors())
    for one, two in zip(jax.tree.leaves(tied), jax.tree.leaves(tie(tied, encoder.mirrors())), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-7)
    fresh = tie_fresh(encoder, encoder.mirrors())
    assert np.isclose(fresh.gru.recurrent.std(), encoder.gru.recurrent.std(), rtol=0.1)


def beliefs_and_actions(toy, kind, mode, tied):
    """What an agent of random weights (biases too) believes, does and decodes after 8 rows, and in the mirror."""
    body, keys = toy(), jax.random.split(jax.random.key(0), 6)
    layout, scale = RowLayout.of(toy.tasks), target_scale(toy.tasks)
    encoder = init_encoder(keys[0], 8, 6, layout, kind, mode)
    inference = Inference(encoder, init_decoder(keys[1], 8, 6, layout, toy.action_size))
    policy = init_policy(keys[2], 8, body)
    leaves, structure = jax.tree.flatten((inference, policy._replace(bounce=())))
    stirred = [leaf + 0.1 * jax.random.normal(keys[5], leaf.shape) for leaf in leaves]
    inference, learned = jax.tree.unflatten(structure, stirred)
    policy = learned._replace(bounce=policy.bounce)
    if tied:
        inference = tie(inference, inference.mirrors(body.action_mirror))
        policy = tie(policy, policy_mirrors(policy, body))
    mirror = jnp.asarray(CHANNEL_MIRROR[: body.reset(keys[3]).shape[-1]])
    states, rewards = jax.random.normal(keys[3], (9, 5, len(mirror))), jax.random.normal(keys[4], (8, 5))
    action_mirror = jnp.asarray(toy.action_mirror)

    def act(sign, action_sign):
        def see(seen, moment):
            before, gained, after = moment
            return advance(inference.encoder, seen, make_rows(sign * before, gained, sign * after, layout)), None

        seen, _ = jax.lax.scan(see, start(inference.encoder, 5), (states[:-1], rewards, states[1:]))
        belief = belief_of(inference, seen, scale)
        channels = (sign * states[0])[:, layout.index]
        decoded = decode_step(inference.decoder, channels, action_sign * rewards[:5, :1], belief.latent, 1.0)
        features = policy_features(body, sign * states[-1], belief)
        return belief, policy_action(policy, body, sign * states[-1], belief), decoded, features

    return act(jnp.ones_like(mirror), jnp.ones(toy.action_size)), act(mirror, action_mirror)


@pytest.mark.parametrize(("toy", "kind", "mode", "tied"), EVERY)
def test_beliefs_actions_and_decoders_are_equivariant_if_tied(toy, kind, mode, tied):
    plain, image = quick_jit(lambda: beliefs_and_actions(toy, kind, mode, tied))()
    (belief, action, (gain, reached), features), (belief_image, action_image, decoded_image, features_image) = (
        plain,
        image,
    )
    layout = RowLayout.of(toy.tasks)
    families = layout.family_mirror
    odd = np.where(families == np.arange(len(families)), 1.0, -1.0)
    differences = [
        belief_image.latent - belief.latent[:, ::-1],
        belief_image.log_variance - belief.log_variance[:, ::-1],
        belief_image.family_probability - belief.family_probability[:, families],
        belief_image.target / (odd * belief.target[:, families]) - 1.0,
        action_image - action * jnp.asarray(toy.action_mirror),
        decoded_image[0] - gain,
        decoded_image[1] - CHANNEL_MIRROR[layout.index] * reached,
        features_image - reflect(features, policy_feature_mirror(toy())),
    ]
    largest = [float(jnp.abs(difference).max()) for difference in differences]
    assert max(largest) < 2e-4 if tied else max(largest) > 1e-2, largest
