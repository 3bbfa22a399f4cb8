"""Figures that ours stand beside: what each source reports on the half-cheetah, not measured by us, and toy returns.

Sources differ in what the agent is told and in how an error is taken; each anchor says so.
"""

from typing import NamedTuple


class Anchor(NamedTuple):
    """One published result.

    ``position_m`` and ``velocity_mps`` are (low, high), equal where one figure is given; ``told`` is what the
    agent is given of its task beside rewards, ``learned_on`` the body it was meta-trained on.
    """

    name: str
    position_m: tuple[float, float]
    velocity_mps: tuple[float, float]
    told: str
    learned_on: str
    measure: str
    source: str


_THESIS = (
    "master's thesis behind the code MRL-Inference-Reutilization (2025): best half-cheetah run, read off its "
    "figures; 6 targets per kind"
)
_REMAP = (
    "Meng, Wang, de los Rios Ruiz et al., Knowledge Reutilization in Meta-Reinforcement Learning, "
    "arXiv:2606.18132 (2026), released CSV files; 6 targets per kind"
)
_RMSE = "root mean square error at the end; speed instantaneous"

HALF_CHEETAH = (
    Anchor(
        "Thesis: toy policy reused",
        (1.48, 1.48),
        (0.24, 0.24),
        "nothing",
        "toy",
        "mean of last 20 %",
        _THESIS,
    ),
    Anchor("ReMAP: toy encoder reused", (0.073, 0.073), (0.40, 0.47), "THE TARGET", "toy", _RMSE, _REMAP),
    Anchor("MELTS from scratch", (1.67, 1.67), (0.30, 0.49), "nothing", "robot", _RMSE, _REMAP),
    Anchor("CEMRL from scratch", (2.85, 2.85), (0.36, 0.39), "nothing", "robot", _RMSE, _REMAP),
)


class ToyReturns(NamedTuple):
    """Mean return over 200 steps on a toy's held-out tasks, as it is written: of the ``published`` implementation,
    deterministic, as we measured it, and of a controller that is ``told`` the task and goes straight to its target."""

    published: str
    told: str


#: By name of the toy; of others neither is known.
TOY_RETURNS = {"toy1d": ToyReturns("-55.00", "-6.25"), "toy3dof": ToyReturns("-79", "about -18")}

#: Anchors by name of the body.
ANCHORS = {"half_cheetah": HALF_CHEETAH}
