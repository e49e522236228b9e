from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
import pytest

from integrations.base import SourceError
from integrations.http import HttpClient
from integrations.openapi import OpenApiOptions, SpecSource, load_toolset
from tests.integrations.echo import Reply, echo_server
from tests.integrations.openapi.documents import operation

DOCUMENT = operation("/x", parameters=[{"name": "p", "in": "query", "schema": {"$ref": "s.yaml#/S"}}])
PLAIN = OpenApiOptions()


def list_of(directory: Path) -> list[Path]:
    return list(directory.iterdir())


async def test_file_cache_and_external_files(tmp_path: Path) -> None:
    config, cache = tmp_path / "config", tmp_path / "cache"
    config.mkdir()
    main = config / "api.json"
    main.write_bytes(orjson.dumps(DOCUMENT))
    options = OpenApiOptions(root=config)
    async with HttpClient() as http:
        for kind in ("string", "integer"):
            (config / "s.yaml").write_text(f"S: {{type: {kind}}}\n")
            for _ in range(2):
                toolset = await load_toolset(SpecSource(file=main), options, http, cache)
                (tool,) = toolset.tools
                assert toolset.schemas(tool.name).input["$defs"]["S"] == {"type": kind}
    (cached,) = list_of(cache)
    assert cached.stat().st_size > 100


async def test_a_damaged_cache_is_made_anew(tmp_path: Path) -> None:
    async with HttpClient() as http:
        source = SpecSource(inline=operation("/x"))
        await load_toolset(source, PLAIN, http, tmp_path)
        (cached,) = list_of(tmp_path)
        cached.write_bytes(b"garbage that is long enough to be a header")
        assert len((await load_toolset(source, PLAIN, http, tmp_path)).tools) == 1


async def test_equal_sources_and_options_have_equal_digests() -> None:
    async with HttpClient() as http:
        source = SpecSource(inline=operation("/x"))
        first, second = await asyncio.gather(*(load_toolset(source, PLAIN, http, None) for _ in range(2)))
        other = await load_toolset(source, OpenApiOptions(exclude=("nope.*",)), http, None)
    assert first.digest == second.digest != other.digest


async def test_url_with_redirect_and_relative_server() -> None:
    async with echo_server() as echo, HttpClient() as http:
        echo.replies["/old"] = [Reply(301, [("Location", "/new")])]
        echo.replies["/new"] = [Reply(200, [], orjson.dumps(operation("/x", servers=[{"url": "/api"}])))]
        toolset = await load_toolset(SpecSource(url=f"{echo.url}/old"), PLAIN, http, None)
        (server,) = toolset.binding(toolset.tools[0].name).servers
        assert server.url == f"{echo.url}/api"


@pytest.mark.parametrize(
    "source", [SpecSource(), SpecSource(file=Path("nowhere.yaml")), SpecSource(inline={"a": 1})]
)
async def test_unusable_sources(source: SpecSource) -> None:
    async with HttpClient() as http:
        with pytest.raises(SourceError):
            await load_toolset(source, PLAIN, http, None)


async def test_a_missing_url_says_its_status() -> None:
    async with echo_server() as echo, HttpClient() as http:
        echo.replies["/x"] = [Reply(404)]
        with pytest.raises(SourceError, match="404"):
            await load_toolset(SpecSource(url=f"{echo.url}/x"), PLAIN, http, None)
