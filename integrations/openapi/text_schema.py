"""What a schema says about a value that is sent as text: which JSON value the text stands for.

Rules:
- Text is read as the one value that the schema allows for it: `"5"`, `5` and `5.0` are 5 where it allows integers,
  `"5"` where it allows text, `"true"` is true where it allows booleans, an `enum` names its members.
- Where several readings are allowed (text or number), or none, the value is the text.
- Only what loses nothing is converted: an integer beyond 64 bits, or a number with more digits than a float holds,
  stays text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from typing import Any, Final

from integrations.base import JsonObject
from integrations.openapi.pointer import mapping
from integrations.openapi.serialize import scalar_text

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]{1,6})?")
_LONGEST_NUMBER: Final = 400
_LEAST, _MOST, _MOST_DIGITS = -(2**63), 2**64 - 1, 20
_ALL: Final = frozenset({"string", "number", "boolean", "array", "object", "null"})
_SCALARS: Final = frozenset({"string", "integer", "number", "boolean"})
_MAX_BRANCHES: Final = 64
_MAX_DEPTH: Final = 12
_REFERENCE: Final = "#/$defs/"


@dataclass(frozen=True, slots=True)
class _Branch:
    """One way to satisfy a schema: types, members of an `enum`, and the schemas that describe what is inside."""

    kinds: frozenset[str]
    choices: tuple[Any, ...] | None = None
    nodes: tuple[JsonObject, ...] = ()


_ANYTHING: Final = _Branch(_ALL)


class TextSchema:
    """One place in a request. Places inside it are made when they are asked for, because schemas are recursive."""

    __slots__ = ("_branches", "_defs", "_inside", "kinds")

    def __init__(self, schemas: Sequence[Any], defs: Mapping[str, Any]) -> None:
        self._defs = defs
        branches = [branch for schema in schemas for branch in _branches(schema, defs, 0)]
        self._branches = branches if 0 < len(branches) <= _MAX_BRANCHES else [_ANYTHING]
        self.kinds = frozenset(chain.from_iterable(branch.kinds for branch in self._branches))
        self._inside: dict[str | int, TextSchema] = {}

    @property
    def is_scalar(self) -> bool:
        """May a single value stand here?"""
        return not self.kinds.isdisjoint(_SCALARS)

    def allows(self, kind: str) -> bool:
        return kind in self.kinds

    def names(self) -> list[str]:
        """Declared property names, in the document's order."""
        found = (mapping(node.get("properties")) for branch in self._branches for node in branch.nodes)
        return list(dict.fromkeys(chain.from_iterable(found)))

    def member(self, name: str) -> TextSchema:
        """What a property may be."""
        if name not in self._inside:
            self._inside[name] = TextSchema(list(self._members(name)), self._defs)
        return self._inside[name]

    def item(self, index: int) -> TextSchema:
        """What an item of a list may be."""
        longest = max((len(_listed(n, "prefixItems")) for b in self._branches for n in b.nodes), default=0)
        key = min(index, longest)
        if key not in self._inside:
            self._inside[key] = TextSchema(list(self._items(key)), self._defs)
        return self._inside[key]

    def _members(self, name: str) -> Iterator[Any]:
        for branch in self._branches:
            found = [_member(node, name) for node in branch.nodes]
            if "object" in branch.kinds and False not in found:
                yield {"allOf": [schema for schema in found if schema is not True]} if found else True

    def _items(self, index: int) -> Iterator[Any]:
        for branch in self._branches:
            if "array" in branch.kinds:
                found = [_item(node, index) for node in branch.nodes]
                yield {"allOf": found} if found else True

    def takes(self, text: str) -> bool:
        """May a single value of this text stand here?"""
        number = number_of(text)
        return any(True for branch in self._branches for _ in _readings(branch, text, number))

    def read(self, text: str) -> Any:
        """The value that the text stands for here."""
        number = number_of(text)
        found: list[Any] = []
        for branch in self._branches:
            for value in _readings(branch, text, number):
                if not any(_is_same(value, other) for other in found):
                    found.append(value)
        return found[0] if len(found) == 1 else text


