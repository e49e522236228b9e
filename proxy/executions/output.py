"""What code gives back, as it goes out: emitted values as MCP content blocks, and the returned value or its preview.

A returned value that is too large becomes a valid preview and a reference to the whole (T23). Blocks have the shapes
of MCP 2025-11-25, ContentBlock; what claims to be a block and is not a valid one is shown as JSON text.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from integrations.base import JsonObject
from integrations.json_text import (
    INDENT,
    JsonTooDeep,
    has_unsafe_integers,
    with_safe_integers,
    write_json,
    write_value,
)
from proxy.state import Owner, State

_SUMMARY_CHARACTERS: Final = 1000
_PREVIEW_BYTES: Final = 8 * 1024
_STRING_CHARACTERS: Final = 500
_DEPTH: Final = 6
# Clients show these formats; others (SVG can hold scripts) go out as files.
_IMAGES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_TEXT_TYPES: Final = frozenset({"application/json", "application/xml", "application/yaml", "image/svg+xml"})


def blocks(values: Iterable[Any]) -> tuple[JsonObject, ...]:
    """The content blocks of the emitted values, in order: one each, but for an array of blocks, which are those."""
    return tuple(block for value in values for block in _blocks(value))


def summaries(emitted: Iterable[JsonObject]) -> list[JsonObject]:
    """Blocks without their bulk: the type, and the beginning of a text or the size and MIME type of a file."""
    return [_summary(block) for block in emitted]


def _blocks(value: Any) -> list[JsonObject]:
    """An array of content blocks and files, alone or as `content` of an MCP result, is emitted block by block."""
    items = value.get("content") if isinstance(value, dict) and "type" not in value else value
    if not isinstance(items, list) or not items:
        return [_block(value)]
    found = [_content_block(item) for item in items]
    whole = [block for block in found if block is not None]
    return whole if len(whole) == len(items) else [_block(value)]


def _content_block(value: Any) -> JsonObject | None:
    if not isinstance(value, dict):
        return None
    return _file(value) if value.get("_tag") == "ToolFile" else _passed_through(value)


def _block(value: Any) -> JsonObject:
    if isinstance(value, str):
        return _text(value)
    return _content_block(value) or _text(_json(value))


def _text(text: str) -> JsonObject:
    return {"type": "text", "text": text}


def _json(value: Any) -> str:
    try:
        return write_json(value, option=INDENT).decode()
    except JsonTooDeep:
        return "[a value nested too deeply to be shown]"


def _file(value: JsonObject) -> JsonObject | None:
    data, mime, name = value.get("data"), value.get("mimeType"), value.get("name")
    if value.get("encoding") != "base64" or not isinstance(mime, str) or not isinstance(data, str):
        return None
    raw = _decoded(data)
    if raw is None:
        return None
    kind = mime.partition(";")[0].strip().lower()
    if kind in _IMAGES:
        return {"type": "image", "data": data, "mimeType": kind}
    if kind.startswith("audio/"):
        return {"type": "audio", "data": data, "mimeType": kind}
    uri = f"executor://emitted/{quote(name if isinstance(name, str) and name else 'file', safe='')}"
    if kind.startswith("text/") or kind in _TEXT_TYPES:
        text = _utf8(raw)
        if text is not None:
            return {"type": "resource", "resource": {"uri": uri, "mimeType": kind, "text": text}}
    return {"type": "resource", "resource": {"uri": uri, "mimeType": kind, "blob": data}}


def _decoded(data: str) -> bytes | None:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None


def _utf8(raw: bytes) -> str | None:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


def _passed_through(value: JsonObject) -> JsonObject | None:
    """A valid block with the fields we know; anything beside them is dropped."""
    kind = value.get("type")
    if kind == "text" and isinstance(value.get("text"), str):
        return _text(value["text"])
    if kind in ("image", "audio") and isinstance(value.get("mimeType"), str):
        data = value.get("data")
        valid = isinstance(data, str) and _decoded(data) is not None
        return {"type": kind, "data": data, "mimeType": value["mimeType"]} if valid else None
    if kind == "resource" and isinstance(value.get("resource"), dict):
        return _resource(value["resource"])
    if kind == "resource_link" and isinstance(value.get("uri"), str) and isinstance(value.get("name"), str):
        return {"type": kind, **_strings(value, ("uri", "name", "title", "description", "mimeType"))}
    return None


def _resource(resource: JsonObject) -> JsonObject | None:
    kept = _strings(resource, ("uri", "mimeType"))
    if "uri" not in kept:
        return None
    if isinstance(resource.get("text"), str):
        return {"type": "resource", "resource": {**kept, "text": resource["text"]}}
    blob = resource.get("blob")
    if isinstance(blob, str) and _decoded(blob) is not None:
        return {"type": "resource", "resource": {**kept, "blob": blob}}
    return None


def _strings(value: JsonObject, names: tuple[str, ...]) -> JsonObject:
    return {name: value[name] for name in names if isinstance(value.get(name), str)}


def _summary(block: JsonObject) -> JsonObject:
    kind = block["type"]
    if kind == "text":
        text = block["text"]
        cut = {"characters": len(text)} if len(text) > _SUMMARY_CHARACTERS else {}
        return {"type": kind, "text": text[:_SUMMARY_CHARACTERS], **cut}
    if kind in ("image", "audio"):
        return {"type": kind, "mimeType": block["mimeType"], "bytes": len(block["data"]) * 3 // 4}
    inner = block.get("resource", block)
    return {"type": kind, **_strings(inner, ("uri", "mimeType"))}


# ---- the returned value ------------------------------------------------------------------------------------------
UNSAFE_INTEGERS: Final = (
    "Note: integers beyond 2^53 - 1 are strings in this result, because JavaScript clients would round them."
)


@dataclass(frozen=True, slots=True)
class ShapedValue:
    """A returned value as it goes out. `text` is the whole value for people; `ref` is set when it was stored; `unsafe`:
    integers that a JavaScript client would round are strings in it.
    """

    value: Any
    text: str
    ref: str | None = None
    unsafe: bool = False


async def shape(value: Any, state: State, owner: Owner, *, max_bytes: int, ttl_seconds: float) -> ShapedValue:
    """The value itself, or its preview when its JSON is larger than `max_bytes`. Raises `JsonTooDeep`."""
    body = dumped(value)
    ref = await state.put_result(owner, body, ttl_seconds) if len(body) > max_bytes else None
    size, unsafe = len(body), False
    if has_unsafe_integers(body):
        safe = with_safe_integers(value)
        unsafe = safe != value
        value, body = safe, dumped(safe)
    text = value if isinstance(value, str) else body.decode()
    if ref is not None:
        value = truncated(value, size, ref, min(_PREVIEW_BYTES, max_bytes // 2))
    return ShapedValue(value, text, ref, unsafe)


def dumped(value: Any) -> bytes:
    """JSON. Raises `JsonTooDeep`."""
    return write_value(value)


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
        self._left -= len(write_json(value))
        return value

    def _string(self, text: str) -> str:
        shown = text[: max(0, min(_STRING_CHARACTERS, self._left // 4))]
        self._left -= len(write_json(shown))
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
            self._left -= len(write_json(key)) + 2
            if self._left <= 0:
                break
            shown[key] = self.of(item, depth - 1)
        return shown
