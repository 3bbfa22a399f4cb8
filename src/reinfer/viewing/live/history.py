"""The last seconds of a session, as arrays to draw."""

from collections import deque
from typing import NamedTuple

import numpy as np

from reinfer.tasks import CHANNELS
from reinfer.viewing.live.session import Snapshot

#: How far back the page looks.
SPAN_S = 30.0


class Series(NamedTuple):
    """T moments: ``time_s`` before now, so at most 0; the rest as in ``Snapshot``, (T,) or (T, 6)."""

    time_s: np.ndarray
    episode: np.ndarray
    task_state: np.ndarray
    family: np.ndarray
    target: np.ndarray
    likely: np.ndarray
    likely_target: np.ndarray
    reward: np.ndarray
    stride: np.ndarray

    def channel(self, name: str) -> np.ndarray:
        """Values (T,) of a channel of the task-space state."""
        return self.task_state[:, CHANNELS.index(name)]


class History:
    """Keeps what was seen within ``SPAN_S``; a moment seen twice, because the session was paused, is kept once."""

    def __init__(self):
        self._seen: deque[Snapshot] = deque()

    def add(self, snapshot: Snapshot) -> None:
        """Remember ``snapshot``; another body starts a new history."""
        if self._seen and self._seen[-1].body != snapshot.body:
            self._seen.clear()
        if self._seen and self._seen[-1].time_s == snapshot.time_s:
            self._seen.pop()
        self._seen.append(snapshot)
        while self._seen[0].time_s < snapshot.time_s - SPAN_S:
            self._seen.popleft()

    def series(self) -> Series:
        """All that is remembered, oldest first."""
        seen = list(self._seen)
        columns = {name: np.array([getattr(s, name) for s in seen]) for name in Series._fields}
        columns["time_s"] = columns["time_s"] - seen[-1].time_s
        return Series(**columns)

    def latents(self, count: int) -> np.ndarray:
        """The latents of the last ``count`` decisions of the present episode and agent, (C, D), oldest first."""
        last = self._seen[-1]
        found = [last.latent]
        for snapshot in reversed(self._seen):
            if len(found) == count or (snapshot.episode, snapshot.route) != (last.episode, last.route):
                break
            if not np.array_equal(snapshot.latent, found[-1]):
                found.append(snapshot.latent)
        return np.array(found[::-1])
