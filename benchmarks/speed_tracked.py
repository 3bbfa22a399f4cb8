"""Who tracks speeds better: our PPO and our SAC, Stable-Baselines3's SAC and SBX's.

    PYTHON speed_tracked.py CONTESTANT AXIS AMOUNT HIDDEN SEED CORES OUTPUT     (``speed.py`` runs this)

After the same time (part ``wallclock``, AXIS ``wall_s``), or the same updates (part ``updates``, AXIS ``updates``). All
train on ``speed_tracking`` with the same physics, and are judged at the same shares of the AMOUNT. Of training time,
judging does not count and compiling does. The three SACs are the same algorithm with Stable-Baselines3's default
settings, one update per step of ``COUNT`` simulations stepped together; so after the same updates they tell whether
they learn alike. *Wide* begins with other weights, which is what the outcome depends on. Ours by PPO is the low-level
stage as it trains for commands, on 256 simulations.
"""

import json
import os
import queue
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent

#: Shares of the time or the updates at which contestants are judged.
MARKS = (1 / 64, 1 / 32, 1 / 16, 1 / 8, 3 / 16, 1 / 4, 3 / 8, 1 / 2, 5 / 8, 3 / 4, 7 / 8, 1.0)

#: Of the SACs: simulations, transitions per update, steps with random actions, room in the replay.
COUNT, BATCH, RANDOM_STEPS, REPLAY = 8, 256, 4000, 1_000_000


class Clock:
    """Training time, which stands still while a policy is judged, and the scores at marks.

    It runs from the first time that it is asked whether it is over: imports and building do not count, compiling does.

    Args:
        amount: of training in all: seconds, or updates.
        axis: what is meant, ``wall_s`` or ``updates``.
        hidden: width of both hidden layers of the SACs.
    """

    def __init__(self, amount: float, axis: str = "wall_s", hidden: int = 256):
        from speed_tracking import Judge

        self.amount, self.axis, self.hidden = amount, axis, (hidden, hidden)
        self.judge, self.curve = Judge(), []
        self.start, self.judging_s = None, 0.0

    def elapsed(self) -> float:
        """Training time so far, s."""
        return time.perf_counter() - self.start - self.judging_s

    def over(self, act, steps: int, updates: int) -> bool:
        """Judge ``act`` if a mark was passed; whether the last one was."""
        if self.start is None:
            self.start = time.perf_counter()
        elapsed = self.elapsed()
        row = {"wall_s": elapsed, "steps": steps, "updates": updates}
        if row[self.axis] >= MARKS[len(self.curve)] * self.amount:
            row |= self.judge(act)
            # Marks that were passed at once, as while compiling, have the same score.
            while len(self.curve) < len(MARKS) and row[self.axis] >= MARKS[len(self.curve)] * self.amount:
                self.curve.append(row)
            self.judging_s = time.perf_counter() - self.start - elapsed
        return len(self.curve) == len(MARKS)


def our_ppo(seed: int, clock: Clock) -> None:
    """The low-level stage at this task alone."""
    import jax.numpy as jnp

    from reinfer.control.demands import CRITIC_INPUTS
    from reinfer.control.ppo import mean_action
    from reinfer.stages.low_level import LowLevelConfig, LowLevelStage
    from speed_tracking import BODY, SpeedTracking

    # Schedules run with the share of the time that is over, in parts of a million.
    stage = LowLevelStage(LowLevelConfig(body=BODY, timing="stock", seed=seed, iterations=1_000_000))
    stage.exercise = SpeedTracking(stage.simulation)
    state, iteration, done = stage.init(), 0, 0
    stage.begin(0)

    def act(observation):
        learner = state.learner
        return mean_action(learner.networks, learner.moments, jnp.pad(observation, ((0, 0), (0, CRITIC_INPUTS))))

    updates = stage.config.epochs * stage.config.minibatches
    while not clock.over(act, done * stage.steps_per_iteration, done * updates):
        state, _ = stage.iterate(state, iteration)
        progress = min(1.0, clock.elapsed() / clock.amount)
        iteration, done = max(iteration + 1, int(progress * stage.iterations)), done + 1


def our_sac(seed: int, clock: Clock, weights: str = "narrow") -> None:
    """``control.sac``, batches drawn on the host; ``weights`` of ``control.networks`` to begin with."""
    from functools import partial

    import jax
    import numpy as np

    from reinfer.control import networks
    from reinfer.control.sac import Batch, Hyperparameters, init_sac, mean_action, sample_action, update
    from reinfer.control.transitions import add_transitions, empty_transitions

    track, rng = begun(seed), np.random.default_rng([seed, 1])
    actions = track.simulation.action_size
    hyper = Hyperparameters(target_entropy=-float(actions))
    explore, greedy = jax.jit(lambda key, policy, rows: sample_action(key, policy, rows)[0]), jax.jit(mean_action)

    @partial(jax.jit, donate_argnames="state")
    def learn(key, state, batches):
        def step(state, given):
            return update(given[0], state, given[1], hyper)[0], None

        return jax.lax.scan(step, state, (jax.random.split(key, COUNT), batches))[0]

    sizes, begin = (track.observation_size, actions, clock.hidden), getattr(networks, weights)
    state = init_sac(jax.random.key(seed), *sizes, temperature=1.0, weights=begin)
    replay = empty_transitions(REPLAY, track.observation_size, actions)
    steps, updates, present = 0, 0, track.observation()

    def act(observation):
        return greedy(state.policy, observation)

    while not clock.over(act, steps, updates):
        key = jax.random.fold_in(jax.random.key(seed), steps)
        action = rng.uniform(-1.0, 1.0, (COUNT, actions)).astype(np.float32)
        if steps >= RANDOM_STEPS:
            action = np.asarray(explore(key, state.policy, present))
        reward, fallen = track.step(action)
        following = track.observation()
        discounts = np.full(COUNT, hyper.discount, np.float32)
        replay = add_transitions(replay, Batch(present, action, reward, following, fallen, discounts))
        _, inputs = track.renew(rng, fallen, track.inputs())
        present, steps = inputs[:, : track.observation_size], steps + COUNT
        if steps > RANDOM_STEPS:
            rows = rng.integers(0, replay.stored, (COUNT, BATCH))
            batches = Batch(*(leaf[rows] for leaf in replay.batch))
            state = learn(jax.random.fold_in(key, 1), state, batches)
            updates += COUNT


