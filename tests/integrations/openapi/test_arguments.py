from __future__ import annotations

from typing import Any

import pytest

from integrations.base import JsonObject
from integrations.openapi.request import build_request
from tests.integrations.openapi.documents import only_tool, operation, problems_of, toolset_of

COLLIDE = operation(
    "/x/{id}",
    parameters=[
        {"name": "id", "in": place, "required": place == "path"} for place in ("path", "query", "header")
    ],
)
NAMED_PATH = operation(
    "/x/{path}", parameters=[{"name": "path", "in": "path", "required": True, "schema": {"type": "string"}}]
)
MIXED = operation(
    "/x", "post", parameters=[{"name": "body", "in": "query"}, {"name": "server", "in": "query"}],
    requestBody={"content": {"application/json": {}}},
)  # fmt: skip


def sent(document: JsonObject, arguments: JsonObject) -> tuple[str, JsonObject]:
    toolset = toolset_of(document)
    request, canonical = build_request(toolset.closure(only_tool(toolset)), arguments, None)
    return request.url.removeprefix("https://api.example.com"), canonical


CASES: list[tuple[JsonObject, JsonObject, str, JsonObject]] = [
    (
        COLLIDE,
        {"path": {"id": "p"}, "query": {"id": "q"}},
        "/x/p?id=q",
        {"path": {"id": "p"}, "query": {"id": "q"}},
    ),
    (COLLIDE, {"id": "p"}, "/x/p", {"path": {"id": "p"}}),
    (
        COLLIDE,
        {"pathParams": {"id": "p"}, "params": {"id": "q"}},
        "/x/p?id=q",
        {"path": {"id": "p"}, "query": {"id": "q"}},
    ),
    (NAMED_PATH, {"path": "v"}, "/x/v", {"path": "v"}),
    (NAMED_PATH, {"path": {"path": "v"}}, "/x/v", {"path": "v"}),
    (MIXED, {"query": {"body": "q"}, "body": 1}, "/x?body=q", {"query": {"body": "q"}, "body": 1}),
    (MIXED, {"server": "s"}, "/x?server=s", {"query": {"server": "s"}}),
]


@pytest.mark.parametrize(("document", "arguments", "url", "canonical"), CASES)
def test_flat_names_and_containers(
    document: JsonObject, arguments: JsonObject, url: str, canonical: JsonObject
) -> None:
    assert sent(document, arguments) == (url, canonical)


def test_nested_wins_over_flat() -> None:
    document = operation("/x", parameters=[{"name": "q", "in": "query"}])
    for arguments in ({"query": {"q": "nested"}, "q": "flat"}, {"q": "flat", "query": {"q": "nested"}}):
        assert sent(document, arguments)[0] == "/x?q=nested"


REFUSED: list[tuple[JsonObject, JsonObject, str]] = [
    (operation("/x"), {"a": 1}, "/a"),
    (operation("/x"), {"query": {"a": 1}}, "/query/a"),
    (operation("/x"), {"headers": {"Host": "evil"}}, "/headers/Host"),
    (operation("/x"), {"body": {}}, "/body"),
    (COLLIDE, {"id": None}, "/id"),
    (operation("/x", "post", requestBody={"required": True, "content": {"text/plain": {}}}), {}, "/body"),
]


@pytest.mark.parametrize(("document", "arguments", "pointer"), REFUSED)
def test_refused(document: JsonObject, arguments: Any, pointer: str) -> None:
    assert pointer in problems_of(document, arguments)


def test_header_containers_ignore_case() -> None:
    document = operation("/x", parameters=[{"name": "X-Trace", "in": "header"}])
    assert sent(document, {"header": {"x-trace": "1"}})[1] == {"X-Trace": "1"}
