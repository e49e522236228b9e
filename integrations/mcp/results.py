"""What a server answered, as the data that agent code sees.

`tools/call`: `structuredContent` when there is one; else the text, parsed when it is a JSON object or array (numbers
and words stay text, so that an identifier is never changed); several texts that are each JSON become an array, other
texts are joined by newlines; else the content blocks, of which binary ones are `ToolFile`s. One block is that block.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Any

from integrations.base import Failure, JsonObject, Result, Success
from integrations.json_text import is_too_deep, read_json, write_json
from integrations.mcp.repair import BESIDE
from integrations.mcp.toolset import Method

_MAX_MESSAGE = 2000
_UNKNOWN_TOOL = re.compile(
    r"unknown tool|tool .{0,220}not found|no such tool|tool .{0,220}does not exist", re.IGNORECASE
)
_NO_VALUE = object()


def interpret(method: Method, answer: JsonObject, name: str) -> Result:
    """The result of one request, from the server's own JSON. `name` is the upstream's name of the tool."""
    if method == "tools/call":
        return _tool_result(answer, name)
    if method == "resources/read":
        contents = answer.get("contents")
        return Success(
            {"contents": [_resource(one) for one in contents if isinstance(one, dict)] if contents else []}
        )
    if method == "prompts/get":
        messages = answer.get("messages") or []
        shown = [{**one, "content": _block(one.get("content"))} for one in messages if isinstance(one, dict)]
        return Success(_without_meta({**answer, "messages": shown}))
    return Success(_without_meta(answer))


def _tool_result(answer: JsonObject, name: str) -> Result:
    content = answer.get("content")
    blocks = [one for one in content if isinstance(one, dict)] if isinstance(content, list) else []
    structured, note = _structured(answer)
    if answer.get("isError") is True:
        return tool_error(_texts(blocks), structured if structured is not None else _others(blocks), name)
    return Success(structured if structured is not None else data_of(blocks), note=note)


def _structured(answer: JsonObject) -> tuple[Any, str | None]:
    meta = answer.get("_meta")
    if isinstance(meta, dict) and BESIDE in meta:
        return meta[
            BESIDE
        ], "`structuredContent` is no object, which this server's revision of MCP does not permit"
    return answer.get("structuredContent"), None


def data_of(blocks: Sequence[JsonObject]) -> Any:
    """The data of content blocks without structured content; None for none."""
    texts = _texts(blocks)
    if len(texts) == len(blocks):
        return _from_texts(texts)
    shown = [_block(block) for block in blocks]
    return shown[0] if len(shown) == 1 else shown


def _from_texts(texts: Sequence[str]) -> Any:
    if not texts:
        return None
    if len(texts) > 1:
        values = [_parse(text) for text in texts]
        if all(value is not _NO_VALUE for value in values):
            return values
    whole = "\n".join(texts)
    value = _parse(whole)
    return whole if value is _NO_VALUE else value


def _parse(text: str) -> Any:
    if text.lstrip()[:1] not in ("{", "["):
        return _NO_VALUE
    try:
        found = read_json(text)
    except ValueError:
        return _NO_VALUE
    return _NO_VALUE if is_too_deep(found) else found


def tool_error(texts: Sequence[str], data: Any, name: str) -> Failure:
    """`isError: true`: the server's own words, bounded; `mcp_tool_unknown` when it says it has no such tool."""
    message = "\n".join(texts).strip()
    if names_unknown_tool(message, name):
        return unknown_tool(name)
    details = {} if data in (None, [], {}) else {"data": data}
    return Failure(
        "mcp_tool_error", _truncate(message) or "the tool reported an error without a text", details=details
    )


def unknown_tool(name: str) -> Failure:
    return Failure("mcp_tool_unknown", f"the MCP server has no tool {name!r} any more; search again")


def names_unknown_tool(message: str, name: str) -> bool:
    """There is no code for this: servers say it in a result or in various errors. The text has to name the tool."""
    return len(message) < 600 and name in message and _UNKNOWN_TOOL.search(message) is not None


def protocol_error(code: int, message: str, data: Any) -> Failure:
    """A JSON-RPC error of the server itself."""
    details: JsonObject = {"code": code}
    if data is not None and len(write_json(data)) <= _MAX_MESSAGE:
        details["data"] = data
    return Failure(
        "mcp_tool_error", _truncate(message) or f"the MCP server answered with error {code}", details=details
    )


def _texts(blocks: Sequence[JsonObject]) -> list[str]:
    return [
        block["text"]
        for block in blocks
        if block.get("type") == "text" and isinstance(block.get("text"), str)
    ]


def _others(blocks: Sequence[JsonObject]) -> list[Any]:
    return [_block(block) for block in blocks if block.get("type") != "text"]


def _block(block: Any) -> Any:
    """One content block, its bytes as a `ToolFile`, without the protocol's own annotations."""
    if not isinstance(block, dict):
        return block
    kind = block.get("type")
    if kind in ("image", "audio"):
        return _file(block.get("data"), block.get("mimeType"), None) or _without_meta(block)
    if kind == "resource" and isinstance(resource := block.get("resource"), dict):
        if "blob" in resource:
            return _file(resource["blob"], resource.get("mimeType"), resource.get("uri")) or _without_meta(
                block
            )
        return {"type": "resource", **_without_meta(resource)}
    return _without_meta(block)


def _resource(content: JsonObject) -> JsonObject:
    shown = _without_meta(content)
    if "blob" in shown:
        file = _file(shown.get("blob"), shown.get("mimeType"), shown.get("uri"))
        if file is not None:
            shown = {key: value for key, value in shown.items() if key != "blob"}
            shown["file"] = file
    return shown


def _file(data: Any, mime_type: Any, name: Any) -> JsonObject | None:
    """A `ToolFile`, or None when the data is not base64 (RFC 4648)."""
    if not isinstance(data, str):
        return None
    try:
        size = len(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError):
        return None
    out: JsonObject = {"_tag": "ToolFile"}
    if isinstance(name, str) and name:
        out["name"] = name
    mime = mime_type if isinstance(mime_type, str) and mime_type else "application/octet-stream"
    return {**out, "mimeType": mime, "encoding": "base64", "data": data, "byteLength": size}


def _without_meta(value: JsonObject) -> JsonObject:
    """Without what the protocol adds for itself: `_meta`, `annotations`, `resultType` and the caching hints."""
    return {key: item for key, item in value.items() if key not in _PROTOCOL_KEYS}


_PROTOCOL_KEYS = frozenset({"_meta", "annotations", "resultType", "ttlMs", "cacheScope"})


def _truncate(message: str) -> str:
    return message if len(message) <= _MAX_MESSAGE else message[: _MAX_MESSAGE - 4] + " ..."
