"""Refits along a changing stream: the number of components, their ids, new families, absent families."""

import numpy as np
import pytest
from mixture_studies import (
    SEEDS,
    assign_components,
    detection_epoch,
    label_continuity,
    planted,
    run_stream,
)

from reinfer.inference.mixture import MixtureConfig, fit, init_state


@pytest.mark.parametrize("seed", SEEDS)
def test_the_stream_study(seed):
    history = run_stream(seed)
    assert all(epoch.excess_components == 0 for epoch in history)
    assert min(epoch.ari for epoch in history) > 0.99
    assert label_continuity(history) > 0.99
    assert detection_epoch(history, 6) == 10
    assert detection_epoch(history, 7) == 16
    assert history[23].majority[2] == history[19].majority[2]


def _stream_of_masks(config: MixtureConfig, masks):
    """States after fits to a planted mixture restricted to the families of each mask in turn."""
    state, states = init_state(4, config.max_components), []
    for epoch, families in enumerate(masks):
        data = planted("separated", 0, 3000)
        points = data.points[np.isin(data.labels, families)]
        state, _ = fit(state, points, config, np.random.default_rng([3, epoch]))
        states.append(state)
    return data, states


def test_an_absent_family_is_remembered_then_forgotten():
    everyone, without = list(range(8)), list(range(1, 8))
    config = MixtureConfig(dormant_memory=0.5)
    data, states = _stream_of_masks(config, [everyone] + [without] * 7 + [everyone])
    family = data.points[data.labels == 0]
    uid = assign_components(family, states[0], config)[0]
    slot = int(np.flatnonzero(states[0].uid == uid)[0])
    counts = [state.count[slot] if state.uid[slot] == uid else 0.0 for state in states]
    np.testing.assert_allclose(counts[1:4], counts[0] * 0.5 ** np.arange(1, 4), rtol=0.02)
    assert counts[6] == counts[7] == 0.0
    returned = assign_components(family, states[-1], config)
    assert (returned == returned[0]).mean() > 0.99
    assert returned[0] > max(states[0].uid), "an id is never used twice"


def test_without_memory_an_absent_family_is_forgotten_at_once():
    config = MixtureConfig(dormant_memory=0.0)
    _, states = _stream_of_masks(config, [list(range(8)), list(range(1, 8))])
    assert states[0].active.sum() == 8
    assert states[1].active.sum() == 7


def test_survivors_keep_their_slots():
    config = MixtureConfig()
    _, states = _stream_of_masks(config, [list(range(4)), list(range(8)), list(range(8))])
    for before, after in zip(states[:-1], states[1:], strict=True):
        for slot in np.flatnonzero(before.active):
            assert after.uid[slot] == before.uid[slot]
    assert len(set(states[-1].uid[states[-1].active])) == 8
    assert states[-1].fits == 3
