from __future__ import annotations

import pytest

from integrations.openapi.media import in_range, is_binary, is_json, is_ndjson, is_text, is_xml


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
