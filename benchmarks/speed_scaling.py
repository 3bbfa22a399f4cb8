"""How ours grows: control steps per second with the number of simulations, of the body alone and of the whole hierarchy
that infers and solves a task at every step; and seconds per fit of the mixture.

Fits are cold (no component to start from), to points of well separated Gaussians in the size of the toy's latents.
"""

import reinfer
from race import Contestant, race, spread

COUNTS = (1, 4, 16, 64, 256, 1024)

#: Robots at once, each with a task of its own; control steps of each per call.
ROBOTS, CHUNK = (1, 10, 100, 1000), 10

BODY = "half_cheetah"

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


def hierarchy(count: int):
    """The shipped toy agent above the shipped low level, deciding at every step; the unit is a control step."""
    import jax
    import numpy as np

    from reinfer.stages.stride import StrideConfig
    from reinfer.tasks import KINDS, reward
    from reinfer.transfer.agents import ToyPolicyAgent
    from reinfer.transfer.hierarchy import Hierarchy
    from reinfer.transfer.strides import FixedStride

    low_level = reinfer.load(f"shipped:{BODY}/low")
    body = reinfer.robot(BODY, low_level.timing)
    simulation = reinfer.BatchSimulation(body, count)
    agent = ToyPolicyAgent(reinfer.load("shipped:toy/seed0"), StrideConfig().toy_steps)
    playing = Hierarchy(simulation, low_level, agent, FixedStride(1))
    # Of kinds that the agent knows: of others it never becomes sure, and what looks like a change at every row costs.
    known = body.tasks.only([KINDS[kind] for kind in agent.toy.body.reach])
    tasks = jax.device_get(known.sample(jax.random.key(0), (count,)))
    playing.start(np.random.default_rng(0))

    def work() -> int:
        for _ in range(CHUNK):
            playing.choose()
            playing.advance(lambda state: reward(tasks, state))
        return CHUNK * count

    return work


CONTESTANTS = {"mixture": mixture, "hierarchy": hierarchy}


def measure(seconds: float, peer_python: str, rounds: int = 3) -> dict:
    """Rates by number of simulations and of robots, and seconds per fit by points and components, in about
    ``seconds``."""
    del peer_python
    each = max(0.1, 0.5 * seconds / (rounds * (len(COUNTS) + len(ROBOTS) + len(FITS))))

    def rate(count: int, contestant: Contestant) -> dict:
        found = race({"ours": contestant}, each, rounds)["ours"]
        return {"count": count, "steps_per_s": found["rate"], "peak_mib": found["peak_mib"]}

    def physics(count: int) -> dict:
        given = {"body": BODY, "count": count, "timing": "stock", "with_outcome": True}
        return rate(count, Contestant("speed_physics", "ours", given))

    def fits(points: int, components: int) -> dict:
        given = {"points": points, "components": components}
        found = race({"fit": Contestant(__name__, "mixture", given)}, each, rounds)["fit"]
        return {"points": points, "components": components, "seconds": spread([1.0 / rate for rate in found["rates"]])}

    found = {
        "body": BODY,
        "control_dt_s": reinfer.robot(BODY).control_dt_s,
        "physics": [physics(count) for count in COUNTS],
        "hierarchy": [rate(count, Contestant(__name__, "hierarchy", {"count": count})) for count in ROBOTS],
        "mixture": [fits(*sizes) for sizes in FITS],
    }
    for part in ("physics", "hierarchy"):
        said = ", ".join(f"{row['count']}: {row['steps_per_s']['median']:.0f}/s" for row in found[part])
        print(f"{part} by number: {said}", flush=True)
    return found
