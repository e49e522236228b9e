"""Argument values against their GraphQL types (section 3.4 to 3.12, input coercion), before anything is sent.

The result is canonical, so that policies judge one spelling of a value: a single value for a list becomes a
list, an integer for an ID becomes text, `5.0` for an Int becomes `5`. Custom scalars pass through; defaults are
the server's business and are never filled in.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from integrations.base import JsonObject, Problem
from integrations.graphql.schema import GraphQlSchema, InputValue, Type, is_list, item_type, nullable

_MAX_DEPTH = 64
_MAX_PROBLEMS = 20
_WORDS = {
    "Int": "a 32-bit integer",
    "Float": "a number",
    "String": "text",
    "Boolean": "true or false",
    "ID": "text",
}


def coerce_arguments(
    schema: GraphQlSchema, declared: Sequence[InputValue], given: JsonObject
) -> tuple[JsonObject, list[Problem]]:
    """The given arguments in canonical form and declared order, and every problem found (at most twenty)."""
    coercion = _Coercion(schema)
    out = coercion.members({value.name: value for value in declared}, given, "", 0)
    return out, coercion.problems[:_MAX_PROBLEMS]


class _Coercion:
    """One set of arguments."""

    def __init__(self, schema: GraphQlSchema) -> None:
        self._schema = schema
        self.problems: list[Problem] = []

    def _refuse(self, pointer: str, reason: str) -> None:
        if len(self.problems) < _MAX_PROBLEMS:
            self.problems.append(Problem(pointer, reason))

    def members(
        self, declared: dict[str, InputValue], given: JsonObject, pointer: str, depth: int
    ) -> JsonObject:
        for name in given:
            if name not in declared:
                self._refuse(f"{pointer}/{_escaped(name)}", _unknown(name, declared))
        out: JsonObject = {}
        for name, value in declared.items():
            if name in given:
                out[name] = self._value(value.type, given[name], f"{pointer}/{name}", depth)
            elif value.required:
                self._refuse(f"{pointer}/{name}", f"is required ({value.type})")
        return out

    def _value(self, reference: str, value: Any, pointer: str, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            self._refuse(pointer, "is nested too deeply")
            return None
        if value is None:
            if reference.endswith("!"):
                self._refuse(pointer, f"must not be null ({reference})")
            return None
        bare = nullable(reference)
        if is_list(bare):
            items = value if isinstance(value, list) else [value]
            one = item_type(bare)
            wrapped = items is value
            return [
                self._value(one, item, f"{pointer}/{index}" if wrapped else pointer, depth + 1)
                for index, item in enumerate(items)
            ]
        return self._named(self._schema.types[bare], value, pointer, depth)

    def _named(self, declared: Type, value: Any, pointer: str, depth: int) -> Any:
        if declared.kind == "INPUT_OBJECT":
            return self._input_object(declared, value, pointer, depth)
        if declared.kind == "ENUM":
            return self._enum(declared, value, pointer)
        return self._scalar(declared.name, value, pointer)

    def _input_object(self, declared: Type, value: Any, pointer: str, depth: int) -> Any:
        if not isinstance(value, dict):
            self._refuse(pointer, f"has to be an object ({declared.name})")
            return value
        if declared.exclusive and (len(value) != 1 or None in value.values()):
            self._refuse(pointer, f"takes exactly one of {', '.join(declared.inputs)}, and not null")
            return value
        return self.members(dict(declared.inputs), value, pointer, depth + 1)

    def _enum(self, declared: Type, value: Any, pointer: str) -> Any:
        names = [one.name for one in declared.values]
        if not isinstance(value, str) or value not in names:
            shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
            self._refuse(pointer, f"has to be one of {shown}")
        return value

    def _scalar(self, name: str, value: Any, pointer: str) -> Any:
        known, out = _built_in(name, value)
        if not known:
            self._refuse(pointer, f"has to be {_WORDS[name]}")
        return out


def _built_in(name: str, value: Any) -> tuple[bool, Any]:
    """Whether the value fits, and its canonical form. Custom scalars take anything."""
    if name not in _WORDS:
        return True, value
    if name == "String":
        return isinstance(value, str), value
    if name == "Boolean":
        return isinstance(value, bool), value
    if isinstance(value, bool):
        return False, value
    if name == "ID":
        return isinstance(value, str | int), str(value)
    if name == "Float":
        return isinstance(value, int | float), value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return isinstance(value, int) and -(2**31) <= value < 2**31, value


def _unknown(name: str, declared: dict[str, InputValue]) -> str:
    close = get_close_matches(name, declared, 1)
    if close:
        return f"is not known; did you mean `{close[0]}`?"
    return (
        f"is not known; there is {', '.join(list(declared)[:20])}"
        if declared
        else "is not known: there are none"
    )


def _escaped(name: str) -> str:
    """One token of a JSON Pointer (RFC 6901 section 3)."""
    return name.replace("~", "~0").replace("/", "~1")
