"""The tutorial on robots of one's own, word for word with tiny settings; and what a changed robot meets."""

import contextlib
import importlib.util
import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import tiny_presets

from reinfer.cli.main import main
from reinfer.evaluation import contest
from reinfer.evaluation import low_level as low_level_evaluation
from reinfer.runs.directory import RunDirectory
from reinfer.stages import high
from reinfer.transfer import load_record, save_record

ROOT = Path(__file__).parents[2]
EXAMPLE, PAGE = ROOT / "examples" / "beetle", ROOT / "docs" / "tutorials" / "your-own-robot.md"
BODY = "examples/beetle/beetle.py"

#: What is added to commands of the page so that they take seconds.
HASTE = {"video": " --seconds 0.5", "report": " --clip-s 0.5"}


def commands_of_the_page() -> list[str]:
    spec = importlib.util.spec_from_file_location("tutorials", ROOT / "benchmarks" / "tutorials.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.commands(PAGE)


@pytest.fixture(scope="module")
def typed(tmp_path_factory):
    """A folder in which the whole tutorial was typed with tiny settings, and what each command said."""
    folder = tmp_path_factory.mktemp("tutorial")
    shutil.copytree(ROOT / "examples", folder / "examples")
    said = {}
    with pytest.MonkeyPatch.context() as patch, pytest.MonkeyPatch.context() as place:
        tiny_presets.install(patch.setitem)
        patch.setitem(contest.TASK_SETS, "heldout", contest.standard_tasks)
        patch.setattr(low_level_evaluation, "FALL_S", 1.5)
        patch.setattr(low_level_evaluation, "ERROR_S", 1.5)
        patch.setattr(low_level_evaluation, "WINDOW_S", 1.0)
        patch.setenv("REINFER_COMPILATION_CACHE", "0")
        place.chdir(folder)
        for command in commands_of_the_page():
            words, _, output = command.partition(" > ")
            said[command] = type_in(words + HASTE.get(words.split()[0], ""))
            if output:
                Path(output).write_text(said[command])
    return folder, said


def type_in(command: str) -> str:
    """What a command prints; it must succeed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main(command.split()) == 0, command
    return printed.getvalue()


def test_every_command_of_the_tutorial_works(typed):
    folder, said = typed
    assert len(said) >= 9 and {command.split()[0] for command in said} >= {"doctor", "train", "eval", "transfer"}
    assert (folder / "runs/transfer/beetle.mp4").stat().st_size > 1000
    text = (folder / "runs/transfer/beetle.html").read_text()
    assert "reused on a beetle" in text and text.count("<video") == 2
    assert f"reinfer train low --body {BODY}" in text and "ublished" not in text, "nothing is published on it"
    assert "<h2>Learning curves</h2>" in text and "Learning curve of low/beetle: reward" in text
    (played,) = [command for command in said if command.startswith("transfer")]
    assert f"reinfer {played}" in text, "the report tells how its contest was played"
    report = json.loads((folder / "runs/transfer/beetle/transfer.json").read_text())
    assert (report["body"], report["body_file"], report["n_tasks"]) == ("beetle", BODY, 12)


def test_the_page_shows_the_files_themselves():
    (shown,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert shown in (EXAMPLE / "beetle.py").read_text()
    assert len((EXAMPLE / "beetle.py").read_text().splitlines()) <= 30


def test_models_know_their_robot(typed):
    folder, _ = typed
    for run, roles in (("low", set()), ("stride", {"toy", "low"})):
        manifest = RunDirectory.open(folder / "runs" / run / "beetle").manifest()
        assert {parent["role"] for parent in manifest["parents"]} == roles | {"body: beetle.py", "body: beetle.xml"}
        described = json.loads((folder / "runs" / run / "beetle/model/model.json").read_text())
        assert described["config"]["body"] == "beetle" and set(described["config"]["body_files"]) == {
            "beetle.py",
            "beetle.xml",
        }
    record = load_record(folder / "runs/transfer/beetle/toy_stride_learned_seed0.safetensors")
    assert record.body == str(folder.resolve() / BODY) and len(record.body_files) == 2


@pytest.fixture
def place(typed, tmp_path, monkeypatch):
    """A copy of that folder to spoil, as the working folder."""
    shutil.copytree(typed[0], tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    tiny_presets.install(monkeypatch.setitem)
    monkeypatch.setenv("REINFER_COMPILATION_CACHE", "0")
    return tmp_path


def refused(capsys, command: str) -> str:
    """The one line of a command that must exit with 2."""
    capsys.readouterr()
    assert main(command.split()) == 2
    error = capsys.readouterr().err
    assert error.startswith("reinfer: error: ") and error.count("\n") == 1
    return error


USES = {
    f"eval low --body {BODY} --model runs/low/beetle": "model: runs/low/beetle was made for another version",
    f"transfer --body {BODY} --low runs/low/beetle --stride 1 --out out": "low: runs/low/beetle was made for another",
    f"train stride --body {BODY} --low runs/low/beetle --name b": "low: runs/low/beetle was made for another version",
    f"train high --body {BODY} --low runs/low/beetle --name b": "low: runs/low/beetle was made for another version",
    f"eval change --body {BODY} --low runs/low/beetle": "low: runs/low/beetle was made for another version",
    "video runs/transfer/beetle --body examples/beetle/beetle.py --output out.mp4": "the record was made for another",
    f"report runs/transfer/beetle --body {BODY} --output out.html": "the record was made for another version",
}


@pytest.mark.parametrize("command", USES)
def test_a_changed_robot_is_refused(place, capsys, command):
    model = place / "examples/beetle/beetle.xml"
    model.write_text(model.read_text().replace('settotalmass="8"', 'settotalmass="9"'))
    error = refused(capsys, command)
    assert USES[command] in error and "beetle.xml: " in error and "undo the change, or train anew" in error
    assert not any(place.glob("out*"))


def test_a_run_goes_on_with_its_own_robot_only(place, capsys):
    options = "--preset quick --iterations 4 --name half --no-progress"
    assert main(f"train low --body {BODY} {options}".split()) == 0
    run = RunDirectory.open(place / "runs/low/half")
    shutil.rmtree(run.model)
    run.update(status="preempted")
    body = place / BODY
    text = body.read_text()
    body.write_text(text.replace("fall_pitch_rad=1.0", "fall_pitch_rad=0.9"))
    error = refused(capsys, "resume runs/low/half")
    assert f"parent 'body: beetle.py': {BODY} is not what the run was started with" in error
    body.unlink()
    assert f"body: '{BODY}' cannot be read: No such file" in refused(capsys, "resume runs/low/half")
    body.write_text(text)
    assert main(["resume", "runs/low/half", "--no-progress"]) == 0 and run.model.is_dir()


def test_a_robot_that_moved_is_found_where_it_is_now(place, capsys):
    (place / "examples").rename(place / "moved")
    path = place / "runs/transfer/beetle/toy_stride_learned_seed0.safetensors"
    save_record(path, load_record(path)._replace(body=str(place / BODY)))
    error = refused(capsys, "video runs/transfer/beetle --seconds 0.5 --output out.mp4")
    assert "cannot be read: No such file" in error
    moved = BODY.replace("examples", "moved")
    assert main(f"video runs/transfer/beetle --seconds 0.5 --body {moved} --output out.mp4".split()) == 0
    assert main(f"eval transfer --body {moved} --low runs/low/beetle --stride 20".split()) == 0


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (f"eval low --body {BODY}", "model: must be given for body 'beetle', since no beetle/low is shipped; `reinfer"),
        (f"transfer --body {BODY}", "low: must be given for body 'beetle', since no beetle/low is shipped"),
        (
            f"transfer --body {BODY} --low runs/low/beetle --stride learned",
            "stride_model (or another stride): must be given for body",
        ),
        ("eval low --body half_cheetah --model runs/low/beetle", "was made for body 'beetle', not for 'half_cheetah'"),
        (f"eval low --body {BODY} --model shipped:half_cheetah/low", "was made for body 'half_cheetah', not for 'bee"),
        ("train low --body examples/beetle/bug.py", "body: 'examples/beetle/bug.py' cannot be read: No such file"),
        ("train low --body beetle", "body: 'beetle' is not allowed; it must be one of half_cheetah"),
        ("reproduce --body examples/beetle/bug.py", "body: 'examples/beetle/bug.py' cannot be read"),
    ],
)
def test_mistakes_are_one_line_before_anything_is_made(place, capsys, command, words):
    before = sorted(place.rglob("*"))
    assert words in refused(capsys, command)
    assert sorted(place.rglob("*")) == before


def test_the_high_level_is_relearned_on_it_too(place, monkeypatch, capsys):
    tiny = replace(
        high.PRESETS["quick"], robot_steps=240, simulations=2, episode_s=1.5, judging=1, updates=2, hidden=(8, 8)
    )
    monkeypatch.setitem(high.PRESETS, "quick", tiny)
    assert main(f"train high --preset quick --body {BODY} --low runs/low/beetle --name b --no-progress".split()) == 0
    policy = "--policy relearned --high runs/high/b"
    assert main(f"eval transfer --body {BODY} --low runs/low/beetle --stride 20 {policy}".split()) == 0
    assert "relearned is told rewards only" in capsys.readouterr().out


def test_everything_from_nothing_and_again_after_a_change(place, capsys):
    """``reproduce`` on a robot of one's own; a changed robot is never taken for the one that was trained."""
    command = f"reproduce --body {BODY} --preset quick --no-progress --no-video"
    assert main(command.split()) == 0
    assert (place / "runs/reproduce/beetle/report.html").is_file()
    model = place / "examples/beetle/beetle.xml"
    model.write_text(model.read_text().replace('settotalmass="8"', 'settotalmass="9"'))
    assert "low/beetle was built from another body: beetle.xml than" in refused(capsys, command)
