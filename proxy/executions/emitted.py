"""From `emit(value)` to MCP content blocks, and to the short form that `structuredContent` lists.

Shapes: MCP 2025-11-25, ContentBlock. What claims to be a block and is not a valid one is shown as JSON text.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote

import orjson

JsonObject = dict[str, Any]
_SUMMARY_CHARACTERS: Final = 1000
# Clients show these formats; others (SVG can hold scripts) go out as files.
_IMAGES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_TEXT_TYPES: Final = frozenset({"application/json", "application/xml", "application/yaml", "image/svg+xml"})


def blocks(values: Iterable[Any]) -> tuple[JsonObject, ...]:
    """One content block for every emitted value, in order."""
    return tuple(_block(value) for value in values)


def summaries(emitted: Iterable[JsonObject]) -> list[JsonObject]:
    """Blocks without their bulk: the type, and the beginning of a text or the size and MIME type of a file."""
    return [_summary(block) for block in emitted]


def _block(value: Any) -> JsonObject:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        if value.get("_tag") == "ToolFile":
            return _file(value) or _text(_json(value))
        return _passed_through(value) or _text(_json(value))
    return _text(_json(value))


def _text(text: str) -> JsonObject:
    return {"type": "text", "text": text}


def _json(value: Any) -> str:
    try:
        return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    except TypeError:
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
