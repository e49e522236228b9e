from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from graphql import build_client_schema, build_schema, parse, validate

from integrations.base import (
    Credential,
    CredentialPart,
    JsonObject,
    PreparedCall,
    Secret,
    SourceError,
    Success,
)
from integrations.graphql import GraphQlOptions, GraphQlToolset, GraphQlUpstream, SchemaSource, load_toolset
from integrations.http import HttpClient
from tests.integrations.echo import Reply, echo_server
from tests.integrations.graphql.server import SDL, graphql_server, introspection
from tests.integrations.graphql.specs import SCHEMAS, SERVER, SPECS
from tests.integrations.graphql.test_default import operation_text

ENDPOINT = "https://x.example/graphql"
PLAIN = GraphQlOptions()


async def loaded(file: Path, options: GraphQlOptions = PLAIN, cache: Path | None = None) -> GraphQlToolset:
    async with HttpClient() as http:
        return await load_toolset(SchemaSource(ENDPOINT, file), options, http, None, cache)


def written(directory: Path, name: str, content: object) -> Path:
    file = directory / name
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return file


async def test_live_introspection_with_the_credential() -> None:
    async with graphql_server() as served, HttpClient() as http:

        async def credential() -> Credential:
            return Credential((CredentialPart("header", Secret("s3"), "X-Key"),))

        options = GraphQlOptions(headers=(("X-Team", "a"),), include=("query.*",))
        toolset = await load_toolset(SchemaSource(served.url), options, http, credential, None)
        assert toolset.entry("query.me").definition.title == "The signed-in user."
        assert [seen.header("x-key") for seen in served.echo.log] == ["s3"]
        assert served.echo.log[0].header("x-team") == "a"
        again = await load_toolset(SchemaSource(served.url), options, http, None, None)
        assert again.digest == toolset.digest


async def test_introspection_files_in_every_wrapping(tmp_path: Path) -> None:
    whole = introspection()
    digests = {
        (await loaded(written(tmp_path, "s.json", content))).digest
        for content in (whole, {"data": whole, "extensions": {}}, whole["__schema"])
    }
    assert len(digests) == 1


