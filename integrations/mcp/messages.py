"""JSON-RPC messages between servers and the SDK, read and written by the one reader and writer (`json_text`).

The SDK reads JSON in its own way: halves of surrogate pairs and numbers beyond a double are errors to it or change on
the way, so is what is nested deeper than 200 levels, and it forgets that the call was sent. So:

- What a server writes is read here first. The SDK gets what it can take; what no message can be made of is a
  `McpError`, which reaches the caller of that request.
- Halves of surrogate pairs travel through the SDK in disguise: `hide` puts it on, `restore` takes it off. Whoever
  gives text to the SDK hides it, whoever takes text from it restores it; to servers it is written as it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from integrations.base import JsonObject
from integrations.json_rpc import id_at
from integrations.json_text import (
    MAX_DEPTH,
    JsonTooDeep,
    is_too_deep,
    pruned,
    read_json,
    write_json,
    write_value,
)
from integrations.mcp.errors import McpError, OnError

# A message puts a few levels around the value of a tool. What is between is refused with the result, in the same words.
_MESSAGE_DEPTH = MAX_DEPTH + 8
TOO_DEEP = str(JsonTooDeep())
_MARK = "\U0010ffff"
_MARK_BYTES = _MARK.encode()
_ITSELF = "0"
_HALF = re.compile("[\ud800-\udfff" + _MARK + "]")
_DISGUISED = re.compile(_MARK + "(.)", re.DOTALL)
_MARK_IN_JSON = re.compile(_MARK_BYTES + rb"|\\udbff\\udfff", re.IGNORECASE)
_PRIVATE = 0x100000
_FIRST_HALF = 0xD800
_LINE_END = re.compile(rb"\r\n|\n|\r")
_EVENT_END = re.compile(rb"\r\n(?:\r\n|\n|\r)|\n(?:\r\n|\n|\r)|\r(?!\n)(?:\r\n|\n|\r)")
# Of an event longer than what it may have, as much more is kept as its other lines may take.
_SPARE_BYTES = 64 * 1024

# ---- Disguise ---------------------------------------------------------------------------------------------


def hide(value: Any) -> Any:
    """The value with every half of a surrogate pair in disguise, in texts and in names."""
    return _each_text(value, _hidden)


def restore(value: Any) -> Any:
    """What `hide` was given."""
    return _each_text(value, _restored)


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {_each_text(key, change): _each_text(item, change) for key, item in value.items()}
    return [_each_text(item, change) for item in value] if isinstance(value, list | tuple) else value


def _hidden(text: str) -> str:
    return _HALF.sub(_disguise, text)


def _disguise(found: re.Match[str]) -> str:
    half = found[0]
    return _MARK + (_ITSELF if half == _MARK else chr(_PRIVATE + ord(half) - _FIRST_HALF))


def _restored(text: str) -> str:
    return _DISGUISED.sub(_undisguise, text) if _MARK in text else text


def _undisguise(found: re.Match[str]) -> str:
    return _MARK if found[1] == _ITSELF else chr(ord(found[1]) - _PRIVATE + _FIRST_HALF)


def hidden_if_needed(value: Any) -> Any:
    """`hide`, which walks through everything, only where there may be something to hide."""
    try:
        return hide(value) if _MARK_BYTES in orjson.dumps(value) else value
    except TypeError:
        return hide(value)


def restore_if_needed(value: Any) -> Any:
    """`restore`, only where there may be something in disguise."""
    try:
        return restore(value) if _MARK_BYTES in orjson.dumps(value) else value
    except TypeError:
        return restore(value)


# ---- From servers -----------------------------------------------------------------------------------------


def read_message(raw: bytes) -> JsonObject:
    """One message of a server, for the SDK. Raises `McpError` for what is no message or is nested too deep, and
    ValueError for what is no JSON at all."""
    message = _parsed(raw)
    if not isinstance(message, dict) or not _is_message(message):
        raise McpError("protocol", "the server's answer is no JSON-RPC message", sent=True)
    return message


def _parsed(raw: bytes) -> Any:
    try:
        value = _read(raw)
        if is_too_deep(value, _MESSAGE_DEPTH):
            _flatten_deep_tools(value)
            write_value(value, _MESSAGE_DEPTH)
    except JsonTooDeep:
        raise too_deep() from None
    return hidden_if_needed(value)


def _read(raw: bytes) -> Any:
    """What no reader reads is cut far below the limit, so that what is around it is still known."""
    try:
        return read_json(raw)
    except JsonTooDeep:
        return read_json(pruned(raw, 2 * _MESSAGE_DEPTH))


def _flatten_deep_tools(message: Any) -> None:
    """Of a tool in a list that is nested too deep only its name is kept, so that `repair` leaves out this one alone."""
    result = message.get("result") if isinstance(message, dict) else None
    found = result.get("tools") if isinstance(result, dict) else None
    tools: list[Any] = found if isinstance(found, list) else []
    for at, tool in enumerate(tools):
        if is_too_deep(tool):
            tools[at] = {
                "name": tool.get("name") if isinstance(tool, dict) else None,
                "inputSchema": TOO_DEEP,
            }


def too_deep() -> McpError:
    return McpError(
        "too_deep",
        f"the server's answer is nested more than {MAX_DEPTH} levels deep, and cannot be passed on",
        sent=True,
    )


def _is_message(message: JsonObject) -> bool:
    if isinstance(message.get("method"), str) or isinstance(message.get("result"), dict):
        return True
    error = message.get("error")
    return (
        isinstance(error, dict) and type(error.get("code")) is int and isinstance(error.get("message"), str)
    )


def for_sdk(raw: bytes) -> bytes:
    """The bytes of one message as the SDK takes them. Raises `McpError`."""
    try:
        plain = orjson.loads(raw)
        if not _MARK_IN_JSON.search(raw) and isinstance(plain, dict) and _is_message(plain):
            if not is_too_deep(plain, _MESSAGE_DEPTH):
                return raw
    except orjson.JSONDecodeError:
        pass
    try:
        return write_json(read_message(raw))
    except ValueError as error:
        raise McpError(
            "protocol", f"the server's answer is not JSON: {str(error)[:200]}", sent=True
        ) from None


def error_for(raw: bytes, error: McpError) -> JsonObject:
    """The answer that the SDK gets instead of `raw`; its id is null where it cannot be read."""
    return {"jsonrpc": "2.0", "id": id_at(raw, raw[-4096:]), "error": error.as_error()}


class EventRepair:
    """Server-sent events (WHATWG HTML 9.2) as they arrive, their messages made ready for the SDK. An event of more than
    `limit` bytes goes on as it is, because the SDK has the same limit and refuses it.

    `on_lost` is told about a message that had to be refused and whose id nobody can read.
    """

    def __init__(self, limit: int, on_lost: OnError | None = None) -> None:
        self._limit = limit + _SPARE_BYTES
        self._on_lost = on_lost
        self._rest = bytearray()
        self._seen = 0

    def feed(self, data: bytes) -> bytes:
        """The bytes that can go on now: whole events only."""
        self._rest += data
        out: list[bytes] = []
        start = 0
        for end in _EVENT_END.finditer(self._rest, max(0, self._seen - 3)):
            out.append(self._event(bytes(self._rest[start : end.end()])))
            start = end.end()
        del self._rest[:start]
        self._seen = len(self._rest)
        return b"".join(out) if self._seen <= self._limit else b"".join(out) + self.finish()

    def finish(self) -> bytes:
        """What is left when the stream ends."""
        rest, self._rest, self._seen = bytes(self._rest), bytearray(), 0
        return rest

    def _event(self, block: bytes) -> bytes:
        lines = [line.partition(b":") for line in _LINE_END.split(block) if line]
        data = b"\n".join(value.removeprefix(b" ") for name, _, value in lines if name == b"data")
        kinds = [value.removeprefix(b" ") for name, _, value in lines if name == b"event"]
        if not data or kinds[-1:] not in ([], [b"message"]):
            return block
        ready = self._ready(data)
        if ready is data:
            return block
        others = [b"".join(line) for line in lines if line[0] != b"data"]
        return b"\n".join([*others, b"data: " + ready]) + b"\n\n"

    def _ready(self, data: bytes) -> bytes:
        try:
            return for_sdk(data)
        except McpError as error:
            told = error_for(data, error)
            if told["id"] is None and self._on_lost is not None:
                self._on_lost(error)
            return write_json(told)


# ---- To servers -------------------------------------------------------------------------------------------


def for_server(raw: bytes) -> bytes:
    """What the SDK wrote as servers get it: without disguise, halves of surrogate pairs as escapes."""
    return write_json(restore(read_json(raw))) if _MARK_BYTES in raw else raw
