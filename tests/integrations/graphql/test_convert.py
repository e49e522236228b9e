from __future__ import annotations

import orjson
import pytest

from integrations.base import SourceError
from integrations.graphql.convert import Read, read_operations, schema_from_sdl, work
from integrations.graphql.schema import InputValue, read_schema
from tests.integrations.graphql.server import SDL, introspection


def read(*texts: str) -> Read:
    files = [(f"{index}.graphql", text) for index, text in enumerate(texts)]
    return read_operations(introspection(), files, "test")


def test_sdl_becomes_introspection() -> None:
    found = orjson.loads(schema_from_sdl(b"\xef\xbb\xbf" + SDL.encode(), "s"))["__schema"]
    assert read_schema(found, "s") == read_schema(introspection()["__schema"], "s")


def test_undeclared_directives_are_tolerated() -> None:
    content = schema_from_sdl(b'type Query @key(fields: "id") { id: ID @external }', "s")
    assert b'"name":"Query"' in content


@pytest.mark.parametrize(
    ("sdl", "fields"),
    [
        ("extend type Query { a: Int }", ["a"]),
        ("extend type Query { a: Int } extend type Query { b: U } extend scalar U @x", ["a", "b"]),
        ("type Query { a: Int } extend type Query { b: E } extend enum E { X }", ["a", "b"]),
        ("extend schema { query: Root } extend type Root { c(i: I): N } extend input I { a: Int } "
         "extend interface N { a: Int } type M implements N { a: Int } extend union V = M", ["c"]),
    ],
)  # fmt: skip
def test_extensions_of_what_nobody_defines_are_definitions(sdl: str, fields: list[str]) -> None:
    found = read_schema(orjson.loads(schema_from_sdl(sdl.encode(), "s"))["__schema"], "s")
    assert list(found.types[found.query].fields) == fields


@pytest.mark.parametrize(
    ("sdl", "words"),
    [
        (b"type Query {", r"s:1:13: Syntax Error"),
        (b"\xff", "not UTF-8"),
        (b"schema { query: B }", "s:1:17: Unknown type 'B'"),
        (b"type Query { a: Int } type Query { b: Int }", "s:1:6: There can be only one type named"),
        (b"interface A { a: Int } type Query implements A { b: Int }", "s"),
    ],
)
def test_sdl_that_is_wrong(sdl: bytes, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        schema_from_sdl(sdl, "s")


def test_operations_take_the_fragments_they_use_from_any_file() -> None:
    found = read(
        "# First line\n# second\nquery A($id: ID!, $n: Int = 3) { user(id: $id) { picture(size: $n) ...F } ...R }",
        "fragment F on User { id } fragment R on Query { version ... { me { ...F } } } fragment G on User { login }",
        "\n# not directly above\n\nmutation B { deleteAll }",
    )
    first, second = found.operations
    assert (first.name, first.kind, first.fields) == ("A", "query", ("user", "version", "me"))
    assert first.description == "First line\nsecond"
    assert first.variables == (InputValue("id", "ID!", "", None, None), InputValue("n", "Int", "", "3", None))
    assert "fragment F" in first.text
    assert "fragment G" not in first.text
    assert (second.kind, second.description) == ("mutation", "")


def test_what_the_schema_does_not_allow_is_left_out() -> None:
    found = read("query A { me { nope } }\nsubscription S { ticks }\nquery C { ...Missing }")
    assert found.operations == []
    assert found.refused == [
        "operation `A` does not fit the schema: 0.graphql:1:16: Cannot query field 'nope' on type 'User'. "
        "Did you mean 'name' or 'role'?",
        "operation `C` does not fit the schema: 0.graphql:3:14: Unknown fragment 'Missing'.",
    ]
    assert found.ignored == ["0.graphql:2:1: subscription `S` is ignored"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("query {", r"0\.graphql:1:8: Syntax Error"),
        ("{ version }", r"0\.graphql:1:1: the operation needs a name"),
        (
            "query A { version } query A { me { id } }",
            r"1:21: operation `A` is also defined at 0\.graphql:1:1",
        ),
        ("fragment A on User { id } fragment A on User { id }", "fragment `A` is also defined"),
        ("type A { id: ID }", "only operations and fragments"),
    ],
)
def test_documents_no_schema_could_make_right(text: str, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        read(text)


def test_a_schema_graphql_core_cannot_build() -> None:
    with pytest.raises(SourceError, match="test: not a usable GraphQL schema"):
        read_operations({"__schema": {}}, [], "test")


def test_both_kinds_of_work() -> None:
    assert b"__schema" in work({"work": "schema", "name": "s"}, SDL.encode())
    request = {"work": "operations", "files": [["a", "query A { version }"]], "name": "s"}
    said = orjson.loads(work(request, orjson.dumps(introspection())))
    assert [one["name"] for one in said["operations"]] == ["A"]
