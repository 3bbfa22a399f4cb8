"""A program in a process of its own, on cores of its own, that ends when whoever started it does."""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import NamedTuple

from reinfer.runs.signals import PREEMPTED_EXIT_CODE


class Job(NamedTuple):
    """What to run, and how.

    Args:
        program: arguments of the Python interpreter, e.g. ``("-m", "reinfer.cli.trial", ...)``.
        folder: working folder.
        output: file to which all that it prints is appended.
        cores: how many cores it may use.
        environment: variables that it finds set unless they are set already.
    """

    program: tuple[str, ...]
    folder: str
    output: str
    cores: int
    environment: dict[str, str]


class Supervisor:
    """Runs one job after the other. ``stop`` is called from another thread than ``run``."""

    def __init__(self):
        self._lock = threading.Lock()
        self._process: subprocess.Popen | None = None
        self._stopped = False

    def run(self, job: Job) -> int:
        """The exit code of ``job``; minus the number of the signal that killed it. OSError if it cannot be started."""
        with own_cores(job.cores), open(job.output, "ab") as output:
            with self._lock:
                if self._stopped:
                    return PREEMPTED_EXIT_CODE
                # A session of its own: Ctrl-C reaches whoever reads the terminal, and that one stops the others.
                # Standard input is never written to: its end tells that this process is gone.
                self._process = subprocess.Popen(
                    [sys.executable, *job.program],
                    cwd=job.folder,
                    env={**job.environment, **os.environ},
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            with self._process:
                return self._process.wait()

    def stop(self) -> None:
        """Ask the job to save its state and stop; jobs that come later are not begun."""
        with self._lock:
            self._stopped = True
            if self._process and self._process.poll() is None:
                self._process.send_signal(signal.SIGTERM)


def end_with_starter() -> None:
    """In a job: end at once, as if killed, when the process of its ``Supervisor`` is gone."""

    def watch():
        while os.read(sys.__stdin__.fileno(), 1):
            pass
        os._exit(128 + signal.SIGKILL)

    threading.Thread(target=watch, name="starter", daemon=True).start()


@contextlib.contextmanager
def own_cores(count: int, folder: Path | None = None):
    """Within the block, keep this thread and the processes it starts on ``count`` cores that no other block holds.

    Libraries take as many threads as there are cores; several programs that do would fight. Blocks of other
    processes of this user on this machine count; they hold cores by locks on files in ``folder``. Where the system
    cannot do it, or too few cores are free, nothing is restricted.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    folder = folder or Path(tempfile.gettempdir()) / f"reinfer-cores-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    usable, held = os.sched_getaffinity(0), set()
    with contextlib.ExitStack() as locks:
        for core in sorted(usable):
            descriptor = os.open(folder / str(core), os.O_RDWR | os.O_CREAT, 0o600)
            locks.callback(os.close, descriptor)
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                held.add(core)
            if len(held) == count:
                os.sched_setaffinity(0, held)
                break
        else:
            locks.close()
        try:
            yield
        finally:
            os.sched_setaffinity(0, usable)
