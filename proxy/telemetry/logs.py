"""Logs: an event, its fields, and nothing that could be mistaken for another line.

`Logger` writes events with fields through the standard `logging`, so that libraries end in the same stream. On a
terminal a line is `LEVEL event key=value ...`, elsewhere one JSON object. What callers and upstreams say may
be in any field: control, format and line-separating characters are escaped, in both forms.
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final, TextIO

_correlation: Final[ContextVar[str]] = ContextVar("executor_correlation", default="")
_BARE: Final = re.compile(r"[^\s\"'=\\]+")
# This field is prose for people: in text it ends the line, without its name and without quotes.
_PROSE: Final = "detail"
# What these say below a warning holds URLs and headers whole: session ids and keys among them.
_CHATTY: Final = ("httpx2", "httpcore2")


PROTOCOL: Final = "protocol"
"""The logger of what `EXECUTOR_MCP_DEBUG` adds; silent without it, whatever the level."""


class Millis(int):
    """Whole milliseconds: a number in JSON, `212ms` in text."""


class Logger:
    """A named source of events. Field names that are Python keywords are passed by `**{"in": ...}`."""

    __slots__ = ("_logger",)

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(f"executor.{name}")

    def is_enabled(self, level: str) -> bool:
        """Whether lines of this level are written: for fields that cost something to make."""
        return self._logger.isEnabledFor(logging.getLevelNamesMapping()[level.upper()])

    def debug(self, event: str, /, **fields: Any) -> None:
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, /, **fields: Any) -> None:
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, /, **fields: Any) -> None:
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, /, **fields: Any) -> None:
        self._write(logging.ERROR, event, fields)

    def exception(self, event: str, error: BaseException, /, **fields: Any) -> None:
        """An error with its traceback; callers get only the correlation id."""
        self._write(logging.ERROR, event, fields, error)

    def _write(
        self, level: int, event: str, fields: Mapping[str, Any], error: BaseException | None = None
    ) -> None:
        self._logger.log(level, "%s", event, extra={"event_fields": fields}, exc_info=error)


def new_correlation_id() -> str:
    """Eight hexadecimal digits, as in `Internal error [1f2e3d4c]`."""
    return secrets.token_hex(4)


def correlation_id() -> str:
    """The id of the request that is being served, or an empty string."""
    return _correlation.get()


@contextmanager
def correlated(identifier: str) -> Iterator[None]:
    """Every line logged inside carries this id; tasks started inside inherit it."""
    token = _correlation.set(identifier)
    try:
        yield
    finally:
        _correlation.reset(token)


def configure_logging(
    level: str = "info",
    fmt: str = "auto",
    *,
    stream: TextIO | None = None,
    protocol_debug: bool = False,
) -> None:
    """Sends all logs to `stream` (stderr). May be called again, after a reload; it then replaces itself.

    `fmt` is json, text, or auto: text on a terminal, json elsewhere. `level` is that of our own events, by name.
    Libraries speak from `warning` on; with `protocol_debug` (`EXECUTOR_MCP_DEBUG=1`) the MCP SDK says everything, and
    we what clients can do, are asked and answer.
    """
    target = sys.stderr if stream is None else stream
    handler = ExecutorHandler(target)
    handler.setFormatter(_formatter(fmt, target))
    root = logging.getLogger()
    for old in [known for known in root.handlers if isinstance(known, ExecutorHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("executor").setLevel(level.upper())
    logging.getLogger(f"executor.{PROTOCOL}").setLevel(logging.DEBUG if protocol_debug else logging.WARNING)
    logging.getLogger("mcp").setLevel(logging.DEBUG if protocol_debug else logging.WARNING)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    # Log lines are ours alone: Python's warnings go the same way.
    logging.captureWarnings(True)


class ExecutorHandler(logging.StreamHandler[TextIO]):
    """Ours, so that configuring twice does not write twice and leaves others' handlers alone."""


def _formatter(fmt: str, stream: TextIO) -> logging.Formatter:
    if fmt == "json" or (fmt == "auto" and not stream.isatty()):
        return JsonFormatter()
    return TextFormatter(color=stream.isatty() and not os.environ.get("NO_COLOR"))


class JsonFormatter(logging.Formatter):
    """One object a line, ASCII only, so that no terminal control survives `kubectl logs`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        for key, value in _fields(record):
            line.setdefault(key, value)
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=_plain)


class TextFormatter(logging.Formatter):
    """`INFO  config applied  generation=2 sha256=8d03be71`."""

    def __init__(self, *, color: bool = False) -> None:
        super().__init__()
        self._color = color

    def format(self, record: logging.LogRecord) -> str:
        fields = dict(_fields(record))
        prose = fields.pop(_PROSE, None)
        parts = [_pair(key, value) for key, value in fields.items()]
        if prose is not None:
            parts.append(escaped(str(prose)))
        head = f"{self._level(record)} {escaped(record.getMessage()):<15}"
        line = " ".join([head, *parts]).rstrip()
        if record.exc_info:
            trace = self.formatException(record.exc_info).split("\n")
            line = "\n".join([line, *(f"    {escaped(row)}" for row in trace)])
        return line

    def _level(self, record: logging.LogRecord) -> str:
        name = f"{record.levelname:<5}"
        if not self._color or record.levelno < logging.WARNING:
            return name
        return f"\x1b[{31 if record.levelno >= logging.ERROR else 33}m{name}\x1b[0m"


def _fields(record: logging.LogRecord) -> Iterable[tuple[str, Any]]:
    yield from getattr(record, "event_fields", {}).items()
    if _correlation.get():
        yield "correlation_id", _correlation.get()


def _pair(key: str, value: Any) -> str:
    if value is True:
        return key
    return f"{key}={_text(value)}"


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, Millis):
        return f"{int(value)}ms"
    if isinstance(value, bool):
        return "false"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple | set | frozenset):
        return _text(",".join(str(item) for item in value)) if value else "-"
    text = str(value)
    return text if _BARE.fullmatch(text) and escaped(text) == text else f'"{_quoted(text)}"'


def _quoted(text: str) -> str:
    return escaped(text.replace("\\", "\\\\").replace('"', '\\"'))


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, set | frozenset) else str(value)


def escaped(text: str) -> str:
    """`text` on one line, with nothing in it that a terminal obeys."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char.encode("unicode_escape").decode("ascii") if _is_obeyed(char) else char for char in text
    )


def _is_obeyed(char: str) -> bool:
    """Control, format, surrogate, private and unassigned characters; separators of lines and paragraphs."""
    category = unicodedata.category(char)
    return category.startswith("C") or category in ("Zl", "Zp")
