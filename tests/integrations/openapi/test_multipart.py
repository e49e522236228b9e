from __future__ import annotations

from typing import Any

import pytest

from integrations.http.toolfile import tool_file
from integrations.openapi.binding import Media
from integrations.openapi.multipart import multipart_body
from tests.integrations.openapi.documents import compiled, operation

DOC = compiled(operation())
OBJECT = {"type": "object"}
PNG = tool_file(b"\x89PNG", "image/png", "p.png")


def sent(value: Any, schema: Any = True, encoding: dict[str, Any] | None = None) -> tuple[str, bytes]:
    return multipart_body(DOC, Media("multipart/form-data", schema, encoding or {}), value)


PARTS: list[tuple[Any, Any, dict[str, Any], bytes]] = [
    ("x", {"type": "string"}, {}, b'name="p"\r\nContent-Type: text/plain\r\n\r\nx\r\n'),
    ({"k": 1}, OBJECT, {}, b'name="p"\r\nContent-Type: application/json\r\n\r\n{"k":1}\r\n'),
    (PNG, {"type": "string", "format": "binary"}, {},
     b'name="p"; filename="p.png"\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n'),
    ("text", {"type": "string", "format": "binary"}, {},
     b'name="p"; filename="file"\r\nContent-Type: application/octet-stream\r\n\r\ntext\r\n'),
    (PNG, True, {"contentType": "image/jpeg, image/*"}, b"Content-Type: image/png\r\n"),
    (PNG, True, {"contentType": "application/pdf"}, b"Content-Type: application/pdf\r\n"),
    ({"k": 1}, OBJECT, {"contentType": "application/xml, application/json"},
     b"Content-Type: application/json\r\n\r\n{"),
    ([PNG], True, {"contentType": "image/*"}, b"Content-Type: image/png\r\n"),
    ("x", {"contentMediaType": "text/csv"}, {}, b"Content-Type: text/csv\r\n\r\nx"),
    ("x", True, {"contentType": "application/json"}, b'Content-Type: application/json\r\n\r\n"x"'),
]  # fmt: skip


@pytest.mark.parametrize(("value", "schema", "encoding", "part"), PARTS)
def test_multipart_parts(value: Any, schema: Any, encoding: dict[str, Any], part: bytes) -> None:
    whole = {"type": "object", "properties": {"p": schema}}
    kind, body = sent({"p": value}, whole, {"p": encoding})
    boundary = kind.split("boundary=")[1].encode()
    assert body.startswith(b"--" + boundary + b"\r\nContent-Disposition: form-data; ")
    assert body.endswith(b"--" + boundary + b"--\r\n")
    assert part in body


def test_lists_are_several_parts_and_names_of_files_are_escaped() -> None:
    file = {"_tag": "ToolFile", "name": 'f"\r\n', "mimeType": "a/b", "encoding": "base64", "data": ""}
    _, body = sent({"a": ["x", file], "n": None}, OBJECT)
    assert body.count(b'name="a"') == 2
    assert b'filename="f%22%0D%0A"' in body


@pytest.mark.parametrize("name", ['a"', "a\r", "a\nb", "a\x00"])
def test_part_names_that_would_need_escaping_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="a part name cannot hold"):
        sent({name: "x"}, OBJECT)


def test_the_boundary_is_not_in_the_data() -> None:
    kind, _ = sent({"p": "x"}, OBJECT)
    boundary = kind.split("boundary=")[1]
    again, body = sent({"p": boundary}, OBJECT)
    assert body.count(again.split("boundary=")[1].encode()) == 2


LISTS: list[tuple[dict[str, Any], list[bytes]]] = [
    ({}, [b"x", b"y"]),
    ({"x-collection": "multi"}, [b"x", b"y"]),
    ({"x-collection": "csv"}, [b"x,y"]),
    ({"x-collection": "tsv"}, [b"x\ty"]),
]


@pytest.mark.parametrize(("encoding", "contents"), LISTS)
def test_lists_by_collection_format(encoding: dict[str, Any], contents: list[bytes]) -> None:
    _, body = sent({"p": ["x", "y"]}, OBJECT, {"p": encoding})
    assert [part.split(b"\r\n")[3] for part in body.split(b"Content-Disposition")[1:]] == contents


@pytest.mark.parametrize("value", ["x", [1], {"a\x00": "x"}])
def test_what_is_no_form_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        sent(value)
