"""The way without the SDK's kernel answers what the kernel answers, and only takes what it is for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxy.serving.mcp import sdk
from proxy.serving.mcp.client import ClientContext, ClientState
from proxy.serving.mcp.jsonrpc import JsonRpcOutcome, parse
from proxy.serving.mcp.plain import PlainCalls
from tests.proxy.serving.board import ALICE
from tests.proxy.serving.support import call, envelope, modern_headers, open_session, serving

MODERN, LEGACY = "2026-07-28", "2025-11-25"
INFO = {"title": "Executor", "name": "executor", "version": ""}
IMAGE = {"type": "image", "data": "aGk=", "mimeType": "image/png"}
RESULTS = [
    {"content": [{"type": "text", "text": "1"}], "structuredContent": {"a": None, "b": [1.5, 2**60]}, "isError": False},
    {"content": [], "structuredContent": {"status": "completed"}, "isError": True},
    {"content": [{"type": "text", "text": "x", "annotations": {"priority": 1}}], "isError": False},
    {"content": [{"type": "text", "text": "x"}, IMAGE], "structuredContent": {}, "isError": False},
    {"content": [{"type": "text", "text": "no"}], "isError": True},
]  # fmt: skip


class Fixed:
    """Gives one result."""

    def __init__(self, result: dict[str, Any], asks: bool = False) -> None:
        self._result = result
        self._asks = asks

    def asks_nobody(self, client: ClientContext) -> bool:
        return not self._asks

    async def execute_plainly(self, client: ClientContext, arguments: dict[str, Any]) -> dict[str, Any]:
        return {**self._result, "_meta": {"executor/config-sha256": "0"}, "resultType": "complete"}


def modern_call(**meta: Any) -> Any:
    body = envelope("tools/call", {"name": "execute", "arguments": {"code": "return 1"}}, **meta)
    return parse(json.dumps(body).encode())


@pytest.mark.parametrize("given", RESULTS)
@pytest.mark.parametrize("version", sorted(sdk.PLAIN_VERSIONS))
async def test_results_are_shaped_as_the_kernel_shapes_them(given: dict[str, Any], version: str) -> None:
    plain = PlainCalls(Fixed(given), INFO)
    outcome = await plain.serve(modern_call(), version, ClientContext(ALICE))
    full = {**given, "_meta": {"executor/config-sha256": "0"}, "resultType": "complete"}
    expected = sdk.shaped_result("tools/call", version, full)
    if version == MODERN:
        expected["_meta"][sdk.SERVER_INFO_META_KEY] = INFO
    assert outcome.result == expected
    assert (outcome.result or {}).get("resultType") == ("complete" if version == MODERN else None)


def known(call: Any, version: str = MODERN, handlers: Any = None) -> PlainCalls:
    plain = PlainCalls(handlers or Fixed(RESULTS[0]), INFO)
    plain.note(call, version, JsonRpcOutcome({}))
    return plain


def test_a_meta_is_known_once_the_kernel_has_accepted_it() -> None:
    client, one = ClientContext(ALICE), modern_call()
    plain = PlainCalls(Fixed(RESULTS[0]), INFO)
    assert not plain.takes(one, MODERN, client)
    plain.note(one, MODERN, JsonRpcOutcome(None, -32602, "no"))
    assert not plain.takes(one, MODERN, client)
    plain.note(one, MODERN, JsonRpcOutcome({}))
    assert plain.takes(one, MODERN, client)
    assert not plain.takes(one, LEGACY, client)  # what one version accepts says nothing about another
    other = modern_call(**{"io.modelcontextprotocol/clientInfo": {"name": 7}})
    assert not plain.takes(other, MODERN, client)


@pytest.mark.parametrize(
    "change",
    [
        {"method": "tools/list"},
        {"params": {"name": "resume", "arguments": {}}},
        {"params": {"name": "execute"}},
        {"params": {"name": "execute", "arguments": "{}"}},
        {"params": {"name": "execute", "arguments": {}, "requestState": "x"}},
        {"params": {"name": "execute", "arguments": {}, "inputResponses": {}}},
        {"params": {"name": "execute", "arguments": {}, "task": {}}},
        {"params": {"name": "execute", "arguments": {}, "_meta": None}},
        {"params": {"name": "execute", "arguments": {}, "_meta": {"progressToken": 1}}},
        {"params": {"name": "execute", "arguments": {}, "_meta": {"io.modelcontextprotocol/logLevel": "info"}}},
        {"params": {"name": "execute", "arguments": {}, "_meta": {"traceparent": "00"}}},
    ],
)  # fmt: skip
@pytest.mark.parametrize("version", [MODERN, LEGACY])
def test_what_is_not_plain_is_left_to_the_kernel(change: dict[str, Any], version: str) -> None:
    client = ClientContext(ALICE)
    body = {**call("return 1"), **change}
    one = parse(json.dumps(body).encode())
    assert not known(one, version).takes(one, version, client)


def test_clients_that_hear_more_are_left_to_the_kernel() -> None:
    one = modern_call()
    assert not known(one).takes(one, MODERN, ClientContext(ALICE, state=ClientState(log_level="info")))
    assert not known(one, handlers=Fixed({}, asks=True)).takes(one, MODERN, ClientContext(ALICE))
    assert not known(one, "2025-03-26").takes(one, "2025-03-26", ClientContext(ALICE))


@pytest.mark.parametrize("code", ["return 42", "calls 2"])
async def test_both_ways_answer_the_same_over_http(code: str) -> None:
    async with serving() as server, server.client() as client:
        body = envelope("tools/call", {"name": "execute", "arguments": {"code": code}})
        headers = modern_headers("tools/call", "execute")
        kernel, plain = [await client.post("/mcp", json=body, headers=headers) for _ in range(2)]
        assert kernel.json() == plain.json()
        assert kernel.headers["content-type"] == plain.headers["content-type"]
        session = await open_session(client)
        kernel, plain = [
            await client.post("/mcp", json=call(code), headers={"mcp-session-id": session}) for _ in range(2)
        ]
        assert kernel.json() == plain.json()
        assert "resultType" not in plain.json()["result"]


@pytest.mark.parametrize("arguments", [{}, {"code": 7}, {"code": "return 1", "more": 1}, {"code": " "}])
async def test_wrong_arguments_are_told_the_same_way(arguments: dict[str, Any]) -> None:
    async with serving() as server, server.client() as client:
        body = envelope("tools/call", {"name": "execute", "arguments": arguments})
        headers = modern_headers("tools/call", "execute")
        kernel, plain = [(await client.post("/mcp", json=body, headers=headers)).json() for _ in range(2)]
        assert kernel == plain
        assert plain["result"]["isError"] is True
