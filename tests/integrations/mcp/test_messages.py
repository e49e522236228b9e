from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from integrations.base import Failure, Result, Success
from integrations.json_text import MAX_DEPTH, read_json
from integrations.mcp.errors import McpError
from integrations.mcp.messages import TOO_DEEP, EventRepair, for_sdk, for_server, hide, read_message, restore
from tests.integrations.echo import Reply, Seen
from tests.integrations.mcp.http_server import JSON, raw_http
from tests.integrations.mcp.running import raw_server, running

EVENTS = ("Content-Type", "text/event-stream")
BIG = 123456789012345678901234567890
MARK = "\U0010ffff"


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


def structured(value: str) -> str:
    return f'{{"content":[],"structuredContent":{{"v":{value}}}}}'


def in_text(value: str) -> str:
    return f'{{"content":[{{"type":"text","text":{value}}}]}}'


# ---- Results: name, the result as the server writes it, what agent code gets (a `str` ends in that code of an error)
ANSWERS: list[tuple[str, str, Any]] = [
    ("beyond 2^53", structured("9007199254740993"), {"v": 9007199254740993}),
    ("beyond 64 bits", structured(str(BIG)), {"v": BIG}),
    ("negative", structured(f"-{BIG}"), {"v": -BIG}),
    ("beyond 64 bits in a text", in_text(json.dumps(f'{{"v": {BIG}}}')), {"v": BIG}),
    ("beyond a double", structured("1e400"), {"v": "1e400"}),
    ("half a pair", structured('"a\\ud83db"'), {"v": "a\ud83db"}),
    ("the other half", structured('"\\udc00"'), {"v": "\udc00"}),
    ("half a pair as a name", structured('{"\\ud83d": 1}'), {"v": {"\ud83d": 1}}),
    ("half a pair in a text", in_text('"a\\ud83d"'), "a\ud83d"),
    ("half a pair in JSON in a text", in_text('"{\\"v\\": \\"\\\\ud83d\\"}"'), {"v": "\ud83d"}),
    ("a whole pair", structured('"\\ud83d\\ude00"'), {"v": "\U0001f600"}),
    ("the mark itself", structured(json.dumps(f"{MARK}0 \ud800")), {"v": f"{MARK}0 \ud800"}),
    ("the mark as UTF-8", structured(f'"{MARK}x"'), {"v": f"{MARK}x"}),
    ("deep", structured(nested(150)), {"v": json.loads(nested(150))}),
    ("nested 240 deep", structured(nested(240)), "upstream_response_too_deep"),
    ("nested 2,000 deep", structured(nested(2_000)), "upstream_response_too_deep"),
    ("nested 90,000 deep", structured(nested(90_000)), "upstream_response_too_deep"),
]  # fmt: skip
# ---- Arguments as agent code gives them
ARGUMENTS: list[tuple[str, dict[str, Any]]] = [
    ("beyond 2^53", {"n": 9007199254740993}),
    ("beyond 64 bits", {"n": BIG, "m": [-BIG]}),
    ("half a pair", {"text": "a\ud83db"}),
    ("half a pair as a name", {"\ud83d": {"\udc00": 1}}),
    ("the mark itself", {"text": f"{MARK} {MARK}0 \udfff"}),
    ("deep", {"v": json.loads(nested(MAX_DEPTH - 1))}),
]
Call = Callable[[str, str, dict[str, Any]], Awaitable[tuple[Result, Any]]]


@asynccontextmanager
async def over_stdio() -> AsyncIterator[Call]:
    async with running(raw_server()) as one:

        async def call(tool: str, result: str, arguments: dict[str, Any]) -> tuple[Result, Any]:
            if tool == "raw":
                return await one.call("raw", result=result), None
            line = await one.data("line", **arguments)
            return Success(None), (line if isinstance(line, dict) else read_json(line))["params"]["arguments"]

        yield call


