"""Every command and every piece of Python in the documentation works, as it stands there but for what is in ``HASTE``.

The tutorial on robots of one's own has a test of its own (``test_own_body_commands``).
"""

import contextlib
import importlib.util
import io
import re
import runpy
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import gymnasium
import pytest
import tiny_presets

from reinfer.cli import doctor, parsing, sweep, train
from reinfer.cli.main import main
from reinfer.evaluation import contest, low_level
from reinfer.inference import agent
from reinfer.stages import high, toy
from reinfer.tasks import make_tasks

ROOT = Path(__file__).parents[2]
ELSEWHERE = ROOT / "docs" / "tutorials" / "your-own-robot.md"
PAGES = [page for page in sorted((ROOT / "docs").rglob("*.md")) if page != ELSEWHERE]

#: What is put in place of, or added to, options of commands so that they take seconds: (option, value).
HASTE = {
    "video": ("--seconds", "0.5"),
    "report": ("--clip-s", "0.5"),
    "plot latent": ("--tasks", "20"),
    "eval change": ("--episodes", "2"),
}

#: Commands that another test types, with doubles of what takes long.
TYPED_ELSEWHERE = {"reproduce --preset quick": "test_reproduce.py"}

#: A training that only has to run: (stage, preset) as in ``tiny_presets``.
TINY_HIGH = {"robot_steps": 240, "simulations": 2, "episode_s": 1.5, "judging": 1, "updates": 2, "hidden": (8, 8)}


def commands(page: Path) -> list[str]:
    """Lines of the shell blocks of a page, ``reinfer`` left out."""
    spec = importlib.util.spec_from_file_location("tutorials", ROOT / "benchmarks" / "tutorials.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.commands(page)


def hastened(command: str) -> str:
    for start, (option, value) in HASTE.items():
        if command.startswith(start):
            command = f"{re.sub(f' {option} [0-9.]+', '', command)} {option} {value}"
    return command


@pytest.fixture(scope="module")
def typed(tmp_path_factory):
    """Types a command once in a folder where contests have two tasks of a second and trainings are tiny."""
    folder, done = tmp_path_factory.mktemp("documentation"), set()
    shutil.copytree(ROOT / "examples", folder / "examples")
    shutil.copytree(ROOT / "docs" / "results", folder / "docs" / "results")
    with pytest.MonkeyPatch.context() as patch:
        tiny_presets.install(patch.setitem)
        patch.setattr(toy.ToyStage, "iterate", learn_nothing)
        patch.setitem(high.PRESETS, "quick", replace(high.PRESETS["quick"], **TINY_HIGH))
        patch.setitem(contest.TASK_SETS, "standard", two_tasks)
        patch.setattr(contest, "EPISODE_S", 2.0)
        patch.setattr("reinfer.evaluation.transfer.Contest", short_contest())
        for name, value in (("FALL_S", 1.5), ("ERROR_S", 1.5), ("WINDOW_S", 1.0)):
            patch.setattr(low_level, name, value)
        patch.setattr("reinfer.evaluation.toy.MIXTURE_TASKS", 40)
        patch.setattr("reinfer.evaluation.toy.MIXTURE_STEPS", 10)
        patch.setattr("reinfer.viewing.latent._TSNE_POINTS", 60)
        belief = agent.ARCHITECTURES["belief"]
        patch.setitem(agent.ARCHITECTURES, "belief", belief._replace(forgetting=belief.infer))
        patch.setattr(doctor, "GL_BACKENDS", ("osmesa",))
        patch.setenv("REINFER_COMPILATION_CACHE", "0")
        patch.chdir(folder)

        def type_in(command):
            if command not in done:
                perform(command)
            done.add(command)

        yield type_in


def learn_nothing(stage, state, iteration):
    """In place of an iteration of the toy's training: compiling that takes half a minute, and its own tests do it."""
    return state, {"target_error": 1.0 / (1 + iteration), "family_cross_entropy": 1.0, "components": 1.0}


def two_tasks(body):
    return make_tasks([("goal_forward", 5.0), ("velocity_backward", -1.0)])


def short_contest():
    from functools import partial

    from reinfer.evaluation.transfer import Contest

    return partial(Contest, seconds=2.0)


def perform(command: str) -> None:
    words = hastened(command).split()
    if words[0] == "make":
        subprocess.run(["make", "-n", "-C", str(ROOT), *words[1:]], check=True, capture_output=True)
    elif words[0] == "python":
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()):
            patch.setattr(sys, "argv", [words[1], "40"])
            runpy.run_path(words[1], run_name="__main__")
    elif command in TYPED_ELSEWHERE:
        text = Path(__file__).with_name(TYPED_ELSEWHERE[command]).read_text()
        assert ", ".join(f'"{word}"' for word in words) in text
    elif words[0] == "sweep":
        # All trials are planned and checked; ``test_sweep`` performs sweeps, of a stage that takes a moment.
        sweep.read_sweep(words[1:])
    else:
        with contextlib.redirect_stdout(io.StringIO()):
            assert main(words) == 0, command


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=name_of)
def test_every_command_works(page, typed):
    for command in commands(page):
        typed(command)


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=name_of)
def test_a_page_makes_what_it_uses(page):
    there = set()
    for command in commands(page):
        words = command.split()
        made = {words[words.index(flag) + 1] for flag in ("--out", "--output", "--runs") if flag in words}
        if words[0] == "train":
            made.add(f"runs/{words[1]}/{words[words.index('--name') + 1]}")
        missing = {word for word in words if word.startswith("runs/")} - made - there
        assert not missing, f"{command}: {missing} was not made on this page"
        there |= made


