"""The controls of the page: every one turns into a request to the session, whichever tab it comes from."""

import numpy as np
import viser

from reinfer.tasks import FAMILIES, FAMILY_NAMES, family_index
from reinfer.viewing.live.session import Session, Snapshot
from reinfer.viewing.style import KIND_QUANTITY, KIND_UNIT, family_label

#: What the routes of ``cli.view`` are called on the page; the oracle by what it is.
ROUTE_LABELS = {"toy": "toy agent, frozen", "relearned": "relearned on the robot", "oracle": "oracle, TOLD the task"}

#: What the buttons of time say.
PAUSE, GO_ON, STEP = "pause", "go on", "one step"

_QUANTITY = KIND_QUANTITY | {"goal": "distance"}


class Controls:
    """Built into the present container of ``server.gui``; ``show`` keeps them in step with the session."""

    def __init__(self, server: viser.ViserServer, session: Session, bodies: tuple[str, ...], now: Snapshot, loading):
        gui, self._session, self._loading = server.gui, session, loading
        self._rng = np.random.default_rng()
        self._shown: tuple = ()
        # A task that a tab has asked for and the session does not have yet: until then its slider is left alone, or
        # it would jump back under the hand that drags it.
        self._awaited: tuple[str, float] | None = None
        with gui.add_folder("Task"):
            self._family = gui.add_dropdown("family", ("",), hint="what is rewarded; the agent is not told")
            self._target = gui.add_slider("target", min=0.0, max=1.0, step=0.05, initial_value=0.5)
            self._random = gui.add_button("Another task at random", icon=viser.Icon.ARROWS_SHUFFLE)
        with gui.add_folder("Run"):
            self._run = gui.add_button_group("time", (PAUSE, STEP), hint="one step at a time: pauses first")
            self._push = gui.add_button_group("push", ("← back", "ahead →"))
            self._strength = gui.add_slider("push by, m/s", min=0.5, max=5.0, step=0.5, initial_value=2.0)
            self._restart = gui.add_button("Restart", icon=viser.Icon.REFRESH, hint="same task, empty context")
        with gui.add_folder("Robot and agent"):
            self._body = gui.add_dropdown("robot", bodies, initial_value=now.body)
            self._route = gui.add_dropdown("agent", ("",))
        self._connect()
        self.show(now)

    def show(self, now: Snapshot) -> None:
        """Make the controls say what is so, where somebody else or another tab has changed it."""
        state = (now.body, now.route, now.family, round(now.target, 3), now.paused)
        if state == self._shown:
            return
        if self._shown[:2] != state[:2]:
            equipment = self._session.equipment
            self._ranges = {name: (low, high) for name, low, high in equipment.tasks.ranges}
            self._family.options = tuple(family_label(name) for name in self._ranges)
            self._route.options = tuple(ROUTE_LABELS[route] for route in equipment.agents)
            self._route.value, self._body.value = ROUTE_LABELS[now.route], now.body
            self._awaited = None
        name, magnitude = FAMILY_NAMES[now.family], round(abs(now.target), 2)
        if self._awaited not in (None, (name, magnitude)):
            return
        self._awaited = None
        if self._shown[:3] != state[:3]:
            low, high = self._ranges[name]
            kind = FAMILIES[now.family].kind
            self._target.min, self._target.max = round(low, 2), round(high, 2)
            self._target.label = f"{_QUANTITY[kind]}, {KIND_UNIT[kind]}"
        self._family.value, self._target.value = family_label(name), magnitude
        self._run.options = (GO_ON if now.paused else PAUSE, STEP)
        self._shown = state

    def _connect(self) -> None:
        session = self._session
        self._random.on_click(lambda _: self._change_at_random())
        self._run.on_click(
            lambda event: (
                session.step_once() if event.target.value == STEP else session.pause(event.target.value == PAUSE)
            )
        )
        self._restart.on_click(lambda _: session.restart())
        self._push.on_click(lambda event: session.push(self._strength.value * (1 if "→" in event.target.value else -1)))

        # What ``show`` writes comes back as an event without a client, which asks for nothing.
        @self._family.on_update
        def _(event) -> None:
            if event.client is not None:
                name = next(n for n in self._ranges if family_label(n) == self._family.value)
                low, high = self._ranges[name]
                self._change(name, float(np.clip(self._target.value, low, high)))

        @self._target.on_update
        def _(event) -> None:
            if event.client is not None:
                self._change(next(n for n in self._ranges if family_label(n) == self._family.value), self._target.value)

        @self._body.on_update
        def _(event) -> None:
            if event.client is not None:
                self._loading(self._body.value)
                session.choose_body(self._body.value)

        @self._route.on_update
        def _(event) -> None:
            if event.client is not None:
                session.choose_route(next(r for r, label in ROUTE_LABELS.items() if label == self._route.value))

    def _change_at_random(self) -> None:
        """A task of another family than the present one."""
        others = [name for name in self._ranges if family_label(name) != self._family.value]
        name = others[self._rng.integers(len(others))]
        self._change(name, float(self._rng.uniform(*self._ranges[name])))

    def _change(self, name: str, magnitude: float) -> None:
        self._awaited = (name, round(magnitude, 2))
        self._session.change_task(name, FAMILIES[family_index(name)].sign * self._awaited[1])
