"""Orderly stops: the first SIGTERM, SIGINT or SIGUSR1 asks for one, the second exits at once."""

import contextlib
import logging
import os
import signal
import threading

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
#: Exit code of a run that stopped on request and can be resumed (EX_TEMPFAIL: schedulers may requeue it).
PREEMPTED_EXIT_CODE = 75

_log = logging.getLogger("reinfer")

#: The request of the outermost ``watch`` that is open.
_open: list["StopRequest"] = []


class Preempted(SystemExit):
    """A run saved its state and stopped on request; uncaught, it ends the program with exit code 75."""

    def __init__(self, message: str):
        super().__init__(PREEMPTED_EXIT_CODE)
        self.message = message

    def __str__(self) -> str:
        return self.message


class StopRequest:
    """Whether a stop was asked for, and by which signal."""

    def __init__(self):
        self.signal: signal.Signals | None = None

    def __bool__(self) -> bool:
        return self.signal is not None


@contextlib.contextmanager
def watch(what_follows: str = "saving at the next boundary"):
    """Catch the stop signals within the block, yielding a ``StopRequest``; then put former handlers back.

    ``what_follows`` is said when one comes.

    A thread reads the signals from the wake-up pipe, because a Python handler would have to wait for a
    compilation or a long computation to return. Python lets only the main thread set handlers: elsewhere
    nothing is caught. Within another ``watch``, its request is yielded: what was asked for before the inner
    block was entered, or between two of them, is not lost.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    if _open:
        yield _open[0]
        return
    _open.append(request)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    thread = threading.Thread(target=_read_signals, args=(reader, request, what_follows), name="signals", daemon=True)
    thread.start()
    wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    former = {number: signal.signal(number, _leave_to_the_thread) for number in STOP_SIGNALS}
    try:
        yield request
    finally:
        _open.clear()
        for number, handler in former.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup)
        os.close(writer)
        thread.join()
        os.close(reader)


def _leave_to_the_thread(number, frame) -> None:
    """Python writes to the wake-up pipe only for signals that have a Python handler."""


def _read_signals(reader: int, request: StopRequest, what_follows: str) -> None:
    while data := os.read(reader, 1):
        if data[0] not in STOP_SIGNALS:
            continue
        if request:
            os._exit(128 + data[0])
        request.signal = signal.Signals(data[0])
        _log.warning("%s: %s; once more to exit at once", request.signal.name, what_follows)
