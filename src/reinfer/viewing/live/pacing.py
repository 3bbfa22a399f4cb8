"""Real time: when the next state is due, and how well that is kept."""

import time
from collections import deque

#: Behind by more than this, the schedule starts anew instead of rushing to catch up.
FORGIVEN_S = 0.25

#: Over which time the pace is measured.
_WINDOW_S = 2.0


class Pacer:
    """Waits for the time of each state and measures how well that is kept.

    Args:
        clock: has ``monotonic`` and ``sleep``, as ``time``.

    ``lags_s`` how late every state was; ``slips`` schedules given up; ``simulated_s`` seconds simulated in all.
    """

    def __init__(self, clock=time):
        self._clock = clock
        self.lags_s: list[float] = []
        self.slips, self.simulated_s = 0, 0.0
        self.restart()

    def restart(self) -> None:
        """Begin a schedule now."""
        self._due = self._clock.monotonic()
        self._states: deque[float] = deque()
        self._steps: deque[tuple[float, float]] = deque()

    def wait(self, seconds: float) -> None:
        """Wait until ``seconds`` after what was last waited for."""
        self._due += seconds
        left = self._due - self._clock.monotonic()
        if left > 0:
            self._clock.sleep(left)
        lag = self._clock.monotonic() - self._due
        self.lags_s.append(lag)
        if lag > FORGIVEN_S:
            self.slips += 1
            self._due += lag

    def shown(self) -> None:
        """A state was shown."""
        self._keep(self._states, self._clock.monotonic())

    def stepped(self, seconds: float) -> None:
        """So much of simulated time has gone by."""
        self.simulated_s += seconds
        self._keep(self._steps, (self._clock.monotonic(), seconds))

    @property
    def states_per_s(self) -> float:
        """States shown per second, lately."""
        return (len(self._states) - 1) / max(self._states[-1] - self._states[0], 1e-9) if self._states else 0.0

    @property
    def speed(self) -> float:
        """Simulated over real time, lately."""
        if len(self._steps) < 2:
            return 1.0
        return sum(seconds for _, seconds in list(self._steps)[1:]) / (self._steps[-1][0] - self._steps[0][0])

    def words(self) -> str:
        """For the page."""
        return f"{self.speed:.2f} x real time, {self.states_per_s:.0f} states/s, {1e3 * self.lag_s:.0f} ms behind"

    @property
    def lag_s(self) -> float:
        """How late the last state was."""
        return self.lags_s[-1] if self.lags_s else 0.0

    @staticmethod
    def _keep(seen: deque, entry) -> None:
        seen.append(entry)
        moment = entry[0] if isinstance(entry, tuple) else entry
        while (seen[0][0] if isinstance(seen[0], tuple) else seen[0]) < moment - _WINDOW_S:
            seen.popleft()
