"""Text that has a limit: what a model reads of results and console lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

JsonObject = dict[str, Any]
_LOG_CHARACTERS: Final = 8_000
_STRUCTURED_LOG_CHARACTERS: Final = 64 * 1024


def cut(text: str, room: int, ref: str | None) -> str:
    """At most `room` characters; the mark of a cut says where the rest is."""
    if len(text) <= room:
        return text
    where = f' The whole result: tools.executor.results.read({{ref: "{ref}"}})' if ref else ""
    marker = f"\n... [cut: {len(text):,} characters in all.{where}]"
    return text[: room - len(marker)] + marker


def log_section(logs: Sequence[tuple[str, str]]) -> str:
    """The lines under their heading, at most 8,000 characters; empty without lines."""
    if not logs:
        return ""
    text = "\n".join(f"[{level}] {line}" for level, line in logs)
    if len(text) > _LOG_CHARACTERS:
        marker = f"\n... [cut: {len(logs)} lines, {len(text):,} characters in all]"
        text = text[: _LOG_CHARACTERS - len(marker)] + marker
    return f"\n\nLogs:\n{text}"


def bounded_logs(logs: Sequence[tuple[str, str]]) -> list[JsonObject]:
    """The lines for programs, at most 64 KiB."""
    shown: list[JsonObject] = []
    left = _STRUCTURED_LOG_CHARACTERS
    for number, (level, text) in enumerate(logs):
        # 32 stands for what surrounds a line in JSON, so that a million empty lines are bounded too.
        left -= len(text) + 32
        if left < 0:
            shown.append({"level": "warn", "text": f"... {len(logs) - number} more lines"})
            break
        shown.append({"level": level, "text": text})
    return shown
