"""What the code of an execution said: console lines and emitted values, bounded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from proxy.executions.outcome import Observer
from proxy.sandbox import WorkerMessage


@dataclass(slots=True)
class Heard:
    """What the code said so far. The worker bounds it; a worker that got out of hand is bounded here again."""

    log_bytes: int
    emit_bytes: int
    logs: list[tuple[str, str]] = field(default_factory=list)
    emits: list[Any] = field(default_factory=list)

    def take(self, message: WorkerMessage, observer: Observer) -> None:
        """Keep what fits, and pass log lines on."""
        for level, text in message.logs:
            # 16 bytes stand for what a line costs beyond its text.
            self.log_bytes -= len(text) + 16
            if self.log_bytes < -4096:
                break
            self.logs.append((level, text))
            observer.log(level, text)
        for value in message.emits:
            self.emit_bytes -= size_of(value)
            if self.emit_bytes >= 0:
                self.emits.append(value)


def size_of(value: Any) -> int:
    """Roughly the bytes of an emitted value. Strings are nearly always the bulk of it."""
    if isinstance(value, str):
        return len(value) + 2
    if isinstance(value, dict):
        return sum(len(key) + 4 + size_of(item) for key, item in value.items())
    if isinstance(value, list):
        return sum(1 + size_of(item) for item in value)
    return 8
