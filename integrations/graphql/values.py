"""Argument values against their GraphQL types (section 3.4 to 3.12, input coercion), before anything is sent.

The result is canonical, so that policies judge one spelling of a value: a single value for a list becomes a
list, an integer for an ID becomes text, `5.0` and `"5"` for an Int become `5`. Custom scalars pass through; defaults
are the server's business and are never filled in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any, Final

from integrations.base import JsonObject, Problem
from integrations.graphql.schema import GraphQlSchema, InputValue, Type, is_list, item_type, nullable
from integrations.graphql.uploads import UPLOAD
from integrations.http.toolfile import file_bytes, is_tool_file
from integrations.json_text import MAX_DEPTH, JsonTooDeep
from integrations.lossless import (
    boolean_from,
    integer_from,
    list_from,
    number_from,
    object_from,
    text_from,
    typescript,
)

_MAX_PROBLEMS = 20
_MAX_KEYS = 40
_WORDS = {
    "Int": "a 32-bit integer",
    "Float": "a number",
    "String": "text",
    "Boolean": "true or false",
    "ID": "text",
}
_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "Int": integer_from,
    "Float": number_from,
    "String": text_from,
    "Boolean": boolean_from,
    # Beyond 2^53 too: JavaScript has it as BigInt, which is exact.
    "ID": lambda value: str(whole) if (whole := _whole(value)) is not None else text_from(value),
}


def coerce_arguments(
    schema: GraphQlSchema, declared: Sequence[InputValue], given: JsonObject, also: Sequence[str] = ()
) -> tuple[JsonObject, list[Problem]]:
    """The given arguments in canonical form and declared order, and every problem found (at most twenty).

    `also` are names of arguments that are read elsewhere.
    """
    coercion = _Coercion(schema)
    out = coercion.members({value.name: value for value in declared}, given, "", 0, also)
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
        self,
        declared: dict[str, InputValue],
        given: JsonObject,
        pointer: str,
        depth: int,
        also: Sequence[str] = (),
    ) -> JsonObject:
        for name in given:
            if name not in declared:
                self._refuse(f"{pointer}/{_escaped(name)}", _unknown(name, [*declared, *also]))
        out: JsonObject = {}
        for name, value in declared.items():
            if name in given:
                out[name] = self._value(value.type, given[name], f"{pointer}/{name}", depth)
                if not value.required:
                    self._offer_to_leave_out(f"{pointer}/{name}")
            elif value.required:
                self._refuse(f"{pointer}/{name}", f"is required ({value.type})")
        return out

    def _offer_to_leave_out(self, pointer: str) -> None:
        last = self.problems[-1] if self.problems else None
        if last is not None and last.pointer == pointer and last.reason.startswith("has to be"):
            self.problems[-1] = Problem(pointer, f"{last.reason}; leave it out if you do not need it")

    def _value(self, reference: str, value: Any, pointer: str, depth: int) -> Any:
        if depth > MAX_DEPTH:
            self._refuse(pointer, f"is {JsonTooDeep()}")
            return None
        if value is None:
            if reference.endswith("!"):
                self._refuse(pointer, f"must not be null ({reference})")
            return None
        bare = nullable(reference)
        if is_list(bare):
            one = item_type(bare)
            value = self._items(one, value)
            items = value if isinstance(value, list) else [value]
            wrapped = items is value
            return [
                self._value(one, item, f"{pointer}/{index}" if wrapped else pointer, depth + 1)
                for index, item in enumerate(items)
            ]
        return self._named(self._schema.types[bare], value, pointer, depth)

    def _items(self, one: str, value: Any) -> Any:
        """The list that a text holds as JSON, unless its items could be that text."""
        bare = nullable(one)
        if not isinstance(value, str) or is_list(bare) or bare not in self._schema.types:
            return value
        declared = self._schema.types[bare]
        is_text = declared.kind not in ("INPUT_OBJECT", "ENUM") and bare not in ("Int", "Float", "Boolean")
        found = None if is_text else list_from(value)
        return value if found is None else found

    def _named(self, declared: Type, value: Any, pointer: str, depth: int) -> Any:
        if declared.kind == "INPUT_OBJECT":
            return self._input_object(declared, value, pointer, depth)
        if declared.kind == "ENUM":
            return self._enum(declared, value, pointer)
        return self._scalar(declared.name, value, pointer)

    def _input_object(self, declared: Type, given: Any, pointer: str, depth: int) -> Any:
        value = given if (read := object_from(given)) is None else read
        if not isinstance(value, dict):
            self._refuse(pointer, f"has to be an object ({declared.name}), not {typescript(value)}")
            return value
        if declared.exclusive and (len(value) != 1 or None in value.values()):
            self._refuse(pointer, f"takes exactly one of {', '.join(declared.inputs)}, and not null")
            return value
        return self.members(dict(declared.inputs), value, pointer, depth + 1)

    def _enum(self, declared: Type, value: Any, pointer: str) -> Any:
        names = [one.name for one in declared.values]
        if not isinstance(value, str) or value not in names:
            shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
            self._refuse(pointer, f"has to be one of {shown}, not {typescript(value)}")
        return value

    def _scalar(self, name: str, value: Any, pointer: str) -> Any:
        if name == UPLOAD and not is_tool_file(value):
            shape = '{_tag: "ToolFile", mimeType: "...", encoding: "base64", data: "..."}'
            self._refuse(pointer, f"has to be a file, {shape}, not {typescript(value)}")
        elif name == UPLOAD:
            self._check_file(value, pointer)
        known, out = _built_in(name, value)
        if not known:
            self._refuse(pointer, f"has to be {_WORDS[name]}, not {typescript(value)}")
        return out

    def _check_file(self, value: JsonObject, pointer: str) -> None:
        try:
            file_bytes(value)
        except ValueError as error:
            self._refuse(pointer, str(error))


def _built_in(name: str, value: Any) -> tuple[bool, Any]:
    """Whether the value fits, or what it means does, and its canonical form. Custom scalars take anything."""
    reader = _READERS.get(name)
    if reader is None:
        return True, value
    read = reader(value)
    if read is None or (name == "Int" and not -(2**31) <= read < 2**31):
        return False, value
    return True, read


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _unknown(name: str, known: Sequence[str]) -> str:
    if not known:
        return "is not known: there are none"
    close = get_close_matches(name, known, 1)
    meant = f"; did you mean `{close[0]}`?" if close else ";"
    more = f", ... {len(known) - _MAX_KEYS} more" if len(known) > _MAX_KEYS else ""
    return f"is not known{meant} known are {', '.join(known[:_MAX_KEYS])}{more}"


def _escaped(name: str) -> str:
    """One token of a JSON Pointer (RFC 6901 section 3)."""
    return name.replace("~", "~0").replace("/", "~1")
