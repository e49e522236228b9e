"""Parameter values in the one form that decides what is sent: rules, people and the request see the same.

Rules:
- What is sent is made of these values and of nothing else, so that equal values send equal bytes; and two values that
  would send the same bytes have the same form here, or are refused.
- A value takes the form that its schema gives its text (`text_schema`). A list of one item, where a single value may
  stand, is that value; an object that a style flattens into a list is that list, where one may stand.
- Members that send nothing (null) are left out. The order of an object's members is sent as given and means nothing.
- Blanks around header values are no part of them (RFC 9110, section 5.5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl

from integrations.base import JsonObject
from integrations.http.media import is_json_type
from integrations.lossless import list_from, object_from
from integrations.openapi.binding import OperationParameter
from integrations.openapi.serialize import (
    content_text,
    header_text,
    is_undefined,
    json_text,
    parse_text,
    scalar_text,
    settled_reserved,
)
from integrations.openapi.text_schema import TextSchema, plain_number

Settle = Callable[[str], str]
_BLANKS: Final = " \t"


def parameter_value(
    parameter: OperationParameter, schema: TextSchema, value: Any, *, reserved: bool = False
) -> Any:
    """One parameter's value. Raises ValueError for what could be read in more than one way."""
    settle = _settle(parameter, reserved or parameter.allow_reserved)
    value = structured(schema, value)
    if parameter.media_type is not None:
        return content_value(parameter.media_type, schema, value, settle)
    if parameter.style == "querystring":
        return _whole_query(schema, value, settle)
    if isinstance(value, dict | list):
        if parameter.style == "deepObject":
            return _deep(schema, value, settle)
        kind = "array" if isinstance(value, list) else "object"
        if parameter.location == "header" and schema.is_scalar and schema.allows(kind):
            return schema.read(settle(header_text(parameter, styled(schema, value, settle, flat=False))))
    return styled(schema, value, settle, flat=not parameter.explode)


def structured(schema: TextSchema, value: Any) -> Any:
    """Where only lists or objects may stand, the JSON text of one is that list or object."""
    if not isinstance(value, str) or schema.is_scalar:
        return value
    readers = (("array", list_from), ("object", object_from))
    return next(
        (found for kind, read in readers if schema.allows(kind) and (found := read(value)) is not None), value
    )


def _settle(parameter: OperationParameter, reserved: bool) -> Settle:
    """The spelling of text that differs from others in nothing but bytes that mean the same."""
    if reserved:
        return partial(settled_reserved, location=parameter.location)
    if parameter.location == "header" or parameter.style == "cookie":
        return _trimmed
    return str


def _trimmed(text: str) -> str:
    return text.strip(_BLANKS)


def styled(schema: TextSchema, value: Any, settle: Settle = str, *, flat: bool) -> Any:
    """A value as the styles send it. `flat`: the style makes a list of an object's names and values."""
    if isinstance(value, list):
        items = [item for item in value if item is not None]
        text = settle(scalar_text(plain_json(items[0]))) if len(items) == 1 else None
        if text is not None and schema.allows("array") and schema.takes(text):
            return schema.read(text)
        return [_inner(schema.item(index), item, settle) for index, item in enumerate(items)]
    if not isinstance(value, dict):
        return leaf(schema, value, settle)
    found = list(members(value))
    pieces = [text for name, item in found for text in (name, scalar_text(plain_json(item)))]
    if (
        flat
        and {"array", "object"} <= schema.kinds
        and all(schema.item(n).takes(one) for n, one in enumerate(pieces))
    ):
        return styled(schema, pieces, settle, flat=False)
    return {_settled(name, settle): _inner(schema.member(name), item, settle) for name, item in found}


def leaf(schema: TextSchema, value: Any, settle: Settle = str) -> Any:
    """A single value: what its text stands for."""
    return schema.read(settle(scalar_text(plain_number(value))))


def members(value: JsonObject) -> Iterator[tuple[str, Any]]:
    """What an object sends."""
    return ((name, item) for name, item in value.items() if item is not None)


