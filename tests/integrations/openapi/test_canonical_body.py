from __future__ import annotations

from typing import Any

import pytest

from integrations.base import InvalidArguments, JsonObject
from integrations.openapi.request import build_request
from tests.integrations.openapi.documents import only_tool, operation, toolset_of

FIELDS = {
    "type": "object",
    "properties": {
        "n": {"type": "integer"},
        "s": {"type": "string"},
        "l": {"type": "array", "items": {"type": "integer"}},
    },
}


def file(data: str, kind: str = "text/plain", **more: Any) -> JsonObject:
    return {"_tag": "ToolFile", "mimeType": kind, "encoding": "base64", "data": data, **more}


def made(media: JsonObject, arguments: JsonObject) -> tuple[bytes | None, str, JsonObject]:
    toolset = toolset_of(operation("/x", "post", requestBody={"content": media}))
    request, canonical = build_request(toolset.closure(only_tool(toolset)), arguments, None)
    return request.body, dict(request.headers)["Content-Type"], canonical


FORM = {"application/x-www-form-urlencoded": {"schema": FIELDS}}
XML = {"application/xml": {"schema": FIELDS}}
PARTS = {"multipart/form-data": {"schema": FIELDS}}
EQUAL: list[tuple[JsonObject, list[JsonObject], JsonObject]] = [
    (
        FORM,
        [{"body": {"n": "5", "s": 5.0, "l": ["1", None, 2.0]}}, {"body": "n=5&s=5&l=1&l=2"}],
        {"body": {"n": 5, "s": "5", "l": [1, 2]}},
    ),
    (
        FORM,
        [{"body": {"x": {"a": 1.0}}}, {"body": {"x": '{"a":1}'}}, {"body": {"x": [{"a": 1}], "s": None}}],
        {"body": {"x": {"a": 1}}},
    ),
    (
        PARTS,
        [{"body": {"n": "5", "s": True, "l": []}}, {"body": {"n": 5, "s": "true"}}],
        {"body": {"n": 5, "s": "true"}},
    ),
    (
        XML,
        [{"body": {"n": "5.0", "l": [1.0]}}, {"body": {"n": 5, "l": ["1"], "s": None}}],
        {"body": {"n": 5, "l": [1]}},
    ),
    ({"application/json": {}}, [{"body": {"n": 5.0}}, {"body": {"n": 5}}], {"body": {"n": 5}}),
    (
        {"text/plain": {}},
        [{"body": "42"}, {"body": 42}, {"body": file("NDI")}, {"bodyBase64": "NDI="}],
        {"body": "42"},
    ),
    ({"text/plain": {}}, [{"body": {"a": 1.0}}, {"body": '{"a":1}'}], {"body": '{"a":1}'}),
    (
        {"application/octet-stream": {}},
        [{"body": "42"}, {"body": file("NDI", "a/b")}, {"bodyBase64": "N DI"}],
        {"body": "42"},
    ),
    (
        {"application/octet-stream": {}},
        [{"bodyBase64": "_w"}, {"body": file("/w==")}],
        {"bodyBase64": "/w=="},
    ),
    (
        {"application/x-ndjson": {}},
        [{"body": [1.0, {"a": 2}]}, {"body": '1\n\n{"a": 2}'}],
        {"body": [1, {"a": 2}]},
    ),
    (
        {"image/*": {}},
        [{"bodyBase64": "_w", "contentType": "image/png"}, {"body": file("/w", "image/png")}],
        {"bodyBase64": "/w==", "contentType": "image/png"},
    ),
    (
        {"*/*": {}},
        [{"body": {"a": 1}}, {"body": file("eyJhIjogMX0=", "application/json")}],
        {"body": {"a": 1}, "contentType": "application/json"},
    ),
]


@pytest.mark.parametrize(("media", "arguments", "expected"), EQUAL)
def test_one_form_however_it_was_given(
    media: JsonObject, arguments: list[JsonObject], expected: JsonObject
) -> None:
    found = [made(media, one) for one in arguments]
    assert all(one[2] == expected for one in found), found
    assert all(one[:2] == found[0][:2] for one in found)
    assert made(media, expected)[:2] == found[0][:2]


def test_files_of_a_form_are_shown_as_they_are_sent() -> None:
    body, _, canonical = made(PARTS, {"body": {"f": file("N DI", name='a"')}})
    assert canonical["body"]["f"] == file("NDI=", name="a%22", byteLength=2)
    assert b'filename="a%22"' in (body or b"")


def test_text_for_a_part_of_bytes_is_a_file() -> None:
    media = {"multipart/form-data": {"encoding": {"f": {"contentType": "application/octet-stream"}}}}
    given = made(media, {"body": {"f": "42"}})
    assert given[2]["body"]["f"]["_tag"] == "ToolFile"
    assert made(media, given[2]) == given


@pytest.mark.parametrize(
    ("media", "arguments"),
    [
        ({"application/json": {}}, {"bodyBase64": "MQ=="}),
        ({"*/*": {}}, {"body": file("eA==", "application/json")}),
        ({"image/*": {}}, {"bodyBase64": "_w"}),
        (XML, {"body": {"l": [["1"]]}}),
    ],
)
def test_what_has_no_form_is_refused(media: JsonObject, arguments: JsonObject) -> None:
    with pytest.raises(InvalidArguments):
        made(media, arguments)
