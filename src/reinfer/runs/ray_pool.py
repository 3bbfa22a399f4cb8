"""Jobs on this machine or on a cluster, by Ray: the only module that knows it, and imported only to run a sweep.

Ray finds a place for each job and tells when the process that runs it dies. What becomes of a job is written by the
job itself, so nothing of Ray's need last. All machines must see the same files.
"""

import logging
import os
import shutil
import tempfile
import time
from typing import NamedTuple

from reinfer.runs.errors import ConfigError, RunError
from reinfer.runs.processes import Job, Supervisor
from reinfer.runs.provenance import usable_cores

#: Ray keeps nothing of ours in its store of objects: the smallest it takes, bytes.
_STORE = 80 * 1024**2
#: Longest folder for temporary files that leaves room for the names of Ray's sockets (a path has 107 bytes at most).
_LONGEST = 40


class Ended(NamedTuple):
    """A job that ended: its exit code (see ``Supervisor.run``), or None and why nothing is known of it."""

    key: str
    code: int | None
    reason: str = ""


class RayPool:
    """Runs jobs at once, each with ``cores`` and ``gpus`` (a fraction shares one); use as a context manager.

    Args:
        address: of a Ray cluster, as ``ray.init`` takes it; None starts Ray on this machine, for this pool alone.
    Raises ConfigError if Ray is not installed or there is no cluster at ``address``, or if no machine has so many
    cores and GPUs; RunError if Ray does not start.
    """

    def __init__(self, address: str | None, cores: int, gpus: float):
        self._ray, self._cores, self._gpus = require_ray(), cores, gpus
        self._temporary = None if address else _short_folder()
        self._running: dict = {}
        self._idle: list = []
        self._connect(address)
        if not self.room():
            largest = max((machine["Resources"].get("CPU", 0) for machine in self._machines()), default=0)
            self._close()
            wanted = f"{cores} cores and {gpus:g} GPUs" if gpus else f"{cores} cores"
            raise ConfigError(f"no machine has {wanted} for a trial; the largest has {largest:g} cores")

    def __enter__(self) -> "RayPool":
        return self

    def __exit__(self, *_) -> None:
        self._close()

    def __len__(self) -> int:
        """Jobs that were started and have not ended."""
        return len(self._running)

    def room(self) -> int:
        """Jobs that the machines that there are now can run at once."""
        fitting = 0
        for machine in self._machines():
            cpu, gpu = (machine["Resources"].get(kind, 0.0) for kind in ("CPU", "GPU"))
            fitting += min(int(cpu // self._cores), places(gpu, self._gpus) if self._gpus else int(cpu))
        return fitting

    def start(self, key: str, program: tuple[str, ...], folder: str, output: str) -> None:
        """Start a job (arguments as for ``Job``), as soon as there is a place for it."""
        job = Job(program, folder, output, self._cores, gpu_environment(self._gpus))
        supervisor = self._idle.pop() if self._idle else self._new_supervisor()
        self._running[supervisor.run.remote(job)] = key, supervisor

    def wait(self, seconds: float) -> Ended | None:
        """The next job that ends within ``seconds``."""
        if not self._running:
            time.sleep(seconds)
            return None
        ready, _ = self._ray.wait(list(self._running), timeout=seconds)
        if not ready:
            return None
        key, supervisor = self._running.pop(ready[0])
        try:
            code = self._ray.get(ready[0])
        except self._ray.exceptions.RayTaskError as error:
            return Ended(key, 1, f"it could not be started: {error.cause}")
        except self._ray.exceptions.RayError as error:
            return Ended(key, None, f"the process that watched it is gone ({type(error).__name__})")
        self._idle.append(supervisor)
        return Ended(key, code)

    def stop(self) -> None:
        """Ask all jobs to save their state and stop."""
        for _, supervisor in self._running.values():
            supervisor.stop.remote()

    def _connect(self, address: str | None) -> None:
        quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
        if address:
            try:
                self._ray.init(address=address, **quiet)
            except (ConnectionError, RuntimeError, ValueError) as error:
                reason = str(error).strip().splitlines()[0]
                raise ConfigError(f"address: no Ray cluster can be used at {address!r}: {reason}") from error
            return
        own = {"num_cpus": usable_cores(), "object_store_memory": _STORE, "_temp_dir": self._temporary}
        try:
            self._ray.init(address="local", include_dashboard=False, **own, **quiet)
        except Exception as error:
            self._close()
            reason = str(error).strip().splitlines()[0]
            raise RunError(
                f"Ray does not start on this machine: {reason} It waits half a minute for its own processes, which may "
                "be too short where much else is at work: type the same command again"
            ) from error

    def _machines(self) -> list[dict]:
        return [machine for machine in self._ray.nodes() if machine["Alive"]]

    def _new_supervisor(self):
        # Two threads: one waits for the job, the other can stop it.
        remote = self._ray.remote(Supervisor).options(num_cpus=self._cores, num_gpus=self._gpus, max_concurrency=2)
        return remote.remote()

    def _close(self) -> None:
        self._ray.shutdown()
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)


def require_ray():
    """The module. Raises ConfigError if it is not installed."""
    # Ray would tell its makers about its use.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise ConfigError("a sweep needs Ray, which is not installed: pip install -e '.[sweep]'") from error
    return ray


def places(there: float, wanted: float) -> int:
    """Jobs of ``wanted`` GPUs each that ``there`` are enough for at once; a fraction lies on one GPU."""
    # 1 / 0.1 is a little less than 10.
    return int(there // wanted) if wanted >= 1 else int(there) * int(1 / wanted + 1e-6)


def gpu_environment(gpus: float) -> dict[str, str]:
    """Variables by which JAX uses ``gpus`` GPUs and leaves the rest to others; it would take most of any it sees."""
    if gpus == 0:
        return {"JAX_PLATFORMS": "cpu"}
    return {"XLA_PYTHON_CLIENT_MEM_FRACTION": f"{0.9 * gpus:.3f}"} if gpus < 1 else {}


def _short_folder() -> str:
    place = tempfile.gettempdir()
    return tempfile.mkdtemp(prefix="reinfer-", dir=place if len(place) <= _LONGEST else "/tmp")
