"""An upstream that sends interim responses without end, or a body in the smallest chunks, holds nobody else up."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from integrations.http import HttpClient, TransportOptions
from integrations.http.errors import Unreachable
from integrations.http.interim import MAX_INTERIM
from tests.integrations.http.test_leftovers import HONEST, ask, sending
from tests.integrations.tls import Authority, tls_in_front_of

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\nLink: </a>\n\n"


@pytest.mark.parametrize("interim", [CONTINUE, HINTS], ids=["100", "103"])
async def test_a_few_interim_responses_are_read_over_on_each_request(interim: bytes) -> None:
    async with sending(interim * MAX_INTERIM + HONEST) as (port, counts), HttpClient() as http:
        for _ in range(3):
            assert await ask(http, f"http://127.0.0.1:{port}") == b"mine"
    assert counts == [3]


@pytest.mark.parametrize("interim", [CONTINUE, HINTS], ids=["100", "103"])
@pytest.mark.parametrize("count", [MAX_INTERIM + 1, 200_000])
async def test_more_of_them_end_the_connection(interim: bytes, count: int) -> None:
    async with sending(interim * count + HONEST) as (port, _), HttpClient() as http:
        with pytest.raises(Unreachable, match="more than 32 interim responses"):
            await ask(http, f"http://127.0.0.1:{port}")


async def test_the_same_over_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = authority.server_context(authority.issue("server", "127.0.0.1"))
    async with sending(CONTINUE * 1_000 + HONEST) as (port, _), tls_in_front_of(port, context) as secure:
        async with HttpClient() as http:
            client = http.through(lambda: TransportOptions(ca_bundle=authority.bundle))
            with pytest.raises(Unreachable, match="more than 32 interim responses"):
                await ask(client, f"https://127.0.0.1:{secure}")


async def test_a_body_that_looks_like_them_is_a_body() -> None:
    body = CONTINUE * 3
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    async with sending(answer) as (port, _), HttpClient() as http:
        assert await ask(http, f"http://127.0.0.1:{port}") == body


async def test_others_have_turns_while_a_body_of_tiny_chunks_is_read() -> None:
    chunks = 6_400
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * chunks + b"0\r\n\r\n"
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with sending(answer) as (port, _), HttpClient() as http, asyncio.TaskGroup() as tasks:
        other = tasks.create_task(count())
        body = await ask(http, f"http://127.0.0.1:{port}", max_bytes=chunks)
        other.cancel()
    assert body == b"x" * chunks
    assert turns > chunks // 64
