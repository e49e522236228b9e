"""A form for a tool's arguments, made from the schema of its input, and the code that calls it with what was entered.

Objects are taken apart as far as `DEPTH`, so that `body.address.city` is a field of its own; what has no simple field
(lists of objects, free-form objects, choices between schemas) is entered as JSON. Nothing is checked here beyond that:
the gate checks arguments when the code runs, as it does for agents.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from integrations.base import JsonObject
from integrations.json_text import JsonTooDeep, is_too_deep, read_json
from integrations.schema_types.references import resolve
from proxy.serving.pages.fields import FormField, PostedValues, field_of, read_fields

DEPTH: Final = 3
FIELDS: Final = 60
_REFERENCES: Final = 8
_TRUTHS: Final = ((True, "true"), (False, "false"))
_NAME: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")


@dataclass(frozen=True, slots=True)
class ToolField:
    """One field. `path` is where its value goes, `json` whether it is entered as JSON, `field` how it is shown; the
    form knows it by its number."""

    path: tuple[str, ...]
    field: FormField
    json: bool = False

    @property
    def label(self) -> str:
        return ".".join(self.path)


@dataclass(frozen=True, slots=True)
class ToolForm:
    """`left_out` counts optional arguments beyond `FIELDS`: they can be given in the code."""

    fields: tuple[ToolField, ...] = ()
    left_out: int = 0

    @property
    def has_errors(self) -> bool:
        return any(one.field.error for one in self.fields)


def tool_form(schema: Mapping[str, Any]) -> ToolForm:
    """The fields of a tool's input in the schema's order, required ones first in every object."""
    found = list(_fields(schema, schema, (), True, DEPTH))
    return ToolForm(tuple(found[:FIELDS]), max(0, len(found) - FIELDS))


def _fields(
    root: Mapping[str, Any], schema: Mapping[str, Any], path: tuple[str, ...], needed: bool, depth: int
) -> Iterator[ToolField]:
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return
    listed = schema.get("required")
    required = set(listed) if isinstance(listed, list) else set()
    for name in sorted(map(str, properties), key=lambda one: one not in required):
        body = _resolved(root, properties[name])
        wanted = needed and name in required
        inside = body.get("properties")
        if depth and isinstance(inside, Mapping) and inside and field_of(name, body, wanted) is None:
            yield from _fields(root, body, (*path, name), wanted, depth - 1)
        else:
            yield _field((*path, name), body, wanted)


def _field(path: tuple[str, ...], body: Mapping[str, Any], required: bool) -> ToolField:
    simple = field_of(path[-1], {**body, "title": ""}, required)
    if simple is None or simple.kind == "choices":
        about = str(body.get("description") or "")
        return ToolField(path, FormField(path[-1], path[-1], about, "text", required), json=True)
    if simple.kind == "boolean":
        # A box that is not ticked could mean `false` or nothing.
        chosen = tuple(str(n) for n, (value, _) in enumerate(_TRUTHS) if value is body.get("default"))
        simple = replace(simple, kind="choice", options=_TRUTHS, values=chosen, required=required)
    return ToolField(path, replace(simple, values=simple.values if required else ()))


def _resolved(root: Mapping[str, Any], schema: Any) -> Mapping[str, Any]:
    """The schema behind its references, with the one type that is not null."""
    for _ in range(_REFERENCES):
        if not isinstance(schema, Mapping):
            return {}
        if "$ref" in schema:
            schema = resolve(root, str(schema["$ref"]))
            continue
        choices = schema.get("anyOf") or schema.get("oneOf")
        given = [one for one in choices if one != {"type": "null"}] if isinstance(choices, list) else []
        if len(given) != 1 or len(given) == len(choices or ()):
            break
        schema = given[0]
    if not isinstance(schema, Mapping):
        return {}
    types = schema.get("type")
    if isinstance(types, list):
        plain = [one for one in types if one != "null"]
        return {**schema, "type": plain[0] if len(plain) == 1 else None}
    return schema


# ---- what was entered ----------------------------------------------------------------------------------------------
def read_tool_form(form: ToolForm, posted: PostedValues) -> tuple[JsonObject, ToolForm]:
    """The arguments, and the form as it was sent, with what is wrong in it. Fields that were left empty are not
    given. `posted` has the values by the number of the field."""
    arguments: JsonObject = {}
    shown: list[ToolField] = []
    for number, one in enumerate(form.fields):
        given = tuple(posted.get(str(number), ()))
        present, value, error = _json(given, one.field.required) if one.json else _plain(one.field, given)
        if present and not error:
            _put(arguments, one.path, value)
        shown.append(replace(one, field=replace(one.field, values=given, error=error)))
    return arguments, replace(form, fields=tuple(shown))


def _plain(field: FormField, given: tuple[str, ...]) -> tuple[bool, Any, str]:
    filled = read_fields([field], {field.name: given})
    present = field.name in filled.content
    return present, filled.content.get(field.name), filled.fields[0].error


def _json(given: Sequence[str], required: bool) -> tuple[bool, Any, str]:
    text = given[0].strip() if given else ""
    if not text:
        return False, None, "Please answer this, in JSON." if required else ""
    try:
        value = read_json(text)
    except ValueError:
        return False, None, 'This is not JSON. Texts stand in quotes: "text", ["a", "b"], {"name": 1}.'
    if is_too_deep(value):
        return False, None, f"This is {JsonTooDeep()}."
    return True, value, ""


def _put(arguments: JsonObject, path: tuple[str, ...], value: Any) -> None:
    here = arguments
    for name in path[:-1]:
        here = here.setdefault(name, {})
    here[path[-1]] = value


# ---- the code ------------------------------------------------------------------------------------------------------
def code_for(address: str, arguments: JsonObject) -> str:
    """What an agent would write to call the tool and see the whole answer."""
    given = literal(arguments) if arguments else ""
    return f"return await tools{''.join(map(_member, address.split('.')))}({given});\n"


def _member(name: str) -> str:
    return f".{name}" if _NAME.fullmatch(name) else f"[{json.dumps(name)}]"


def literal(value: Any, indent: str = "") -> str:
    """A JSON value as JavaScript. `__proto__` is computed, because plainly written it would set the prototype."""
    inner = f"{indent}  "
    if isinstance(value, dict) and value:
        rows = [f"{inner}{_key(name)}: {literal(one, inner)}" for name, one in value.items()]
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    if isinstance(value, list) and value:
        rows = [f"{inner}{literal(one, inner)}" for one in value]
        return "[\n" + ",\n".join(rows) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False)


def _key(name: str) -> str:
    if name == "__proto__":
        return '["__proto__"]'
    return name if _NAME.fullmatch(name) else json.dumps(name, ensure_ascii=False)
