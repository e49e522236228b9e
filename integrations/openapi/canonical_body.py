"""Request bodies in the one form that decides what is sent (see `canonical`).

Bytes that are text become text, JSON and forms given as text become data, and a file that is the whole body becomes its
bytes and its `contentType`. Only text that stands for XML stays opaque: rules cannot look into it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from integrations.base import JsonObject
from integrations.http.media import (
    charset_of,
    is_binary,
    is_form,
    is_json,
    is_json_type,
    is_multipart,
    is_ndjson,
    is_range,
    is_text,
    is_xml,
)
from integrations.http.toolfile import decode_base64, file_bytes, is_tool_file, tool_file
from integrations.json_text import read_json
from integrations.openapi.arguments import MISSING, GivenArguments
from integrations.openapi.binding import Media
from integrations.openapi.bodies import form_parameter, has_style, media_of_file, structured_body
from integrations.openapi.canonical import (
    as_data,
    content_value,
    form_fields,
    json_data,
    leaf,
    members,
    parameter_value,
    plain_json,
    structured,
    styled,
)
from integrations.openapi.doc import Doc
from integrations.openapi.multipart import (
    has_unnamed_parts,
    part_type,
    raw_properties,
    safe_name,
    unnamed_parts,
)
from integrations.openapi.pointer import mapping
from integrations.openapi.serialize import is_undefined, json_text, parse_text, scalar_text
from integrations.openapi.text_schema import TextSchema
from integrations.openapi.wire_names import NamedParameter, WireNames

_UNREADABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_OCTETS: Final = "application/octet-stream"


def settle_body(doc: Doc, media: Media, schema: TextSchema, given: GivenArguments) -> Media:
    """Put the body of `given` into its form; returns the media type that is sent. Raises ValueError."""
    if given.body is not MISSING and given.body_base64 is not MISSING:
        raise ValueError("give either `body` or `bodyBase64`")
    if given.body_base64 is not MISSING:
        _check_bytes(media)
        content = decode_base64(given.body_base64)
    elif is_tool_file(given.body) and not _holds_files(media.essence):
        media, content = media_of_file(media, given.body), file_bytes(given.body)
    else:
        media = _of_any_type(media, given.body)
        given.body = _data(doc, media, schema, structured_body(doc, media, given.body))
        return media
    _take_bytes(media, schema, content, given)
    return media


def _check_bytes(media: Media) -> None:
    if is_range(media.essence):
        raise ValueError(f"{media.type} needs a concrete `contentType`")
    if not (is_binary(media.essence) or is_text(media.essence)):
        raise ValueError(f"is for bytes and text; {media.type} is given as `body`")


def _holds_files(essence: str) -> bool:
    return is_multipart(essence) or is_json(essence) or is_form(essence)


def _of_any_type(media: Media, body: Any) -> Media:
    """`*/*` without a file is text or JSON, by the value."""
    if media.essence != "*/*":
        return media
    return replace(media, type="text/plain; charset=utf-8" if isinstance(body, str) else "application/json")


def _take_bytes(media: Media, schema: TextSchema, content: bytes, given: GivenArguments) -> None:
    """Bytes as data where they are JSON or a form, as text where people can read them, else as base64."""
    given.body_base64 = MISSING
    text = _text(media, content)
    if is_json(media.essence):
        given.body = plain_json(_parsed(text or ""))
    elif is_form(media.essence):
        given.body = form_fields(text or "")
    elif is_text(media.essence):
        if text is None:
            raise ValueError(f"is no plain text of {media.type}")
        given.body = leaf(schema, text)
    elif text is not None and is_ndjson(media.essence):
        given.body = _lines(text)
    elif text is not None and is_binary(media.essence) and not _UNREADABLE.search(text):
        given.body = text
    else:
        given.body, given.body_base64 = MISSING, base64.b64encode(content).decode("ascii")


def _text(media: Media, content: bytes) -> str | None:
    """The text of these bytes, where sending it again makes the same bytes."""
    charset = charset_of(media.type)
    try:
        text = content.decode(charset)
    except UnicodeDecodeError:
        return None
    return text if text.encode(charset) == content else None


def _parsed(text: str) -> Any:
    try:
        return read_json(text)
    except ValueError:
        raise ValueError("is no JSON") from None


def _data(doc: Doc, media: Media, schema: TextSchema, body: Any) -> Any:
    essence = media.essence
    if is_json(essence):
        return plain_json(body)
    if is_form(essence):
        return _form(media, schema, body)
    if is_multipart(essence):
        return _multipart(doc, media, schema, body)
    if is_ndjson(essence):
        return _lines(body)
    if isinstance(body, dict | list):
        if is_xml(essence):
            return _xml(doc, media.schema, schema, body)
        return json_text(plain_json(body)) if is_text(essence) else body
    return leaf(schema, body)


def _lines(body: Any) -> Any:
    """A list of values; text whose lines are JSON is that list."""
    if isinstance(body, str):
        lines = [parse_text(line) for line in body.splitlines() if line.strip()]
        is_data = lines and not any(isinstance(line, str) for line in lines)
        return plain_json(lines) if is_data else body
    return plain_json(body)


# ---- forms ---------------------------------------------------------------------------------------------------------


def _form(media: Media, schema: TextSchema, body: Any) -> Any:
    if not isinstance(body, dict) or is_tool_file(body):
        raise ValueError("has to be an object of form fields")
    found = {
        name: _field(name, schema.member(name), item, mapping(media.encoding.get(name)))
        for name, item in members(body)
    }
    kept = {name: item for name, item in found.items() if not is_undefined(item)}
    if any(has_style(mapping(encoding)) for encoding in media.encoding.values()):
        _check_names(media, schema, kept)
    return kept


def _check_names(media: Media, schema: TextSchema, fields: JsonObject) -> None:
    """No field may send a name that is another field's. Raises ValueError."""
    known = [
        NamedParameter(form_parameter(name, mapping(media.encoding.get(name))), schema.member(name))
        for name in dict.fromkeys((*schema.names(), *fields))
    ]
    names = WireNames("form", known, {})
    for one in known:
        if (name := one.parameter.name) in fields and one.sends_members and isinstance(fields[name], dict):
            refusal = names.refusal(name, fields[name])
            if refusal is not None:
                raise ValueError(refusal)


