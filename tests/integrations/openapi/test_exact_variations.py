"""Variations of the cases in `tests/data/exact`: what their kinds came out wrong at when others of them were tried."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from integrations.base import Credential, InvalidArguments, JsonObject
from integrations.http import HttpClient
from integrations.openapi import OpenApiToolset, OpenApiUpstream
from integrations.schema_types import render_tool_types
from tests.integrations.echo import Echo, Seen, echo_thread
from tests.integrations.openapi.documents import only_tool, toolset_of

FILE = {"_tag": "ToolFile", "name": "a.bin", "mimeType": "text/x", "encoding": "base64", "data": "AAH/"}
TEXT: JsonObject = {"type": "string"}
SCHEMAS: JsonObject = {
    "Cat": {"type": "object", "required": ["kind"], "properties": {"kind": TEXT}},
    "Dog": {"type": "object", "required": ["kind"], "properties": {"kind": TEXT, "barks": {"type": "boolean"}}},
    "X": {"type": "object", "properties": {"t": {"const": "x"}}},
    "Y": {"type": "object", "properties": {"t": {"enum": ["y", "z"]}}},
    "Parts": {"allOf": [{"$ref": "#/components/schemas/Part"}]},
    "Part": {"type": "object", "properties": {"f": {"type": "string", "contentMediaType": "image/png"}}},
}  # fmt: skip


@pytest.fixture(scope="module")
def echo() -> Iterator[Echo]:
    with echo_thread() as served:
        yield served


def described(body: Any, version: str = "3.1.0", path: str = "/x", **operation: Any) -> JsonObject:
    """A document of one POST; `body` is the content of its request body, None for none."""
    made: JsonObject = {"operationId": "op", "responses": {"200": {"description": ""}}, **operation}
    if body is not None:
        made["requestBody"] = {"required": True, "content": body}
    return {
        "openapi": version, "info": {"title": "t", "version": "1"}, "servers": [{"url": "http://127.0.0.1:9"}],
        "paths": {path: {"post": made}}, "components": {"schemas": SCHEMAS},
    }  # fmt: skip


def as_json(schema: JsonObject) -> JsonObject:
    return {"application/json": {"schema": schema}}


def one_of(*names: str, **discriminator: Any) -> JsonObject:
    choices = [{"$ref": f"#/components/schemas/{name}"} for name in names]
    return as_json({"oneOf": choices, "discriminator": discriminator})


async def sent(echo: Echo, document: JsonObject, arguments: JsonObject) -> Seen:
    toolset = toolset_of(document)
    async with HttpClient() as http:
        upstream = OpenApiUpstream(toolset, http, base_url=echo.url, headers={})
        await upstream.invoke(upstream.prepare(only_tool(toolset), arguments), Credential(), 5.0)
    return echo.log[-1]


def refusal(document: JsonObject, arguments: JsonObject) -> str:
    toolset = toolset_of(document)
    upstream = OpenApiUpstream(toolset, HttpClient(), base_url=None, headers={})
    with pytest.raises(InvalidArguments) as refused:
        upstream.prepare(only_tool(toolset), arguments)
    return "; ".join(f"{one.pointer} {one.reason}" for one in refused.value.problems)


def input_type(toolset: OpenApiToolset) -> str:
    tool = only_tool(toolset)
    return " ".join(render_tool_types(tool, toolset.outline(tool), 4_096).input.split())


ITEMS = {"itemSchema": {"type": "object"}}
EVENTS = [{"event": "e", "id": "1", "data": {"a": 1}}, {"data": "x\ny"}]
# Media type with its content, body, what arrives.
BODIES: list[tuple[str, JsonObject, Any, bytes]] = [
    ("application/json-seq", ITEMS, [{"a": 1}, {"b": "\x1e"}], b'\x1e{"a":1}\n\x1e{"b":"\\u001e"}\n'),
    ("application/geo+json-seq", {}, [1], b"\x1e1\n"),
    ("application/jsonl", ITEMS, [{"a": 1}, {}], b'{"a":1}\n{}\n'),
    ("text/event-stream", ITEMS, EVENTS, b'event: e\nid: 1\ndata: {"a":1}\n\ndata: x\ndata: y\n\n'),
]


@pytest.mark.parametrize(("kind", "media", "body", "expected"), BODIES, ids=[one[0] for one in BODIES])
async def test_bodies_of_many_values(
    echo: Echo, kind: str, media: JsonObject, body: Any, expected: bytes
) -> None:
    assert (await sent(echo, described({kind: media}, "3.2.0"), {"body": body})).body == expected


@pytest.mark.parametrize(("body", "reason"), [
    ({"data": 1}, "/body a body of type text/event-stream has to be a list of the values that it holds, or text"),
    ([{"a": 1}], "/body events have to be objects with event, id, retry, data: {data: ...}"),
    ([{"id": "1\n2", "data": 1}], "/body `id` of an event has to be one line"),
])  # fmt: skip
def test_what_is_no_event_is_refused(body: Any, reason: str) -> None:
    assert refusal(described({"text/event-stream": {}}, "3.2.0"), {"body": body}) == reason


FORM = "multipart/form-data"
PARTS: list[tuple[JsonObject, Any, str]] = [
    ({}, FILE, 'name="file"; filename="a.bin"'),
    ({"type": "object"}, FILE, 'name="file"; filename="a.bin"'),
    ({"$ref": "#/components/schemas/Parts"}, {"f": FILE | {"mimeType": ""}}, 'name="f"; filename="a.bin"'),
    ({"$ref": "#/components/schemas/Parts"}, {"f": "AAH/"}, "Content-Type: image/png"),
]


@pytest.mark.parametrize(("schema", "body", "expected"), PARTS)
async def test_parts_of_forms(echo: Echo, schema: JsonObject, body: Any, expected: str) -> None:
    seen = await sent(echo, described({FORM: {"schema": schema}}), {"body": body})
    assert seen.body.count(b"Content-Disposition") == 1
    assert expected in seen.body.decode("latin-1")


def test_a_file_in_place_of_the_parts_is_told_where_it_belongs() -> None:
    document = described({FORM: {"schema": {"$ref": "#/components/schemas/Parts"}}})
    assert refusal(document, {"body": FILE}) == "/body is a file, not the parts: give it as one of them: f"


QUERY_FORM = {"name": "f", "in": "query", "content": {"application/x-www-form-urlencoded": {}}}


async def test_a_parameter_that_is_a_form(echo: Echo) -> None:
    document = described(None, parameters=[QUERY_FORM])
    seen = await sent(echo, document, {"f": {"a": "1 2", "b": [1, None, True], "c": None}})
    assert seen.query == "f=a%3D1%25202%26b%3D1%26b%3Dtrue"


ANSWERS = {"200": {"description": "", "content": {"application/json": {}, "text/csv": {}}}}


@pytest.mark.parametrize("name", ["accept", "Accept"])
async def test_a_declared_accept_header_picks_the_answer(echo: Echo, name: str) -> None:
    parameters = [{"name": "Accept", "in": "header", "schema": TEXT}]
    document = described(None, parameters=parameters, responses=ANSWERS)
    assert (await sent(echo, document, {name: "text/csv"})).header("accept") == "text/csv"


def in_path(name: str) -> JsonObject:
    return {"name": name, "in": "path", "required": True, "schema": TEXT}


@pytest.mark.parametrize(("written", "declared"), [
    ("{userid}", "userId"), ("{userId}", "user_id"), ("{user-id}", "userId"), ("{user.id:[0-9]+}", "UserID"),
])  # fmt: skip
async def test_variables_of_the_path_in_another_spelling(echo: Echo, written: str, declared: str) -> None:
    document = described(None, path=f"/x/{written}", parameters=[in_path(declared)])
    (warning,) = toolset_of(document).warnings
    assert warning.endswith(f"of the path is taken as the parameter `{declared}`")
    assert (await sent(echo, document, {declared: "7"})).path == "/x/7"


def test_a_parameter_that_the_path_has_no_place_for_is_left_out() -> None:
    document = described(None, parameters=[in_path("gone")])
    toolset = toolset_of(document)
    assert toolset.warnings == (
        "test#/paths/~1x/post: the path has no place for its parameter `gone`: it is left out",
    )
    assert input_type(toolset) == "{}"
    assert refusal(document, {"gone": "7"}).startswith("/gone unknown argument")


def test_a_method_that_is_none_is_left_out() -> None:
    document = described(None, "3.2.0")
    document["paths"]["/x"]["additionalOperations"] = {"bad method": {"responses": {}}}
    toolset = toolset_of(document)
    assert toolset.warnings == ("test#/paths/~1x: left out: 'bad method' is no HTTP method",)
    assert len(toolset.tools) == 1


READ_ONLY = {"properties": {"id": {"type": "integer", "readOnly": True}}}
NAMED: JsonObject = {"properties": {"name": TEXT}}
# Body schema, and its type.
TYPES: list[tuple[JsonObject, str]] = [
    (as_json({"allOf": [READ_ONLY, {**NAMED, "required": ["id", "name"]}]}), "{ name: string; }"),
    (as_json({"required": ["id", "name"], "allOf": [READ_ONLY, NAMED]}), "{ name: unknown; } & { name?: string; }"),
    (as_json({"required": ["id", "name"], "oneOf": [READ_ONLY], **NAMED}), "{ name: string; }"),
    (one_of("Cat", "Dog", propertyName="kind", mapping={"cat": "#/components/schemas/Cat", "dog": "Dog"}),
     'Cat /* kind: "cat" */ | Dog /* kind: "dog" */'),
    (one_of("Cat", "Dog", propertyName="kind", mapping={"cat": "Cat"}),
     'Cat /* kind: "cat" */ | Dog /* kind: "Dog" */'),
    (one_of("X", "Y", propertyName="t"), 'X /* t: "x" */ | Y /* t: "y" | "z" */'),
]  # fmt: skip


@pytest.mark.parametrize(("content", "expected"), TYPES)
def test_types(content: JsonObject, expected: str) -> None:
    assert input_type(toolset_of(described(content))) == f"{{ body: {expected}; }}"


@pytest.mark.parametrize("pattern", ["/^[a-z]+$/", "~^[a-z]+$~", "#^[A-Z]+$#i", "@^[a-z]+@", "%[a-z]+$%"])
async def test_patterns_in_their_delimiters(echo: Echo, pattern: str) -> None:
    document = described(
        None, parameters=[{"name": "p", "in": "query", "schema": {**TEXT, "pattern": pattern}}]
    )
    assert (await sent(echo, document, {"p": "abc"})).query == "p=abc"
    refused = refusal(document, {"p": "12"})
    assert refused.startswith("/p has to match /")
    assert re.search(r"match //", refused) is None


def test_a_text_that_fits_another_type_is_told_which() -> None:
    content = {
        **as_json({"type": "object"}),
        "application/xml": {"schema": {"type": "object"}},
        "text/csv": {},
    }
    document = described(content)
    assert refusal(document, {"body": "<a/>"}).endswith('give contentType: "application/xml"')
    assert refusal(document, {"body": "a,b"}).endswith('give contentType: "text/csv"')


def test_what_the_connection_supplies_is_not_offered_where_an_argument_is_unknown() -> None:
    parameters = [{"name": name, "in": "query", "schema": TEXT} for name in ("key", "q")]
    document = described(None, parameters=parameters, security=[{"k": []}])
    document["components"]["securitySchemes"] = {"k": {"type": "apiKey", "in": "query", "name": "key"}}
    assert refusal(document, {"z": 1}) == "/z unknown argument; known are `q`"
