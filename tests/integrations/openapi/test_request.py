from __future__ import annotations

from typing import Any

import pytest

from integrations.openapi.arguments import GivenArguments
from integrations.openapi.request import build_request, server_url
from tests.integrations.openapi.documents import only_tool, operation, problems_of, request_of, toolset_of

ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}


def query(name: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema}


def test_values_are_substituted_once_and_never_scanned_again() -> None:
    second = {**ID, "name": "b"}
    document = operation("/x/{id}/{b}", parameters=[ID, second])
    assert request_of(document, {"id": "{b}", "b": "v"}).url == "https://api.example.com/x/%7Bb%7D/v"


def test_query_of_the_template_goes_first_and_fragments_are_dropped() -> None:
    document = operation("/responses?beta=true#part", parameters=[query("limit", type="integer")])
    assert request_of(document, {"limit": 3}).url == "https://api.example.com/responses?beta=true&limit=3"


def test_trailing_slash_of_the_server_is_removed_once() -> None:
    document = operation("/x/", servers=[{"url": "https://api.example.com/base/"}])
    assert request_of(document, {}).url == "https://api.example.com/base/x/"
    assert request_of(document, {}, "https://other.example/v2/").url == "https://other.example/v2/x/"


def test_google_style_reserved_names() -> None:
    document = operation("/v1/{+id}", parameters=[ID])
    assert request_of(document, {"id": "projects/p"}).url == "https://api.example.com/v1/projects/p"
    assert problems_of(document, {"id": "projects/../admin"})


def test_missing_and_unknown_arguments_are_all_reported() -> None:
    document = operation("/x/{id}", parameters=[ID, query("limit", type="integer")])
    found = problems_of(document, {"limmit": 1})
    assert found["/limmit"] == "unknown argument; did you mean `limit`? known are `id`, `limit`"
    assert "missing" in found["/id"]


THING = {"type": "object", "properties": {"name": {}, "price": {}}, "required": ["name"]}


@pytest.mark.parametrize(
    ("arguments", "problems"),
    [
        (
            {"id": "7", "name": "x", "price": 1},
            {"/name": "`name`, `price` belong in the request body: write {body: {name: ..., price: ...}}"},
        ),
        (
            {"name": "x"},
            {
                "/name": "`name` belongs in the request body: write {body: {name: ...}}",
                "/id": "required path parameter `id` is missing",
            },
        ),
        (
            {"id": "7", "name": "x", "colour": 1},
            {
                "/name": "`name` belongs in the request body: write {body: {name: ...}}",
                "/colour": "unknown argument; known are `id`, `body`",
            },
        ),
        (
            {"id": "7", "colour": 1},
            {"/colour": "unknown argument; known are `id`, `body`", "/body": "the request body is required"},
        ),
        (
            {"params": {"id": "7"}, "body": {"name": "x"}},
            {
                "/params/id": "is a path parameter: write {id: ...} without what is around it",
                "/id": "required path parameter `id` is missing",
            },
        ),
    ],
)
def test_arguments_in_the_wrong_place(arguments: dict[str, Any], problems: dict[str, str]) -> None:
    body = {"required": True, "content": {"application/json": {"schema": {"allOf": [THING]}}}}
    assert problems_of(operation("/x/{id}", "put", parameters=[ID], requestBody=body), arguments) == problems


def test_values_are_checked_with_pointers() -> None:
    body = {"content": {"application/json": {"schema": {"properties": {"n": {"type": "integer"}}}}}}
    document = operation("/x", "post", parameters=[query("n", type="integer", maximum=9)], requestBody=body)
    assert set(problems_of(document, {"n": 10, "body": {"n": "x"}})) == {"/n", "/body/n"}
    assert problems_of(document, {"n": "7"}) == {}


def test_servers_with_variables() -> None:
    servers = [
        {
            "url": "https://{region}.example.com/{ver}",
            "variables": {"region": {"default": "eu", "enum": ["eu", "us"]}, "ver": {"default": "v2"}},
        },
        {"url": "https://second.example.com"},
    ]
    document = operation("/x", servers=servers)
    assert request_of(document, {}).url == "https://eu.example.com/v2/x"
    chosen = {"server": {"variables": {"region": "us", "ver": "v3"}}}
    assert request_of(document, chosen).url == "https://us.example.com/v3/x"
    assert (
        request_of(document, {"server": {"url": "https://second.example.com"}}).url
        == "https://second.example.com/x"
    )
    assert problems_of(document, {"server": {"variables": {"region": "evil"}}})
    assert problems_of(document, {"server": {"url": "https://evil.example"}})
    assert problems_of(document, {"server": {"variables": {"nope": "1"}, "x": 1}})


@pytest.mark.parametrize("value", ["evil.com", "evil.com/", "a@evil.com", "evil.com#", "localhost:1"])
def test_a_server_variable_cannot_name_another_host(value: str) -> None:
    servers = [{"url": "https://{host}/v", "variables": {"host": {"default": "api.example.com"}}}]
    assert problems_of(operation("/x", servers=servers), {"server": {"variables": {"host": value}}})


def test_a_document_without_absolute_server_says_what_to_do() -> None:
    found = problems_of(operation("/x", servers=[{"url": "/v1"}]), {})
    assert "base_url" in found[""]


def test_ignored_headers_are_accepted_and_not_sent() -> None:
    header = {"name": "Authorization", "in": "header", "required": True, "schema": {"type": "string"}}
    request = request_of(operation("/x", parameters=[header]), {"Authorization": "Bearer evil"})
    assert [name for name, _ in request.headers] == ["Accept"]


