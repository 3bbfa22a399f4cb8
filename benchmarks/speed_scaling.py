"""How ours grows: control steps per second with the number of simulations, and seconds per fit of the mixture.

Fits are cold (no component to start from), to points of well separated Gaussians in the size of the toy's latents.
"""

from race import Contestant, race, spread

COUNTS = (1, 4, 16, 64, 256, 1024)

#: Points and true components of the fits.
FITS = ((2048, 8), (8192, 8), (32768, 8), (8192, 2), (8192, 32))

LATENT = 8


def mixture(points: int, components: int):
    """A cold fit per call; the unit is a fit."""
    import numpy as np

    from reinfer.inference.mixture import MixtureConfig, fit, init_state

    rng = np.random.default_rng(0)
    centres = 4.0 * rng.standard_normal((components, LATENT))
    latents = centres[rng.integers(0, components, points)] + 0.3 * rng.standard_normal((points, LATENT))
    config = MixtureConfig()

    def work() -> int:
        fit(init_state(LATENT, config.max_components), latents, config, np.random.default_rng(1))
        return 1

    return work


CONTESTANTS = {"mixture": mixture}


def measure(seconds: float, peer_python: str, rounds: int = 3) -> dict:
    """Rates by number of simulations, and seconds per fit by points and components, in about ``seconds``."""
    del peer_python
    each = max(0.1, 0.5 * seconds / (rounds * (len(COUNTS) + len(FITS))))

    def physics(count):
        given = {"body": "half_cheetah", "count": count, "timing": "stock", "with_outcome": True}
        return race({"ours": Contestant("speed_physics", "ours", given)}, each, rounds)["ours"]

    def fits(points, components):
        given = {"points": points, "components": components}
        found = race({"fit": Contestant(__name__, "mixture", given)}, each, rounds)["fit"]
        return {"points": points, "components": components, "seconds": spread([1.0 / rate for rate in found["rates"]])}

    steps = [{"count": count, "steps_per_s": (found := physics(count))["rate"]} | {"peak_mib": found["peak_mib"]}
             for count in COUNTS]  # fmt: skip
    found = {"body": "half_cheetah", "physics": steps, "mixture": [fits(*sizes) for sizes in FITS]}
    print("scaling:", ", ".join(f"{row['count']}: {row['steps_per_s']['median']:.0f}/s" for row in steps), flush=True)
    return found
