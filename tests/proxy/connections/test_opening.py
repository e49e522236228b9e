"""Opening a config: what is shared, what is forgotten, what goes wrong and for whom."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest

from proxy.connections import Connections, Opened
from proxy.connections.opening import WrongSource
from proxy.connections.sources import Patience
from tests.integrations.echo import Echo, Reply, echo_server
from tests.proxy.connections.test_sources import DOWN, RENAMED, SPEC, serving_document
from tests.proxy.support import (
    LIMIT_SECONDS,
    Notice,
    call,
    config_of,
    config_text,
    connections_in,
    data_of,
    failure_of,
    inline,
    shop,
)

WRONG = '{inline: {openapi: "9.0"}}'
MAIN = "shop.org.main"


def from_url(echo: Echo, refresh: str = "") -> str:
    return f"{{url: {echo.url}{SPEC}{f', refresh: {refresh}' if refresh else ''}}}"


def toolset(opened: Opened, prefix: str = MAIN) -> object:
    """What was loaded; each connection has a view of it, without what it supplies itself."""
    return opened.sources[prefix].toolset


async def test_a_document_that_is_down_at_first_is_served_when_it_is_there(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    changed = Notice()
    async with echo_server() as echo, connections_in(env, changed=changed) as connections:
        echo.replies[SPEC] = [DOWN, DOWN, serving_document(url=echo.url)]
        config = config_of(tmp_path, config_text(from_url(echo)))
        first = await connections.open(config)
        down = first.connections[MAIN]
        assert down.status["status"] == "failed"
        assert down.status["error"].endswith("answered 503 instead of a document")
        assert down.upstream is None
        await changed.wait()
        assert connections.stale(first)
        second = await connections.open(config)
        connections.release(first.keys)
        assert second.connections[MAIN].status == {"status": "connected"}
        assert not connections.stale(second)
        data_of(await call(second.connections[MAIN], "items.list"))


@asynccontextmanager
async def held_back(gate: asyncio.Event) -> AsyncIterator[str]:
    """The URL of a document that is not sent before the gate opens."""
    body = orjson.dumps(shop())

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await gate.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body))
        writer.write(body)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/openapi.json"
    finally:
        server.close()


async def test_a_document_that_is_slow_does_not_hold_up_the_rest(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    changed, gate = Notice(), asyncio.Event()
    hurried = Patience(first_load_seconds=0.05, first_retry_seconds=0.01)
    more = "  ready.org.main: {}\n"
    async with (
        held_back(gate) as url,
        connections_in(env, changed=changed, patience=hurried) as connections,
    ):
        spec = f"{{url: {url}}}\n  ready: {{kind: openapi, spec: {inline(shop())}}}"
        config = config_of(tmp_path, config_text(spec, more=more))
        opened = await connections.open(config)
        assert opened.connections[MAIN].status == {"status": "failed", "error": "not loaded yet"}
        assert opened.connections["ready.org.main"].status == {"status": "connected"}
        gate.set()
        await changed.wait()
        assert toolset(await connections.open(config)) is not None


async def test_a_refresh_makes_what_is_open_stale(tmp_path: Path, env: Mapping[str, str]) -> None:
    changed = Notice()
    async with echo_server() as echo, connections_in(env, changed=changed) as connections:
        echo.replies[SPEC] = [serving_document()]
        config = config_of(tmp_path, config_text(from_url(echo, "5ms")))
        opened = await connections.open(config)
        assert not connections.stale(opened)
        echo.replies[SPEC] = [serving_document(**RENAMED)]
        await changed.wait()
        assert connections.stale(opened)
        assert toolset(await connections.open(config)) is not toolset(opened)


async def test_a_reload_may_change_the_refresh(tmp_path: Path, env: Mapping[str, str]) -> None:
    changed = Notice()
    async with echo_server() as echo, connections_in(env, changed=changed) as connections:
        echo.replies[SPEC] = [serving_document()]
        seldom = await connections.open(config_of(tmp_path, config_text(from_url(echo, "1h"))))
        often = await connections.open(config_of(tmp_path, config_text(from_url(echo, "5ms"))))
        assert toolset(seldom) is toolset(often)
        echo.replies[SPEC] = [serving_document(**RENAMED)]
        await changed.wait()
        assert connections.stale(often)


async def test_the_shortest_refresh_of_those_who_share_a_document_counts(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    changed = Notice()
    async with echo_server() as echo, connections_in(env, changed=changed) as connections:
        echo.replies[SPEC] = [serving_document()]
        spec = f"{from_url(echo, '5ms')}\n  again: {{kind: openapi, spec: {from_url(echo)}}}"
        await connections.open(config_of(tmp_path, config_text(spec, more="  again.org.main: {}\n")))
        echo.replies[SPEC] = [serving_document(**RENAMED)]
        await changed.wait()


async def test_what_did_not_change_is_shared(tmp_path: Path, env: Mapping[str, str]) -> None:
    more = "  shop.org.second: {}\n  twin.org.main: {}\n"
    twins = f"{inline(shop())}\n  twin: {{kind: openapi, spec: {inline(shop())}}}"
    async with connections_in(env) as connections:
        first = await connections.open(config_of(tmp_path, config_text(twins, more=more)))
        assert len(first.keys) == 3
        assert len(set(first.keys)) == 1
        second = await connections.open(config_of(tmp_path, config_text(twins, more=f"{more}policies: []\n")))
        shared = {id(toolset(each, name)) for each in (first, second) for name in each.connections}
        assert len(shared) == 1
        assert first.sources[MAIN].index is second.sources["twin.org.main"].index


async def test_a_source_lives_as_long_as_somebody_uses_it(tmp_path: Path, env: Mapping[str, str]) -> None:
    config = config_of(tmp_path, config_text())
    async with connections_in(env) as connections:
        first = await connections.open(config)
        second = await connections.open(config)
        connections.release(first.keys)
        third = await connections.open(config)
        assert toolset(third) is toolset(first)
        connections.release(second.keys)
        connections.release(third.keys)
        assert not connections.stale(third)
        assert toolset(await connections.open(config)) is not toolset(first)


async def test_released_documents_are_no_longer_asked_for(tmp_path: Path, env: Mapping[str, str]) -> None:
    """The keeper of the first document would otherwise tell of the change, too."""
    changed = Notice()
    async with (
        echo_server() as gone,
        echo_server() as stays,
        connections_in(env, changed=changed) as connections,
    ):
        for echo in (gone, stays):
            echo.replies[SPEC] = [serving_document()]
        old = await connections.open(config_of(tmp_path, config_text(from_url(gone, "5ms"))))
        new = await connections.open(config_of(tmp_path, config_text(from_url(stays, "5ms"))))
        connections.release(old.keys)
        asked = len(gone.log)
        stays.replies[SPEC] = [serving_document(**RENAMED)]
        await changed.wait()
        assert len(gone.log) <= asked + 1
        assert connections.stale(new)


async def test_a_wrong_local_document_rejects_the_config_and_keeps_nothing(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    good = config_of(tmp_path, config_text())
    bad = config_of(
        tmp_path,
        config_text(
            f"{inline(shop())}\n  wrong: {{kind: openapi, spec: {WRONG}}}", more="  wrong.org.main: {}\n"
        ),
    )
    async with connections_in(env) as connections:
        with pytest.raises(WrongSource, match=r"OpenAPI version '9\.0' is not supported") as caught:
            await connections.open(bad)
        assert caught.value.integration == "wrong"
        opened = await connections.open(good)
        connections.release(opened.keys)
        assert toolset(await connections.open(good)) is not toolset(opened)


async def test_a_missing_file_is_a_wrong_document(tmp_path: Path, env: Mapping[str, str]) -> None:
    file = tmp_path / "api.json"
    file.write_text(json.dumps(shop()))
    config = config_of(tmp_path, config_text("{file: api.json}"))
    async with connections_in(env) as connections:
        opened = await connections.open(config)
        file.unlink()
        with pytest.raises(WrongSource, match="No such file"):
            await connections.open(config)
        assert opened.connections[MAIN].status == {"status": "connected"}


async def test_a_superseded_open_leaves_nothing_behind(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with echo_server() as echo, connections_in(env) as connections:
        echo.replies[SPEC] = [Reply(then="hang", length=1000), serving_document()]
        config = config_of(tmp_path, config_text(from_url(echo)))
        async with asyncio.timeout(LIMIT_SECONDS), asyncio.TaskGroup() as group:
            opening = group.create_task(connections.open(config))
            await echo.arrived.wait()
            opening.cancel()
        assert opening.cancelled()
        opened = await connections.open(config)
        assert opened.connections[MAIN].status == {"status": "connected"}


async def test_integrations_without_a_connection_are_not_loaded(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    spec = f"{inline(shop())}\n  unused: {{kind: openapi, spec: {WRONG}}}"
    async with connections_in(env) as connections:
        opened = await connections.open(config_of(tmp_path, config_text(spec)))
    assert list(opened.sources) == [MAIN]


async def test_private_servers_of_a_remote_document_need_leave(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    """A document that was fetched may name any server; only `egress.allow` admits private ones (T13)."""
    async with echo_server() as api, echo_server() as echo, connections_in(env) as connections:
        echo.replies[SPEC] = [serving_document(url=api.url)]
        guarded = await connections.open(config_of(tmp_path, config_text(from_url(echo))))
        assert failure_of(await call(guarded.connections[MAIN], "items.list")).code == "egress_denied"
        spec = f"{from_url(echo)}\n    egress: {{allow: [127.0.0.0/8]}}"
        allowed = await connections.open(config_of(tmp_path, config_text(spec)))
        data_of(await call(allowed.connections[MAIN], "items.list"))
        assert len(api.log) == 1


async def test_a_connection_is_called_by_its_own_words_first(tmp_path: Path, env: Mapping[str, str]) -> None:
    more = "  shop.org.second: {description: The other account}\n"
    async with connections_in(env) as connections:
        opened = await connections.open(config_of(tmp_path, config_text(more=more)))
    titles = {one.prefix: one.title for one in opened.connections.values()}
    assert titles == {MAIN: "A little shop", "shop.org.second": "The other account"}


async def failing(env: Mapping[str, str]) -> None:
    async with connections_in(env) as connections:
        assert isinstance(connections, Connections)
        raise KeyError("mine")


async def test_errors_of_the_body_come_out_as_they_are(env: Mapping[str, str]) -> None:
    with pytest.raises(KeyError, match="mine"):
        await failing(env)
