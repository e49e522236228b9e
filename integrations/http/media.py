"""Kinds of media types (RFC 6838, RFC 6839 for the +json suffix). Arguments are essences: lower case, no parameters."""

from __future__ import annotations

from typing import Any

_NDJSON = frozenset({
    "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines",
    "application/jsonlines", "application/x-json-stream", "application/json-lines", "application/stream+json",
})  # fmt: skip
# RFC 7464: texts that each begin with a record separator; RFC 8091 has the suffix.
_SEQUENCES = frozenset({"application/json-seq", "application/geo+json-seq", "application/qlog+json-seq"})
STREAMS = _NDJSON | _SEQUENCES | {"text/event-stream"}
_CHARSETS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "utf-8",
    "iso-8859-1": "latin-1",
    "utf-16": "utf-16",
}
_TEXT = frozenset({
    "application/xml", "application/javascript", "application/x-javascript", "application/yaml",
    "application/x-yaml", "application/graphql", "application/sql", "application/toml", "application/jwt",
    "application/pgp-keys", "application/x-pem-file",
})  # fmt: skip


def is_json(essence: str) -> bool:
    return essence.endswith(("/json", "+json")) and essence not in _NDJSON


def is_ndjson(essence: str) -> bool:
    """Many JSON texts one after another: lines, events, sequences."""
    return essence in STREAMS or is_json_sequence(essence)


def is_json_sequence(essence: str) -> bool:
    return essence in _SEQUENCES or essence.endswith("+json-seq")


def is_form(essence: str) -> bool:
    return essence == "application/x-www-form-urlencoded"


def is_multipart(essence: str) -> bool:
    return essence.startswith("multipart/")


def is_xml(essence: str) -> bool:
    return essence.endswith(("/xml", "+xml"))


def is_text(essence: str) -> bool:
    return essence.startswith("text/") or essence in _TEXT or is_xml(essence)


def is_range(essence: str) -> bool:
    return essence.endswith("/*")


def in_range(essence: str, declared: str) -> bool:
    """Does a concrete type fall into a declared type or range (RFC 9110 section 12.5.1)?"""
    if declared in ("*/*", essence):
        return True
    return is_range(declared) and essence.split("/")[0] == declared.split("/")[0]


def is_binary(essence: str) -> bool:
    """Sent and received as bytes: nothing above claims it, and it is not the any-type range."""
    known = (
        is_json(essence)
        or is_ndjson(essence)
        or is_form(essence)
        or is_multipart(essence)
        or is_text(essence)
    )
    return not known and essence != "*/*"


def is_json_type(kind: Any) -> bool:
    """Is this media type, parameters included, JSON?"""
    return isinstance(kind, str) and is_json(kind.split(";")[0].strip().lower())


def charset_of(content_type: str) -> str:
    """The codec for text of this type: its charset parameter where it is a usual one, else UTF-8."""
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return _CHARSETS.get(value.strip().strip('"').lower(), "utf-8")
    return "utf-8"
