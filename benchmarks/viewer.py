"""Whether ``reinfer view`` keeps real time: states per second, lag, processor time.

    python benchmarks/viewer.py [--body half_cheetah] [--seconds 30] [--tabs 2] [--policy toy]

Serves the page as the command does, to ``--tabs`` readers in another process that receive all that browsers would, and
changes the task every few seconds. Prints states shown per second, how late they were (median, 95 %, worst), simulated
over real time, schedules given up, processor seconds per second of this process, and bytes per second and tab.
"""

import argparse
import json
import multiprocessing
import os
import threading
import time

# One thread per matrix product: the figures are of an ordinary machine's two cores, shared with a browser.
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false"

import numpy as np

TASKS = (("velocity_forward", 1.5), ("goal_backward", -3.0), ("velocity_backward", -1.5), ("goal_forward", 4.0))


def receive(url: str, protocol: str, count: int, received) -> None:
    """``count`` tabs that read what they are sent, adding up bytes in ``received``."""
    from websockets.sync.client import connect

    def read():
        with connect(url, subprotocols=[protocol], max_size=None) as socket:
            for message in socket:
                with received.get_lock():
                    received.value += len(message)

    for _ in range(count):
        threading.Thread(target=read, daemon=True).start()
    time.sleep(3600)


def measure(body: str, policy: str, seconds: float, tabs: int) -> dict:
    """The figures of one session of ``seconds``."""
    import viser

    from reinfer.cli.view import ViewOptions, equip
    from reinfer.runs.compilation import enable_cache
    from reinfer.viewing.live.page import Page
    from reinfer.viewing.live.server import open_server, play
    from reinfer.viewing.live.session import Session

    enable_cache()
    options = ViewOptions(body=body, policy=policy)
    session = Session(lambda name: equip(options, name), body, policy)
    server = open_server("127.0.0.1", 0)
    context = multiprocessing.get_context("spawn")
    received = context.Value("q", 0)
    address = (f"ws://127.0.0.1:{server.get_port()}", f"viser-v{viser.__version__}", tabs, received)
    readers = context.Process(target=receive, args=address, daemon=True)
    readers.start()
    page = Page(server, session, (body,), session.tick())
    # Whoever connects is first sent the whole scene; what is measured is how it goes on.
    play(page, session, after(5.0))
    over = threading.Event()
    threading.Thread(target=change_tasks, args=(session, over), daemon=True).start()
    before, wall, processor = received.value, time.perf_counter(), time.process_time()
    pacer = play(page, session, after(seconds))
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    over.set()
    lags_ms = 1e3 * np.array(pacer.lags_s)
    bytes_per_s = (received.value - before) / wall / max(tabs, 1)
    readers.terminate()
    server.stop()
    return {
        "body": body,
        "policy": policy,
        "tabs": tabs,
        "seconds": round(wall, 1),
        "states_per_s": round(len(lags_ms) / wall, 1),
        "real_time_factor": round(pacer.simulated_s / wall, 3),
        "lag_ms": {
            name: round(float(np.percentile(lags_ms, q)), 1) for name, q in (("50 %", 50), ("95 %", 95), ("worst", 100))
        },
        "schedules_given_up": pacer.slips,
        "processor_s_per_s": round(processor / wall, 3),
        "kilobytes_per_s_and_tab": round(bytes_per_s / 1e3, 1),
    }


def after(seconds: float):
    """A function that tells whether ``seconds`` are over from now on."""
    until = time.monotonic() + seconds
    return lambda: time.monotonic() > until


def change_tasks(session, over: threading.Event) -> None:
    """Another task every four seconds, from another thread, as a tab does."""
    number = 0
    while not over.wait(4.0):
        session.change_task(*TASKS[number % len(TASKS)])
        number += 1


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--body", default="half_cheetah")
    parser.add_argument("--policy", default="toy")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--tabs", type=int, default=2)
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.body, arguments.policy, arguments.seconds, arguments.tabs), indent=2))


if __name__ == "__main__":
    main()
