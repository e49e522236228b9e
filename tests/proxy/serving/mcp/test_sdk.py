"""Each non-public name of the SDK that we rely on, so that a new version fails here and says where."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import mcp_types as types
import orjson
import pytest
from mcp.server import NotificationOptions, Server
from mcp.shared.exceptions import MCPError, NoBackChannelError

from proxy.serving.mcp import sdk
from proxy.serving.mcp.jsonrpc import JsonRpcMessage, JsonRpcOutcome, encode, parse
from tests.proxy.serving.support import MODERN, envelope, initialize, modern_headers, rpc

Sent = list[tuple[str, dict[str, Any]]]


def message(body: dict[str, Any]) -> JsonRpcMessage:
    return parse(encode(body))


def server() -> Server[Any]:
    """`tools/call` answers with its `lifespan_context`, or raises it when asked to."""

    async def call(context: Any, params: Any) -> dict[str, Any]:
        if params.name == "raise":
            raise context.lifespan_context
        await sdk.notify(context, "notifications/message", {"level": "info", "data": "hello"})
        await context.session.report_progress(1.0, message="half")
        text = f"{context.lifespan_context} {context.protocol_version}"
        return {"content": [{"type": "text", "text": text}], "isError": False, "resultType": "complete"}

    made: Server[Any] = Server("test")
    made.add_request_handler("tools/call", types.CallToolRequestParams, call)
    return made


def recorder() -> tuple[Sent, sdk.Notify]:
    sent: Sent = []

    async def notify(method: str, params: Mapping[str, Any] | None) -> None:
        sent.append((method, dict(params or {})))

    return sent, notify


def test_the_version_these_tests_are_about() -> None:
    assert version("mcp").startswith("2.3.")
    assert sdk.MODERN_VERSIONS == (MODERN,)


@pytest.mark.parametrize(
    ("headers", "body", "modern"),
    [
        ({}, rpc("ping"), False),
        ({"mcp-protocol-version": "2025-11-25"}, rpc("ping"), False),
        ({"mcp-protocol-version": MODERN}, rpc("ping"), True),
        ({"mcp-protocol-version": "2099-01-01"}, rpc("ping"), True),
        ({}, envelope("ping"), True),
        ({"mcp-protocol-version": "2025-11-25"}, envelope("ping"), False),
        ({}, rpc("ping", {"_meta": {"progressToken": 1}}), False),
        ({}, rpc("ping", {"_meta": 1}), False),
    ],
)
def test_which_era_a_request_belongs_to(headers: dict[str, str], body: dict[str, Any], modern: bool) -> None:
    assert sdk.is_modern(headers, message(body)) is modern


def test_an_envelope_is_opened() -> None:
    info = {"io.modelcontextprotocol/clientInfo": {"name": "cli", "version": "1"}}
    opened = sdk.open_envelope(message(envelope("ping", **info)), modern_headers("ping"), frozenset())
    assert isinstance(opened, sdk.RequestEnvelope)
    assert (opened.version, opened.client) == (MODERN, "cli")
    anonymous = sdk.open_envelope(message(envelope("ping")), modern_headers("ping"), frozenset())
    assert isinstance(anonymous, sdk.RequestEnvelope)
    assert anonymous.client == ""


def test_a_routing_header_given_twice_is_refused() -> None:
    refused = sdk.open_envelope(message(envelope("ping")), modern_headers("ping"), frozenset({"mcp-method"}))
    assert isinstance(refused, JsonRpcOutcome)
    assert (refused.code, refused.result) == (-32020, None)


def test_versions_of_notifications() -> None:
    assert sdk.refuse_version({"mcp-protocol-version": MODERN}) is None
    assert sdk.refuse_version({}) is None
    refused = sdk.refuse_version({"mcp-protocol-version": "2099-01-01"})
    assert refused is not None
    assert refused.code == -32022


async def test_modern_requests_run_with_their_peer_and_channel() -> None:
    sent, notify = recorder()
    body = message(envelope("tools/call", {"name": "x"}, progressToken="p"))
    opened = sdk.open_envelope(body, modern_headers("tools/call", "x"), frozenset())
    assert isinstance(opened, sdk.RequestEnvelope)
    outcome = await sdk.serve_modern(server(), body, opened, notify, "the client")
    assert outcome.result is not None
    assert outcome.result["content"][0]["text"] == f"the client {MODERN}"
    assert sent == [
        ("notifications/message", {"level": "info", "data": "hello"}),
        ("notifications/progress", {"progressToken": "p", "progress": 1.0, "message": "half"}),
    ]


async def test_a_handshake_and_a_request_on_its_record() -> None:
    made = server()
    options = made.create_initialization_options(NotificationOptions(tools_changed=True))
    outcome, handshake = await sdk.serve_initialize(made, message(initialize()), options, None)
    assert handshake is not None
    assert outcome.result is not None
    assert handshake.version == "2025-11-25"
    assert handshake.client_params.client_info.name == "test"
    sent, notify = recorder()
    answered = await sdk.serve_legacy(
        made, message(rpc("tools/call", {"name": "x"})), handshake, notify, "the client"
    )
    assert answered.result is not None
    assert answered.result["content"][0]["text"] == "the client 2025-11-25"
    assert [method for method, _ in sent] == ["notifications/message"]


async def test_a_handshake_that_fails_has_no_record() -> None:
    made = server()
    options = made.create_initialization_options()
    outcome, handshake = await sdk.serve_initialize(made, message(rpc("initialize", {})), options, None)
    assert handshake is None
    assert outcome.code == -32602


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (MCPError(-32000, "ours"), -32000, "ours"),
        (RuntimeError("the secret cause"), -32603, "Internal server error"),
        (NoBackChannelError("x"), -32600, ""),
    ],
)
async def test_what_a_handler_raises_becomes_an_error(error: Exception, code: int, words: str) -> None:
    body = message(envelope("tools/call", {"name": "raise"}))
    opened = sdk.RequestEnvelope(MODERN, None, {})
    outcome = await sdk.serve_modern(server(), body, opened, recorder()[1], error)
    assert (outcome.result, outcome.code) == (None, code)
    assert words in outcome.message
    raising = message(rpc("tools/call", {"name": "raise"}))
    _, handshake = await sdk.serve_initialize(
        server(), message(initialize()), server().create_initialization_options(), None
    )
    assert handshake is not None
    legacy = await sdk.serve_legacy(server(), raising, handshake, recorder()[1], error)
    assert legacy.code == code
    assert "secret" not in legacy.message


def test_http_status_of_modern_errors() -> None:
    assert [
        sdk.modern_status(code) for code in (-32700, -32600, -32602, -32601, -32020, -32022, -32603, -32029)
    ] == [
        *(400, 400, 400, 404, 400, 400),
        *(200, 200),
    ]


def test_who_wants_logs() -> None:
    level = "io.modelcontextprotocol/logLevel"
    assert sdk.wants_log(MODERN, {level: "warning"}, None, "error")
    assert not sdk.wants_log(MODERN, {level: "warning"}, None, "info")
    assert not sdk.wants_log(MODERN, {}, "debug", "error")
    assert sdk.wants_log("2025-11-25", {}, "info", "warning")
    assert not sdk.wants_log("2025-11-25", {}, "error", "warning")
    assert not sdk.wants_log("2025-11-25", {level: "debug"}, None, "emergency")


def test_progress_token() -> None:
    assert sdk.progress_token({"_meta": {"progressToken": 0}}) == 0
    assert sdk.progress_token({"_meta": {"progressToken": True}}) is None
    assert sdk.progress_token(None) is None


async def test_a_request_of_ours_goes_out_under_the_id_we_chose() -> None:
    async def asks(context: Any, params: Any) -> dict[str, Any]:
        assert context.session.can_send_request
        answer = await sdk.ask(context, "elicitation/create", {"message": "well?"}, "our id")
        return {"content": [{"type": "text", "text": answer["action"]}], "resultType": "complete"}

    async def ask(identifier: Any, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        assert (identifier, method, params) == ("our id", "elicitation/create", {"message": "well?"})
        return {"action": "decline"}

    made: Server[Any] = Server("test")
    made.add_request_handler("tools/call", types.CallToolRequestParams, asks)
    options = made.create_initialization_options()
    _, handshake = await sdk.serve_initialize(made, message(initialize()), options, None)
    assert handshake is not None
    body = message(rpc("tools/call", {"name": "x"}))
    answered = await sdk.serve_legacy(made, body, handshake, recorder()[1], None, ask)
    assert answered.result is not None
    assert answered.result["content"][0]["text"] == "decline"


async def test_a_handshake_can_be_kept_and_used_elsewhere() -> None:
    made = server()
    opening = initialize()
    opening["params"]["capabilities"] = {"elicitation": {"form": {}}, "experimental": {"x": {"y": 1}}}
    opening["params"]["unknown"] = True
    options = made.create_initialization_options()
    _, handshake = await sdk.serve_initialize(made, message(opening), options, None)
    assert handshake is not None
    kept = encode(sdk.packed_handshake(handshake))
    assert sdk.unpacked_handshake(orjson.loads(kept)) == handshake
    nobody = sdk.Handshake("2025-06-18", None)
    assert sdk.unpacked_handshake(sdk.packed_handshake(nobody)) == nobody


async def test_a_channel_without_a_way_back_asks_the_client_nothing() -> None:
    sent, notify = recorder()
    channel = sdk.Channel(notify, 1)
    assert not channel.can_send_request
    with pytest.raises(NoBackChannelError):
        await channel.send_raw_request("elicitation/create", {})
    await channel.progress(1)
    assert sent == []