@pytest.mark.parametrize(
    "page", [page for page in [ROOT / "README.md", *PAGES] if "```python" in page.read_text()], ids=name_of
)
def test_every_piece_of_python_works(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    examples = [path.read_text() for path in (ROOT / "examples").rglob("*.py")]
    # As in a process that has not imported it: what a page does not import is not registered.
    monkeypatch.delitem(sys.modules, "reinfer.simulation", raising=False)
    for name in [name for name in gymnasium.registry if name.startswith("reinfer/")]:
        monkeypatch.delitem(gymnasium.registry, name)
    for piece in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        indented = ["".join(f"{indent}{line}" for line in piece.splitlines(True)) for indent in ("", "    ")]
        if any(text in example for text in indented for example in examples):
            continue
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(piece, name_of(page), "exec"), {})


class Understood(BaseException):
    """Raised in place of carrying out a command."""


def test_commands_of_the_readme_and_within_sentences_are_understood(monkeypatch):
    real = parsing.tyro.cli

    def understand(*arguments, **options):
        real(*arguments, **options)
        raise Understood

    found = re.findall(r"^    reinfer (.*?)(?:  +#.*)?$", (ROOT / "README.md").read_text(), re.MULTILINE)
    found = [command for line in found for command in re.split("; reinfer ", line)]
    assert len(found) > 15
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        found += re.findall(r"`reinfer ([a-z][^`]*[^.`])`", page.read_text())
    for command in dict.fromkeys(found):
        words = command.split()
        # What needs arguments may be mentioned without.
        if "--help" in words or words in (["train"], ["sweep"]):
            continue
        if words[0] == "train":
            train.read_training(words[1:])
        elif words[0] == "sweep":
            sweep.read_sweep(words[1:])
        else:
            with monkeypatch.context() as patch, pytest.raises(Understood):
                patch.setattr(parsing.tyro, "cli", understand)
                main(words)


def test_every_page_is_in_the_site_and_every_figure_has_its_command():
    site = (ROOT / "mkdocs.yml").read_text()
    for page in (ROOT / "docs").rglob("*.md"):
        assert str(page.relative_to(ROOT / "docs")) in site
        made = " ".join(commands(page))
        for figure in re.findall(r"!\[.*?\]\((?:\.\./)?(figures/.*?)\)", page.read_text()):
            assert (ROOT / "docs" / figure).is_file() and f"--output docs/{figure}" in made


def test_links_lead_somewhere():
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for link in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text()):
            assert link.startswith("https://") or (page.parent / link).exists(), f"{page}: {link}"


def test_the_reference_has_every_public_name():
    import reinfer

    text = (ROOT / "docs" / "reference.md").read_text()
    named = set(re.findall(r"^::: ([\w.]+)", text, re.MULTILINE))
    assert {name.rpartition(".")[2] for name in named} == set(reinfer.__all__) - {"__version__"}
    for path in named:
        module, _, name = path.rpartition(".")
        assert getattr(importlib.import_module(module), name) is getattr(reinfer, name)


def test_the_site_can_be_built(tmp_path):
    pytest.importorskip("mkdocs", reason="the extra `docs` is not installed: `make docs` needs it")
    line = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(tmp_path / "site")]
    subprocess.run(line, check=True, cwd=ROOT, env={"PATH": "", "NO_MKDOCS_2_WARNING": "1"})
    for built in (tmp_path / "site").rglob("*.html"):
        fetched = re.findall(
            r"""(?:src|srcset|data|poster)="?(http[^"> ]*)|<link[^>]*href="(http[^"]*)""", built.read_text()
        )
        assert not fetched, built
    text = (tmp_path / "site" / "how" / "toy.html").read_text()
    assert text.count("<math") > 5 and "unpkg" not in text


def test_stable_baselines3_trains_as_the_page_says(monkeypatch, capsys):
    pytest.importorskip("stable_baselines3", reason="it needs PyTorch, which reinfer does not")
    path = ROOT / "examples" / "other_libraries" / "stable_baselines3_sac.py"
    monkeypatch.setattr(sys, "argv", [str(path), "200"])
    runpy.run_path(str(path), run_name="__main__")
    assert "return on" in capsys.readouterr().out
