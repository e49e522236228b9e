"""Simple forms from a `requestedSchema` (MCP elicitation): an object of strings, numbers, booleans and choices.

The schema comes from an upstream server. Its texts are shown with invisible characters written out, and its patterns
are not evaluated: the server that asks checks the answer itself. A property that no simple field can ask for is left
out; when it is required, the form cannot be answered here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from integrations.lossless import integer_from, number_from

FIELDS: Final = 40
OPTIONS: Final = 200
_TEXT: Final = 8000
_INPUTS: Final = {"email": "email", "uri": "url", "date": "date"}
FieldKind = Literal["text", "number", "integer", "boolean", "choice", "choices"]
PostedValues = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class FormField:
    """One field. `options` are pairs of value and label; a form carries an option's number, so values keep their type.

    `values` is what the field shows: a default, or what was typed. `low` and `high` bound a number, the length of a
    text, or how many of a list are chosen.
    """

    name: str
    label: str
    help: str
    kind: FieldKind
    required: bool
    input: str = "text"
    options: tuple[tuple[Any, str], ...] = ()
    values: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    error: str = ""


def fields_of(schema: Mapping[str, Any]) -> tuple[FormField, ...] | None:
    """The fields in the schema's order; None when it requires something that no simple field can ask for."""
    properties = schema.get("properties")
    required = set(_list(schema.get("required")))
    if not isinstance(properties, Mapping) or len(properties) > FIELDS:
        return None
    found: list[FormField] = []
    for name, body in properties.items():
        one = field_of(str(name), body, name in required) if isinstance(body, Mapping) else None
        if one is not None:
            found.append(one)
        elif name in required:
            return None
    return tuple(found) if required <= {one.name for one in found} else None


def field_of(name: str, body: Mapping[str, Any], required: bool) -> FormField | None:
    """The field of one property; None when no simple field can ask for it."""
    label = str(body.get("title") or name)
    about = str(body.get("description") or "")
    options = _options(body)
    default = body.get("default")
    if options:
        chosen = tuple(str(n) for n, (value, _) in enumerate(options) if value == default)
        return FormField(name, label, about, "choice", required, options=options, values=chosen)
    match body.get("type"):
        case "boolean":
            return FormField(name, label, about, "boolean", False, values=("on",) if default is True else ())
        case "string":
            shown = (str(default),) if isinstance(default, str) else ()
            kind = _INPUTS.get(str(body.get("format")), "text")
            low, high = _number(body.get("minLength")), _number(body.get("maxLength"))
            return FormField(name, label, about, "text", required, kind, (), shown, low, high)
        case "number" | "integer" as kind:
            shown = (str(default),) if _number(default) is not None else ()
            low, high = _number(body.get("minimum")), _number(body.get("maximum"))
            return FormField(name, label, about, kind, required, "number", (), shown, low, high)
        case "array":
            return _choices(name, label, about, body, required)
    return None


def _choices(name: str, label: str, about: str, body: Mapping[str, Any], required: bool) -> FormField | None:
    """Several of a list (`items` with choices); minItems and maxItems bound how many."""
    items = body.get("items")
    options = _options(items) if isinstance(items, Mapping) else ()
    if not options:
        return None
    default = _list(body.get("default"))
    chosen = tuple(str(n) for n, (value, _) in enumerate(options) if value in default)
    low, high = _number(body.get("minItems")), _number(body.get("maxItems"))
    return FormField(
        name, label, about, "choices", required, options=options, values=chosen, low=low, high=high
    )


def _options(body: Mapping[str, Any]) -> tuple[tuple[Any, str], ...]:
    """`enum` with `enumNames`, or `oneOf`/`anyOf` of titled constants."""
    values, names = _list(body.get("enum")), _list(body.get("enumNames"))
    if values:
        pairs = [(value, str(names[n]) if n < len(names) else str(value)) for n, value in enumerate(values)]
    else:
        titled = _list(body.get("oneOf")) or _list(body.get("anyOf"))
        pairs = [
            (one["const"], str(one.get("title") or one["const"]))
            for one in titled
            if isinstance(one, Mapping) and "const" in one
        ]
    return tuple(pair for pair in pairs if not isinstance(pair[0], dict | list))[:OPTIONS]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any) -> float | None:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return value if plain and math.isfinite(value) else None


@dataclass(frozen=True, slots=True)
class FilledForm:
    """A form as it was sent: its content, and its fields with what was typed and what is wrong with it."""

    content: Mapping[str, Any]
    fields: tuple[FormField, ...]

    @property
    def has_errors(self) -> bool:
        return any(one.error for one in self.fields)


def read_fields(fields: Sequence[FormField], posted: PostedValues) -> FilledForm:
    """Read a sent form. `posted` has its values by field name. Fields that were left empty are not in the content."""
    content: dict[str, Any] = {}
    shown: list[FormField] = []
    for one in fields:
        given = tuple(posted.get(one.name, ()))
        value, error = _read(one, given)
        if value is not None and not error:
            content[one.name] = value
        shown.append(replace(one, values=given, error=error))
    return FilledForm(content, tuple(shown))


def _read(field: FormField, given: tuple[str, ...]) -> tuple[Any, str]:
    """The value, or what is wrong with it. None without an error: an optional field that was left empty."""
    if field.kind == "boolean":
        return bool(given), ""
    if field.kind == "choices":
        return _read_choices(field, given)
    text = given[0] if given else ""
    if not text:
        return None, "Please answer this." if field.required else ""
    if field.kind == "choice":
        number = _index(field, text)
        return (None, "Please choose one of the list.") if number is None else (field.options[number][0], "")
    if field.kind == "text":
        return text, _range_error(field, len(text), "characters") or (
            "" if len(text) <= _TEXT else "Too long."
        )
    return _read_number(field, text)


def _read_choices(field: FormField, given: tuple[str, ...]) -> tuple[Any, str]:
    numbers = [_index(field, text) for text in given]
    if None in numbers:
        return None, "Please choose from the list."
    if not numbers and not field.required and not field.low:
        return None, ""
    chosen = [field.options[number][0] for number in numbers if number is not None]
    return chosen, _range_error(field, len(chosen), "choices")


def _read_number(field: FormField, text: str) -> tuple[Any, str]:
    value: int | float | None = integer_from(text.strip())
    if value is None and field.kind == "integer":
        return None, "A whole number, please."
    if value is None:
        value = number_from(text.strip())
    if value is None:
        return None, "A number with at most 15 digits, please."
    return value, _range_error(field, value, "")


def _range_error(field: FormField, size: float, unit: str) -> str:
    if field.low is not None and size < field.low:
        return f"At least {_digits(field.low)} {unit}".rstrip() + "."
    if field.high is not None and size > field.high:
        return f"At most {_digits(field.high)} {unit}".rstrip() + "."
    return ""


def _digits(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:g}"


def _index(field: FormField, text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and int(text[:9]) < len(field.options) else None
