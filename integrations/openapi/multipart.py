"""multipart/form-data bodies (RFC 7578), with the Encoding Object of OpenAPI."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from integrations.base import JsonObject
from integrations.http.media import charset_of, in_range, is_json_type, is_range
from integrations.http.toolfile import file_bytes, is_tool_file
from integrations.openapi.binding import COLLECTIONS, Media
from integrations.openapi.doc import BrokenReference, Doc
from integrations.openapi.pointer import BRANCHES, mapping
from integrations.openapi.serialize import collected, json_text, parse_text, scalar_text

_SET_BY_US = frozenset({"content-type", "content-disposition"})
_MAX_BRANCHES = 8
_SAYS_A_TYPE = frozenset({"type", "enum", "const", *BRANCHES})


def multipart_body(doc: Doc, media: Media, value: Any) -> tuple[str, bytes]:
    """multipart/form-data (RFC 7578): a part per property, several of one name for a list."""
    if isinstance(value, list) and has_unnamed_parts(media):
        return _joined(media, [_part(doc, None, *one) for one in unnamed_parts(doc, media, value)])
    if not isinstance(value, dict):
        raise ValueError("has to be an object whose properties are the parts")
    properties = raw_properties(doc, media.schema)
    if is_tool_file(value):
        raise ValueError(f"is a file, not the parts: give it as one of them: {', '.join(properties)}")
    parts: list[bytes] = []
    for name, item in value.items():
        if item is None or item == []:
            continue
        encoding = mapping(media.encoding.get(name))
        several = _several(item, properties.get(name), encoding)
        parts += [_part(doc, name, one, properties.get(name), encoding) for one in several if one is not None]
    return _joined(media, parts)


def has_unnamed_parts(media: Media) -> bool:
    """A list is a sequence of parts in every multipart type but form-data, whose parts have names."""
    return media.essence != "multipart/form-data"


def unnamed_parts(doc: Doc, media: Media, value: list[Any]) -> Iterator[tuple[Any, Any, Mapping[str, Any]]]:
    """Value, schema and encoding of each part: `prefixEncoding` and `itemEncoding` of OpenAPI 3.2."""
    known = mapping(doc.deref(media.schema))
    first = known.get("prefixItems")
    schemas = first if isinstance(first, list) else []
    for index, item in enumerate(value):
        schema = schemas[index] if index < len(schemas) else known.get("items")
        is_first = index < len(media.prefix_encoding)
        yield item, schema, media.prefix_encoding[index] if is_first else media.item_encoding


def _joined(media: Media, parts: list[bytes]) -> tuple[str, bytes]:
    content = b"".join(parts)
    boundary = _boundary(content)
    body = b"".join(b"--" + boundary + b"\r\n" + part for part in parts) + b"--" + boundary + b"--\r\n"
    return f"{media.essence}; boundary={boundary.decode()}", body


def _several(value: Any, schema: Any, encoding: Mapping[str, Any]) -> list[Any]:
    """A list is a part per item, unless Swagger 2.0 has it joined into one."""
    if not isinstance(value, list):
        return [value]
    delimiter = COLLECTIONS.get(str(encoding.get("x-collection")))
    return value if delimiter is None else [collected(value, schema, delimiter, str)]


def _part(doc: Doc, name: str | None, value: Any, schema: Any, encoding: Mapping[str, Any]) -> bytes:
    filename = ""
    kind = part_type(doc, schema, value, encoding)
    if is_tool_file(value):
        content = file_bytes(value)
        filename = str(value.get("name") or "file")
    else:
        content = _part_text(kind, value).encode(charset_of(kind))
        if _is_file(doc, schema) and kind == "application/octet-stream":
            filename = "file"
    if any(ord(c) < 32 or ord(c) == 127 for c in kind):
        raise ValueError("a media type cannot hold control characters")
    lines = [*_disposition(name, filename), f"Content-Type: {kind}", *_own_headers(doc, encoding)]
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + content + b"\r\n"


def _disposition(name: str | None, filename: str) -> list[str]:
    """RFC 7578 section 4.2; a part without a name says no more than what its file is called (RFC 2183)."""
    called = f'; filename="{safe_name(filename, escape=True)}"' if filename else ""
    if name is not None:
        return [f'Content-Disposition: form-data; name="{safe_name(name)}"{called}']
    return [f"Content-Disposition: attachment{called}"] if called else []


def _own_headers(doc: Doc, encoding: Mapping[str, Any]) -> list[str]:
    """Encoding Object `headers`, where the document leaves one value or names a default. Content-Type is ignored."""
    out: list[str] = []
    for name, raw in mapping(encoding.get("headers")).items():
        header = mapping(doc.deref(raw))
        schema = mapping(doc.deref(header.get("schema")))
        choices = schema.get("enum")
        single = choices[0] if isinstance(choices, list) and len(choices) == 1 else None
        value = schema.get("const", schema.get("default", single))
        if value is not None and name.lower() not in _SET_BY_US:
            text = f"{name}: {scalar_text(value)}"
            if any(ord(c) < 32 or ord(c) == 127 for c in text):
                raise ValueError(f"the document's part header {name!r} holds control characters")
            out.append(text)
    return out


def _is_file(doc: Doc, schema: Any) -> bool:
    """Is a part of this schema, or an item of it, the content of a file?"""
    known = _part_schema(doc, schema)
    return known.get("format") == "binary" or known.get("type") == "file" or "contentMediaType" in known


def _part_schema(doc: Doc, schema: Any) -> JsonObject:
    try:
        known = mapping(doc.deref(schema))
        return mapping(doc.deref(known.get("items"))) if known.get("type") == "array" else known
    except BrokenReference:
        return {}


def part_type(doc: Doc, schema: Any, value: Any, encoding: Mapping[str, Any]) -> str:
    """The media type of one part; of several, data takes one that it can be written in."""
    declared = encoding.get("contentType")
    if is_tool_file(value):
        return _part_type(declared, str(value.get("mimeType") or "")) or "application/octet-stream"
    if isinstance(value, dict | list) and isinstance(declared, str):
        listed = (option.strip() for option in declared.split(","))
        declared = next((option for option in listed if is_json_type(option)), declared)
    return _part_type(declared, "") or _default_type(doc, schema, value)


def _part_text(kind: str, value: Any) -> str:
    """JSON for objects and for what is declared as JSON, unless it is the text of an object or list already."""
    if isinstance(value, dict | list):
        return json_text(value)
    if not is_json_type(kind) or (isinstance(value, str) and isinstance(parse_text(value), dict | list)):
        return scalar_text(value)
    return json_text(value)


def _part_type(declared: Any, own: str) -> str:
    """`encoding.contentType` wins; of a list (or range) the file's own type if listed, else the first concrete one."""
    if not isinstance(declared, str) or not declared.strip():
        return own
    options = [option.strip() for option in declared.split(",") if option.strip()]
    essence = own.split(";")[0].strip().lower()
    if own and any(in_range(essence, option.split(";")[0].strip().lower()) for option in options):
        return own
    return next((option for option in options if not is_range(option)), own)


