"""``reinfer view`` as a user has it: a process, a real browser, clicks; and one line for every mistake."""

import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from browser import browser, find_browser

from reinfer.cli.main import main

#: Compilation included, on a busy machine.
_PATIENCE_S = 240


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A running ``reinfer view`` and its address; it must end in order when the tests are over."""
    said = tmp_path_factory.mktemp("view") / "stdout.txt"
    program = [sys.executable, "-m", "reinfer.cli.main", "view", "--port", "0"]
    with open(said, "w") as out, subprocess.Popen(program, stdout=out, stderr=subprocess.PIPE, text=True) as process:
        try:
            for _ in range(_PATIENCE_S * 10):
                if found := re.search(r"http://127\.0\.0\.1:(\d+)", said.read_text()):
                    break
                assert process.poll() is None, process.stderr.read()
                time.sleep(0.1)
            yield process, found[0], int(found[1])
        finally:
            process.kill()


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="only Linux tells in /proc who listens where")
def test_serves_on_loopback_only(page):
    _, url, port = page
    assert b"viser" in urllib.request.urlopen(url, timeout=120).read().lower()
    # Every line of this table is a socket; 0A: it listens, and here must do so at 127.0.0.1.
    table = [line.split()[1:4] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    assert [local for local, _, state in table if state == "0A" and local.endswith(f":{port:04X}")] == [
        f"0100007F:{port:04X}"
    ]


@pytest.mark.skipif(find_browser() is None, reason="no Chromium is installed (Debian: chromium-headless-shell)")
def test_a_click_changes_the_task_and_every_tab_shows_the_new_belief(page, tmp_path):
    _, url, _ = page
    with browser(tmp_path) as chromium:
        tab, other = chromium.open(url), chromium.open(url)
        for each in (tab, other):
            each.wait(lambda each=each: each.text("belief"), _PATIENCE_S)
        tab.wait(lambda: tab.text("verdict").startswith("found"), _PATIENCE_S)
        old_task, old_belief = tab.text("true-task"), tab.text("belief")
        tab.click("Another task at random")
        tab.wait(lambda: tab.text("true-task") != old_task)
        tab.wait(lambda: tab.text("verdict").startswith("found"), _PATIENCE_S)
        new_task, new_belief = tab.text("true-task"), tab.text("belief")
        assert _family(new_belief) == _family(new_task) != _family(old_belief)
        assert _target(new_belief) == pytest.approx(_target(new_task), rel=0.05)
        other.wait(lambda: other.text("true-task") == new_task)
        assert other.evaluate("document.querySelectorAll('[data-panel=course] svg').length") == 3
        tab.press("[role=slider]", "ArrowLeft" if _is_high(tab) else "ArrowRight")
        other.wait(lambda: other.text("true-task") not in ("", new_task))
        moved = other.text("true-task")
        assert _family(moved) == _family(new_task)
        assert abs(_target(moved) - _target(new_task)) == pytest.approx(0.05, abs=0.03)
        other.click("pause")
        tab.wait(lambda: tab.text("status").startswith("paused"))
        tab.click("go on")
        other.wait(lambda: other.text("status").startswith("running"))


def test_a_signal_ends_it_and_frees_the_port(page):
    process, _, port = page
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=300) == 0
    assert "Traceback" not in process.stderr.read()
    socket.create_server(("127.0.0.1", port)).close()


#: A robot that no low level is shipped for.
BEETLE = Path(__file__).resolve().parents[2] / "examples" / "beetle" / "beetle.py"


def fails(capsys, *arguments) -> str:
    """The one line on standard error of ``reinfer view`` with ``arguments``, which must end with 2 and say no more."""
    assert main(["view", *arguments]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("reinfer: error: ") and said.err.count("\n") == 1 and said.out == ""
    return said.err


def test_one_line_for_every_mistake(capsys, monkeypatch):
    assert "did you mean '--port'" in fails(capsys, "--prot", "1")
    assert "port: 70000 is not allowed; it must be between 0 and 65535" in fails(capsys, "--port", "70000")
    assert "body: 'cheetah' is not allowed" in fails(capsys, "--body", "cheetah")
    assert "policy: 'told' is not allowed" in fails(capsys, "--policy", "told")
    assert "needs high" in fails(capsys, "--policy", "relearned")
    assert "stride: '0' is not allowed" in fails(capsys, "--stride", "0")
    assert "no run or model at nowhere" in fails(capsys, "--port", "0", "--toy", "nowhere")
    assert "low: must be given for body 'beetle'" in fails(capsys, "--port", "0", "--body", str(BEETLE))
    assert "host: 'no.such.host.invalid' is not allowed" in fails(capsys, "--host", "no.such.host.invalid")
    assert "host: '192.0.2.7' is not allowed" in fails(capsys, "--host", "192.0.2.7")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"port: {port} at 127.0.0.1 cannot be had (Address already in use)" in fails(capsys, "--port", port)
    monkeypatch.setitem(sys.modules, "viser", None)
    for name in [name for name in sys.modules if name.startswith("reinfer.viewing.live")]:
        monkeypatch.delitem(sys.modules, name)
    assert "pip install -e '.[view]' brings it" in fails(capsys)


def _is_high(tab) -> bool:
    """Whether the first slider is in the upper half of its range."""
    now, low, high = (
        float(tab.evaluate(f"document.querySelector('[role=slider]').getAttribute('aria-value{which}')"))
        for which in ("now", "min", "max")
    )
    return now > 0.5 * (low + high)


def _family(words: str) -> str:
    return re.match(r"[a-z ]+", words)[0].strip()


def _target(words: str) -> float:
    return float(re.search(r"[+-][\d.]+", words)[0])