def _inner(schema: TextSchema, value: Any, settle: Settle = str) -> Any:
    """An item or member. Objects and lists inside are sent as JSON text; given as that text, they are data too."""
    found = as_data(schema, value)
    if isinstance(found, dict | list):
        found = json_data(schema, found)
        _settled(json_text(found), settle)
        return found
    return leaf(schema, found, settle)


def as_data(schema: TextSchema, value: Any) -> Any:
    """JSON text of an object or list as the data, where nothing else may stand or the data is sent as that text."""
    value = structured(schema, value)
    if isinstance(value, str) and value[:1] in ("{", "["):
        parsed = parse_text(value)
        kind = "object" if isinstance(parsed, dict) else "array"
        if not isinstance(parsed, str) and schema.allows(kind) and json_text(parsed) == value:
            return plain_json(parsed)
    return plain_json(value) if isinstance(value, dict | list) else value


def _settled(text: str, settle: Settle) -> str:
    """Names and JSON, which have no other spelling. Raises ValueError."""
    if settle(text) != text:
        raise ValueError("cannot start or end with blanks here, nor hold percent-encoded characters")
    return text


def _deep(schema: TextSchema, value: Any, settle: Settle) -> Any:
    """`name[key]=` knows no empty members, and no difference between a list and an object with the names 0, 1, 2."""
    value = structured(schema, value)
    if isinstance(value, list) and {"array", "object"} <= schema.kinds:
        value = {str(index): item for index, item in enumerate(value)}
    if isinstance(value, list):
        items = [_deep(schema.item(index), item, settle) for index, item in enumerate(value)]
        while items and items[-1] is None:
            items.pop()
        return items or None
    if isinstance(value, dict):
        found = {name: _deep(schema.member(name), item, settle) for name, item in members(value)}
        kept = {_settled(name, settle): item for name, item in found.items() if item is not None}
        return kept or None
    return None if value is None else leaf(schema, value, settle)


def _whole_query(schema: TextSchema, value: Any, settle: Settle) -> Any:
    """The query as data, also where it was given as text."""
    value = form_fields(value) if isinstance(value, str) else value
    if not isinstance(value, dict):
        return leaf(schema, value, settle)
    return {name: styled(schema.member(name), item, flat=False) for name, item in members(value)}


def form_fields(text: str) -> JsonObject:
    """An encoded form as data; a name that stands there several times is a list."""
    fields: JsonObject = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        before = fields.get(name)
        fields[name] = (
            value if before is None else [*(before if isinstance(before, list) else [before]), value]
        )
    return fields


def content_value(media_type: str, schema: TextSchema, value: Any, settle: Settle = str) -> Any:
    """A value that is sent as a document of its own: JSON is data, also where it was given as text."""
    if not is_json_type(media_type.split(";")[0]):
        text = settle(content_text(media_type, plain_json(value)))
        return text if isinstance(value, dict | list) else schema.read(text)
    if isinstance(value, str) and not schema.allows("string"):
        parsed = parse_text(value)
        value = parsed if isinstance(parsed, dict | list) else schema.read(value)
    found = json_data(schema, plain_json(value))
    _settled(json_text(found), settle)
    return found


def json_data(schema: TextSchema, value: Any) -> Any:
    """Text inside JSON data, where no text may stand, is what it means: `["5"]` for a list of integers is `[5]`."""
    found = structured(schema, value)
    if isinstance(found, dict):
        return {name: json_data(schema.member(name), item) for name, item in found.items()}
    if isinstance(found, list):
        return [json_data(schema.item(index), item) for index, item in enumerate(found)]
    return schema.read(found) if isinstance(found, str) and not schema.allows("string") else found


def plain_json(value: Any) -> Any:
    """JSON data with every number in one form. Raises ValueError for one that JSON cannot write."""
    if isinstance(value, dict):
        return {name: plain_json(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain_json(item) for item in value]
    return plain_number(value)


def is_nothing(parameter: OperationParameter, value: Any) -> bool:
    """A parameter with `content` can say `[]` and `{}`; the styles cannot (RFC 6570 section 2.3)."""
    return value is None if parameter.media_type is not None else is_undefined(value)