@pytest.mark.parametrize("value", ["a\r\nX: 1", "a\nb", "a\x00b"])
def test_header_values_cannot_split_the_request(value: str) -> None:
    header = {"name": "X-A", "in": "header", "schema": {"type": "string"}}
    assert "/X-A" in problems_of(operation("/x", parameters=[header]), {"X-A": value})


def test_cookies_are_encoded() -> None:
    cookie = {"name": "c", "in": "cookie", "schema": {"type": "string"}}
    assert request_of(operation("/x", parameters=[cookie]), {"c": "a; b=1"}).cookies == (
        ("c", "c=a%3B%20b%3D1"),
    )


def test_content_type_argument_and_base64() -> None:
    body: dict[str, Any] = {
        "content": {"application/json": {}, "image/*": {}, "application/octet-stream": {}}
    }
    document = operation("/x", "post", requestBody=body)
    request = request_of(document, {"bodyBase64": "AAE=", "contentType": "image/png"})
    assert (dict(request.headers)["Content-Type"], request.body) == ("image/png", b"\x00\x01")
    request = request_of(document, {"bodyBase64": "AAE=", "contentType": "application/octet-stream"})
    assert dict(request.headers)["Content-Type"] == "application/octet-stream"
    assert "/contentType" in problems_of(document, {"body": 1, "contentType": "text/csv"})
    assert problems_of(document, {"body": 1, "bodyBase64": "AAE=", "contentType": "image/png"})


def test_accept_lists_what_success_declares_json_first() -> None:
    responses = {"200": {"description": "", "content": {"text/csv": {}, "application/vnd.a+json": {}}}}
    request = request_of(operation("/x", responses=responses), {})
    assert dict(request.headers)["Accept"] == "application/vnd.a+json, text/csv;q=0.9, */*;q=0.1"


FILE = {"_tag": "ToolFile", "mimeType": "text/plain", "encoding": "base64", "data": "PGEvPg=="}


@pytest.mark.parametrize("given", [{"body": "<a/>"}, {"bodyBase64": "PGEvPg=="}, {"body": FILE}])
def test_text_has_one_canonical_form_however_it_was_given(given: dict[str, Any]) -> None:
    """So that a condition on `body` judges what is sent."""
    document = operation("/x", "post", requestBody={"content": {"application/xml": {}}})
    toolset = toolset_of(document)
    request, canonical = build_request(toolset.closure(only_tool(toolset)), given, "https://example.com")
    assert (request.body, canonical) == (b"<a/>", {"body": "<a/>"})


@pytest.mark.parametrize(
    ("kind", "data", "reason"),
    [
        ("text/plain", "/w==", "is no plain text of text/plain"),
        ("text/plain; charset=utf-16", "/v8AYQ==", "is no plain text of text/plain; charset=utf-16"),
        ("text/plain", "%", "is not base64"),
    ],
)
def test_bytes_that_are_no_text_are_refused(kind: str, data: str, reason: str) -> None:
    document = operation("/x", "post", requestBody={"content": {kind: {}}})
    assert reason in problems_of(document, {"bodyBase64": data})["/bodyBase64"]


SERVERS: list[dict[str, Any]] = [
    {"url": "https://{region}.example.com/{ver}", "variables": {"region": {"default": "eu", "enum": ["eu", "us"]},
                                                                "ver": {"default": "v1"}}},
    {"url": "https://second.example.com"},
]  # fmt: skip


def chosen(server: Any, servers: list[Any] = SERVERS, base_url: str | None = None) -> tuple[str, list[str]]:
    toolset = toolset_of(operation("/x", servers=servers))
    given = GivenArguments(server=server)
    url = server_url(toolset.binding(only_tool(toolset)), given, base_url)
    return url, [problem.pointer for problem in given.problems]


@pytest.mark.parametrize(("server", "url"), [
    ({}, "https://eu.example.com/v1"),
    ({"variables": {"region": "us", "ver": "v2"}}, "https://us.example.com/v2"),
    ({"url": "https://second.example.com"}, "https://second.example.com"),
    ({"url": SERVERS[0]["url"], "variables": {"ver": 3}}, "https://eu.example.com/3"),
])  # fmt: skip
def test_what_can_be_chosen(server: Any, url: str) -> None:
    assert chosen(server) == (url, [])


@pytest.mark.parametrize(("server", "pointer"), [
    ({"url": "https://evil.example"}, "/server/url"), ({"port": 1}, "/server/port"),
    ({"variables": []}, "/server/variables"), ({"variables": {"region": "xx"}}, "/server/variables/region"),
    ({"variables": {"ver": "../x"}}, "/server/variables/ver"), ({"variables": {"ver": "a#b"}}, "/server/variables/ver"),
    ({"variables": {"nope": "x"}}, "/server/variables/nope"),
])  # fmt: skip
def test_t25_what_is_refused(server: Any, pointer: str) -> None:
    assert pointer in chosen(server)[1]


def test_the_base_url_of_the_integration_wins() -> None:
    assert chosen({}, base_url="https://proxy.example/api?x#y") == ("https://proxy.example/api", [])


def test_variables_that_nothing_defines() -> None:
    nowhere = [{"url": "https://{account}.example.com"}]
    assert chosen({}, nowhere)[1] == ["/server/variables/account"]
    assert chosen({}, nowhere, base_url="https://a.example") == ("https://a.example", [])