def _field(name: str, schema: TextSchema, value: Any, encoding: Mapping[str, Any]) -> Any:
    if has_style(encoding):
        return parameter_value(form_parameter(name, encoding), schema, value)
    value = structured(schema, value)
    content_type = encoding.get("contentType")
    if is_json_type(content_type):
        return _several(schema, value, str(content_type))
    items = [item for item in value if item is not None] if isinstance(value, list) else [value]
    found = as_data(schema, items[0]) if len(items) == 1 else None
    if isinstance(found, dict) and (not isinstance(value, list) or {"array", "object"} <= schema.kinds):
        return json_data(schema, found)
    return styled(schema, value, flat=False)


def _several(schema: TextSchema, value: Any, content_type: str) -> Any:
    """A list is sent as one document per item, so that a list of one is its item where one may stand."""
    if not isinstance(value, list):
        return content_value(content_type, schema, value)
    items = [item for item in value if item is not None]
    if len(items) == 1 and schema.allows("array") and (schema.is_scalar or schema.allows("object")):
        return content_value(content_type, schema, items[0])
    return [content_value(content_type, schema.item(index), item) for index, item in enumerate(items)]


# ---- multipart -----------------------------------------------------------------------------------------------------


def _multipart(doc: Doc, media: Media, schema: TextSchema, body: Any) -> Any:
    if isinstance(body, list) and has_unnamed_parts(media):
        parts = enumerate(unnamed_parts(doc, media, body))
        return [_one_part(doc, schema.item(n), raw, item, encoding) for n, (item, raw, encoding) in parts]
    if not isinstance(body, dict):
        raise ValueError("has to be an object whose properties are the parts")
    raw = raw_properties(doc, media.schema)
    out: JsonObject = {}
    for name, item in members(body):
        if item != []:
            encoding = mapping(media.encoding.get(safe_name(name)))
            out[name] = _part(doc, schema.member(name), raw.get(name), item, encoding)
    return {name: item for name, item in out.items() if item != []}


def _part(doc: Doc, schema: TextSchema, raw: Any, value: Any, encoding: Mapping[str, Any]) -> Any:
    value = structured(schema, value)
    if not isinstance(value, list):
        return _one_part(doc, schema, raw, value, encoding)
    items = [item for item in value if item is not None]
    if len(items) == 1 and schema.allows("array") and (schema.is_scalar or schema.allows("object")):
        return _one_part(doc, schema, raw, items[0], encoding)
    return [_one_part(doc, schema.item(n), raw, item, encoding) for n, item in enumerate(items)]


def _one_part(doc: Doc, schema: TextSchema, raw: Any, value: Any, encoding: Mapping[str, Any]) -> Any:
    kind = part_type(doc, raw, value, encoding)
    if is_tool_file(value):
        return tool_file(file_bytes(value), kind, safe_name(str(value.get("name") or "file"), escape=True))
    if isinstance(value, dict | list):
        return json_data(schema, plain_json(value))
    if is_json_type(kind):
        parsed = parse_text(value) if isinstance(value, str) else None
        return json_data(schema, plain_json(parsed if isinstance(parsed, dict | list) else value))
    found = leaf(schema, value)
    if kind == _OCTETS:
        return tool_file(scalar_text(found).encode(), kind, "file")
    return found


# ---- XML -----------------------------------------------------------------------------------------------------------


def _xml(doc: Doc, raw: Any, schema: TextSchema, value: Any) -> Any:
    """What makes no element is left out."""
    known = mapping(doc.deref(raw))
    if isinstance(value, list):
        items = [item for item in value if item is not None]
        is_single = len(items) == 1 and schema.allows("array") and not isinstance(items[0], dict | list)
        if is_single and schema.takes(scalar_text(items[0])):
            return leaf(schema, items[0])
        if any(isinstance(item, list) for item in items) and not _is_wrapped(doc, known.get("items", {})):
            raise ValueError("a list inside of a list has no form of its own in XML")
        return [_xml(doc, known.get("items", {}), schema.item(n), item) for n, item in enumerate(items)]
    if not isinstance(value, dict):
        return leaf(schema, value)
    properties = mapping(known.get("properties"))
    found = {
        name: _xml(doc, properties.get(name, {}), schema.member(name), item) for name, item in members(value)
    }
    kept = {n: item for n, item in found.items() if item != [] or _is_wrapped(doc, properties.get(n))}
    return kept or ("" if schema.is_scalar else kept)


def _is_wrapped(doc: Doc, raw: Any) -> bool:
    return mapping(mapping(doc.deref(raw)).get("xml")).get("wrapped") is True
