"""What a killed process leaves behind, at every disk operation of a run's life: resuming changes no byte."""

import builtins
import contextlib
import os
import shutil

import pytest
from line_stage import LineConfig, LineStage, fingerprint

from reinfer.runs import checkpoint
from reinfer.runs.directory import RunDirectory
from reinfer.runs.loop import fit

CONFIG = LineConfig(iterations=11, sync_interval=4)
#: The operations by which a run changes its folder.
OPERATIONS = (
    (os, "fsync"),
    (os, "replace"),
    (os, "mkdir"),
    (shutil, "rmtree"),
    (builtins, "open"),
    (checkpoint.safetensors.numpy, "save_file"),
)


@contextlib.contextmanager
def watching(before):
    """Call ``before(name, arguments)`` before every disk operation in the block."""
    former = [(module, name, getattr(module, name)) for module, name in OPERATIONS]
    busy = False

    def wrap(name, function):
        def watched(*arguments, **options):
            nonlocal busy
            if not busy:
                busy = True
                before(name, arguments)
                busy = False
            return function(*arguments, **options)

        return watched

    for module, name, function in former:
        setattr(module, name, wrap(name, function))
    try:
        yield
    finally:
        for module, name, function in former:
            setattr(module, name, function)


def train(path):
    return fit(LineStage(CONFIG), RunDirectory.open(path), resume=True, progress=False, checkpoint_interval_s=0.0)


@pytest.mark.kill
@pytest.mark.parametrize("torn", [False, True], ids=["killed", "power lost"])
def test_death_at_any_disk_operation_is_survived(tmp_path, torn):
    """The folder is copied before each operation, without what is still in the buffers of the process.

    With ``torn``, every file that was not yet synced has lost half of its bytes, too.
    """
    run = RunDirectory.create(tmp_path, "line", CONFIG, [], [], name="whole")
    copies, synced = [], set()

    def copy(name, arguments):
        target = tmp_path / "line" / f"copy{len(copies)}"
        shutil.copytree(run.path, target)
        for file in target.rglob("*"):
            unsynced = str(file.relative_to(target)) not in synced
            if torn and unsynced and ".partial" in str(file) and file.is_file():
                os.truncate(file, file.stat().st_size // 2)
        if name == "fsync":
            path = os.readlink(f"/proc/self/fd/{arguments[0]}")
            synced.add(os.path.relpath(path, run.path))
        copies.append((target, name))

    with watching(copy):
        train(run.path)
    assert {name for _, name in copies} == {name for _, name in OPERATIONS}
    assert len(copies) > 50
    starts = set()
    for path, name in copies:
        train(path)
        assert fingerprint(path) == fingerprint(run.path), f"died in {path.name}, before {name}"
        manifest = RunDirectory.open(path).manifest()
        assert manifest["status"] == "done"
        starts.add(manifest["sessions"][-1]["from_iteration"])
        assert not list(path.glob("**/*.partial/*"))
    assert starts == {0, 4, 8, 11}


def test_files_are_synced_before_they_are_renamed(tmp_path):
    """A rename may reach the disk before the bytes it names, unless they are synced first."""
    seen = []

    def note(name, arguments):
        if name in ("fsync", "replace"):
            path = os.readlink(f"/proc/self/fd/{arguments[0]}") if name == "fsync" else str(arguments[0])
            seen.append((name, os.path.basename(path)))

    run = RunDirectory.create(tmp_path, "line", CONFIG, [], [])
    with watching(note):
        checkpoint.save(run, 4, LineStage(CONFIG).init(), {})
    assert seen == [
        ("fsync", "state.safetensors"),
        ("fsync", "manifest.json"),
        ("fsync", ".000000004.partial"),
        ("replace", ".000000004.partial"),
        ("fsync", "checkpoints"),
        ("fsync", ".latest.partial"),
        ("replace", ".latest.partial"),
        ("fsync", "checkpoints"),
    ]
