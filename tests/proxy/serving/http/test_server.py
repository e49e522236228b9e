from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any

import httpx2
import pytest

from proxy.serving.http.server import HttpLimits, serve_http
from proxy.serving.http.sockets import bind
from tests.proxy.serving.support import call, open_session, serving


def test_port_zero_takes_a_free_one() -> None:
    with bind("127.0.0.1", 0) as sock:
        assert sock.getsockname()[1] > 0


def test_a_taken_port_is_named() -> None:
    with bind("127.0.0.1", 0) as sock:
        sock.listen()
        port = sock.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}: "):
            bind("127.0.0.1", port)


def test_ipv6() -> None:
    with bind("::1", 0) as sock:
        assert sock.family == socket.AF_INET6


async def test_the_port_is_free_again_afterwards() -> None:
    async with serving() as server, server.client() as client:
        port = int(server.url.rpartition(":")[2])
        assert (await client.get("/healthz")).status_code == 200
    with bind("127.0.0.1", port):
        pass


async def test_streams_end_properly_and_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        async with serving(limits=HttpLimits(grace_seconds=10)) as server, server.client() as client:
            headers = {"mcp-session-id": await open_session(client)}
            async with client.stream("GET", "/mcp", headers=headers) as stream:
                lines = stream.aiter_lines()
                assert await anext(lines) == ": open"
                server.drain.begin()
                server.shutdown.set()
                assert [line async for line in lines if line] == []
    assert caplog.records == []


async def test_a_running_request_gets_its_answer_after_shutdown_was_asked_for() -> None:
    async with serving(limits=HttpLimits(grace_seconds=10)) as server, server.client() as client:
        session = await open_session(client)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(
                client.post("/mcp", json=call("wait"), headers={"mcp-session-id": session})
            )
            await asyncio.wait_for(server.board.waiting.wait(), 60)
            server.drain.begin()
            server.shutdown.set()
            server.board.go_on.set()
        assert running.result().status_code == 200


async def test_what_does_not_end_is_cancelled_after_the_grace_time() -> None:
    async with serving(limits=HttpLimits(grace_seconds=0.05)) as server, server.client() as client:
        session = await open_session(client)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(
                client.post("/mcp", json=call("wait"), headers={"mcp-session-id": session})
            )
            await asyncio.wait_for(server.board.waiting.wait(), 60)
            server.shutdown.set()
        assert running.result().status_code == 500
        assert server.board.cancelled.is_set()


async def test_an_app_that_fails_costs_one_answer_and_one_log_line(caplog: pytest.LogCaptureFixture) -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("boom")

    shutdown, port = asyncio.Event(), asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as group:
        group.create_task(
            serve_http(failing, host="127.0.0.1", port=0, shutdown=shutdown, bound=port.set_result)
        )
        async with httpx2.AsyncClient() as client:
            assert (await client.get(f"http://127.0.0.1:{await port}/")).status_code == 500
        shutdown.set()
    failed = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.name for record in failed] == ["proxy.serving.hypercorn"]
    assert logging.getLogger("hypercorn.error").handlers == []


SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
UPGRADE = (
    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\n"
    b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
)


@pytest.mark.parametrize(
    ("sent", "starts"),
    [
        (PREFACE + SETTINGS * 10_000, b"HTTP/1.1 4"),
        (UPGRADE + PREFACE + SETTINGS * 10_000, b"HTTP/1.1 200"),
    ],
)
async def test_http_2_is_not_spoken(sent: bytes, starts: bytes) -> None:
    async with serving() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
        writer.write(sent)
        async with asyncio.timeout(60):
            said = await reader.read()
        writer.close()
    assert said.startswith(starts)
    assert SETTINGS[3:] not in said
    assert b" 101 " not in said
    assert said.count(b"HTTP/1.1 ") <= 3
