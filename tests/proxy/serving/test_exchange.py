from __future__ import annotations

import asyncio
from typing import Any

import pytest
from anyio import wait_all_tasks_blocked

from proxy.serving.exchange import Exchange, accepts
from proxy.serving.http import Reply, Request
from proxy.serving.messages import Outcome, parse

CALL = parse(b'{"jsonrpc":"2.0","id":1,"method":"tools/call"}')


def request(accept: str | None = None) -> Request:
    headers = [(b"accept", accept.encode())] if accept is not None else []
    return Request.of(
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


class Wire:
    """A client at the other end of an ASGI connection."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.left = asyncio.Event()
        self.told = asyncio.Event()

    async def receive(self) -> Any:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        self.told.set()

    def exchange(self, *, patient: bool = False, ping_seconds: float = 15.0) -> tuple[Exchange, Reply]:
        reply = Reply(self.send)
        return Exchange(request(), self.receive, reply, patient=patient, ping_seconds=ping_seconds), reply


async def test_a_silent_handler_is_kept_alive_by_pings() -> None:
    wire = Wire()
    exchange, _ = wire.exchange(ping_seconds=0.01)

    async def handler() -> Outcome:
        await asyncio.wait_for(wire.told.wait(), 60)
        return Outcome({})

    await exchange.answer(CALL, handler, lambda code: 200)
    bodies = [message["body"] for message in wire.sent[1:]]
    assert b": ping\n\n" in bodies
    assert bodies[-1].startswith(b"event: message\ndata: ")
    assert wire.sent[-1]["more_body"] is False


async def test_an_impatient_request_ends_with_its_connection() -> None:
    wire = Wire()
    exchange, reply = wire.exchange()

    async def handler() -> Outcome:
        wire.left.set()
        await asyncio.Event().wait()
        raise AssertionError

    await exchange.answer(CALL, handler, lambda code: 200)
    assert reply.gone
    assert wire.sent == []


async def test_a_patient_request_outlives_its_connection() -> None:
    wire, finished = Wire(), []
    exchange, reply = wire.exchange(patient=True)

    async def handler() -> Outcome:
        wire.left.set()
        await wait_all_tasks_blocked()
        assert reply.gone
        await exchange.notify("notifications/progress", {})
        finished.append(True)
        return Outcome({})

    await exchange.answer(CALL, handler, lambda code: 200)
    assert finished == [True]
    assert wire.sent == []


async def test_errors_take_their_http_status_from_the_leg() -> None:
    wire = Wire()
    exchange, _ = wire.exchange()

    async def handler() -> Outcome:
        return Outcome(None, -32601, "no")

    await exchange.answer(CALL, handler, lambda code: 404 if code == -32601 else 200)
    assert wire.sent[0]["status"] == 404
