"""What servers get wrong although its meaning is plain, put right before the SDK validates it and ends the call.

- `tools/list`: an input schema that is null, missing or `{}` is any object; an output schema that is no object is
  ignored; what cannot be put right is one tool less, and a warning. One malformed tool never takes the others away.
- `tools/call`: the call ran, so its result is delivered. `structuredContent` that is no object, which revisions before
  2026-07-28 do not permit, is kept beside; content that is no list of known blocks becomes text.

What was left out or kept beside travels in `_meta` of the result, under keys of our own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCResponse, methods
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from integrations.base import JsonObject
from integrations.json_text import write_json
from integrations.mcp.messages import TOO_DEEP

LEFT_OUT = "executor/left-out"
BESIDE = "executor/structured-content"
_BLOCKS = frozenset({"text", "image", "audio", "resource", "resource_link"})
_MAX_SHOWN = 60
_UNNEGOTIATED = "2025-11-25"


class AnswerRepair:
    """Repairs the answers of one session. `version` is the negotiated revision, set once it is known."""

    def __init__(self) -> None:
        self.version = _UNNEGOTIATED

    def __call__(self, message: SessionMessage | Exception) -> None:
        """Changes the message in place."""
        if isinstance(message, SessionMessage) and isinstance(message.message, JSONRPCResponse):
            result = message.message.result
            if "tools" in result and "content" not in result:
                self._listing(result)
            elif "content" in result or "structuredContent" in result:
                self._call(result)

    @property
    def _modern(self) -> bool:
        return self.version in MODERN_PROTOCOL_VERSIONS

    # ---- tools/list -----------------------------------------------------------------------------------------------

    def _listing(self, result: JsonObject) -> None:
        warnings: list[str] = []
        tools = result["tools"] if isinstance(result["tools"], list) else []
        if result.get("nextCursor") is not None and not isinstance(result["nextCursor"], str):
            warnings.append("`nextCursor` is no text, so the pages after it are left out")
            del result["nextCursor"]
        for tool in tools:
            if isinstance(tool, dict):
                _with_plain_schemas(tool, warnings, modern=self._modern)
        result["tools"] = tools
        if self._fault(result, tools) is not None:
            result["tools"] = [
                tool for at, tool in enumerate(tools) if self._usable(result, tool, at, warnings)
            ]
        if warnings:
            _keep(result, LEFT_OUT, warnings)

    def _usable(self, result: JsonObject, tool: Any, at: int, warnings: list[str]) -> bool:
        fault = self._fault(result, [tool])
        if fault is None:
            return True
        place = ".".join(map(str, fault["loc"][2:]))
        reason = f"{place}: {fault['msg']}" if place else str(fault["msg"])
        if isinstance(tool, dict) and tool.get("inputSchema") == TOO_DEEP:
            reason = f"it is {TOO_DEEP}"
        warnings.append(f"tool {_name_of(tool, at)} left out: {reason[:200]}")
        return False

    def _fault(self, result: JsonObject, tools: list[Any]) -> Any:
        """The first thing that the SDK would not take of these tools; None when it takes them."""
        try:
            methods.parse_server_result("tools/list", self.version, {**result, "tools": tools})
        except ValidationError as error:
            return next((one for one in error.errors() if one["loc"][:1] == ("tools",)), None)
        except (KeyError, ValueError):
            return None
        return None

    # ---- tools/call -----------------------------------------------------------------------------------------------

    def _call(self, result: JsonObject) -> None:
        structured = result.get("structuredContent")
        if "structuredContent" in result and not isinstance(structured, dict) and not self._modern:
            del result["structuredContent"]
            result.setdefault("content", [])
            if structured is not None:
                _keep(result, BESIDE, structured)
        content = result.get("content")
        if isinstance(content, str | dict):
            content = [content]
        if content is None or (isinstance(content, list) and not all(map(_is_block, content))):
            content = [one if _is_block(one) else _as_text(one) for one in content or ()]
        result["content"] = content


def _with_plain_schemas(tool: JsonObject, warnings: list[str], *, modern: bool) -> None:
    given = tool.get("inputSchema")
    if given is None or given == {}:
        tool["inputSchema"] = {"type": "object"}
    elif isinstance(given, dict) and (given.get("type") is None or _may_be_object(given["type"])):
        tool["inputSchema"] = {**given, "type": "object"}
    output = tool.get("outputSchema")
    if output is None:
        tool.pop("outputSchema", None)
    elif not isinstance(output, dict) or (output.get("type") != "object" and not modern):
        del tool["outputSchema"]
        warnings.append(
            f"tool {_name_of(tool, 0)}: its output schema is not one of an object, and is ignored"
        )


def _may_be_object(kind: Any) -> bool:
    return isinstance(kind, list) and "object" in kind


def _name_of(tool: Any, at: int) -> str:
    name = tool.get("name") if isinstance(tool, dict) else None
    return repr(name[:_MAX_SHOWN]) if isinstance(name, str) else f"number {at + 1}"


def _is_block(block: Any) -> bool:
    return isinstance(block, dict) and block.get("type") in _BLOCKS


def _as_text(block: Any) -> JsonObject:
    return {
        "type": "text",
        "text": block if isinstance(block, str) else write_json(block).decode(),
    }


def _keep(result: JsonObject, key: str, value: Any) -> None:
    meta = result.get("_meta")
    result["_meta"] = {**(meta if isinstance(meta, dict) else {}), key: value}


Repair = Callable[[SessionMessage | Exception], None]
