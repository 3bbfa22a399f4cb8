"""A real Chromium without a window, driven by its DevTools protocol: navigate, click, read, take pictures."""

import base64
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time

from websockets.sync.client import connect

#: Programs that will do, in the order of preference.
PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "chrome")


def find_browser() -> str | None:
    """Path of an installed Chromium, None if there is none."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


class Tab:
    """One page."""

    def __init__(self, socket):
        self._socket, self._number = socket, 0

    def call(self, method: str, **parameters) -> dict:
        """The result of a command of the protocol. Raises RuntimeError with the browser's word if it fails."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv(timeout=120))
            if answer.get("id") == self._number:
                break
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def evaluate(self, expression: str):
        """The value of a JavaScript ``expression``."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in found:
            raise RuntimeError(f"{expression}: {found['exceptionDetails']['text']}")
        return found["result"].get("value")

    def text(self, panel: str) -> str:
        """What the panel of this name says; empty while it is not there."""
        return self.evaluate(f"document.querySelector('[data-panel=\"{panel}\"]')?.textContent ?? ''")

    def wait(self, condition, seconds: float = 60.0):
        """Wait until ``condition()`` is true and return it. Raises TimeoutError."""
        until = time.monotonic() + seconds
        while not (found := condition()):
            if time.monotonic() > until:
                raise TimeoutError(f"not within {seconds} s")
            time.sleep(0.05)
        return found

    def click(self, label: str) -> None:
        """Press the mouse on the button that says ``label``."""
        find = f"[...document.querySelectorAll('button')].find(b => b.textContent.trim() === {json.dumps(label)})"
        self.wait(lambda: self.evaluate(f"!!{find}"))
        self.evaluate(f"{find}.scrollIntoView({{block: 'center'}})")
        x, y = self.evaluate(f"(r => [r.x + r.width / 2, r.y + r.height / 2])({find}.getBoundingClientRect())")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, selector: str, key: str) -> None:
        """Press ``key`` on the element that the CSS ``selector`` finds first."""
        self.evaluate(f"document.querySelector({json.dumps(selector)}).focus()")
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key)

    def size(self, width: int, height: int, phone: bool = False) -> None:
        """Make the window so large."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)

    def picture(self, path) -> None:
        """Write what is seen as PNG."""
        data = self.call("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(data))


class Browser:
    """A running Chromium; ``open`` gives tabs."""

    def __init__(self, address: str):
        self._socket = connect(address, max_size=None)
        self._host = re.match(r"ws://[^/]+", address)[0]
        self._browser, self._tabs = Tab(self._socket), []

    def open(self, url: str) -> Tab:
        """A new tab that shows ``url``."""
        target = self._browser.call("Target.createTarget", url="about:blank")["targetId"]
        socket = connect(f"{self._host}/devtools/page/{target}", max_size=None)
        self._tabs.append(socket)
        tab = Tab(socket)
        tab.size(1400, 900)
        tab.call("Page.navigate", url=url)
        return tab

    def close(self) -> None:
        """Let go of all tabs."""
        for socket in (*self._tabs, self._socket):
            socket.close()


@contextlib.contextmanager
def browser(folder):
    """A Chromium that keeps its things in ``folder``, until the block ends."""
    options = ("--headless", "--no-sandbox", "--remote-debugging-port=0", "--hide-scrollbars", "--mute-audio")
    # Pictures of the scene without a graphics card.
    drawing = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
    program = [find_browser(), *options, *drawing, f"--user-data-dir={folder}", "about:blank"]
    with open(folder / "stderr.txt", "w") as said:
        # Debian's program is a script that waits for the browser: a group of its own ends with it.
        process = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=said, start_new_session=True)
    opened = None
    try:
        until = time.monotonic() + 60
        while not (address := re.search(r"ws://\S+", (folder / "stderr.txt").read_text())):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{program[0]} did not start: {(folder / 'stderr.txt').read_text()[-400:]}")
            time.sleep(0.05)
        opened = Browser(address[0])
        yield opened
    finally:
        if opened is not None:
            opened.close()
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)