def our_sac_from_wide(seed: int, clock: Clock) -> None:
    """The same from the weights that our stages begin with, of six times the variance."""
    our_sac(seed, clock, "normal")


def begun(seed: int):
    """``COUNT`` simulations at the task."""
    import numpy as np

    from reinfer.bodies import robot
    from reinfer.simulation import BatchSimulation
    from speed_tracking import BODY, SpeedTracking

    track = SpeedTracking(BatchSimulation(robot(BODY, "stock"), COUNT))
    track.start(np.random.default_rng(seed))
    return track


def peer_sac(make, seed: int, clock: Clock) -> None:
    """A SAC with the interface of Stable-Baselines3."""
    from speed_peers import Referee, TrackingEnvironment

    model = make(
        "MlpPolicy",
        TrackingEnvironment(begun(seed), seed),
        batch_size=BATCH,
        buffer_size=REPLAY,
        learning_starts=RANDOM_STEPS,
        train_freq=1,
        gradient_steps=COUNT,
        policy_kwargs={"net_arch": list(clock.hidden)},
        seed=seed,
    )
    # Far more steps than there is time for: the referee ends it.
    model.learn(10**9, callback=Referee(clock))


def stable_baselines3(seed: int, clock: Clock) -> None:
    """Stable-Baselines3's."""
    from stable_baselines3 import SAC

    peer_sac(lambda *given, **settings: SAC(*given, device="cpu", **settings), seed, clock)


def sbx(seed: int, clock: Clock) -> None:
    """SBX's."""
    from sbx import SAC

    peer_sac(SAC, seed, clock)


CONTESTANTS = {
    "our PPO": our_ppo,
    "our SAC": our_sac,
    "our SAC, wide": our_sac_from_wide,
    "sb3 SAC": stable_baselines3,
    "sbx SAC": sbx,
}

#: Of each axis: who takes part, and the width of both hidden layers. Over updates small enough for several seeds.
RACES = {
    "wall_s": (("our PPO", "our SAC", "sb3 SAC", "sbx SAC"), 256),
    "updates": (("our SAC", "our SAC, wide", "sb3 SAC", "sbx SAC"), 64),
}


def measure(axis: str, amount: float, peer_python: str, seeds: int, at_once: int, work: Path) -> dict:
    """Curves of all contestants, each after ``amount`` of training, ``at_once`` side by side on as many cores each.

    Those that ``work`` holds already are not repeated.
    """
    names, hidden = RACES[axis]
    work.mkdir(parents=True, exist_ok=True)
    every, free = sorted(os.sched_getaffinity(0)), queue.SimpleQueue()
    cores = len(every) // at_once
    for number in range(at_once):
        free.put(",".join(map(str, every[number * cores : (number + 1) * cores])))

    def train(name: str, seed: int) -> dict:
        output = work / f"{name.replace(' ', '-')}-{hidden}wide-seed{seed}-{amount:g}{axis}-{cores}cores.json"
        if not output.exists():
            python, own = sys.executable if name.startswith("our") else peer_python, free.get()
            settings = [name, axis, str(amount), str(hidden), str(seed), own, str(output)]
            line = [python, str(HERE / "speed_tracked.py"), *settings]
            try:
                subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
            finally:
                free.put(own)
        result = json.loads(output.read_text())
        last = result["curve"][-1]
        print(f"{axis} {name} seed {seed}: error {last['error']:.3f}, {last['updates']} updates", flush=True)
        return result

    with ThreadPoolExecutor(at_once) as pool:
        # All of a seed, before the next.
        jobs = [{name: pool.submit(train, name, seed) for name in names} for seed in range(seeds)]
    contestants = {name: [job[name].result() for job in jobs] for name in names}
    unit = {"minutes": amount / 60.0} if axis == "wall_s" else {"updates": amount}
    return unit | {"seeds": seeds, "cores": cores, "hidden": hidden, "contestants": contestants}


def main(name: str, axis: str, amount: float, hidden: int, seed: int, cores: set[int], output: Path) -> None:
    """Train and judge one contestant on ``cores``; the file appears when it is complete."""
    # Before anything is imported that starts threads.
    os.sched_setaffinity(0, cores)
    from race import machine
    from speed_worker import peak_mib, versions

    clock, begun_on = Clock(amount, axis, hidden), machine()
    CONTESTANTS[name](seed, clock)
    result = {"seed": seed, "machine": begun_on, "curve": clock.curve}
    result |= {"peak_mib": peak_mib(), "versions": versions()}
    partial = output.with_suffix(".partial")
    partial.write_text(json.dumps(result, indent=1) + "\n")
    partial.replace(output)


if __name__ == "__main__":
    who, over, much, width, number, own_cores, file = sys.argv[1:]
    main(who, over, float(much), int(width), int(number), set(map(int, own_cores.split(","))), Path(file))
