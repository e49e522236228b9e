"""What the next page is: values in, values out, no call is made here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from integrations.base import JsonObject
from integrations.paths import dig
from proxy.calls.page_answer import MORE_FIELDS, Answer, Names, connection_of
from proxy.calls.page_arguments import Schema, with_values
from proxy.calls.page_finders import FINDERS, Untaken

__all__ = ["Names", "Page", "read_page"]


@dataclass(frozen=True, slots=True)
class Page:
    """`next` are the arguments of the following page; None after the last one, as far as can be told.

    `items` is None when nothing in the result is a list. `untaken` are names that a link to a next page uses, and
    that the tool has no arguments for.
    """

    items: list[Any] | None
    next: JsonObject | None
    untaken: tuple[str, ...] = ()


def read_page(envelope: JsonObject, arguments: JsonObject, schema: Schema, names: Names) -> Page:
    """`envelope` is a good one of the tool whose input schema is `schema`."""
    data = envelope.get("data")
    items = _items(data, names)
    headers = envelope.get("http", {}).get("headers", {})
    answer = Answer(data, headers, arguments, schema.get("properties", {}), names, items)
    if _says_that_it_was_the_last(answer):
        return Page(items, None)
    untaken: tuple[str, ...] = ()
    for find in FINDERS:
        found = find(answer)
        if isinstance(found, Untaken):
            untaken = found.names
        elif found:
            following = with_values(arguments, found, answer.takes)
            return Page(items, following if following != arguments else None)
    return Page(items, None, untaken)


# --- items

_ITEM_FIELDS: Final = (
    "items", "data", "results", "values", "nodes", "edges", "entries", "records", "issues", "members", "channels",
    "messages", "hits", "list",
)  # fmt: skip


def _items(data: Any, names: Names) -> list[Any] | None:
    named = dig(data, names.items) if names.items else None
    if isinstance(named, list):
        return named
    if isinstance(data, list):
        return data
    connection = connection_of(data)
    for holder in (connection, data):
        if isinstance(holder, dict):
            found = _list_in(holder)
            if found is not None:
                return found
    return None


def _list_in(holder: JsonObject) -> list[Any] | None:
    for name in _ITEM_FIELDS:
        if isinstance(holder.get(name), list):
            return list(holder[name])
    lists = [value for value in holder.values() if isinstance(value, list)]
    return lists[0] if len(lists) == 1 else None


# --- is there more?

_LAST_FIELDS: Final = ("isLast", "is_last", "last_page")


def _says_that_it_was_the_last(answer: Answer) -> bool:
    if any(answer.at(name) is False for name in MORE_FIELDS):
        return True
    if any(answer.at(name) is True for name in _LAST_FIELDS):
        return True
    connection = connection_of(answer.data)
    return connection is not None and connection["pageInfo"].get("hasNextPage") is False
