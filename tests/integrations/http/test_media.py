from __future__ import annotations

import pytest

from integrations.http.media import (
    charset_of,
    in_range,
    is_binary,
    is_json,
    is_json_type,
    is_ndjson,
    is_text,
    is_xml,
)


@pytest.mark.parametrize(
    ("essence", "kinds"),
    [
        ("application/json", "json"),
        ("application/vnd.a+json", "json"),
        ("text/json", "json text"),
        ("application/x-ndjson", "ndjson"),
        ("text/event-stream", "ndjson text"),
        ("text/csv", "text"),
        ("image/svg+xml", "xml text"),
        ("application/xml", "xml text"),
        ("image/png", "binary"),
        ("application/octet-stream", "binary"),
        ("image/*", "binary"),
        ("*/*", ""),
        ("multipart/form-data", ""),
    ],
)
def test_kinds(essence: str, kinds: str) -> None:
    tests = {"json": is_json, "ndjson": is_ndjson, "xml": is_xml, "text": is_text, "binary": is_binary}
    assert {name for name, test in tests.items() if test(essence)} == set(kinds.split())


@pytest.mark.parametrize(
    ("essence", "declared", "inside"),
    [
        ("image/png", "image/*", True),
        ("image/png", "*/*", True),
        ("text/a", "image/*", False),
        ("a/b", "a/b", True),
    ],
)
def test_ranges(essence: str, declared: str, inside: bool) -> None:
    assert in_range(essence, declared) is inside


@pytest.mark.parametrize(("content_type", "codec"), [
    ("text/plain", "utf-8"), ("text/plain; charset=ISO-8859-1", "latin-1"), ('text/plain; charset="utf-16"', "utf-16"),
    ("text/plain; charset=us-ascii", "utf-8"), ("text/plain; charset=nonsense", "utf-8"),
    ("text/plain; format=flowed; charset=utf8", "utf-8"),
])  # fmt: skip
def test_charsets(content_type: str, codec: str) -> None:
    assert charset_of(content_type) == codec


@pytest.mark.parametrize(("kind", "known"), [
    ("application/json; charset=utf-8", True), ("Application/Problem+JSON", True), ("text/plain", False), (None, False),
])  # fmt: skip
def test_json_types_with_parameters(kind: object, known: bool) -> None:
    assert is_json_type(kind) is known
