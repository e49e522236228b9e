"""Bodies of many values, one after another: lines of JSON, JSON text sequences (RFC 7464), server-sent events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from integrations.http.media import is_json_sequence
from integrations.openapi.serialize import json_text, scalar_text

EVENTS: Final = "text/event-stream"
_FIELDS: Final = ("event", "id", "retry", "data")


def sequence_body(essence: str, values: list[Any]) -> str:
    """The text of the values, each as this type writes it. Raises ValueError for what is no event."""
    if essence == EVENTS:
        return "".join(map(_event, values))
    start = "\x1e" if is_json_sequence(essence) else ""
    return "".join(f"{start}{json_text(value)}\n" for value in values)


def _event(value: Any) -> str:
    """A block of fields (WHATWG HTML 9.2.6), as it is read from an answer: data that is no text is JSON."""
    if not isinstance(value, dict) or not value or value.keys() - set(_FIELDS):
        raise ValueError(f"events have to be objects with {', '.join(_FIELDS)}: {{data: ...}}")
    return "".join(_field(name, value[name]) for name in _FIELDS if value.get(name) is not None) + "\n"


def _field(name: str, value: Any) -> str:
    lines = list(_lines(scalar_text(value)))
    if name != "data" and len(lines) > 1:
        raise ValueError(f"`{name}` of an event has to be one line")
    return "".join(f"{name}: {line}\n" for line in lines)


def _lines(text: str) -> Iterator[str]:
    yield from text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