async def test_sdl_is_converted_once(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    file = written(tmp_path, "schema.graphql", SDL)
    first = await loaded(file, cache=cache)
    (kept,) = cache.iterdir()
    stamp = kept.stat().st_mtime_ns
    second = await loaded(file, cache=cache)
    assert kept.stat().st_mtime_ns == stamp
    assert first.digest == second.digest == (await loaded(file)).digest
    assert first.schemas("query.userBy").input["$defs"]["Key"]["oneOf"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("s.graphql", "type Query { me: Nope }", "`Query.me` is left out: the type `Nope` is not defined"),
        ("s.graphql", "type Query {\n  me Nope }", "s.graphql:2:6: Syntax Error"),
        ("s.graphql", "type Other { id: ID }", "s.graphql"),
        ("s.json", '{"data": {}}', "no introspection result"),
        ("s.json", "{", "no introspection result"),
        ("s.json", {"__schema": {"types": [], "queryType": None}}, "no query type"),
        ("s.json", {"__schema": {"types": [{"kind": "OBJECT"}]}}, "no query type"),
    ],
)
async def test_files_that_are_wrong(tmp_path: Path, name: str, content: object, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        await loaded(written(tmp_path, name, content))


async def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nope\.json: No such file"):
        await loaded(tmp_path / "nope.json")
    (tmp_path / "s.bin").write_bytes(b"type \xff")
    with pytest.raises(SourceError, match="not UTF-8"):
        await loaded(tmp_path / "s.bin")
    schema = written(tmp_path, "s.json", introspection())
    with pytest.raises(SourceError, match=r"s\.bin: is not UTF-8 text"):
        await loaded(schema, GraphQlOptions(documents=(tmp_path / "s.bin",)))


async def test_named_operations_become_tools(tmp_path: Path) -> None:
    schema = written(tmp_path, "s.json", introspection())
    one = written(tmp_path, "one.graphql", "# Who am I?\nquery Me { me { ...Short } }")
    two = written(tmp_path, "two.graphql", "fragment Short on User { id } mutation Wipe { deleteAll }")
    toolset = await loaded(schema, GraphQlOptions(documents=(one, two)))
    assert toolset.entry("query.Me").definition.title == "Who am I?"
    assert toolset.entry("mutation.Wipe").definition.risk == "write"
    assert toolset.digest != (await loaded(schema)).digest


async def test_operations_that_do_not_fit(tmp_path: Path) -> None:
    schema = written(tmp_path, "s.json", introspection())
    bad = written(tmp_path, "bad.graphql", "query Ok { version }\nquery Bad { me { nope } }")
    options = GraphQlOptions(documents=(bad,))
    words = "operation `Bad` does not fit the schema: bad.graphql:2:18: Cannot query field 'nope'"
    with pytest.raises(SourceError, match=words):
        await loaded(schema, options)
    async with graphql_server() as served, HttpClient() as http:
        toolset = await load_toolset(SchemaSource(served.url), options, http, None, None)
        assert words in toolset.warnings[0]
        assert "query.Ok" in [tool.name for tool in toolset.tools]


async def test_what_the_credential_raises_passes_through() -> None:
    async def missing() -> Credential:
        raise LookupError("no such variable")

    async with echo_server() as echo, HttpClient() as http:
        echo.replies["/graphql"] = [Reply(500)]
        with pytest.raises(LookupError):
            await load_toolset(SchemaSource(f"{echo.url}/graphql"), PLAIN, http, missing, None)
        assert echo.log == []


@pytest.mark.specs
@pytest.mark.parametrize("name", SCHEMAS)
async def test_every_generated_operation_of_real_schemas_is_valid(name: str) -> None:
    toolset = await loaded(SPECS / name, cache=SPECS / "compiled")
    content = (SPECS / name).read_text(encoding="utf-8")
    if name.endswith(".json"):
        reference = build_client_schema(json.loads(content))
    else:
        reference = build_schema(content, assume_valid_sdl=True)
    assert len(toolset.tools) >= 4
    for tool in toolset.tools:
        kind, field = tool.name.split(".")
        text = operation_text(toolset.schema, kind, field, 2, 40)
        assert validate(reference, parse(text)) == [], text
        toolset.schemas(tool.name)


@asynccontextmanager
async def yoga() -> AsyncIterator[str]:
    script = Path(__file__).with_name("data") / "yoga.cjs"
    child = await asyncio.create_subprocess_exec(
        "node", str(script), str(SERVER), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert child.stdout is not None
        port = int(await asyncio.wait_for(child.stdout.readline(), 60))
        yield f"http://127.0.0.1:{port}/graphql"
    finally:
        child.kill()
        await child.communicate()


@pytest.mark.specs
async def test_a_server_that_is_not_ours() -> None:
    async with yoga() as endpoint, HttpClient() as http:
        toolset = await load_toolset(SchemaSource(endpoint), PLAIN, http, None, None)
        upstream = GraphQlUpstream(toolset, http, endpoint=endpoint, headers={})
        credential = Credential((CredentialPart("bearer", Secret("t")),))

        async def call(prepared: PreparedCall) -> JsonObject:
            result = await upstream.invoke(prepared, credential, 10)
            return result.as_json()

        books = await call(upstream.prepare("query.books", {"minPages": 400}))
        assert books["data"]["books"][0]["author"] == {"id": "7", "name": "Jane"}
        added = await call(
            upstream.prepare(
                "mutation.addBook", {"input": {"title": 'a"b'}, "select": "book { title pages }"}
            )
        )
        assert added["data"] == {"addBook": {"book": {"title": 'a"b', "pages": 100}}}
        partial = await call(upstream.prepare("query.author", {"select": "name fails(now: true)"}))
        assert partial["error"]["code"] == "graphql_errors"
        assert partial["error"]["details"]["data"] == {"author": {"name": "Bearer t", "fails": None}}
        assert isinstance(
            await upstream.invoke(upstream.prepare("query.item", {"id": 1}), credential, 10), Success
        )
