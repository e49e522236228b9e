"""Loading a document once, again until it is there, and again when it may have changed."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from integrations.base import JsonObject, SourceError, Toolset
from integrations.http import HttpClient
from integrations.json_text import read_json, write_json
from integrations.openapi import OpenApiOptions, SpecSource
from integrations.openapi.compile import work as compile_work
from proxy.app.paths import cache_dir
from proxy.connections.kinds import openapi_load
from proxy.connections.sources import CannotCompile, Source
from tests.integrations.echo import Echo, Reply, echo_server
from tests.proxy.support import IMPATIENT, LIMIT_SECONDS, Notice, logged, shop

SPEC = "/openapi.json"
DOWN = Reply(503)


def serving_document(**parts: Any) -> Reply:
    return Reply(200, [("Content-Type", "application/json")], orjson.dumps(shop(**parts)))


RENAMED: JsonObject = {"info": {"title": "Shop", "version": "2"}}


@asynccontextmanager
async def remote(env: Mapping[str, str], *replies: Reply) -> AsyncIterator[tuple[Source, Echo]]:
    async with echo_server() as echo, HttpClient() as http:
        echo.replies[SPEC] = list(replies)
        spec = SpecSource(url=f"{echo.url}{SPEC}")
        yield (
            Source("key", openapi_load(spec, OpenApiOptions(), http), spec.url, cache_dir(env), IMPATIENT),
            echo,
        )


async def soon(source: Source, refresh_seconds: float | None, changed: Notice) -> None:
    async with asyncio.timeout(LIMIT_SECONDS):
        await source.keep(refresh_seconds, changed)


async def test_a_remote_document(env: Mapping[str, str]) -> None:
    async with remote(env, serving_document()) as (source, _):
        assert source.remote
        assert source.loaded.error == "not loaded yet"
        loaded = await source.load()
    assert loaded is source.loaded
    assert loaded.toolset is not None
    assert loaded.index is not None
    assert loaded.error is None
    assert loaded.digest == loaded.toolset.digest


async def test_a_remote_document_that_is_down_is_a_state(env: Mapping[str, str]) -> None:
    async with remote(env, DOWN) as (source, echo):
        loaded = await source.load()
        assert loaded.error == f"{echo.url}{SPEC}: answered 503 instead of a document"
    assert loaded.toolset is None
    assert loaded.digest.startswith("failed:")


async def test_what_is_loaded_stays_while_the_document_is_down(env: Mapping[str, str]) -> None:
    async with remote(env, serving_document(), DOWN) as (source, _):
        loaded = await source.load()
        assert await source.load() is loaded


async def test_keeping_ends_when_a_document_without_refresh_is_there(env: Mapping[str, str]) -> None:
    changed = Notice()
    async with remote(env, DOWN, DOWN, serving_document()) as (source, echo):
        await source.load()
        await soon(source, None, changed)
        assert len(echo.log) == 3
    assert changed.count == 1
    assert source.loaded.toolset is not None


async def test_a_refresh_tells_of_changes_only(env: Mapping[str, str]) -> None:
    changed, same = Notice(), serving_document()
    async with remote(env, same, same, DOWN, same, serving_document(**RENAMED)) as (source, echo):
        before = (await source.load()).digest
        async with asyncio.TaskGroup() as group:
            keeper = group.create_task(soon(source, 0.005, changed))
            await changed.wait()
            keeper.cancel()
        assert len(echo.log) >= 5
    assert changed.count == 1
    assert source.loaded.digest != before


async def test_a_wrong_local_document_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "api.json"
    file.write_text("{}")
    async with HttpClient() as http:
        for spec in (SpecSource(file=file), SpecSource(inline={}), SpecSource(file=tmp_path / "none.json")):
            source = Source("key", openapi_load(spec, OpenApiOptions(), http), None, None)
            assert not source.remote
            with pytest.raises(SourceError):
                await source.load()


async def test_a_cache_that_cannot_be_written_costs_no_service(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "file"
    file.touch()
    async with HttpClient() as http:
        load = openapi_load(SpecSource(inline=shop()), OpenApiOptions(), http)
        source = Source("key", load, None, file / "cache")
        with caplog.at_level(logging.WARNING):
            assert (await source.load()).toolset is not None
    assert "cache_not_used" in logged(caplog)


async def test_a_cache_without_room_costs_no_service(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The compiler is another process, and may find the disk full."""

    async def load(cache: Path | None) -> Toolset:
        if cache is not None:
            answer = compile_work({"name": "x", "overrides": [], "output": "/dev/full"}, write_json(shop()))
            raise OSError(*read_json(answer)["unwritable"])
        async with HttpClient() as http:
            return await openapi_load(SpecSource(inline=shop()), OpenApiOptions(), http)(None)

    source = Source("key", load, None, tmp_path)
    with caplog.at_level(logging.WARNING):
        assert (await source.load()).toolset is not None
    assert "No space left on device" in logged(caplog)


async def test_a_machine_that_cannot_compile_is_told_from_a_wrong_document(tmp_path: Path) -> None:
    async def load(_: Path | None) -> Toolset:
        raise OSError(errno.EMFILE, "Too many open files")

    with pytest.raises(CannotCompile, match=r"cannot compile a document here: .*Too many open files"):
        await Source("key", load, None, tmp_path).load()


async def test_a_vendored_catalog_serves_until_its_document_is_there(
    env: Mapping[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    changed = Notice()
    async with echo_server() as echo, HttpClient() as http:
        echo.replies[SPEC] = [DOWN, DOWN, serving_document()]
        spec, options = SpecSource(url=f"{echo.url}{SPEC}"), OpenApiOptions()
        kept = openapi_load(SpecSource(inline=shop()), options, http)
        load = openapi_load(spec, options, http)
        source = Source("key", load, spec.url, cache_dir(env), IMPATIENT, "shop.org.main", kept)
        assert await source.load_vendored()
        vendored = source.loaded
        assert vendored.vendored
        assert await source.load() is vendored
        assert "serves=the vendored catalog" in logged(caplog).replace('"', "")
        assert changed.count == 0
        await soon(source, None, changed)
        assert (source.loaded.vendored, changed.count) == (False, 1)
        assert [one.name for one in source.loaded.toolset.tools] == [  # type: ignore[union-attr]
            one.name
            for one in vendored.toolset.tools  # type: ignore[union-attr]
        ]


async def test_a_source_without_a_vendored_catalog(env: Mapping[str, str]) -> None:
    async with remote(env, DOWN) as (source, _):
        assert not await source.load_vendored()
        assert source.loaded.toolset is None
