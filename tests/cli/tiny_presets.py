"""Presets in which every stage takes seconds and learns nothing, in place of ``quick``."""

from dataclasses import replace

from reinfer.inference.mixture import MixtureConfig
from reinfer.stages import low_level, stride, toy

TINY = {
    toy: toy.ToyConfig(
        iterations=4,
        updates=2,
        hidden=8,
        decoder_hidden=8,
        policy_hidden=8,
        latent=3,
        behaviour_episodes=4,
        behaviour_length=4,
        policy_episodes=2,
        policy_starts=2,
        mixture_points=256,
        mixture=MixtureConfig(max_components=6),
    ),
    low_level: replace(low_level.PRESETS["quick"], iterations=2, simulations=4, horizon=4, hidden=8),
    stride: replace(
        stride.PRESETS["quick"],
        iterations=2,
        constant=1,
        simulations=5,
        episode_s=1.0,
        hidden=8,
        batch=32,
        updates=5,
        replay=3,
    ),
}


def install(setitem) -> None:
    """Put them in place with ``setitem(presets, name, config)``, e.g. that of ``pytest.MonkeyPatch``."""
    for module, config in TINY.items():
        setitem(module.PRESETS, "quick", config)
