from __future__ import annotations

import pytest

from integrations.base import SourceError
from integrations.json_text import MAX_DEPTH
from integrations.openapi.load import parse_source, version_of
from integrations.sources import MAX_SOURCE_BYTES


def test_json_and_yaml_give_the_same() -> None:
    assert parse_source(b'\xef\xbb\xbf{"a": [1]}', "x") == parse_source(b"a: [1]\n", "x") == {"a": [1]}


def test_json_that_is_really_yaml_flow_is_read() -> None:
    assert parse_source(b"{a: 1, 'b': x}", "x") == {"a": 1, "b": "x"}


@pytest.mark.parametrize("source", [b"[1]", b"", b"text", b"{", b"a: [", b"a: *nope"])
def test_what_is_no_mapping_is_refused_by_name(source: bytes) -> None:
    with pytest.raises(SourceError, match="petstore"):
        parse_source(source, "petstore")


def test_size_is_limited() -> None:
    with pytest.raises(SourceError, match="allowed"):
        parse_source(b" " * (MAX_SOURCE_BYTES + 1), "x")


def _deep(levels: int) -> dict[str, bytes]:
    """Documents of so many levels. Flow style is YAML that looks like JSON."""
    half = levels // 2
    rest = levels - half - 1
    return {
        "json": b'{"a":' * levels + b"1" + b"}" * levels,
        "flow": b"{a: " * levels + b"1" + b"}" * levels,
        "yaml": b"a: " + b"[" * (levels - 1) + b"]" * (levels - 1),
        "aliases": b"a: &a " + b"[" * half + b"]" * half + b"\nb: " + b"[" * rest + b"*a" + b"]" * rest,
    }


@pytest.mark.parametrize("style", _deep(4))
def test_documents_have_the_one_depth_limit_of_all_values(style: str) -> None:
    assert parse_source(_deep(MAX_DEPTH)[style], "x")
    for levels in (MAX_DEPTH + 1, 300):
        with pytest.raises(SourceError, match=r"^x:.* nested more than 180 levels deep"):
            parse_source(_deep(levels)[style], "x")


def test_json_beyond_what_can_be_read_at_all_is_too_deep() -> None:
    with pytest.raises(SourceError, match=r"^x: nested more than 180 levels deep$"):
        parse_source(_deep(100_000)["json"], "x")


@pytest.mark.parametrize(
    ("document", "version"),
    [({"swagger": "2.0"}, "2.0"), ({"swagger": 2.0}, "2.0"), ({"openapi": "3.0.3"}, "3.0"),
     ({"openapi": "3.1.0"}, "3.1"), ({"openapi": "3.2.0"}, "3.2")],
)  # fmt: skip
def test_versions(document: dict[str, object], version: str) -> None:
    assert version_of(document, "x") == version


@pytest.mark.parametrize("document", [{}, {"openapi": "4.0.0"}, {"swagger": "1.2"}])
def test_other_versions_are_refused(document: dict[str, object]) -> None:
    with pytest.raises(SourceError):
        version_of(document, "x")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1 "b": 2}', "x:1:9: not JSON: "),
        ('{"a": [1, 2}', "x:1:12: not JSON: "),
        ("{a: [1, 2}", "x:1:10: did not find expected ',' or ']'"),
        ("{openapi: 3.0.0,\n paths: *p}", "x:2:9: alias *p names nothing before it"),
    ],
)
def test_the_reader_that_got_further_says_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(SourceError) as caught:
        parse_source(text.encode(), "x")
    assert str(caught.value).startswith(said)
