"""The page: controls on the left, the robot in the middle, beliefs on the right; on a telephone below the robot."""

import time

import viser

from reinfer.tasks import KINDS, family_index
from reinfer.tasks.families import FAMILY_KIND
from reinfer.viewing.live import panels
from reinfer.viewing.live.controls import ROUTE_LABELS, Controls
from reinfer.viewing.live.history import History
from reinfer.viewing.live.scenery import Scenery
from reinfer.viewing.live.session import Session, Snapshot
from reinfer.viewing.style import SOFT_INK

#: How often panels and markers are drawn anew; the robot is, at every state.
PANELS_PER_S = 6.0

_PANEL_PIXELS = 380


class Page:
    """One page for all tabs.

    Args:
        server: where it is shown.
        session: what its controls command; asked for nothing else than its equipment.
        bodies: robots to choose from.
        now: the first moment.
    """

    def __init__(self, server: viser.ViserServer, session: Session, bodies: tuple[str, ...], now: Snapshot):
        self._server, self._session = server, session
        self._history, self._drawn_s, self._scenery = History(), 0.0, None
        gui = server.gui
        gui.set_panel_label("reinfer view")
        gui.configure_theme(control_width="medium", show_logo=False, show_share_button=False)
        server.on_client_connect(_look)
        self._summary = gui.add_html("")
        self._controls = Controls(server, session, bodies, now, self._say_loading)
        self._status = gui.add_html("")
        panel = gui.add_panel()
        with panel.add_tab("Belief", viser.Icon.BULB):
            self._charts = {name: gui.add_html("") for name in ("probabilities", "course", "signals", "latent")}
        gui.main_panel.dock_left()
        panel.dock_right()
        panel.set_width(_PANEL_PIXELS)
        self.show(now, "")

    def pose(self, qpos, x: float) -> None:
        """Show the robot in the posture ``qpos`` (nq,), at ``x`` in m."""
        self._scenery.pose(qpos, x)

    def show(self, now: Snapshot, pace: str) -> None:
        """Take in one moment, and draw it if the last drawing is old enough; ``pace`` is said in words."""
        self._history.add(now)
        if self._scenery is None or self._of != now.body:
            self._set_up(now)
        if time.monotonic() - self._drawn_s < 1.0 / PANELS_PER_S:
            return
        self._drawn_s = time.monotonic()
        with self._server.atomic():
            self._controls.show(now)
            self._scenery.decorate(now)
            self._summary.content = panels.summary(now)
            self._status.content = _status(now, pace)
            for name, content in self._contents(now).items():
                self._charts[name].content = _framed(name, content)

    def _contents(self, now: Snapshot) -> dict[str, str]:
        kinds = {int(FAMILY_KIND[family_index(name)]) for name, _, _ in self._session.equipment.tasks.ranges}
        return {
            "probabilities": panels.probabilities(now),
            "course": panels.course(self._history, now, [KINDS[kind] for kind in sorted(kinds)]),
            "signals": panels.signals(self._history, now),
            "latent": panels.latent(self._history, now, self._session.equipment.latent_map),
        }

    def _set_up(self, now: Snapshot) -> None:
        """The scene of another robot."""
        if self._scenery is not None:
            self._scenery.remove()
        self._scenery, self._of = Scenery(self._server, self._session.equipment), now.body
        self._scenery.pose(now.frames[-1], float(now.task_state[0]))

    def _say_loading(self, body: str) -> None:
        """What loading takes, the page says before the session, which does it, is heard of again."""
        self._status.content = _small("status", f"loading {body}, some seconds…")


def _look(client: viser.ClientHandle) -> None:
    """The first view of a tab; where it is tall, the robot is shown above the panels that cover its lower part."""
    upright = client.camera.aspect < 1.0
    client.camera.position = (0.4, -8.0, 0.2) if upright else (0.4, -4.8, 1.25)
    client.camera.look_at = (0.0, 0.0, -1.6) if upright else (0.0, 0.0, 0.6)


def _framed(name: str, content: str) -> str:
    return f'<div data-panel="{name}" style="padding:0.1em 0.5em 0.2em">{content}</div>'


def _status(now: Snapshot, pace: str) -> str:
    """How the session goes, in one line or two."""
    state = "fallen; starts again" if now.fallen else "paused" if now.paused else "running"
    falls = f", {now.falls} fall{'s' * (now.falls != 1)}" if now.falls else ""
    return _small("status", f"{state}, {now.time_s:.0f} s{falls}, {ROUTE_LABELS[now.route]}<br>{pace}")


def _small(name: str, words: str) -> str:
    style = f"color:{SOFT_INK};font-size:0.8em;padding:0.3em 0.8em 0.7em"
    return f'<div data-panel="{name}" style="{style}">{words}</div>'
