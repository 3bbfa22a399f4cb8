"""Soft actor-critic: updates per second of ``control.sac`` beside Stable-Baselines3 (torch) and SBX (JAX).

All have the sizes of the half-cheetah, the same hidden layers, twin critics with targets, a tuned temperature and
batches of 256 out of a full replay of 100 000 transitions, drawing them included. ``UPDATES`` are taken per call, as
after an episode or between the steps of many simulations; ``single`` is one update per call. Small matrix products may
be slower on two threads than on one, so torch is measured with one and with all, and compared at its best. Compilation
is reported apart: the first call less an ordinary one.
"""

import statistics

from race import Contestant, race, ratio

INPUTS, ACTIONS, BATCH, REPLAY = 17, 6, 256, 100_000
UPDATES = 64

#: Name -> hidden layers, updates per call, and the least ratio to Stable-Baselines3 that is asked for.
SIZES = {
    "256 x 256": ((256, 256), UPDATES, 2.0),
    "64 x 64": ((64, 64), UPDATES, 5.0),
    "256 x 256, single": ((256, 256), 1, None),
}


def random_transitions():
    """Rows of the replay: inputs (REPLAY, INPUTS), actions, rewards, next inputs; none terminal."""
    import numpy as np

    rng = np.random.default_rng(0)
    inputs, following = rng.standard_normal((2, REPLAY, INPUTS), np.float32)
    actions = rng.uniform(-1.0, 1.0, (REPLAY, ACTIONS)).astype(np.float32)
    return inputs, actions, rng.standard_normal(REPLAY, np.float32), following


def ours(hidden, updates: int):
    """``control.sac`` on batches of ``control.transitions``, as stages learn that use both."""
    from functools import partial

    import jax
    import numpy as np

    from reinfer.control.sac import Batch, Hyperparameters, init_sac, update
    from reinfer.control.transitions import add_transitions, empty_transitions, sample_transitions

    hyper = Hyperparameters(target_entropy=-float(ACTIONS))
    inputs, actions, rewards, following = random_transitions()
    zeros = np.zeros(REPLAY, np.float32)
    batch = Batch(inputs, actions, rewards, following, zeros, zeros + np.float32(hyper.discount))
    replay = add_transitions(empty_transitions(REPLAY, INPUTS, ACTIONS), batch)

    @partial(jax.jit, donate_argnames="state")
    def learn(key, state, replay, stored):
        def step(state, key):
            batch_key, update_key = jax.random.split(key)
            return update(update_key, state, sample_transitions(batch_key, replay, stored, BATCH), hyper)[0], None

        return jax.lax.scan(step, state, jax.random.split(key, updates))[0]

    state = init_sac(jax.random.key(0), INPUTS, ACTIONS, hidden, temperature=1.0)
    # The ring as JAX holds it; a stage hands it over anew after every episode.
    ring, key, calls = jax.tree.map(jax.numpy.asarray, replay), jax.random.key(1), 0

    def work() -> int:
        nonlocal state, calls
        state = jax.block_until_ready(learn(jax.random.fold_in(key, calls), state, ring, replay.stored))
        calls += 1
        return updates

    return work


def filled(model):
    """``model`` of Stable-Baselines3 or SBX with a full replay, and silent."""
    from stable_baselines3.common.logger import Logger

    model.set_logger(Logger(None, []))
    replay = model.replay_buffer
    inputs, actions, rewards, following = random_transitions()
    replay.observations[:, 0], replay.actions[:, 0], replay.rewards[:, 0] = inputs, actions, rewards
    replay.next_observations[:, 0], replay.full = following, True
    return model


def blank_environment():
    """An environment of the right sizes, which is never stepped."""
    import gymnasium
    import numpy as np

    class Blank(gymnasium.Env):
        observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (INPUTS,), np.float32)
        action_space = gymnasium.spaces.Box(-1.0, 1.0, (ACTIONS,), np.float32)

    return Blank()


def peer(make, hidden, updates: int):
    """A model of the class ``make`` with its own defaults for everything but the hidden layers."""
    settings = {"net_arch": list(hidden)}
    model = make("MlpPolicy", blank_environment(), buffer_size=REPLAY, batch_size=BATCH, policy_kwargs=settings, seed=0)
    model = filled(model)

    def work() -> int:
        model.train(gradient_steps=updates, batch_size=BATCH)
        return updates

    return work


def stable_baselines3(hidden, updates: int, threads: int):
    """Stable-Baselines3 on ``threads`` threads (0: all cores)."""
    import os

    import torch
    from stable_baselines3 import SAC

    torch.set_num_threads(threads or len(os.sched_getaffinity(0)))
    return peer(lambda *given, **settings: SAC(*given, device="cpu", **settings), hidden, updates)


def sbx(hidden, updates: int):
    """SBX; its calls return before the computation is over, so the work ends with reading a result."""
    import jax
    from sbx import SAC

    model_of = []

    def make(*given, **settings):
        model_of.append(SAC(*given, **settings))
        return model_of[0]

    train = peer(make, hidden, updates)

    def work() -> int:
        done = train()
        jax.block_until_ready(model_of[0].policy.actor_state.params)
        return done

    return work


CONTESTANTS = {"ours": ours, "sb3": stable_baselines3, "sbx": sbx}


def measure(seconds: float, peer_python: str, rounds: int = 5) -> dict:
    """Rates, ratios and compilation times by size, in about ``seconds``."""
    each = max(0.2, 0.5 * seconds / (4 * rounds * len(SIZES)))
    found = {}
    for size, (hidden, updates, _) in SIZES.items():
        given = {"hidden": hidden, "updates": updates}
        contestants = {
            "ours": Contestant(__name__, "ours", given),
            "sb3, one thread": Contestant(__name__, "sb3", given | {"threads": 1}, peer_python),
            "sb3, all cores": Contestant(__name__, "sb3", given | {"threads": 0}, peer_python),
            "sbx": Contestant(__name__, "sbx", given, peer_python),
        }
        one = race(contestants, each, rounds)
        for part in one.values():
            part["compile_s"] = max(0.0, part["first_s"] - updates / part["rate"]["median"])
        best = max(("sb3, one thread", "sb3, all cores"), key=lambda name: statistics.median(one[name]["rates"]))
        ratios = {"sb3": ratio(one, "ours", best), "sbx": ratio(one, "ours", "sbx")}
        found[size] = {"updates_per_call": updates, "best_sb3": best, "ratio": ratios, "contestants": one}
        told = ", ".join(f"{value['median']:.2f} x {name}" for name, value in ratios.items())
        print(f"sac {size}: {one['ours']['rate']['median']:.0f} updates/s, {told}", flush=True)
    return found
