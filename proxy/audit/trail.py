"""`AuditTrail`: takes events from the event loop without waiting, and writes them as lines from a thread, in batches.

What cannot be written (a full disk) is not forgotten silently: it is counted, said in the log once, and the first line
that goes through again is an `audit_gap` with the number of lines that are missing.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Final, Protocol

from proxy.audit.chain import Chain
from proxy.audit.events import AuditEvent
from proxy.audit.sinks import Sink
from proxy.telemetry import Logger

WAITING: Final = 20_000
"""Events that may wait for a slow disk."""
_BATCH: Final = 512
_CLOSE_SECONDS: Final = 5.0
_log = Logger("audit")


class OnLines(Protocol):
    """Hears how many lines were `written` or `lost`; called from the thread."""

    def __call__(self, outcome: str, lines: int, /) -> None: ...


QueuedLine = tuple[float, str, Mapping[str, Any]]
"""When, which event, and its fields."""


class AuditTrail:
    """Opened once per sink. `config` gives the sha256 of the config in force, `clock` seconds since 1970."""

    def __init__(
        self,
        sink: Sink,
        config: Callable[[], str],
        *,
        outcome: OnLines = lambda outcome, lines: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._sink = sink
        self._config = config
        self._outcome = outcome
        self._clock = clock
        self._queue: queue.Queue[QueuedLine | None] = queue.Queue(WAITING)
        self._chain = sink.chain()
        self._lock = threading.Lock()
        self._lost = 0
        self._failing = False
        self._thread = threading.Thread(target=self._write, name="audit", daemon=True)
        self._thread.start()

    def __enter__(self) -> AuditTrail:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def record(self, event: AuditEvent) -> None:
        """Have a line written. Never waits; events beyond `WAITING` are lost and counted."""
        fields = {"config": self._config(), **event.as_json()}
        try:
            self._queue.put_nowait((self._clock(), event.name, fields))
        except queue.Full:
            self._lose(1, "the disk is slower than what happens")

    def close(self) -> None:
        """Write what waits, at most five seconds long, and close the sink. Safe to repeat."""
        if not self._thread.is_alive():
            return
        try:
            self._queue.put(None, timeout=_CLOSE_SECONDS)
        except queue.Full:
            _log.error("audit_not_written", detail="lines still wait, and the disk does not take them")
            return
        self._thread.join(_CLOSE_SECONDS)

    def _write(self) -> None:
        ended = False
        while not ended:
            first = self._queue.get()
            batch = [first]
            while len(batch) < _BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            ended = None in batch
            lines = [one for one in batch if one is not None]
            try:
                self._write_batch(lines)
            # A boundary: whatever is wrong with these lines, the thread goes on for the next ones.
            except Exception as error:
                self._lose(len(lines), f"{type(error).__name__}: {error}")
        self._sink.close()

    def _write_batch(self, batch: list[QueuedLine]) -> None:
        if not batch:
            return
        chain = Chain(self._chain.prev, self._chain.seq)
        with self._lock:
            lost = self._lost
        lines = [chain.line(batch[0][0], "audit_gap", {"lost": lost})] if lost else []
        lines += [chain.line(*item) for item in batch]
        try:
            self._sink.write(b"".join(line + b"\n" for line in lines))
        except OSError as error:
            self._lose(len(batch), f"{error.strerror or error}")
            return
        self._chain = chain
        with self._lock:
            self._lost -= lost
            self._failing = False
        self._outcome("written", len(lines))

    def _lose(self, lines: int, why: str) -> None:
        with self._lock:
            self._lost += lines
            first, self._failing = not self._failing, True
        self._outcome("lost", lines)
        if first:
            _log.error("audit_not_written", detail=f"lines of the audit trail are lost: {why}")
