from __future__ import annotations

import asyncio
from typing import Any

import pytest
from anyio import wait_all_tasks_blocked

from proxy.serving.http.asgi import HttpReply, HttpRequest
from proxy.serving.mcp.exchange import Exchange, SessionChannel, accepts
from proxy.serving.mcp.jsonrpc import JsonRpcOutcome, parse

CALL = parse(b'{"jsonrpc":"2.0","id":1,"method":"tools/call"}')


def request(accept: str | None = None) -> HttpRequest:
    headers = [(b"accept", accept.encode())] if accept is not None else []
    return HttpRequest.of(
        {"method": "POST", "path": "/mcp", "headers": headers, "query_string": b"", "client": None}
    )


@pytest.mark.parametrize(
    ("header", "takes"),
    [
        (None, True),
        ("*/*", True),
        ("text/*;q=0.5", True),
        ("application/json, TEXT/event-stream", True),
        ("application/json", False),
    ],
)
def test_accept(header: str | None, takes: bool) -> None:
    assert accepts(request(header), "text/event-stream") is takes


class Connection:
    """A client at the other end of an ASGI connection."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.left = asyncio.Event()
        self.told = asyncio.Event()
        self.noticed = asyncio.Event()

    async def receive(self) -> Any:
        await self.left.wait()
        self.noticed.set()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        self.told.set()

    def exchange(self, *, in_session: bool = False, ping_seconds: float = 15.0) -> tuple[Exchange, HttpReply]:
        reply = HttpReply(self.send)
        session = SessionChannel() if in_session else None
        return Exchange(request(), self.receive, reply, ping_seconds=ping_seconds, session=session), reply


async def test_a_silent_handler_is_kept_alive_by_pings() -> None:
    connection = Connection()
    exchange, _ = connection.exchange(ping_seconds=0.01)

    async def handler() -> JsonRpcOutcome:
        await asyncio.wait_for(connection.told.wait(), 60)
        return JsonRpcOutcome({})

    await exchange.answer(CALL, handler, lambda code: 200)
    bodies = [message["body"] for message in connection.sent[1:]]
    assert b": ping\n\n" in bodies
    assert bodies[-1].startswith(b"event: message\ndata: ")
    assert connection.sent[-1]["more_body"] is False


async def test_a_request_without_a_session_ends_with_its_connection() -> None:
    connection = Connection()
    exchange, reply = connection.exchange()

    async def handler() -> JsonRpcOutcome:
        connection.left.set()
        await asyncio.Event().wait()
        raise AssertionError

    await exchange.answer(CALL, handler, lambda code: 200)
    assert reply.gone
    assert connection.sent == []


async def test_a_request_of_a_session_outlives_its_connection() -> None:
    connection, finished = Connection(), []
    exchange, reply = connection.exchange(in_session=True)

    async def handler() -> JsonRpcOutcome:
        connection.left.set()
        await connection.noticed.wait()  # soon, not at once
        await wait_all_tasks_blocked()
        assert reply.gone
        await exchange.notify("notifications/progress", {})
        finished.append(True)
        return JsonRpcOutcome({})

    await exchange.answer(CALL, handler, lambda code: 200)
    assert finished == [True]
    assert connection.sent == []


async def test_errors_take_their_http_status_from_the_endpoint() -> None:
    connection = Connection()
    exchange, _ = connection.exchange()

    async def handler() -> JsonRpcOutcome:
        return JsonRpcOutcome(None, -32601, "no")

    await exchange.answer(CALL, handler, lambda code: 404 if code == -32601 else 200)
    assert connection.sent[0]["status"] == 404
