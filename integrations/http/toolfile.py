"""`ToolFile`: bytes inside JSON (`{_tag, name?, mimeType, encoding: "base64", data, byteLength}`)."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from integrations.base import JsonObject

TOOL_FILE: JsonObject = {
    "type": "object",
    "description": "A file: base64 data with a MIME type",
    "properties": {
        "_tag": {"const": "ToolFile"},
        "name": {"type": "string"},
        "mimeType": {"type": "string"},
        "encoding": {"const": "base64"},
        "data": {"type": "string"},
        "byteLength": {"type": "integer"},
    },
    "required": ["_tag", "mimeType", "encoding", "data"],
}
"""The JSON Schema of a file value."""


def is_tool_file(value: Any) -> bool:
    return isinstance(value, dict) and value.get("_tag") == "ToolFile"


def file_bytes(value: JsonObject) -> bytes:
    """The bytes of a file value. Raises ValueError."""
    if value.get("encoding", "base64") != "base64" or not isinstance(value.get("data"), str):
        raise ValueError("a ToolFile needs `encoding: base64` and `data`")
    return decode_base64(value["data"])


def decode_base64(data: Any) -> bytes:
    """Standard or URL-safe alphabet (RFC 4648), padding optional. Raises ValueError."""
    if not isinstance(data, str):
        raise ValueError("has to be a base64 string")
    text = "".join(data.split()).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is not base64") from None


def tool_file(content: bytes, mime_type: str, name: str | None = None) -> JsonObject:
    out: JsonObject = {"_tag": "ToolFile"}
    if name:
        out["name"] = name
    data = base64.b64encode(content).decode("ascii")
    return {**out, "mimeType": mime_type, "encoding": "base64", "data": data, "byteLength": len(content)}
