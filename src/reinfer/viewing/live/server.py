"""Serving the page: one address, one session stepped in real time, an orderly end."""

import contextlib
import errno
import io
import socket
import time
from collections.abc import Callable

import viser

from reinfer.runs.errors import ConfigError, RunError
from reinfer.runs.signals import watch
from reinfer.viewing.live.pacing import Pacer
from reinfer.viewing.live.page import Page
from reinfer.viewing.live.session import Session

#: The robot is shown at least so often, between control steps too where these are longer.
STATES_PER_S = 40

#: How long a paused session sleeps before it asks what is wanted.
_IDLE_S = 0.03


class LocalServer(viser.ViserServer):
    """A viser server that says nothing on its own, and that no tab can have published elsewhere."""

    def __init__(self, host: str, port: int):
        with contextlib.redirect_stdout(io.StringIO()):
            super().__init__(host=host, port=port, verbose=False)

    def stop(self) -> None:
        """Let go of all tabs and of the port."""
        with contextlib.redirect_stdout(io.StringIO()):
            super().stop()

    def request_share_url(self, verbose: bool = True) -> None:
        """Refused: the page is seen where ``host`` says, and nowhere else."""


def open_server(host: str, port: int) -> LocalServer:
    """A server at ``host`` and ``port``, 0 for any free one. Raises ConfigError if it cannot listen there."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            port = probe.getsockname()[1]
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise ConfigError(
                f"port: {port} at {host} cannot be had ({error.strerror}); allowed: another one, or 0 for any free one"
            ) from error
        raise ConfigError(f"host: {host!r} is not allowed ({error.strerror}); it must be of this machine") from error
    server = LocalServer(host, port)
    if server.get_port() != port:
        server.stop()
        raise RunError(f"port: {port} was taken by somebody else meanwhile; try again")
    return server


def serve(server: LocalServer, session: Session, bodies: tuple[str, ...]) -> None:
    """Step and show ``session`` in real time until a stop signal. Prints the address once the page is there."""
    with watch("closing the page") as stop:
        page = Page(server, session, bodies, session.tick())
        host = server.get_host()
        address = f"http://{f'[{host}]' if ':' in host else host}:{server.get_port()}"
        print(f"reinfer view: {address}  (Ctrl-C ends it)", flush=True)
        play(page, session, lambda: bool(stop))


def play(page: Page, session: Session, over: Callable[[], bool]) -> Pacer:
    """Step ``session`` and show it on ``page`` in real time until ``over()``; returns what was measured."""
    pacer, now = Pacer(), session.tick()
    while not over():
        now, before = session.tick(), now
        if now.paused or now.body != before.body:
            page.show(now, "")
            page.pose(now.frames[-1], float(now.task_state[0]))
            time.sleep(_IDLE_S)
            pacer.restart()
            continue
        page.show(now, pacer.words())
        start = before.task_state[0] if now.episode == before.episode else now.task_state[0]
        _show_frames(page, pacer, now, float(start), session.control_dt_s)
    return pacer


def _show_frames(page: Page, pacer: Pacer, now, start: float, control_dt_s: float) -> None:
    """The states of one control step, each at its time; the robot goes from ``start`` to where it is in m."""
    frames = now.frames
    shown = min(len(frames), max(1, round(STATES_PER_S * control_dt_s)))
    for index in range(shown):
        share = (index + 1) / shown
        pacer.wait(control_dt_s / shown)
        page.pose(frames[round(share * len(frames)) - 1], start + share * (float(now.task_state[0]) - start))
        pacer.shown()
    pacer.stepped(control_dt_s)
