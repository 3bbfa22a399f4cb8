"""``examples/slurm_sweep.sh`` with doubles of Slurm, Ray and the sweep: what it starts, and what a time limit does."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "slurm_sweep.sh"

DOUBLES = {
    "hostname": "echo 10.0.0.1 fe80::1",
    "srun": 'echo "srun $1 $2" >> asked; shift 2; SLURM_NODEID=0 "$@"; SLURM_NODEID=1 "$@"; exec sleep 100',
    "sleep": '[ "$1" = 100 ] || exit 0; exec /bin/sleep 100',
    "ray": 'echo "ray $*" >> said; [ "$1" = start ] || [ -e said ]',
    "scontrol": 'echo "scontrol $*" >> said',
}


@pytest.fixture
def start(tmp_path):
    """Starts the script; ``sweep`` is the body of the double of ``reinfer``."""

    def begin(sweep: str, *arguments: str) -> subprocess.Popen:
        folder = tmp_path / ".venv" / "bin"
        folder.mkdir(parents=True)
        for name, body in (DOUBLES | {"reinfer": sweep}).items():
            (folder / name).write_text(f"#!/bin/bash\n{body}\n")
            (folder / name).chmod(0o755)
        (folder / "activate").write_text('PATH="$PWD/.venv/bin:$PATH"\n')
        job = {"SLURM_JOB_ID": "41", "SLURM_CPUS_PER_TASK": "8"}
        return subprocess.Popen(["bash", str(SCRIPT), *arguments], cwd=tmp_path, env=os.environ | job)

    return begin


def test_it_starts_ray_on_every_node_and_the_sweep(start, tmp_path):
    waits = 'while [ "$(grep -c "ray start" said)" != 2 ]; do /bin/sleep 0.1; done'
    script = start(
        f'{waits}; printf "<%s>" "$@" >> said; exit 1', "toy", "--over", "hidden=8 8,16", "--", "--preset", "quick"
    )
    assert script.wait(60) == 1
    said = (tmp_path / "said").read_text()
    assert "ray start --head --port 20041 " in said and "ray start --address 10.0.0.1:20041 --num-cpus 8" in said
    assert "<sweep><--address><10.0.0.1:20041><toy><--over><hidden=8 8,16><--><--preset><quick>" in said
    assert "requeue" not in said
    assert (tmp_path / "asked").read_text() == "srun --cpus-per-task=8 --kill-on-bad-exit=0\n", (
        "steps do not inherit it"
    )


def test_a_time_limit_stops_the_sweep_and_queues_the_job_again(start, tmp_path):
    saves = 'trap "echo saved >> said; exit 75" TERM; echo on >> said; while true; do /bin/sleep 0.1; done'
    script = start(saves, "toy")
    said = tmp_path / "said"
    while not said.exists() or "on\n" not in said.read_text():
        assert script.poll() is None
        time.sleep(0.05)
    script.send_signal(signal.SIGTERM)
    assert script.wait(60) == 75
    told = [line for line in said.read_text().splitlines() if not line.startswith("ray ")]
    assert told == ["on", "saved", "scontrol requeue 41"]
