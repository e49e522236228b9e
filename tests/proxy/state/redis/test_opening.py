"""Opening the store: as a user with few rights, and over TLS with an authority and a client certificate of our own."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from limits import RateLimitItemPerMinute
from limits.aio.strategies import MovingWindowRateLimiter

from integrations.base import Secret
from proxy.config.redis_address import RedisForm
from proxy.state import Entry, ExecutionQuery, Owner, State, StateUnavailable
from proxy.state.keys import KeyRing
from proxy.state.redis import RedisOptions, open_redis
from tests.proxy.state.servers import RedisServer
from tests.proxy.state.stores import ALICE, OLD_KEY, Clock, record

KEYS = KeyRing([OLD_KEY])
# As docs/operations.md has it.
RIGHTS = (
    *("on", ">right", "~executor:*", "&executor:*", "+@read", "+@write", "+@scripting", "+@pubsub"),
    *("+@connection", "-@dangerous", "+info", "+time"),
)


async def used(state: State, clock: Clock) -> None:
    """A call of each part."""
    await state.check()
    lease = await state.acquire_lease("e1", "a", 60)
    await state.append_journal("e1", ALICE, [b"1"], lease=lease)
    saved = await state.save_execution(record(clock, "e1"), lease=lease)
    await state.save_execution(replace(saved, status="settled"))
    assert len(await state.list_executions(ExecutionQuery("one"))) == 1
    assert await state.unattended() == ()
    ref = await state.put_result(ALICE, b"1", 60)
    assert ref is not None
    assert await state.get_result(Owner("one", "key:alice"), ref) == b"1"
    await state.write_entry(Entry("kind", "one", "k", b"v"))
    assert len(await state.list_entries("kind", "one")) == 1
    async with state.subscribe("news") as heard:
        await state.publish("news", b"hello")
        assert await heard.receive() == b"hello"
    assert state.counters is not None
    assert await MovingWindowRateLimiter(state.counters).hit(RateLimitItemPerMinute(1), "x")


async def test_a_user_with_the_rights_that_the_manual_names(server: RedisServer) -> None:
    server.ask("ACL", "SETUSER", "few", *RIGHTS)
    url = server.url.replace("unix://", "unix://few:right@")
    clock = Clock()
    async with open_redis(Secret(url), KEYS, RedisOptions(), clock) as state:
        await used(state, clock)
    server.ask("FLUSHALL")
    server.ask("ACL", "SETUSER", "few", "-info")
    async with open_redis(Secret(url), KEYS, RedisOptions(), clock) as state:
        await used(state, clock)
    server.ask("FLUSHALL")


def openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`ca.pem`; `server` and `client`, each a certificate of it with its key."""
    folder = tmp_path_factory.mktemp("pems")
    made = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    openssl(
        folder, "req", "-x509", *made, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test authority"
    )
    for name in ("server", "client"):
        own = ("-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "subjectAltName=IP:127.0.0.1")
        named = ("-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}")
        openssl(folder, "req", "-x509", *made, *own, *named)
    return folder


@asynccontextmanager
async def secured(server: RedisServer, pems: Path) -> AsyncIterator[int]:
    """The port of a TLS listener in front of the server, which wants a client certificate: ours has no TLS built in."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(pems / "ca.pem"))
    context.load_cert_chain(pems / "server.pem", pems / "server.key")
    context.verify_mode = ssl.CERT_REQUIRED

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()

    async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, back = await asyncio.open_unix_connection(server.url.removeprefix("unix://"))
        await asyncio.gather(copy(reader, back), copy(behind, writer))

    listener = await asyncio.start_server(passed_on, "127.0.0.1", 0, ssl=context)
    async with listener:
        yield listener.sockets[0].getsockname()[1]


async def test_tls_with_files_of_our_own(server: RedisServer, pems: Path) -> None:
    async with secured(server, pems) as port:
        await _only_with_all_files(Secret(f"rediss://127.0.0.1:{port}/0"), pems)
    server.ask("FLUSHALL")


async def _only_with_all_files(url: Secret, pems: Path) -> None:
    clock = Clock()
    form = RedisForm(ca=str(pems / "ca.pem"), cert=str(pems / "client.pem"), key=str(pems / "client.key"))
    async with open_redis(url, KEYS, RedisOptions(), clock, form=form) as state:
        await used(state, clock)
    for wrong, words in (
        (RedisForm(), "does not answer|certificate"),
        (RedisForm(ca=form.ca), "does not answer"),
        (replace(form, ca=str(pems / "nowhere.pem")), "`state.tls` cannot be used"),
        (replace(form, key=str(pems / "server.key")), "`state.tls` cannot be used"),
    ):
        with pytest.raises(StateUnavailable, match=words):
            async with open_redis(url, KEYS, RedisOptions(limit_seconds=2.0), clock, form=wrong):
                pass
