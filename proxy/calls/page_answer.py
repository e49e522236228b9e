"""One result of a tool as those see it who look for the next page in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from integrations.base import JsonObject
from integrations.paths import dig
from proxy.calls.page_arguments import Schema

MORE_FIELDS: Final = ("has_more", "hasMore", "has_next_page", "hasNextPage", "pagination.has_more")


@dataclass(frozen=True, slots=True)
class Names:
    """`pagination` of an integration: an argument, and two paths into a result."""

    cursor: str | None = None
    next: str | None = None
    items: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One result as the finders see it, with the arguments that led to it and those that the tool takes."""

    data: Any
    headers: Mapping[str, str]
    arguments: JsonObject
    takes: Mapping[str, Schema]
    names: Names
    items: list[Any] | None

    def at(self, path: str) -> Any:
        return dig(self.data, path)


def connection_of(data: Any, depth: int = 4) -> JsonObject | None:
    """The first object with `pageInfo` (GraphQL cursor connections)."""
    if not isinstance(data, dict) or depth == 0:
        return None
    if isinstance(data.get("pageInfo"), dict):
        return data
    return next((found for below in data.values() if (found := connection_of(below, depth - 1))), None)
