"""Values of a next page as arguments of the tool: where they stand, and of which type they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from integrations.base import JsonObject

Schema = Mapping[str, Any]
_CONTAINER: Final = "query"


def schema_of(takes: Mapping[str, Schema], name: str) -> Schema | None:
    """The schema of an argument, which stands at the top or, where names collide, in the container `query`."""
    own = takes.get(name)
    return own if own is not None else _contained(takes).get(name)


def given(arguments: JsonObject, name: str) -> Any:
    """What an argument was, wherever it stood."""
    inner = arguments.get(_CONTAINER)
    return arguments.get(name, inner.get(name) if isinstance(inner, Mapping) else None)


def with_values(arguments: JsonObject, values: Mapping[str, Any], takes: Mapping[str, Schema]) -> JsonObject:
    """The arguments with other values, each where the caller had it."""
    made = dict(arguments)
    for name, value in values.items():
        if name in takes and not _stands_in_the_container(arguments, name):
            made[name] = typed(value, takes[name])
        else:
            schema = _contained(takes).get(name, {})
            made[_CONTAINER] = {**(made.get(_CONTAINER) or {}), name: typed(value, schema)}
    return made


def typed(value: Any, schema: Schema | None) -> Any:
    """A text of a URL as the type that the argument has; anything that is no text stays."""
    kind = _kind(schema)
    if kind == "array":
        assert isinstance(schema, Mapping)
        values = value if isinstance(value, list) else [value]
        return [typed(one, schema.get("items")) for one in values]
    if kind == "string":
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(value, str):
        return value
    if kind == "integer" and re.fullmatch(r"-?\d{1,18}", value):
        return int(value)
    if kind == "boolean" and value in ("true", "false"):
        return value == "true"
    return value


def _kind(schema: Schema | None) -> Any:
    kinds = schema.get("type") if isinstance(schema, Mapping) else None
    return next((one for one in kinds if one != "null"), None) if isinstance(kinds, list) else kinds


def _contained(takes: Mapping[str, Schema]) -> Mapping[str, Schema]:
    found = takes.get(_CONTAINER)
    inner = found.get("properties") if isinstance(found, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}


def _stands_in_the_container(arguments: JsonObject, name: str) -> bool:
    inner = arguments.get(_CONTAINER)
    return isinstance(inner, dict) and name in inner
