"""Request bodies to bytes, by media type. Every function returns the Content-Type to send and the bytes.

ValueError means that the value cannot be sent as this type; its text is shown to the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from integrations.base import JsonObject
from integrations.http.media import (
    charset_of,
    in_range,
    is_form,
    is_json,
    is_json_type,
    is_multipart,
    is_ndjson,
    is_range,
    is_text,
    is_xml,
)
from integrations.http.toolfile import file_bytes, is_tool_file
from integrations.openapi.binding import COLLECTIONS, Media, OperationParameter
from integrations.openapi.canonical import form_fields
from integrations.openapi.doc import BrokenReference, Doc
from integrations.openapi.multipart import has_unnamed_parts, multipart_body, raw_properties
from integrations.openapi.pointer import mapping
from integrations.openapi.sequences import sequence_body
from integrations.openapi.serialize import (
    encode,
    is_undefined,
    json_text,
    parse_text,
    query_pairs,
    scalar_text,
)
from integrations.openapi.xml_body import to_xml

_STYLED = frozenset({"style", "explode", "allowReserved"})


def encode_body(doc: Doc, media: Media, value: Any) -> tuple[str, bytes]:
    """Content-Type and bytes of one body."""
    essence = media.essence
    if is_tool_file(value) and not (is_multipart(essence) or is_json(essence) or is_form(essence)):
        return media_of_file(media, value).type, file_bytes(value)
    if essence == "*/*":
        return _any_type(value)
    if is_json(essence):
        return media.type, json_text(value).encode()
    if is_form(essence):
        return media.type, form_body(media, value)
    if is_multipart(essence):
        return multipart_body(doc, media, value)
    return _text_or_bytes(doc, media, value)


def _any_type(value: Any) -> tuple[str, bytes]:
    if isinstance(value, str):
        return "text/plain; charset=utf-8", value.encode()
    return "application/json", json_text(value).encode()


def _text_or_bytes(doc: Doc, media: Media, value: Any) -> tuple[str, bytes]:
    essence = media.essence
    if is_range(essence):
        raise ValueError(f"a body for {media.type} has to be a ToolFile with a concrete mimeType")
    if is_ndjson(essence) and isinstance(value, list):
        return media.type, sequence_body(essence, value).encode()
    if is_ndjson(essence) and isinstance(value, dict):
        raise ValueError(f"a body of type {media.type} has to be a list of the values that it holds, or text")
    if is_xml(essence) and isinstance(value, dict | list):
        return media.type, to_xml(doc, media.schema, value)
    if isinstance(value, dict | list) and not is_text(essence):
        raise ValueError(f"a body of type {media.type} has to be a ToolFile, base64 in `bodyBase64`, or text")
    return media.type, scalar_text(value).encode(charset_of(media.type))


def media_of_file(media: Media, value: JsonObject) -> Media:
    """The declared type, or for a range the file's own type, which has to lie inside. Raises ValueError."""
    own = str(value.get("mimeType") or "").strip()
    if not is_range(media.essence):
        return media
    if not own or is_range(own) or not in_range(own.split(";")[0].strip().lower(), media.essence):
        raise ValueError(f"the file's mimeType has to be a concrete type within {media.type}")
    return replace(media, type=own)


def structured_body(doc: Doc, media: Media, value: Any) -> Any:
    """The body as data where it was given as text: JSON text for an object or list, an encoded form.

    Values are validated, judged by policies and sent in this one form, however they were given.
    """
    if is_multipart(media.essence):
        return _named_part(doc, media, value)
    if not isinstance(value, str):
        return value
    if is_json(media.essence) and not accepts_string(doc, media.schema):
        parsed = parse_text(value)
        return parsed if isinstance(parsed, dict | list) else value
    return form_fields(value) if is_form(media.essence) else value


def _named_part(doc: Doc, media: Media, value: Any) -> Any:
    """A form whose schema is one file, or names no parts, has that file as its only part (Jira's attachments)."""
    is_one = is_tool_file(value) or isinstance(value, str)
    is_sequence = isinstance(value, list) and not has_unnamed_parts(media)
    is_file = is_tool_file(value) and not raw_properties(doc, media.schema)
    return {"file": value} if is_file or ((is_one or is_sequence) and not takes_parts(doc, media)) else value


def takes_parts(doc: Doc, media: Media) -> bool:
    """May a value of the schema be an object, so that its properties are the parts? Unknown counts as yes."""
    kind = mapping(doc.deref(media.schema)).get("type")
    return kind is None or "object" in (kind if isinstance(kind, list) else [kind])


def accepts_string(doc: Doc, schema: Any, depth: int = 0) -> bool:
    """May a value of this schema be a string? Unknown counts as yes."""
    try:
        schema = doc.deref(schema)
    except BrokenReference:
        return True
    if not isinstance(schema, dict) or depth > 8:
        return True
    kind = schema.get("type")
    if kind is not None:
        return "string" in (kind if isinstance(kind, list) else [kind])
    if "properties" in schema or "items" in schema:
        return False
    for key in ("oneOf", "anyOf"):
        if isinstance(schema.get(key), list):
            return any(accepts_string(doc, item, depth + 1) for item in schema[key])
    if isinstance(schema.get("allOf"), list):
        return all(accepts_string(doc, item, depth + 1) for item in schema["allOf"])
    return True


def form_body(media: Media, value: Any) -> bytes:
    """application/x-www-form-urlencoded: text, repeated names for lists, JSON for objects, styles where declared."""
    if not isinstance(value, dict) or is_tool_file(value):
        raise ValueError("has to be an object of form fields")
    parts: list[str] = []
    for name, item in value.items():
        if not is_undefined(item):
            parts += _form_field(name, item, mapping(media.encoding.get(name)))
    return "&".join(parts).encode("ascii")


def _form_field(name: str, value: Any, encoding: Mapping[str, Any]) -> list[str]:
    if has_style(encoding):
        return [text for _, text in query_pairs(form_parameter(name, encoding), value)]
    content_type = encoding.get("contentType")
    values = value if isinstance(value, list) else [value]
    return [
        f"{encode(name)}={encode(_field_text(item, content_type))}" for item in values if item is not None
    ]


def has_style(encoding: Mapping[str, Any]) -> bool:
    """Is the field sent as a query parameter would be?"""
    collection = encoding.get("x-collection")
    return bool(_STYLED & encoding.keys() or (collection and collection != "multi"))


def form_parameter(name: str, encoding: Mapping[str, Any]) -> OperationParameter:
    style = encoding.get("style", "form")
    explode = encoding.get("explode")
    delimiter = COLLECTIONS.get(str(encoding.get("x-collection")))
    return OperationParameter(
        name=name,
        location="query",
        required=False,
        schema=True,
        style=style,
        explode=explode if isinstance(explode, bool) else style in ("form", "deepObject"),
        allow_reserved=encoding.get("allowReserved") is True,
        delimiter=delimiter,
    )


def _field_text(value: Any, content_type: Any) -> str:
    if is_json_type(content_type):
        return json_text(value)
    return scalar_text(value)
