"""What every toy in ``TOYS`` promises, whatever it is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from told import returns_of

from reinfer.bodies import TOYS
from reinfer.inference.context import RowLayout
from reinfer.tasks import CHANNELS, FAMILIES, JUMP, KINDS, PLANE_CHANNELS, Tasks
from reinfer.tasks.families import FAMILY_KIND


@pytest.fixture(params=TOYS)
def toy(request):
    return TOYS[request.param]()


def test_every_family_has_a_channel_a_reach_and_a_mirror_image(toy):
    assert TOYS[toy.name] is type(toy)
    families = [FAMILIES[family] for family in toy.tasks.families]
    assert {family.channel for family in families} <= set(toy.channels) <= set(CHANNELS)
    assert {KINDS[kind] for kind in toy.reach} == {family.kind for family in families}
    layout = RowLayout.of(toy.tasks)
    np.testing.assert_array_equal(layout.family_mirror[layout.family_mirror], np.arange(len(families)))
    np.testing.assert_array_equal(layout.place(toy.tasks.families), np.arange(len(families)))


def test_states_end_where_its_channels_do(toy):
    channels = CHANNELS if "y" in toy.channels else PLANE_CHANNELS
    start, anywhere = toy.reset(jax.random.key(0), (50,)), toy.scatter(jax.random.key(0), (50,))
    assert start.shape == anywhere.shape == (50, len(channels)) == toy.step(start, actions(toy, 50)).shape
    unused = [index for index, name in enumerate(channels) if name not in toy.channels]
    assert not np.any(np.asarray(toy.step(anywhere, actions(toy, 50)))[:, unused])


def actions(toy, count):
    return jnp.asarray(np.random.default_rng(2).uniform(-1, 1, (count, toy.action_size)))


def test_varied_steps_agree_with_the_nominal_where_nothing_varies(toy):
    state = toy.scatter(jax.random.key(4), (16,))
    varied = toy.step(state, actions(toy, 16), jax.random.key(0), toy.variation(jax.random.key(1), (16,)))
    np.testing.assert_array_equal(varied, toy.step(state, actions(toy, 16)))


def test_heading_for_what_one_is_told_solves_all_but_jumps(toy):
    heldout = toy.tasks.grid_split(0)[1]
    tasks = Tasks(*(leaf[FAMILY_KIND[heldout.family] != JUMP] for leaf in heldout))
    returns = returns_of(toy, tasks)
    assert (returns > -25.0).all()
    assert returns.mean() > -6.5
