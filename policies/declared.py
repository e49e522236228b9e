"""Whether the arguments that a tool declares have the one that a condition is about.

A misspelt argument is missing from every call, so a condition on it never holds (and `exists: false` always
does). Errs on the side of "declared": where a schema leaves open what is inside, everything may be there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

FLOOR: Final = 0.65
_CLOSED: Final = frozenset({"number", "integer", "boolean", "null"})
_SHAPES: Final = frozenset("properties additionalProperties items prefixItems $ref allOf anyOf oneOf".split())
Schema = Mapping[str, Any]
Parts = tuple[str, ...]


class DeclaredArguments:
    """The arguments of one tool, by its JSON Schema (`$defs` at its top). Only what is asked for is looked into."""

    __slots__ = ("_definitions", "_resolved", "_schema")

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._definitions: Schema = schema.get("$defs", {})
        # Members of `$defs` may be made when they are looked up: each is looked up once, and stays the same object.
        self._resolved: dict[str, Any] = {}

    def has(self, path: Sequence[str]) -> bool:
        """Whether there may be something at the path."""
        return self._has(self._schema, tuple(path), set())

    def nearest(self, path: Sequence[str]) -> str | None:
        """The path with its first part that is not declared spelt as a declared one, or None."""
        parts = tuple(path)
        for cut in range(len(parts)):
            if self.has(parts[: cut + 1]):
                continue
            close = _closest(parts[cut], self.names(parts[:cut]))
            found = (*parts[:cut], close, *parts[cut + 1 :]) if close else ()
            return ".".join(found) if found and self.has(found) else None
        return None

    def names(self, path: Sequence[str] = ()) -> list[str]:
        """The declared names at a path."""
        return list(dict.fromkeys(self._names(self._schema, tuple(path), set())))

    def _has(self, schema: Any, parts: Parts, seen: set[tuple[int, Parts]]) -> bool:
        if not parts or not isinstance(schema, Mapping):
            return schema is not False
        if (id(schema), parts) in seen:
            return False
        seen.add((id(schema), parts))
        views = self._views(schema)
        return any(map(_is_open, views)) or any(
            self._has(below, rest, seen) for view in views for below, rest in _steps(view, parts)
        )

    def _names(self, schema: Any, parts: Parts, seen: set[tuple[int, Parts]]) -> Iterator[str]:
        if not isinstance(schema, Mapping) or (id(schema), parts) in seen:
            return
        seen.add((id(schema), parts))
        for view in self._views(schema):
            if not parts:
                yield from view.get("properties") or ()
            for below, rest in _steps(view, parts) if parts else ():
                yield from self._names(below, rest, seen)

    def _views(self, schema: Schema) -> list[Schema]:
        """The schema and everything that it is composed of, references followed, each once."""
        views: list[Schema] = []
        waiting: list[Any] = [schema]
        while waiting:
            one = waiting.pop()
            if not isinstance(one, Mapping) or any(one is other for other in views):
                continue
            views.append(one)
            if isinstance(reference := one.get("$ref"), str):
                waiting.append(self._definition(reference.rpartition("/")[2]))
            for branches in (one.get("allOf"), one.get("anyOf"), one.get("oneOf")):
                waiting += branches or ()
        return views

    def _definition(self, name: str) -> Any:
        if name not in self._resolved:
            self._resolved[name] = self._definitions.get(name, {})
        return self._resolved[name]


def _closest(word: str, known: Sequence[str]) -> str | None:
    folded = {name.lower().replace("_", ""): name for name in known}
    close = get_close_matches(word.lower().replace("_", ""), list(folded), n=1, cutoff=FLOOR)
    return folded[close[0]] if close else None


def _is_open(view: Schema) -> bool:
    """Whether anything may be inside."""
    if view.get("additionalProperties") in (True, {}) or view.get("patternProperties"):
        return True
    if any(key in view for key in _SHAPES) or "enum" in view or "const" in view:
        return False
    kinds = view.get("type")
    return not _CLOSED.issuperset([kinds] if isinstance(kinds, str) else kinds or ["object"])


def _steps(view: Schema, parts: Parts) -> Iterator[tuple[Any, Parts]]:
    """What is one step further, and what is left of the path. A key may contain dots."""
    properties = view.get("properties") or {}
    for length in range(1, len(parts) + 1):
        key = ".".join(parts[:length])
        if key in properties:
            yield properties[key], parts[length:]
    more = view.get("additionalProperties")
    if isinstance(more, Mapping):
        yield more, parts[1:]
    if parts[0].isdigit():
        yield from ((item, parts[1:]) for item in view.get("prefixItems", ()))
        if "items" in view:
            yield view["items"], parts[1:]
