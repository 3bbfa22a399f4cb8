"""Presets in which every stage takes seconds and learns nothing, in place of ``quick``."""

from dataclasses import replace

from reinfer.stages import low_level, stride, toy
from tiny_toy import TINY as TINY_TOY

TINY = {
    toy: replace(TINY_TOY, iterations=4),
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
