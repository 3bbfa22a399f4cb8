"""Result files of a made-up agent: its records judged by the real contest, so that keys cannot drift."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
from synthetic_rollouts import rollout

from reinfer.bodies import Toy1d, robot
from reinfer.evaluation.contest import standard_tasks
from reinfer.evaluation.transfer import Contest, Contestant
from reinfer.inference.belief import Belief
from reinfer.inference.context import LINE_ROWS
from reinfer.inference.mixture import standard_normal_prior
from reinfer.transfer.strides import FixedStride


class NaiveToy:
    """Stands in for a toy agent: its latent is the last row it saw, and it always goes forward."""

    width, body, layout, forget = 32, Toy1d(), LINE_ROWS, False
    sha256 = ""
    params = SimpleNamespace(prior=standard_normal_prior(4, 4))

    def keeping(self):
        """It forgets nothing."""
        return self

    def infer(self, window, forget=False):
        """Beliefs whose latent is (x, vx, reward, x') of the last row."""
        latent = window.rows[:, -1, :4]
        return Belief(latent, latent, latent, latent)

    def act(self, state, belief):
        """Full speed."""
        return jnp.ones((len(state), 1))


jax.tree_util.register_static(NaiveToy)


def played(seeds: int = 2, steps: int = 120) -> tuple[Contest, list[Contestant]]:
    """A contest whose rollouts are all there already, and its contestants."""
    body = robot("half_cheetah")
    pairs = [(label.split()[0], float(label.split()[1])) for label in standard_tasks(body).describe()]
    low_level = SimpleNamespace(ranges=body.commands)
    judged = Contest(body, low_level, seconds=steps * 0.05)
    contestants = [Contestant(seed, NaiveToy(), FixedStride(5)) for seed in range(seeds)]
    for seed in range(seeds):
        for shift, (agent, strides) in enumerate(
            [("toy", "5"), ("toy", "10"), ("oracle", "5"), ("random", "5"), ("zero", "5")]
        ):
            judged.records[agent, strides, seed] = rollout(10 * seed + shift, pairs, steps, blur=0.02 * shift)
    return judged, contestants


def contest(seeds: int = 2, steps: int = 120) -> tuple[dict, list]:
    """As ``reinfer eval transfer --json``, and the records of the agent judged, one per seed."""
    judged, contestants = played(seeds, steps)
    found = judged.compare(contestants, ablation=(FixedStride(10),))
    return found, [judged.records["toy", "5", seed] for seed in range(seeds)]


def toy() -> dict:
    """As ``reinfer eval toy --json``."""
    return {
        "return_mean": -7.9342,
        "return_by_family": {
            "velocity_forward": -2.6111,
            "velocity_backward": -2.5777,
            "goal_forward": -13.1,
            "goal_backward": -13.4,
        },
        "class_accuracy_by_rows": {"1": 0.4512, "2": 0.7981, "5": 0.9934, "10": 0.9991, "32": 1.0},
        "target_error_by_rows": {"1": 0.312, "2": 0.101, "5": 0.0271, "10": 0.0083, "32": 0.0041},
        "purity": 0.991,
        "nmi": 0.962,
        "components": 9,
        "body": "toy1d",
        "n_tasks": 40,
        "seed": 0,
    }


def low() -> dict:
    """As ``reinfer eval low --json``."""
    rng = np.random.default_rng(1)
    rows = [
        {"kind": kind, "target": float(t), "error": float(abs(rng.normal(0, 0.03))), "fallen": bool(t > 2.9)}
        for kind in ("goal", "velocity")
        for t in rng.uniform(-3, 3, 30)
    ]
    return {
        "goal_error_m": 0.024,
        "speed_error_windowed": 0.019,
        "stand_error_rad": None,
        "fall_rate": 0.0047,
        "by_command": rows,
    }