def _default_type(doc: Doc, schema: Any, value: Any) -> str:
    """Encoding Object defaults: JSON for objects, octets for binary strings, text for other scalars. From 3.1 on also
    octets for encoded strings, and where a declared part has no type.
    """
    if isinstance(value, dict | list):
        return "application/json"
    known = _part_schema(doc, schema)
    if isinstance(known.get("contentMediaType"), str):
        return str(known["contentMediaType"])
    if known.get("format") == "binary" or known.get("type") == "file":
        return "application/octet-stream"
    is_declared = isinstance(schema, dict) and doc.schema_dialect == "2020-12"
    if is_declared and ("contentEncoding" in known or not _SAYS_A_TYPE & known.keys()):
        return "application/octet-stream"
    return "text/plain; charset=utf-8" if isinstance(value, str) and not value.isascii() else "text/plain"


def safe_name(name: str, *, escape: bool = False) -> str:
    """A name between quotes (RFC 7578 section 4.2). A file's name is escaped as HTML does it; a part's name that needs
    it is refused, because two names would be sent as one.
    """
    text = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    if "\x00" in text:
        raise ValueError("a part name cannot hold NUL")
    if text != name and not escape:
        raise ValueError("a part name cannot hold quotes or line breaks")
    return text


def _boundary(content: bytes) -> bytes:
    """A boundary that the content does not hold, the same for the same content, so that replay compares equal."""
    number = 0
    while True:
        digest = hashlib.sha256(content + str(number).encode()).hexdigest()[:32]
        boundary = f"executor-{digest}".encode()
        if boundary not in content:
            return boundary
        number += 1


def raw_properties(doc: Doc, schema: Any, depth: int = 0) -> JsonObject:
    """The document's own schemas of the parts, also those of every schema that the whole is made of."""
    try:
        known = mapping(doc.deref(schema))
    except BrokenReference:
        return {}
    out: JsonObject = {}
    for key in BRANCHES if depth < _MAX_BRANCHES else ():
        branches = known.get(key)
        for part in branches if isinstance(branches, list) else ():
            out |= raw_properties(doc, part, depth + 1)
    return out | mapping(known.get("properties"))
