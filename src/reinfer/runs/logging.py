"""What a run writes as it goes: ``metrics.csv`` (deterministic), ``timing.csv`` (wall clock), ``log.txt``."""

import contextlib
import hashlib
import logging
import math
import os
import sys
import time
from pathlib import Path

from reinfer.runs.errors import ArtifactError, RunError
from reinfer.runs.files import replace_file

_FLUSH_INTERVAL_S = 1.0
_FORBIDDEN = set(',"\n\r')


class MetricsLog:
    """``metrics.csv``: one row per iteration; its bytes depend on the rows only, not on flushing.

    A column that first appears in a later row is added at the right end, empty in the rows before it.

    Args:
        path: the file.
        position: what ``position()`` returned when the checkpoint was saved; None starts anew.
    Raises ArtifactError if the file no longer begins with what was recorded at ``position``.
    """

    def __init__(self, path: Path, position: dict | None = None):
        self._path = path
        self._columns = list(position["columns"]) if position else []
        self._rows = position["rows"] if position else 0
        kept = self._rewind(position) if position else b""
        replace_file(path, kept)
        self._reopen(kept)

    def append(self, row: dict[str, int | float]) -> None:
        """Add one row."""
        fresh = [name for name in row if name not in self._columns]
        if fresh:
            self._widen(fresh)
        self._write(",".join(repr(row[name]) if name in row else "" for name in self._columns) + "\n")
        self._rows += 1
        if time.monotonic() - self._flushed_at > _FLUSH_INTERVAL_S:
            self._file.flush()
            self._flushed_at = time.monotonic()

    def position(self) -> dict:
        """Where the file ends now, with the hash of all before; the disk has it when this returns."""
        self._file.flush()
        os.fsync(self._file.fileno())
        digest = self._hash.hexdigest()
        return {"bytes": self._bytes, "rows": self._rows, "columns": self._columns, "sha256": digest}

    def close(self) -> None:
        """Flush and close the file."""
        self._file.close()

    def _reopen(self, contents: bytes) -> None:
        self._file = open(self._path, "ab")  # noqa: SIM115 - open for the life of the run
        self._hash = hashlib.sha256(contents)
        self._bytes = len(contents)
        self._flushed_at = time.monotonic()

    def _write(self, line: str) -> None:
        data = line.encode()
        self._file.write(data)
        self._hash.update(data)
        self._bytes += len(data)

    def _widen(self, fresh: list[str]) -> None:
        for name in fresh:
            if _FORBIDDEN & set(name):
                raise RunError(f"metric name {name!r} is not allowed: no commas, quotes or line breaks")
        self._columns += fresh
        header = ",".join(self._columns) + "\n"
        if self._bytes == 0:
            self._write(header)
            return
        self._file.close()
        rows = self._path.read_text(encoding="utf-8").splitlines()[1:]
        contents = (header + "".join(row + "," * len(fresh) + "\n" for row in rows)).encode()
        replace_file(self._path, contents)
        self._reopen(contents)

    def _rewind(self, position: dict) -> bytes:
        """The file's contents as they were at ``position``; columns added since are taken off again."""
        try:
            contents = self._path.read_bytes()
        except OSError as error:
            raise ArtifactError(f"{self._path} cannot be read: {error.strerror}") from error
        kept = contents[: position["bytes"]]
        if hashlib.sha256(kept).hexdigest() != position["sha256"]:
            width, count = len(position["columns"]), position["rows"] + 1
            lines = contents.decode("utf-8", "replace").splitlines()[:count]
            kept = "".join(",".join(line.split(",")[:width]) + "\n" for line in lines).encode()
        if hashlib.sha256(kept).hexdigest() != position["sha256"]:
            raise ArtifactError(
                f"{self._path} is damaged: it does not begin with the {position['rows']} rows that its "
                "checkpoint recorded; put the file back as it was, or start a new run"
            )
        return kept


def read_times(path: Path) -> list[tuple[int, float, float]]:
    """The rows of the ``timing.csv`` at ``path``, none if there is no file: iteration, seconds, steps per second.

    Nothing that is learned depends on them, so that rows that cannot be read are left out and no reason to stop.
    """
    rows = []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[1:] if path.exists() else []
    for line in lines:
        with contextlib.suppress(ValueError):
            iteration, elapsed_s, steps_per_s = line.split(",")
            rows.append((int(iteration), float(elapsed_s), float(steps_per_s)))
    return [row for row in rows if math.isfinite(row[1])]


def _timing_line(iteration: int, elapsed_s: float, steps_per_s: float) -> str:
    return f"{iteration},{elapsed_s:.3f},{steps_per_s:.1f}\n"


class TimingLog:
    """``timing.csv``: iteration, training seconds so far over all sessions, environment steps per second."""

    def __init__(self, path: Path, iteration: int):
        """Keep the rows up to ``iteration``, drop later ones; seconds count on from the last kept row."""
        kept = [row for row in read_times(path) if row[0] <= iteration]
        lines = ["iteration,elapsed_s,env_steps_per_s\n", *(_timing_line(*row) for row in kept)]
        replace_file(path, "".join(lines).encode())
        self._before_s = kept[-1][1] if kept else 0.0
        self._started_at = self._last_at = self._flushed_at = time.monotonic()
        self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115 - open for the life of the run

    def append(self, iteration: int, steps: int) -> None:
        """Note that ``iteration``, of ``steps`` environment steps, ends now."""
        now = time.monotonic()
        elapsed = self._before_s + now - self._started_at
        self._file.write(_timing_line(iteration, elapsed, steps / max(now - self._last_at, 1e-9)))
        self._last_at = now
        if now - self._flushed_at > _FLUSH_INTERVAL_S:
            self.flush()

    def flush(self) -> None:
        """Let others see all rows."""
        self._file.flush()
        self._flushed_at = time.monotonic()

    def close(self) -> None:
        """Flush and close the file."""
        self._file.close()


class _Console(logging.Handler):
    """One line on the standard error of the moment, so that a progress bar can move out of the way."""

    def emit(self, record: logging.LogRecord) -> None:
        print(f"reinfer: {record.getMessage()}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def log_to(path: Path):
    """Within the block, send the ``reinfer`` logger to the file ``path``, and its warnings to standard error.

    An application that configured logging itself gets the warnings through its own handlers instead.
    """
    logger = logging.getLogger("reinfer")
    former_level = logger.level
    handlers: list[logging.Handler] = [logging.FileHandler(path, encoding="utf-8")]
    handlers[0].setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    if not logging.getLogger().hasHandlers():
        handlers.append(_Console(logging.WARNING))
    logger.setLevel(logging.INFO)
    for handler in handlers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()
        logger.setLevel(former_level)
