"""`tools/call` of `execute` without the SDK's kernel, for requests whose form leaves nothing for it to decide.

The kernel builds a connection, a session and a context for each request, and checks and rebuilds parameters and result
with the models of the protocol: a tenth of the proxy's time for a trivial execution. A request is plain when

- its parameters are `name`, `arguments` (an object) and `_meta`, and that asks for neither progress nor log messages;
- `_meta` says the same as one that the kernel accepted before (it checks the capabilities and the client in it);
- nobody is asked through the client (mode native), and the protocol is not debugged.

Everything else goes to the kernel, as does a result with content of another type than text. That both ways answer the
same is what tests/proxy/serving/mcp/test_plain.py compares.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final, Protocol

from integrations.base import JsonObject
from integrations.json_text import write_json
from proxy.serving.mcp import debug, sdk
from proxy.serving.mcp.client import ClientContext
from proxy.serving.mcp.jsonrpc import JsonRpcMessage, JsonRpcOutcome

_PARAMS: Final = frozenset({"name", "arguments", "_meta"})
_TEXT_BLOCK: Final = frozenset({"type", "text"})
_KNOWN_METAS: Final = 1000
_LONGEST_META: Final = 4096


class PlainHandlers(Protocol):
    """The tool, for one client. What it raises becomes the error of the request."""

    def asks_nobody(self, client: ClientContext) -> bool:
        """Whether no question goes through this client."""
        ...

    async def execute_plainly(self, client: ClientContext, arguments: JsonObject) -> JsonObject:
        """The result of `tools/call`, as 2026-07-28 has it."""
        ...


class PlainCalls:
    """`handlers` are those of the SDK's server too; `server_info` is what that puts on its results (2026-07-28)."""

    def __init__(self, handlers: PlainHandlers, server_info: Mapping[str, Any]) -> None:
        self._handlers = handlers
        self._server_info = server_info
        self._accepted: OrderedDict[bytes, None] = OrderedDict()

    def takes(self, call: JsonRpcMessage, version: str, client: ClientContext) -> bool:
        """Whether `serve` answers this request as the kernel would."""
        return (
            version in sdk.PLAIN_VERSIONS
            and _is_execute(call)
            and client.state.log_level is None
            and self._knows(call, version)
            and not debug.is_on()
            and self._handlers.asks_nobody(client)
        )

    def note(self, call: JsonRpcMessage, version: str, outcome: JsonRpcOutcome) -> None:
        """What the kernel answered: from now on it is known to accept this `_meta`."""
        if outcome.result is None or version not in sdk.PLAIN_VERSIONS or not _is_execute(call):
            return
        key = _meta_key(call, version)
        if key is None or len(key) > _LONGEST_META:
            return
        self._accepted[key] = None
        if len(self._accepted) > _KNOWN_METAS:
            self._accepted.popitem(last=False)

    async def serve(self, call: JsonRpcMessage, version: str, client: ClientContext) -> JsonRpcOutcome:
        """Run it. Never raises but for cancellation."""
        params = call.params or {}
        try:
            result = await self._handlers.execute_plainly(client, params["arguments"])
            return JsonRpcOutcome(self._shaped(result, version))
        except Exception as error:  # the boundary that the kernel is for other requests
            return sdk.failed(error)

    def _shaped(self, result: JsonObject, version: str) -> JsonObject:
        if not all(_is_text(block) for block in result["content"]):
            result = sdk.shaped_result("tools/call", version, result)
        elif version not in sdk.MODERN_VERSIONS:
            del result["resultType"]
        if version in sdk.MODERN_VERSIONS:
            result["_meta"] = {**result.get("_meta", {}), sdk.SERVER_INFO_META_KEY: self._server_info}
        return result

    def _knows(self, call: JsonRpcMessage, version: str) -> bool:
        key = _meta_key(call, version)
        if key is None:
            return False
        if key not in self._accepted:
            return False
        self._accepted.move_to_end(key)
        return True


def _is_execute(call: JsonRpcMessage) -> bool:
    params = call.params
    return (
        call.kind == "request"
        and call.method == "tools/call"
        and params is not None
        and params.get("name") == "execute"
        and type(params.get("arguments")) is dict
        and params.keys() <= _PARAMS
    )


def _meta_key(call: JsonRpcMessage, version: str) -> bytes | None:
    """What is to be known about a `_meta`; None when it says something that matters for this request."""
    meta = (call.params or {}).get("_meta", {})
    if type(meta) is not dict or not meta.keys() <= sdk.PLAIN_META_KEYS:
        return None
    return version.encode() + write_json(meta)


def _is_text(block: JsonObject) -> bool:
    return block.keys() == _TEXT_BLOCK and block["type"] == "text" and type(block["text"]) is str