def _branches(schema: Any, defs: Mapping[str, Any], depth: int) -> list[_Branch]:
    if schema is False:
        return []
    if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
        return [_ANYTHING]
    out = [_own(schema)]
    for options in _parts(schema, defs):
        found = [branch for option in options for branch in _branches(option, defs, depth + 1)]
        out = [both for one in out for other in found if (both := _both(one, other)).kinds]
        if len(out) > _MAX_BRANCHES:
            return [_ANYTHING]
    return out


def _parts(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Iterator[list[Any]]:
    """What must hold too, each as a list of alternatives."""
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith(_REFERENCE):
        name = reference.removeprefix(_REFERENCE)
        yield [defs[name] if name in defs else True]
    for part in _listed(schema, "allOf"):
        yield [part]
    for key in ("anyOf", "oneOf"):
        if options := _listed(schema, key):
            yield options


def _own(schema: Mapping[str, Any]) -> _Branch:
    kinds = _kinds(schema)
    choices = (schema["const"],) if "const" in schema else tuple(_listed(schema, "enum")) or None
    inside = kinds & {"array", "object"}
    return _Branch(kinds, choices, (dict(schema),) if inside else ())


def _kinds(schema: Mapping[str, Any]) -> frozenset[str]:
    declared = schema.get("type")
    if declared is not None:
        return frozenset(declared if isinstance(declared, list) else [declared])
    if "properties" in schema:
        return frozenset({"object"})
    return frozenset({"array"}) if "items" in schema else _ALL


def _both(one: _Branch, other: _Branch) -> _Branch:
    kinds = one.kinds & other.kinds
    if "integer" in one.kinds | other.kinds and all({"integer", "number"} & b.kinds for b in (one, other)):
        kinds |= {"integer"}
    choices = one.choices if other.choices is None else other.choices
    if one.choices is not None and other.choices is not None:
        choices = tuple(choice for choice in one.choices if choice in other.choices)
    return _Branch(kinds, choices, one.nodes + other.nodes)


def _member(node: JsonObject, name: str) -> Any:
    properties = mapping(node.get("properties"))
    if name in properties:
        return properties[name]
    return True if "patternProperties" in node else node.get("additionalProperties", True)


def _item(node: JsonObject, index: int) -> Any:
    prefix = _listed(node, "prefixItems")
    return prefix[index] if index < len(prefix) else node.get("items", True)


def _listed(schema: Mapping[str, Any], key: str) -> list[Any]:
    value = schema.get(key)
    return value if isinstance(value, list) else []


def _readings(branch: _Branch, text: str, number: int | float | None) -> Iterator[Any]:
    for value in branch.choices or ():
        if isinstance(value, str | bool | int | float) and _stands_for(text, number, value):
            yield plain_number(value)
    if branch.choices is not None:
        return
    if "string" in branch.kinds:
        yield text
    if "boolean" in branch.kinds and text in ("true", "false"):
        yield text == "true"
    if "number" in branch.kinds and number is not None:
        yield number
    elif "integer" in branch.kinds and isinstance(number, int):
        yield number


def _stands_for(text: str, number: int | float | None, value: Any) -> bool:
    if isinstance(value, str | bool) or number is None:
        return scalar_text(value) == text
    return bool(value == number)


def _is_same(one: Any, other: Any) -> bool:
    """Equal values of one JSON type."""
    numbers = [isinstance(value, int | float) and not isinstance(value, bool) for value in (one, other)]
    return bool(one == other) and (all(numbers) or type(one) is type(other))


def number_of(text: str) -> int | float | None:
    """The number that a text stands for, without any loss; None where there is none."""
    if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text):
        return None
    exact = Decimal(text)
    if exact.adjusted() < _MOST_DIGITS and exact == exact.to_integral_value():
        whole = int(exact)
        if _LEAST <= whole <= _MOST:
            return whole
    value = float(text)
    return value if Decimal(repr(value)) == exact else None


def plain_number(value: Any) -> Any:
    """`5.0` is 5, as JavaScript writes it. Anything else is returned as it is. Raises ValueError."""
    if not isinstance(value, float):
        return value
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError("is not a number that JSON can write")
    return int(value) if value.is_integer() and abs(value) < 1e21 else value
