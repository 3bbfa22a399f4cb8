"""Jobs in processes of their own: they end with their supervisor, stop on request, and keep to their cores."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from reinfer.runs.processes import Job, Supervisor, own_cores

FOREVER = "from reinfer.runs.processes import end_with_starter\nend_with_starter()\nimport time\ntime.sleep(100)"


def job(program: str, place, **changes) -> Job:
    return Job(("-c", program), str(place), str(place / "out.txt"), 1, {})._replace(**changes)


def is_alive(process: Path) -> bool:
    """Whether ``process``, a folder of /proc, has not ended; one that nobody waits for leaves its folder behind."""
    try:
        return "\nState:\tZ" not in (process / "status").read_text()
    except OSError:
        return False


def wait_until(true):
    for _ in range(3000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError


def test_code_output_folder_and_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("SET_BEFORE", "yes")
    program = "import os, sys; print(os.getcwd(), os.environ['SET_BEFORE'], os.environ['FRESH']); sys.exit(7)"
    wanted = job(program, tmp_path, environment={"SET_BEFORE": "no", "FRESH": "new"})
    supervisor = Supervisor()
    assert supervisor.run(wanted) == supervisor.run(wanted) == 7
    assert (tmp_path / "out.txt").read_text() == 2 * f"{tmp_path} yes new\n"
    assert supervisor.run(job("import os; os.kill(os.getpid(), 9)", tmp_path)) == -signal.SIGKILL
    with pytest.raises(FileNotFoundError, match="nowhere"):
        supervisor.run(job("", tmp_path, folder=str(tmp_path / "nowhere")))


def test_stop_asks_the_job_and_begins_no_other(tmp_path):
    supervisor, codes = Supervisor(), []
    program = "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(75))"
    wanted = job(f"{program}\nprint('on', flush=True)\ntime.sleep(100)", tmp_path)
    thread = threading.Thread(target=lambda: codes.append(supervisor.run(wanted)))
    thread.start()
    wait_until(lambda: (tmp_path / "out.txt").exists() and "on" in (tmp_path / "out.txt").read_text())
    supervisor.stop()
    thread.join(20)
    assert codes == [75] and supervisor.run(job("print('never')", tmp_path)) == 75
    assert "never" not in (tmp_path / "out.txt").read_text()


@pytest.mark.kill
def test_a_job_does_not_outlive_its_supervisor(tmp_path):
    wanted = job(f"import os\nprint(os.getpid(), flush=True)\n{FOREVER}", tmp_path)
    program = f"from reinfer.runs.processes import Job, Supervisor\nSupervisor().run({wanted!r})"
    starter = subprocess.Popen([sys.executable, "-c", program])
    output = tmp_path / "out.txt"
    wait_until(lambda: output.exists() and output.read_text().endswith("\n"))
    child = Path(f"/proc/{int(output.read_text())}")
    assert is_alive(child)
    starter.kill()
    starter.wait()
    wait_until(lambda: not is_alive(child))


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot keep programs on cores")
def test_jobs_have_cores_of_their_own(tmp_path):
    usable = os.sched_getaffinity(0)
    if len(usable) < 2:
        pytest.skip("this machine has one core")
    with own_cores(1, tmp_path):
        first = os.sched_getaffinity(0)
        seen = []

        def second():
            os.sched_setaffinity(0, usable)
            with own_cores(1, tmp_path):
                seen.append(os.sched_getaffinity(0))
            with own_cores(len(usable), tmp_path):
                seen.append(os.sched_getaffinity(0))
            with own_cores(len(usable) - 1, tmp_path):
                seen.append(os.sched_getaffinity(0))

        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert len(first) == 1 and os.sched_getaffinity(0) == usable
    # Where too few are free nothing is restricted, and nothing is kept from others.
    assert len(seen[0]) == 1 and seen[0].isdisjoint(first)
    assert seen[1] == usable and seen[2] == usable - first
