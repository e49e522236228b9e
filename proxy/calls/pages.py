"""What the next page of a result is, and with which arguments a tool is asked for it. No call is made here.

Results say in many ways what the next page is. Each finder gives values of arguments by name, or nothing. They are
tried in this order, until one fits the arguments that the tool takes:
1. the names that the integration's `pagination` gives,
2. a `Link` header with rel=next (RFC 8288), or such a URL in the body: its query becomes arguments,
3. the usual cursor fields (`next_cursor`, `nextPageToken`, `metadata.continue`, a `next` that is no URL, ...) and
   `X-Next-Page`,
4. `pageInfo` of GraphQL connections, the last item's id while `has_more`, offsets below a `total`.

A link is never called: only the values in its query are used, for arguments of the same tool.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from integrations.base import JsonObject
from integrations.paths import dig

MORE_FIELDS: Final = ("has_more", "hasMore", "has_next_page", "hasNextPage", "pagination.has_more")
ArgumentSchema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ResultPage:
    """`next` are the arguments of the following page; None after the last one, as far as can be told.

    `items` is None when nothing in the result is a list. `untaken` are names that a link to a next page uses, and
    that the tool has no arguments for. `says_more` is the field that tells of a next page, where nothing says how to
    ask for it.
    """

    items: list[Any] | None
    next: JsonObject | None
    untaken: tuple[str, ...] = ()
    says_more: str | None = None


def read_page(
    envelope: JsonObject, arguments: JsonObject, schema: ArgumentSchema, names: Names
) -> ResultPage:
    """`envelope` is a good one of the tool whose input schema is `schema`."""
    data = envelope.get("data")
    items = _items(data, names)
    headers = envelope.get("http", {}).get("headers", {})
    answer = PageAnswer(data, headers, arguments, schema.get("properties", {}), names, items)
    if _says_that_it_was_the_last(answer):
        return ResultPage(items, None)
    untaken: tuple[str, ...] = ()
    for find in FINDERS:
        found = find(answer)
        if isinstance(found, Untaken):
            untaken = found.names
        elif found:
            following = with_values(arguments, found, answer.takes)
            return ResultPage(items, following if following != arguments else None)
    return ResultPage(items, None, untaken, None if untaken else _says_that_there_is_more(answer))


# ---- the items of a page -----------------------------------------------------------------------------------------

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


# ---- is there more? ----------------------------------------------------------------------------------------------

_LAST_FIELDS: Final = ("isLast", "is_last", "last_page")


def _says_that_it_was_the_last(answer: PageAnswer) -> bool:
    if any(answer.at(name) is False for name in MORE_FIELDS):
        return True
    if any(answer.at(name) is True for name in _LAST_FIELDS):
        return True
    connection = connection_of(answer.data)
    return connection is not None and connection["pageInfo"].get("hasNextPage") is False


def _says_that_there_is_more(answer: PageAnswer) -> str | None:
    """The field that says so. A URL whose query gave nothing new is that of this page."""
    if not answer.items:
        return None
    told = next((name for name in MORE_FIELDS if answer.at(name) is True), None)
    connection = connection_of(answer.data)
    if connection is not None and connection["pageInfo"].get("hasNextPage") is True:
        return "pageInfo.hasNextPage"
    values = {name: _first(answer, (name,)) for name in (*_NEXT_FIELDS, *_URL_FIELDS)}
    return told or next(
        (name for name, value in values.items() if value is not None and not _query(str(value))), None
    )


@dataclass(frozen=True, slots=True)
class Names:
    """`pagination` of an integration: an argument, and two paths into a result."""

    cursor: str | None = None
    next: str | None = None
    items: str | None = None


@dataclass(frozen=True, slots=True)
class PageAnswer:
    """One result as the finders see it, with the arguments that led to it and those that the tool takes."""

    data: Any
    headers: Mapping[str, str]
    arguments: JsonObject
    takes: Mapping[str, ArgumentSchema]
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


# ---- finders -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Untaken:
    """A link to a next page whose values no argument of the tool takes."""

    names: tuple[str, ...]


FinderResult = Mapping[str, Any] | Untaken | None


def _by_config(answer: PageAnswer) -> FinderResult:
    cursor = answer.names.cursor
    if cursor is None or not _takes(answer, cursor):
        return None
    paths = (answer.names.next,) if answer.names.next else _CURSOR_FIELDS
    value = _first(answer, paths)
    if isinstance(value, str) and _is_url(value):
        return {cursor: query[cursor]} if cursor in (query := _query(value)) else None
    return {cursor: value} if value not in (None, "") else None


_LINK = re.compile(r"<([^>]*)>((?:\s*;\s*[\w!#$&+.^`|~-]+\*?\s*(?:=\s*(?:\"[^\"]*\"|[^\s;,\"]*))?)*)")
_URL_FIELDS: Final = (
    "next", "next_url", "nextUrl", "next_page_url", "nextLink", "@odata.nextLink", "links.next", "_links.next.href",
    "_links.next", "links.pages.next", "paging.next.link", "paging.next", "pagination.next_url", "meta.next",
    "next_page_uri", "next_page.uri",
)  # fmt: skip


def _by_link(answer: PageAnswer) -> FinderResult:
    return _of_url(answer, next(_next_links(answer.headers.get("link", "")), None))


def _next_links(header: str) -> Iterator[str]:
    for found in _LINK.finditer(header):
        parameters = found[2].lower().replace("'", '"')
        relations = re.search(r";\s*rel\s*=\s*\"?([^\";]*)", parameters)
        # Sentry always links to a next page, and says beside it whether there is anything on it.
        if relations and "next" in relations[1].split() and 'results="false"' not in parameters:
            yield found[1]


def _by_url_in_the_body(answer: PageAnswer) -> FinderResult:
    urls = (answer.at(path) for path in _URL_FIELDS)
    return _of_url(answer, next((url for url in urls if isinstance(url, str) and _is_url(url)), None))


def _of_url(answer: PageAnswer, url: str | None) -> FinderResult:
    if url is None:
        return None
    query = _query(url)
    taken = {name: value for name, value in query.items() if _takes(answer, name)}
    missing = {
        name for name, value in query.items() if name not in taken and answer.arguments.get(name) != value
    }
    changed = any(
        typed(value, schema_of(answer.takes, name)) != given(answer.arguments, name)
        for name, value in taken.items()
    )
    return taken if taken and changed else Untaken(tuple(sorted(missing)))


def _is_url(text: str) -> bool:
    return text.startswith(("https://", "http://", "/", "?"))


def _query(url: str) -> dict[str, Any]:
    """Names with one value, or with the list of their values."""
    values: dict[str, Any] = {}
    for name, value in parse_qsl(urlsplit(url).query, keep_blank_values=True, max_num_fields=100):
        known = values.get(name)
        values[name] = value if known is None else [*(known if isinstance(known, list) else [known]), value]
    return values


_NEXT_FIELDS: Final = (
    "next_cursor", "nextCursor", "next_page_token", "nextPageToken", "next_token", "nextToken", "NextToken",
    "response_metadata.next_cursor", "meta.next_cursor", "metadata.continue", "next_page.offset", "paging.next.after",
    "pagination.next_cursor", "pagination.next", "meta.next_token", "meta.page.after", "links.next_cursor",
    "continuation_token", "continuationToken", "next_page", "nextPage", "next", "meta.next", "paging.next",
    "links.next",
)  # fmt: skip
_CURSOR_FIELDS: Final = (*_NEXT_FIELDS, "cursor")
_CURSOR_ARGUMENTS: Final = (
    "cursor", "page_token", "pageToken", "start_cursor", "startCursor", "next_token", "nextToken", "NextToken", "after",
    "continue", "starting_after", "page[after]", "continuation_token", "continuationToken", "pagination_token",
    "page_cursor", "offset", "page",
)  # fmt: skip


def _by_cursor(answer: PageAnswer) -> FinderResult:
    value = _first(answer, _CURSOR_FIELDS)
    if isinstance(value, str) and _is_url(value):
        return None
    return _in_the_first_of(answer, _CURSOR_ARGUMENTS, value)


def _by_page_number(answer: PageAnswer) -> FinderResult:
    following = answer.headers.get("x-next-page", "")
    return _in_the_first_of(answer, ("page",), following if following.isdecimal() else None)


def _by_page_info(answer: PageAnswer) -> FinderResult:
    connection = connection_of(answer.data)
    end = connection["pageInfo"].get("endCursor") if connection is not None else None
    return _in_the_first_of(answer, ("after", "cursor"), end)


def _by_last_id(answer: PageAnswer) -> FinderResult:
    more = any(answer.at(name) is True for name in MORE_FIELDS)
    if not more or not answer.items or not isinstance(answer.items[-1], dict):
        return None
    return _in_the_first_of(answer, ("starting_after", "after_id", "after"), answer.items[-1].get("id"))


# The argument, where the result repeats it, where it says how much there is.
_OFFSETS: Final = (
    ("startAt", "startAt", "total"),
    ("offset", "offset", "total"),
    ("offset", "pagination.offset", "pagination.total"),
    ("skip", "skip", "total"),
    ("from", "from", "total"),
)


def _by_offset(answer: PageAnswer) -> FinderResult:
    for argument, here, all_ in _OFFSETS:
        start, total = answer.at(here), answer.at(all_)
        if not answer.items or not _takes(answer, argument) or not _is_whole(total):
            continue
        start = start if _is_whole(start) else given(answer.arguments, argument) or 0
        if _is_whole(start) and start + len(answer.items) < total:
            return {argument: start + len(answer.items)}
    return None


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


FINDERS: Final[tuple[Callable[[PageAnswer], FinderResult], ...]] = (
    _by_config,
    _by_link,
    _by_url_in_the_body,
    _by_cursor,
    _by_page_number,
    _by_page_info,
    _by_last_id,
    _by_offset,
)


def _first(answer: PageAnswer, paths: Sequence[str]) -> Any:
    values = (answer.at(path) for path in paths)
    return next(
        (one for one in values if isinstance(one, str | int) and not isinstance(one, bool) and one != ""),
        None,
    )


def _in_the_first_of(answer: PageAnswer, arguments: Sequence[str], value: Any) -> FinderResult:
    if value is None or value == "":
        return None
    takers = ((name, schema_of(answer.takes, name)) for name in arguments)
    return next(({name: value} for name, schema in takers if _takes_value(schema, value)), None)


def _takes_value(schema: ArgumentSchema | None, value: Any) -> bool:
    """A text that is no number is no page number."""
    if schema is None:
        return False
    return _kind(schema) not in ("integer", "number") or not isinstance(
        typed(value, {"type": "integer"}), str
    )


def _takes(answer: PageAnswer, name: str) -> bool:
    return schema_of(answer.takes, name) is not None


# ---- values as arguments of the tool: where they stand, and of which type they are --------------------------------

_CONTAINER: Final = "query"


def schema_of(takes: Mapping[str, ArgumentSchema], name: str) -> ArgumentSchema | None:
    """The schema of an argument, which stands at the top or, where names collide, in the container `query`."""
    own = takes.get(name)
    return own if own is not None else _contained(takes).get(name)


def given(arguments: JsonObject, name: str) -> Any:
    """What an argument was, wherever it stood."""
    inner = arguments.get(_CONTAINER)
    return arguments.get(name, inner.get(name) if isinstance(inner, Mapping) else None)


def with_values(
    arguments: JsonObject, values: Mapping[str, Any], takes: Mapping[str, ArgumentSchema]
) -> JsonObject:
    """The arguments with other values, each where the caller had it."""
    made = dict(arguments)
    for name, value in values.items():
        if name in takes and not _stands_in_the_container(arguments, name):
            made[name] = typed(value, takes[name])
        else:
            schema = _contained(takes).get(name, {})
            made[_CONTAINER] = {**(made.get(_CONTAINER) or {}), name: typed(value, schema)}
    return made


def typed(value: Any, schema: ArgumentSchema | None) -> Any:
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


def _kind(schema: ArgumentSchema | None) -> Any:
    kinds = schema.get("type") if isinstance(schema, Mapping) else None
    return next((one for one in kinds if one != "null"), None) if isinstance(kinds, list) else kinds


def _contained(takes: Mapping[str, ArgumentSchema]) -> Mapping[str, ArgumentSchema]:
    found = takes.get(_CONTAINER)
    inner = found.get("properties") if isinstance(found, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}


def _stands_in_the_container(arguments: JsonObject, name: str) -> bool:
    inner = arguments.get(_CONTAINER)
    return isinstance(inner, dict) and name in inner
