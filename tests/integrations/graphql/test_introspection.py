from __future__ import annotations

import orjson
import pytest
from graphql import parse, validate

from integrations.base import Credential, CredentialPart, JsonObject, Secret, SourceError
from integrations.graphql.introspection import (
    EDITIONS,
    Edition,
    ask_schema,
    introspection_query,
    schema_in_file,
)
from integrations.http import HttpClient
from tests.integrations.echo import Reply, Seen, echo_server
from tests.integrations.graphql.server import executable, graphql_server, introspection


async def asked(url: str, credential: Credential | None = None) -> JsonObject:
    async with HttpClient() as http:
        return await ask_schema(url, http, credential or Credential(), headers={}, egress_allow=())


@pytest.mark.parametrize("edition", EDITIONS)
def test_all_queries_are_valid(edition: Edition) -> None:
    assert validate(executable(), parse(introspection_query(edition))) == []


async def test_the_full_query_is_asked_first() -> None:
    async with graphql_server() as served:
        found = await asked(served.url)
        assert len(served.echo.log) == 1
        key = next(one for one in found["types"] if one["name"] == "Key")
        assert key["isOneOf"] is True


async def test_servers_of_older_editions_are_asked_again() -> None:
    def answer(seen: Seen) -> Reply:
        if b"isOneOf" in seen.body:
            return Reply(400, [], orjson.dumps({"errors": [{"message": 'Cannot query field "isOneOf"'}]}))
        return Reply(200, [], orjson.dumps({"data": introspection()}))

    async with echo_server() as echo:
        echo.answer = answer
        assert (await asked(f"{echo.url}/g"))["queryType"]["name"] == "Query"
        assert len(echo.log) == 2


REMEDY = r"export the schema once and set `introspection: \{file: \.\.\.\}`"


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(200, [], b'{"errors":[{"message":"GraphQL introspection is not allowed"}]}'),
         rf"introspection is disabled or refused \(GraphQL introspection is not allowed\): {REMEDY}"),
        (Reply(401, [], b"{}"), rf"HTTP 401: .*check `auth` of the connection, or {REMEDY}"),
        (Reply(403, [], b'{"errors":[{"message":"no"}]}'), "HTTP 403"),
        (Reply(404, [], b"not here"), "HTTP 404 instead of a schema: check `endpoint`"),
        (Reply(200, [], b'{"data":{"__schema":null}}'), "HTTP 200 instead of a schema"),
        (Reply(302, [("Location", "https://y.example/g?a=b")]), r"redirects to https://y\.example/g; set"),
    ],
)  # fmt: skip
async def test_refusals_name_a_remedy(reply: Reply, words: str) -> None:
    async with echo_server() as echo:
        echo.replies["/g"] = [reply]
        with pytest.raises(SourceError, match=words):
            await asked(f"{echo.url}/g?key=hidden")


async def test_no_answer_and_unusable_credentials() -> None:
    with pytest.raises(SourceError, match=r"127\.0\.0\.1:1/g: cannot connect"):
        await asked("http://127.0.0.1:1/g")
    wrong = Credential((CredentialPart("bearer", Secret("a\nb")),))
    with pytest.raises(SourceError, match="control character"):
        await asked("http://127.0.0.1:1/g", wrong)


async def test_secrets_of_the_url_are_not_told() -> None:
    async with echo_server() as echo:
        echo.replies["/g"] = [Reply(500)]
        with pytest.raises(SourceError) as caught:
            await asked(f"{echo.url}/g?key=hidden")
        assert "hidden" not in str(caught.value)


def test_files_are_told_apart() -> None:
    content = orjson.dumps(introspection())
    assert schema_in_file(b"\xef\xbb\xbf \n" + content, "x") == introspection()["__schema"]
    assert schema_in_file(b'"""{"""\ntype Query { a: Int }', "x") is None
    with pytest.raises(SourceError, match="x: JSON, but no introspection result"):
        schema_in_file(b'{"openapi": "3.1.0"}', "x")


async def test_a_schema_has_the_one_depth_limit_of_all_values() -> None:
    text = b'{"data":{"__schema":' + b'{"types":[' * 90 + b"]}" * 90 + b"}}"
    with pytest.raises(SourceError, match=r"^x: the schema is nested more than 180 levels deep$"):
        schema_in_file(text, "x")
    async with echo_server() as echo:
        echo.answer = lambda _: Reply(body=text)
        with pytest.raises(SourceError, match="the schema is nested more than 180 levels deep"):
            await asked(f"{echo.url}/graphql")
