"""Results that are too large to return: a valid preview, and a reference to the whole (T23)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import orjson

from integrations.base import JsonObject
from proxy.state import Owner, State

_PREVIEW_BYTES: Final = 8 * 1024
_STRING_CHARACTERS: Final = 500
_DEPTH: Final = 6


@dataclass(frozen=True, slots=True)
class Shaped:
    """A returned value as it goes out. `text` is the whole value for people; `ref` is set when it was stored."""

    value: Any
    text: str
    ref: str | None = None


class TooDeep(ValueError):
    """A value nested deeper than JSON writers here go (250 levels)."""


async def shape(value: Any, state: State, owner: Owner, *, max_bytes: int, ttl_seconds: float) -> Shaped:
    """The value itself, or its preview when its JSON is larger than `max_bytes`. Raises `TooDeep`."""
    body = dumped(value)
    text = value if isinstance(value, str) else body.decode()
    if len(body) <= max_bytes:
        return Shaped(value, text)
    ref = await state.put_result(owner, body, ttl_seconds)
    return Shaped(truncated(value, len(body), ref, min(_PREVIEW_BYTES, max_bytes // 2)), text, ref)


def dumped(value: Any) -> bytes:
    """JSON. Raises `TooDeep`."""
    try:
        return orjson.dumps(value)
    except TypeError as error:
        raise TooDeep(str(error)) from error


def truncated(value: Any, size: int, ref: str | None, preview_bytes: int) -> JsonObject:
    """`{"$truncated": true, resultRef?, bytes, preview}`; `preview` is of the value's own shape, only smaller."""
    reference = {"resultRef": ref} if ref is not None else {}
    return {"$truncated": True, **reference, "bytes": size, "preview": preview(value, preview_bytes)}


def preview(value: Any, budget: int) -> Any:
    """The beginning of a value in at most about `budget` bytes of JSON, always itself valid JSON."""
    return _Preview(budget).of(value, _DEPTH)


class _Preview:
    """Takes from the front until the budget is used up. Nothing is cut inside a token."""

    def __init__(self, budget: int) -> None:
        self._left = budget

    def of(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return self._string(value)
        if isinstance(value, dict):
            return self._object(value, depth) if depth else {}
        if isinstance(value, list):
            return self._array(value, depth) if depth else []
        self._left -= len(orjson.dumps(value))
        return value

    def _string(self, text: str) -> str:
        shown = text[: max(0, min(_STRING_CHARACTERS, self._left // 4))]
        self._left -= len(orjson.dumps(shown))
        return shown if len(shown) == len(text) else f"{shown}..."

    def _array(self, items: list[Any], depth: int) -> list[Any]:
        shown: list[Any] = []
        for item in items:
            if self._left <= 0:
                break
            shown.append(self.of(item, depth - 1))
            self._left -= 1
        return shown

    def _object(self, fields: JsonObject, depth: int) -> JsonObject:
        shown: JsonObject = {}
        for key, item in fields.items():
            self._left -= len(orjson.dumps(key)) + 2
            if self._left <= 0:
                break
            shown[key] = self.of(item, depth - 1)
        return shown