def over_http(as_events: bool) -> Any:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Call]:
        async with raw_http() as http:
            seen: list[Seen] = []
            results: list[str] = []

            def answer(method: str, request: Seen) -> Reply | None:
                if method != "tools/call":
                    return None
                seen.append(request)
                number = json.loads(request.body)["id"]
                message = f'{{"jsonrpc":"2.0","id":{json.dumps(number)},"result":{results[-1]}}}'
                if as_events:
                    return Reply(200, [EVENTS], f"event: message\ndata: {message}\n\n".encode())
                return Reply(200, [JSON], message.encode())

            http.refuse = answer
            async with running(http.server) as one:

                async def call(tool: str, result: str, arguments: dict[str, Any]) -> tuple[Result, Any]:
                    results.append(result or in_text('"ok"'))
                    given = await one.call("write", **arguments)
                    return given, read_json(seen[-1].body)["params"]["arguments"]

                yield call

    return opened


TRANSPORTS = {"stdio": over_stdio, "http": over_http(False), "events": over_http(True)}


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_every_answer_arrives_exactly_or_says_that_the_call_was_sent(transport: str) -> None:
    async with TRANSPORTS[transport]() as call:
        for name, written, expected in ANSWERS:
            result, _ = await call("raw", written, {})
            if isinstance(expected, str) and expected.startswith("upstream_"):
                assert isinstance(result, Failure), name
                assert (result.code, result.details["outcome"]) == (expected, "unknown"), name
                assert "nested more than 180 levels deep" in result.message, name
                assert "the call was sent and may have taken effect" in result.message, name
            else:
                assert result == Success(expected), name


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_every_argument_arrives_exactly(transport: str) -> None:
    async with TRANSPORTS[transport]() as call:
        for name, arguments in ARGUMENTS:
            _, arrived = await call("line", "", arguments)
            assert arrived == arguments, name


@pytest.mark.parametrize("transport", ["http", "events"])
@pytest.mark.parametrize(
    ("result", "words"),
    [
        ("{", "is not JSON"),
        ('{"structuredContent": {"v": NaN}}', "is not JSON: NaN is no JSON"),
        ("5", "is no JSON-RPC message"),
    ],
)
async def test_what_is_no_message_says_that_the_call_was_sent(
    transport: str, result: str, words: str
) -> None:
    async with TRANSPORTS[transport]() as call:
        failure, _ = await call("raw", result, {})
        assert isinstance(failure, Failure)
        assert words in failure.message
        assert "the call was sent and may have taken effect" in failure.message


async def test_errors_of_servers_and_lists_keep_halves_of_pairs() -> None:
    async with raw_http() as http:
        http.tools = [{"name": "t\ud83d", "description": "d\ud83d", "inputSchema": {"type": "object"}}]
        error = {"code": -32603, "message": "bad \ud83d", "data": {"\ud83d": BIG}}
        seen: list[Any] = []

        def answer(method: str, request: Seen) -> Reply | None:
            if method != "tools/call":
                return None
            seen.append(read_json(request.body)["params"]["name"])
            body = {"jsonrpc": "2.0", "id": json.loads(request.body)["id"], "error": error}
            return Reply(200, [JSON], json.dumps(body).encode())

        http.refuse = answer
        async with running(http.server) as one:
            (tool,) = one.upstream.toolset.tools
            assert "d\ud83d" in tool.description
            failure = await one.failure(tool.name)
        assert seen == ["t\ud83d"]
        assert (failure.message, failure.details["data"]) == ("bad \ud83d", {"\ud83d": BIG})


@pytest.mark.parametrize(
    "text", ["", "plain", "\ud800", "\udfff\ud800", MARK, f"{MARK}0{MARK}\ud800", "\U00100000"]
)
def test_what_is_hidden_is_encodable_and_restored(text: str) -> None:
    value = {text: [text, {"a": text}], "n": 1}
    hidden = hide(value)
    json.dumps(hidden, ensure_ascii=False).encode()
    assert restore(hidden) == value
    assert read_json(for_server(json.dumps(hide({"params": value}), ensure_ascii=False).encode())) == {
        "params": value
    }


