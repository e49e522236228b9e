"""A broken part of an introspection result costs that part only: what names a type that does not exist, whose type was
cut off by the depth of a query, or whose name is none, is left out with a warning.

A field goes with its type, and with the type of an argument that it needs; other arguments go alone. An input object
goes with a field that it needs. What is left out may leave other parts without their type, until nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from integrations.base import JsonObject
from integrations.graphql.schema import BUILT_IN, is_name

_MAX_WARNINGS = 20
_MAX_WRAPPERS = 64


def pruned(introspection: JsonObject, name: str) -> tuple[JsonObject, list[str]]:
    """The value of `__schema` without its broken parts, and a sentence for each of them (at most twenty)."""
    listed = introspection.get("types")
    if not isinstance(listed, list):
        return introspection, []
    built_in: dict[str, JsonObject] = {one: {"kind": "SCALAR", "name": one} for one in sorted(BUILT_IN)}
    # Every schema has the built-in scalars (section 3.5), also where a server does not list them.
    pruning = _Pruning(built_in | {str(one["name"]): one for one in listed if _has_name(one)}, name)
    for one in listed:
        if not _has_name(one):
            pruning.said(f"a type called {_label(one)}", "has no GraphQL name")
    while pruning.step():
        pass
    kept = {**introspection, "types": list(pruning.types.values())}
    if isinstance(introspection.get("directives"), list):
        kept["directives"] = pruning.directives(introspection["directives"])
    for key in ("mutationType", "subscriptionType"):
        root = kept.get(key)
        if isinstance(root, dict) and root.get("name") not in pruning.types:
            kept[key] = None
            pruning.said(f"`{key}`", f"the type `{root.get('name')}` is not defined")
    return kept, pruning.warnings()


def _has_name(one: Any) -> bool:
    return isinstance(one, dict) and isinstance(one.get("name"), str) and is_name(one["name"])


def _label(one: Any) -> str:
    return repr(one.get("name") if isinstance(one, dict) else one)[:60]


class _Pruning:
    """`types` by name, changed step by step."""

    def __init__(self, types: dict[str, JsonObject], source: str) -> None:
        self.types = types
        self._source = source
        self._said: list[str] = []

    def said(self, what: str, why: str) -> None:
        self._said.append(f"{self._source}: {what} is left out: {why}")

    def warnings(self) -> list[str]:
        more = len(self._said) - _MAX_WARNINGS
        return [
            *self._said[:_MAX_WARNINGS],
            *([f"{self._source}: {more} more parts are left out"] if more > 0 else []),
        ]

    def step(self) -> bool:
        """Leave out what is broken now; whether anything was."""
        before = len(self._said)
        gone: list[str] = []
        for name, one in self.types.items():
            if name.startswith("__"):
                continue
            if why := self._type(name, one):
                gone.append(name)
                self.said(f"the type `{name}`", why)
        for name in gone:
            del self.types[name]
        return len(self._said) > before

    def directives(self, listed: list[Any]) -> list[Any]:
        return self._kept(listed, "@", lambda one: _misnamed(one) or self.arguments(one))

    def _type(self, name: str, one: JsonObject) -> str | None:
        """Leave out parts of a type; why the whole type has to go, if it has."""
        if isinstance(one.get("fields"), list):
            kept = self._kept(one["fields"], f"{name}.", self._field)
            if not kept and one["fields"]:
                return "no field of it is left"
            self.types[name] = one = {**one, "fields": kept}
        if isinstance(one.get("inputFields"), list):
            needed = [each for each in one["inputFields"] if self._broken(each) and _is_needed(each)]
            if needed:
                return f"it needs `{needed[0].get('name')}`, {self._broken(needed[0])}"
            self.types[name] = one = {
                **one,
                "inputFields": self._kept(one["inputFields"], f"{name}.", self._broken),
            }
        if isinstance(one.get("enumValues"), list):
            self.types[name] = one = {
                **one,
                "enumValues": self._kept(one["enumValues"], f"{name}.", _misnamed),
            }
        for key in ("possibleTypes", "interfaces"):
            if isinstance(one.get(key), list):
                kept = self._kept(one[key], f"{name}.{key}: ", self._unknown)
                if key == "possibleTypes" and one.get("kind") == "UNION" and not kept:
                    return "none of its types is left"
                self.types[name] = one = {**one, key: kept}
        return None

    def _kept(self, parts: list[Any], place: str, why_not: Callable[[Any], str | None]) -> list[Any]:
        out: list[Any] = []
        for part in parts:
            if why := why_not(part):
                self.said(f"`{place}{part.get('name') if isinstance(part, dict) else part}`", why)
            else:
                out.append(part)
        return out

    def _field(self, field: Any) -> str | None:
        return self._broken(field) or self.arguments(field)

    def arguments(self, owner: JsonObject) -> str | None:
        """Leave out arguments of a field or directive; why it has to go with them, if it has."""
        given = owner.get("args")
        if isinstance(given, list):
            for argument in given:
                if (why := self._broken(argument)) and _is_needed(argument):
                    return f"it needs the argument `{argument.get('name')}`, {why}"
            kept = self._kept(given, f"{owner['name']}: ", self._broken)
            if len(kept) < len(given):
                owner["args"] = kept
        return None

    def _broken(self, part: Any) -> str | None:
        """Why a field, an argument or an input field cannot be used."""
        if why := _misnamed(part):
            return why
        inner = part.get("type")
        for _ in range(_MAX_WRAPPERS):
            if not isinstance(inner, dict) or not isinstance(inner.get("kind"), str):
                return "its type is cut off: it is wrapped deeper than introspection asked"
            if inner["kind"] not in ("NON_NULL", "LIST"):
                return self._unknown(inner)
            inner = inner.get("ofType")
        return "its type is wrapped too deeply"

    def _unknown(self, named: Any) -> str | None:
        name = named.get("name") if isinstance(named, dict) else None
        if not isinstance(name, str):
            return "its type has no name"
        return None if name in self.types else f"the type `{name}` is not defined"


def _misnamed(part: Any) -> str | None:
    return None if _has_name(part) else f"{_label(part)} is not a GraphQL name"


def _is_needed(part: Any) -> bool:
    kind = part.get("type") if isinstance(part, dict) else None
    return isinstance(kind, dict) and kind.get("kind") == "NON_NULL" and part.get("defaultValue") is None
