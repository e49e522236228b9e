from __future__ import annotations

import asyncio
import json
from pathlib import Path

import orjson
import pytest
import yaml

from integrations.base import InvalidArguments, JsonObject, SourceError
from integrations.http import HttpClient
from integrations.openapi import OpenApiOptions, OpenApiUpstream, SpecSource, load_toolset
from integrations.openapi.compile import compile_document
from integrations.openapi.source import CompiledCache, FetchRecord, digest_of
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
    digests: list[str] = []
    async with HttpClient() as http:
        for kind in ("string", "integer"):
            (config / "s.yaml").write_text(f"S: {{type: {kind}}}\n")
            for _ in range(2):
                toolset = await load_toolset(SpecSource(file=main), options, http, cache)
                (tool,) = toolset.tools
                assert toolset.schemas(tool.name).input["$defs"]["S"] == {"type": kind}
                digests.append(toolset.digest)
    assert digests[0] == digests[1] != digests[2] == digests[3]
    (cached,) = list_of(cache)
    assert cached.stat().st_size > 100


BIG = 123456789012345678901234567890
BIG_SCHEMAS: list[tuple[JsonObject, list[tuple[object, bool]]]] = [
    ({"type": "integer", "enum": [BIG, 2]}, [(BIG, True), (BIG + 1, False), (2, True)]),
    ({"const": -BIG}, [(-BIG, True), (1 - BIG, False)]),
    ({"type": "integer", "maximum": BIG}, [(BIG, True), (BIG + 1, False)]),
    ({"type": "integer", "exclusiveMinimum": BIG}, [(BIG, False), (BIG + 1, True)]),
    ({"type": "integer", "multipleOf": BIG}, [(BIG * 3, True), (BIG * 3 + 1, False)]),
]
FORMS = ["json", "yaml", "inline", "patched", "referred"]


def _source(form: str, schema: JsonObject, folder: Path) -> tuple[SpecSource, OpenApiOptions]:
    """One operation whose body has this schema, in one of the forms that documents come in."""
    content: JsonObject = {"schema": {"$ref": "other.json#/S"} if form == "referred" else schema}
    document = operation("/x", "post", requestBody={"content": {"application/json": content}})
    if form == "patched":
        content["schema"] = {}
        place = "/paths/~1x/post/requestBody/content/application~1json/schema"
        patch: JsonObject = {"op": "replace", "path": place, "value": schema}
        return SpecSource(inline=document), OpenApiOptions(overrides=(patch,))
    if form == "inline":
        return SpecSource(inline=document), PLAIN
    (folder / "other.json").write_text(json.dumps({"S": schema}))
    text = json.dumps(document) if form != "yaml" else yaml.safe_dump(document)
    (folder / f"d.{form}").write_text(text)
    return SpecSource(file=folder / f"d.{form}"), OpenApiOptions(root=folder)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("schema", "values"), BIG_SCHEMAS)
async def test_no_number_of_a_document_is_rounded(
    tmp_path: Path, form: str, schema: JsonObject, values: list[tuple[object, bool]]
) -> None:
    source, options = _source(form, schema, tmp_path)
    async with HttpClient() as http:
        await load_toolset(source, options, http, tmp_path / "cache")
        toolset = await load_toolset(source, options, http, tmp_path / "cache")  # from the cache
        (tool,) = toolset.tools
        upstream = OpenApiUpstream(toolset, http, base_url="https://api.example.com", headers={})
        for value, is_fine in values:
            if is_fine:
                upstream.prepare(tool.name, {"body": value})
                continue
            with pytest.raises(InvalidArguments):
                upstream.prepare(tool.name, {"body": value})


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


async def test_an_unchanged_url_is_not_transferred_again(tmp_path: Path) -> None:
    async with echo_server() as echo, HttpClient() as http:
        body = orjson.dumps(operation("/x"))
        echo.replies["/d"] = [
            Reply(200, [("ETag", '"1"')], body),
            Reply(304),
            Reply(200, [("ETag", '"2"')], body),
        ]
        source = SpecSource(url=f"{echo.url}/d")
        digests = {(await load_toolset(source, PLAIN, http, tmp_path)).digest for _ in range(3)}
        assert len(digests) == 1
        assert [seen.header("if-none-match") for seen in echo.log] == [None, '"1"', '"1"']


async def test_a_url_without_its_compiled_form_is_fetched_whole(tmp_path: Path) -> None:
    async with echo_server() as echo, HttpClient() as http:
        echo.replies["/d"] = [Reply(200, [("ETag", '"1"')], orjson.dumps(operation("/x")))]
        for _ in range(2):
            await load_toolset(SpecSource(url=f"{echo.url}/d"), PLAIN, http, tmp_path)
            (compiled,) = (file for file in list_of(tmp_path) if file.suffix == ".openapi")
            compiled.unlink()
        assert [seen.header("if-none-match") for seen in echo.log] == [None, None]


def refers_to(*references: str) -> bytes:
    """A document with one operation per reference."""
    document = operation("/unused")
    document["paths"] = {
        f"/p{number}": {"get": {"parameters": [{"name": "p", "in": "query", "schema": {"$ref": reference}}]}}
        for number, reference in enumerate(references)
    }
    return orjson.dumps(document)


