"""Steps of ``reinfer reproduce``: commands that a user could type, each of which knows whether it is already done."""

import contextlib
import io
import shlex
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

from reinfer.cli import resume, train
from reinfer.cli.stages import load_stage_of
from reinfer.runs.config import differences, from_dict, to_dict
from reinfer.runs.directory import MANIFEST_FILE, RunDirectory
from reinfer.runs.errors import RunError
from reinfer.runs.files import file_sha256, replace_file
from reinfer.runs.models import WEIGHTS_FILE, load_model

#: What ``state`` of a step may be.
ABSENT, STOPPED, DONE = "absent", "stopped", "done"


@dataclass(frozen=True, slots=True)
class Training:
    """One run: ``reinfer train`` if there is none yet, ``reinfer resume`` if it was stopped.

    Args:
        title: for people, and key in the summary.
        settings: arguments of ``reinfer train`` that decide the result.
        loop: those that do not, which ``reinfer resume`` takes as well.
        path: the run's folder, which must be the one that ``settings`` name.
        parents: setting that names a model -> the run whose model it is.
        files: role -> file that it is built from besides.
    """

    title: str
    settings: list[str]
    loop: list[str]
    path: Path
    parents: dict[str, Path] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)

    @property
    def command(self) -> list[str]:
        """What a user would type after ``reinfer``."""
        return ["train", *self.settings]

    @property
    def weights(self) -> Path:
        """The file whose hash tells this run's model from any other."""
        return self.path / "model" / WEIGHTS_FILE

    def check(self) -> None:
        """Raise ConfigError on bad settings, RunError if the run that is there was made with others."""
        wanted = train.read_training([*self.settings, *self.loop]).config
        # The same model may be named by another path; that it is the same, its hash tells.
        require_settings(self.path, to_dict(wanted), self.parents)

    def state(self, recorded: dict | None) -> str:
        """Where the run stands; done only with an intact model. Raises RunError if it was built from other models."""
        if not is_claimed(self.path):
            return ABSENT
        run = RunDirectory.open(self.path)
        if run.status() != "done":
            return STOPPED
        load_model(run.model)
        built_from = {parent["role"]: parent["sha256"] for parent in run.manifest()["parents"]}
        models = {f"{role} model": path / "model" / WEIGHTS_FILE for role, path in self.parents.items()}
        for role, file in (models | self.files).items():
            if built_from.get(role.removesuffix(" model")) != file_sha256(file):
                raise RunError(f"{self.path} was built from another {role} than {file} is now; remove it")
        return DONE

    def perform(self, state: str) -> None:
        """Start or continue the run."""
        if state == STOPPED:
            resume.run([str(self.path), *self.loop])
        else:
            train.run([*self.settings, *self.loop])

    def story(self, seconds: float) -> dict:
        """For the summary. ``seconds`` are replaced by those of all sessions, as the run itself counted them."""
        last = (self.path / "timing.csv").read_text(encoding="utf-8").splitlines()[-1]
        return {"result": str(self.path), "sha256": file_sha256(self.weights), "seconds": float(last.split(",")[1])}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One command whose result is a file made of other files: done while neither they nor the command change.

    Args:
        command: what a user would type after ``reinfer``.
        inputs: files on which the result depends.
        output: the file that is there once all is done.
        captured: ``output`` is what the command prints.
        folder: folder that the command wants to itself; what an older one left in it is removed.
    """

    title: str
    command: list[str]
    inputs: list[Path]
    output: Path
    captured: bool = False
    folder: Path | None = None

    def state(self, recorded: dict | None) -> str:
        """Done or absent, by the entry ``recorded`` in the summary."""
        if recorded is None or not self.output.is_file() or recorded["command"] != self.command:
            return ABSENT
        return DONE if recorded["made_from"] == self._made_from() else ABSENT

    def perform(self, state: str) -> None:
        """Run the command and keep its result."""
        from reinfer.cli.main import dispatch

        if self.folder and self.folder.exists():
            shutil.rmtree(self.folder)
        if not self.captured:
            dispatch(self.command)
            return
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            dispatch(self.command)
        replace_file(self.output, printed.getvalue().encode())

    def story(self, seconds: float) -> dict:
        """For the summary."""
        return {"result": str(self.output), "made_from": self._made_from(), "seconds": seconds}

    def _made_from(self) -> dict[str, str]:
        return {str(path): file_sha256(path) for path in self.inputs}


def is_claimed(path: Path) -> bool:
    """Whether there is a run. A process killed before it wrote a manifest leaves an empty folder: it is removed."""
    if path.is_dir() and not (path / MANIFEST_FILE).exists():
        with contextlib.suppress(OSError):
            path.rmdir()
    return path.exists()


def require_settings(path: Path, wanted: dict, unnamed=()) -> None:
    """Raise RunError if there is a run in ``path`` of other settings than ``wanted``, those ``unnamed`` aside."""
    if not is_claimed(path):
        return
    aside, run = dict.fromkeys(unnamed), RunDirectory.open(path)
    recorded = run.manifest()["config"]
    # What there was no setting for then was done as it is by default.
    recorded = to_dict(from_dict(load_stage_of(run)[1], recorded, str(path))) | recorded
    changed = differences(recorded | aside, wanted | aside)
    if changed:
        raise RunError(
            f"{path} is a run with other settings ({'; '.join(changed)}); remove it to replace it, "
            "or choose another --runs"
        )


def take(step, recorded: dict | None, say) -> dict:
    """Do what is left of ``step``, telling ``say`` about it; returns its entry for the summary."""
    state = step.state(recorded)
    if state == DONE:
        entry = {"command": step.command, **step.story(recorded["seconds"] if recorded else 0.0)}
        say(f"skipped, done before in {entry['seconds']:.0f} s: {entry['result']}")
        return entry
    say(f"{'resumed' if state == STOPPED else 'started'}: reinfer {shlex.join(step.command)}")
    began = time.monotonic()
    step.perform(state)
    took = time.monotonic() - began
    entry = {"command": step.command, **step.story(round(took, 3))}
    before = f", {entry['seconds']:.0f} s of training in all" if state == STOPPED else ""
    say(f"done in {took:.0f} s{before}")
    return entry