def test_what_needs_no_repair_stays_the_same_bytes() -> None:
    raw = (
        b'{"jsonrpc": "2.0", "id": 1, "result": {"n": 123456789012345678901234567890, "t": "\\ud83d\\ude00"}}'
    )
    assert for_sdk(raw) is raw
    assert for_server(raw) is raw


def test_a_message_with_a_wrong_shape_is_none() -> None:
    for raw in (b"[]", b"5", b"{}", b'{"result": 5}', b'{"error": {"code": "x", "message": "m"}}'):
        with pytest.raises(McpError, match="no JSON-RPC message"):
            read_message(raw)


MESSAGE = b'{"jsonrpc":"2.0","id":7,"result":{"a":"\\ud83d"}}'
STREAMS = {
    "line feeds": b": hello\n\nevent: message\nid: 3\ndata: " + MESSAGE + b"\n\ndata: " + MESSAGE + b"\n\n",
    "both": b"event: message\r\nid: 3\r\ndata: " + MESSAGE + b"\r\n\r\ndata:" + MESSAGE + b"\r\n\r\n",
    "returns": b"event: message\rid: 3\rdata: " + MESSAGE + b"\r\rdata:" + MESSAGE + b"\r\r",
    "several lines": b'id: 3\ndata: {"jsonrpc":"2.0","id":7,\ndata: "result":{"a":"\\ud83d"}}\n\ndata: '
    + MESSAGE
    + b"\n\n",
}


@pytest.mark.parametrize("stream", STREAMS)
def test_events_are_repaired_wherever_the_stream_is_cut(stream: str) -> None:
    raw = STREAMS[stream]
    for size in (1, 2, 3, 7, len(raw)):
        repair = EventRepair(10_000)
        out = b"".join(repair.feed(raw[at : at + size]) for at in range(0, len(raw), size)) + repair.finish()
        data = [line.removeprefix(b"data: ") for line in out.splitlines() if line.startswith(b"data: ")]
        assert [json.loads(one) for one in data] == [
            {"jsonrpc": "2.0", "id": 7, "result": {"a": hide("\ud83d")}}
        ] * 2
        assert b"id: 3" in out


def test_other_events_and_what_is_too_long_go_on_as_they_are() -> None:
    for raw in (b"event: endpoint\ndata: /messages?x=1\n\n", b": ping\n\n", b"id: 4\ndata:\n\n"):
        assert EventRepair(100).feed(raw) == raw
    long = b"data: " + b"x" * 100_000
    assert EventRepair(100).feed(long) == long


def test_an_answer_whose_id_nobody_can_read_is_reported() -> None:
    lost: list[McpError] = []
    repair = EventRepair(1_000_000, lost.append)
    deep = nested(2_000).encode()
    known = repair.feed(b'data: {"jsonrpc":"2.0","id":7,"result":{"v":' + deep + b"}}\n\n")
    assert (json.loads(known[6:])["id"], lost) == (7, [])
    repair.feed(b'data: {"result":{"v":' + deep + b'},"id":[],"jsonrpc":"2.0"}\n\n')
    assert [error.kind for error in lost] == ["too_deep"]


@pytest.mark.parametrize("levels", [190, 400, 1_500, 60_000])
def test_of_a_tool_that_is_nested_too_deep_only_the_name_is_kept(levels: int) -> None:
    deep = '{"properties":' * levels + '{"type": "a }] [{ \\" b"}' + "}" * levels
    tools = f'[{{"name": "plain", "inputSchema": {{}}}}, {{"name": "deep", "inputSchema": {deep}}}]'
    raw = f'{{"jsonrpc": "2.0", "id": 1, "result": {{"tools": {tools}}}}}'.encode()
    kept = [{"name": "plain", "inputSchema": {}}, {"name": "deep", "inputSchema": TOO_DEEP}]
    assert read_message(raw)["result"]["tools"] == kept
    assert orjson.loads(for_sdk(raw))["result"]["tools"] == kept
    with pytest.raises(McpError, match="nested more than 180 levels deep"):
        read_message(f'{{"jsonrpc": "2.0", "id": 1, "result": {{"content": [{deep}]}}}}'.encode())