async def test_files_of_the_same_origin_are_fetched(tmp_path: Path) -> None:
    async with echo_server() as echo, HttpClient() as http:
        echo.replies["/v/d.json"] = [Reply(200, [("ETag", '"1"')], refers_to("s.yaml#/S")), Reply(304)]
        echo.replies["/v/s.yaml"] = [Reply(200, [], b"S: {$ref: '/deep.json#/D'}\n")]
        deep = [b'{"D": {"type": "integer"}}', b'{"D": {"type": "integer"}}', b'{"D": {"type": "string"}}']
        echo.replies["/deep.json"] = [Reply(200, [], body) for body in deep]
        kinds: list[str] = []
        warnings: list[str] = []
        for number in range(3):
            if number == 2:
                echo.replies["/v/d.json"] = [Reply(304), Reply(200, [], refers_to("s.yaml#/S"))]
            toolset = await load_toolset(SpecSource(url=f"{echo.url}/v/d.json"), PLAIN, http, tmp_path)
            kinds.append(toolset.schemas(toolset.tools[0].name).input["$defs"]["D"]["type"])
            warnings += toolset.warnings
        assert (kinds, warnings) == (["integer", "integer", "string"], [])


async def test_t24_files_of_other_origins_are_never_fetched() -> None:
    async with echo_server() as echo, echo_server() as other, HttpClient() as http:
        names = [
            f"{other.url}/s.yaml#/S",
            "gone.yaml#/S",
            "http://169.254.169.254/latest#/S",
            "moved.yaml#/S",
        ]
        echo.replies["/d"] = [Reply(200, [], refers_to("#/paths/~1p0/get", *names))]
        echo.replies["/gone.yaml"] = [Reply(404)]
        echo.replies["/moved.yaml"] = [Reply(302, [("Location", f"{other.url}/s.yaml")])]
        options = OpenApiOptions(egress_allow=("127.0.0.1",))
        toolset = await load_toolset(SpecSource(url=f"{echo.url}/d"), options, http, None)
        assert other.log == []
        assert [tool.path for tool in toolset.tools] == ["/p0"]
        reasons = ["of another origin", "answered 404", "of another origin", "redirected to another origin"]
        for warning, name, reason in zip(toolset.warnings, names, reasons, strict=True):
            assert warning.startswith(f"{echo.url}/d#/paths/~1p")
            assert name in warning
            assert reason in warning


async def test_documents_that_refer_on_and_on_are_refused() -> None:
    async with echo_server() as echo, HttpClient() as http:
        echo.replies["/d"] = [Reply(200, [], refers_to("0.json#/S"))]
        for number in range(12):
            body = orjson.dumps({"S": {"$ref": f"{number + 1}.json#/S"}})
            echo.replies[f"/{number}.json"] = [Reply(200, [], body)]
        with pytest.raises(SourceError, match="more than 10 levels"):
            await load_toolset(SpecSource(url=f"{echo.url}/d"), PLAIN, http, None)


async def test_an_override_that_fails_names_its_place_in_the_list() -> None:
    patch = ({"op": "test", "path": "/openapi", "value": "3.1.0"}, {"op": "remove", "path": "/paths/~1gone"})
    async with HttpClient() as http:
        with pytest.raises(SourceError, match=r"overrides\[1\] \(remove /paths/~1gone\)"):
            await load_toolset(
                SpecSource(inline=operation("/x")), OpenApiOptions(overrides=patch), http, None
            )


COMPILED = compile_document(orjson.dumps(operation("/x")), "m")


def test_keys_depend_on_every_part() -> None:
    assert len({digest_of("a", []), digest_of("a"), digest_of("b", []), digest_of("a", [{}])}) == 4


def test_kept_and_found(tmp_path: Path) -> None:
    cache = CompiledCache(tmp_path / "new")
    assert cache.find("k") is None
    with cache.scratch_file() as fresh:
        fresh.path.write_bytes(COMPILED)
        assert len(cache.keep(fresh.path, "k").rows) == 1
    found = cache.find("k")
    assert found is not None
    assert len(found.rows) == 1
    assert [entry.name for entry in (tmp_path / "new").iterdir()] == ["k.openapi"]


def test_without_a_directory_nothing_stays_and_no_disk_is_needed() -> None:
    cache = CompiledCache(None)
    with cache.scratch_file() as fresh:
        assert fresh.path.parent == Path("/proc/self/fd")
        fresh.path.write_bytes(COMPILED)
        doc = cache.keep(fresh.path, "k")
    assert not fresh.path.exists()
    assert doc.path_item("/x")
    cache.keep_fetch("u", FetchRecord("0", "https://x.example", {"If-None-Match": "1"}))
    assert (cache.find("k"), cache.last_fetch("u")) == (None, None)


def test_what_was_seen(tmp_path: Path) -> None:
    cache = CompiledCache(tmp_path)
    seen = FetchRecord("0a", "https://x.example/d", {"If-None-Match": '"1"'})
    cache.keep_fetch("u", seen)
    assert cache.last_fetch("u") == seen
    cache.keep_fetch("v", FetchRecord("0a", "https://x.example/d", {}))
    assert cache.last_fetch("v") is None


def test_damaged_files_are_nothing(tmp_path: Path) -> None:
    cache = CompiledCache(tmp_path)
    for text in ("", "{}", "[]", '{"sha256": 1, "url": "", "validators": []}', "garbage"):
        (tmp_path / "u.fetched").write_text(text)
        (tmp_path / "u.openapi").write_text(text)
        assert (cache.last_fetch("u"), cache.find("u")) == (None, None)
