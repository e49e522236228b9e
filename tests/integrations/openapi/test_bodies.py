from __future__ import annotations

from typing import Any

import pytest

from integrations.http.toolfile import tool_file
from integrations.openapi.binding import Media
from integrations.openapi.bodies import encode_body, structured_body
from tests.integrations.openapi.documents import compiled, operation

DOC = compiled(operation())
OBJECT = {"type": "object"}


def sent(
    kind: str, value: Any, schema: Any = True, encoding: dict[str, Any] | None = None
) -> tuple[str, bytes]:
    media = Media(kind, schema, encoding or {})
    return encode_body(DOC, media, structured_body(DOC, media, value))


JSON: list[tuple[str, Any, Any, bytes]] = [
    ("application/json", OBJECT, {"a": None}, b'{"a":null}'),
    ("application/merge-patch+json", OBJECT, {"a": 1}, b'{"a":1}'),
    ("application/json; charset=utf-8", {"type": "string"}, "x", b'"x"'),
    ("application/json", {"type": "string"}, '{"a":1}', b'"{\\"a\\":1}"'),
    ("application/json", OBJECT, '{"a": 1}', b'{"a":1}'),
    ("application/json", {"oneOf": [OBJECT, {"type": "array"}]}, "[1]", b"[1]"),
    ("application/json", {"allOf": [OBJECT]}, "{}", b"{}"),
    ("application/json", OBJECT, "no json", b'"no json"'),
    ("application/json", True, "[1]", b'"[1]"'),
    ("application/json", True, None, b"null"),
    ("application/json", True, False, b"false"),
    ("application/json", True, [], b"[]"),
    ("application/json", True, 2**70, b"1180591620717411303424"),
]


@pytest.mark.parametrize(("kind", "schema", "value", "body"), JSON)
def test_json(kind: str, schema: Any, value: Any, body: bytes) -> None:
    assert sent(kind, value, schema) == (kind, body)


FORM = "application/x-www-form-urlencoded"
FORMS: list[tuple[Any, dict[str, Any], bytes]] = [
    ({"a": "x y", "b": True, "c": 3.0}, {}, b"a=x%20y&b=true&c=3"),
    ({"a": ["x", "y"]}, {}, b"a=x&a=y"),
    ({"o": {"k": 1}}, {}, b"o=%7B%22k%22%3A1%7D"),
    ({"a": None, "b": [], "c": ""}, {}, b"c="),
    ({"a": ["x", "y"]}, {"a": {"explode": False}}, b"a=x,y"),
    ({"a": ["x", "y"]}, {"a": {"style": "pipeDelimited", "explode": False}}, b"a=x%7Cy"),
    ({"o": {"k": 1, "l": 2}}, {"o": {"style": "form", "explode": True}}, b"k=1&l=2"),
    ({"o": {"k": 1}}, {"o": {"style": "deepObject"}}, b"o%5Bk%5D=1"),
    ({"u": "a/b?c"}, {"u": {"allowReserved": True}}, b"u=a/b?c"),
    ({"j": "x"}, {"j": {"contentType": "application/json"}}, b"j=%22x%22"),
    ({"a": ["x", "y"]}, {"a": {"x-collection": "ssv"}}, b"a=x%20y"),
    ({"a": ["x", "y"]}, {"a": {"x-collection": "multi"}}, b"a=x&a=y"),
    ("raw=1&a=x+y&a=&raw2", {}, b"raw=1&a=x%20y&a=&raw2="),
]


@pytest.mark.parametrize(("value", "encoding", "body"), FORMS)
def test_forms(value: Any, encoding: dict[str, Any], body: bytes) -> None:
    assert sent(FORM, value, OBJECT, encoding) == (FORM, body)


PNG = tool_file(b"\x89PNG", "image/png", "p.png")
OTHERS: list[tuple[str, Any, str, bytes]] = [
    ("application/octet-stream", "text é", "application/octet-stream", "text é".encode()),
    ("application/octet-stream", PNG, "application/octet-stream", b"\x89PNG"),
    ("image/*", PNG, "image/png", b"\x89PNG"),
    ("*/*", PNG, "image/png", b"\x89PNG"),
    ("*/*", {"a": 1}, "application/json", b'{"a":1}'),
    ("*/*", "x", "text/plain; charset=utf-8", b"x"),
    ("text/csv", "a,b", "text/csv", b"a,b"),
    ("text/plain; charset=iso-8859-1", "é", "text/plain; charset=iso-8859-1", b"\xe9"),
    ("application/x-ndjson", [{"a": 1}, 2], "application/x-ndjson", b'{"a":1}\n2\n'),
    ("application/xml", "<a/>", "application/xml", b"<a/>"),
]


@pytest.mark.parametrize(("kind", "value", "content_type", "body"), OTHERS)
def test_other_types(kind: str, value: Any, content_type: str, body: bytes) -> None:
    assert sent(kind, value) == (content_type, body)


@pytest.mark.parametrize(
    ("kind", "value"),
    [("image/*", "x"), ("image/*", tool_file(b"", "text/plain")), ("application/pdf", {"a": 1}), (FORM, [1]),
     ("multipart/form-data", "x")],
)  # fmt: skip
def test_what_cannot_be_sent_is_refused(kind: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        sent(kind, value)
