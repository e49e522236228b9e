"""How results say what the next page is. Each finder gives values of arguments by name, or nothing.

Tried in this order, until one fits the arguments that the tool takes:
1. the names that the integration's `pagination` gives,
2. a `Link` header with rel=next (RFC 8288), or such a URL in the body: its query becomes arguments,
3. the usual cursor fields (`next_cursor`, `nextPageToken`, `metadata.continue`, ...) and `X-Next-Page`,
4. `pageInfo` of GraphQL connections, the last item's id while `has_more`, offsets below a `total`.

A link is never called: only the values in its query are used, for arguments of the same tool.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from proxy.calls.page_answer import MORE_FIELDS, Answer, connection_of
from proxy.calls.page_arguments import given, schema_of, typed


@dataclass(frozen=True, slots=True)
class Untaken:
    """A link to a next page whose values no argument of the tool takes."""

    names: tuple[str, ...]


Found = Mapping[str, Any] | Untaken | None


def _by_config(answer: Answer) -> Found:
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


def _by_link(answer: Answer) -> Found:
    return _of_url(answer, next(_next_links(answer.headers.get("link", "")), None))


def _next_links(header: str) -> Iterator[str]:
    for found in _LINK.finditer(header):
        parameters = found[2].lower().replace("'", '"')
        relations = re.search(r";\s*rel\s*=\s*\"?([^\";]*)", parameters)
        # Sentry always links to a next page, and says beside it whether there is anything on it.
        if relations and "next" in relations[1].split() and 'results="false"' not in parameters:
            yield found[1]


def _by_url_in_the_body(answer: Answer) -> Found:
    urls = (answer.at(path) for path in _URL_FIELDS)
    return _of_url(answer, next((url for url in urls if isinstance(url, str) and _is_url(url)), None))


def _of_url(answer: Answer, url: str | None) -> Found:
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


_CURSOR_FIELDS: Final = (
    "next_cursor", "nextCursor", "next_page_token", "nextPageToken", "next_token", "nextToken", "NextToken",
    "response_metadata.next_cursor", "meta.next_cursor", "metadata.continue", "next_page.offset", "paging.next.after",
    "pagination.next_cursor", "pagination.next", "meta.next_token", "meta.page.after", "links.next_cursor",
    "continuation_token", "continuationToken", "next_page", "nextPage", "cursor",
)  # fmt: skip
_CURSOR_ARGUMENTS: Final = (
    "cursor", "page_token", "pageToken", "start_cursor", "startCursor", "next_token", "nextToken", "NextToken", "after",
    "continue", "starting_after", "page[after]", "continuation_token", "continuationToken", "pagination_token",
    "page_cursor", "offset", "page",
)  # fmt: skip


def _by_cursor(answer: Answer) -> Found:
    value = _first(answer, _CURSOR_FIELDS)
    if isinstance(value, str) and _is_url(value):
        return None
    return _in_the_first_of(answer, _CURSOR_ARGUMENTS, value)


def _by_page_number(answer: Answer) -> Found:
    following = answer.headers.get("x-next-page", "")
    return _in_the_first_of(answer, ("page",), following if following.isdecimal() else None)


def _by_page_info(answer: Answer) -> Found:
    connection = connection_of(answer.data)
    end = connection["pageInfo"].get("endCursor") if connection is not None else None
    return _in_the_first_of(answer, ("after", "cursor"), end)


def _by_last_id(answer: Answer) -> Found:
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


def _by_offset(answer: Answer) -> Found:
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


FINDERS: Final[tuple[Callable[[Answer], Found], ...]] = (
    _by_config,
    _by_link,
    _by_url_in_the_body,
    _by_cursor,
    _by_page_number,
    _by_page_info,
    _by_last_id,
    _by_offset,
)


def _first(answer: Answer, paths: Sequence[str]) -> Any:
    values = (answer.at(path) for path in paths)
    return next(
        (one for one in values if isinstance(one, str | int) and not isinstance(one, bool) and one != ""),
        None,
    )


def _in_the_first_of(answer: Answer, arguments: Sequence[str], value: Any) -> Found:
    if value is None or value == "":
        return None
    return next(({name: value} for name in arguments if _takes(answer, name)), None)


def _takes(answer: Answer, name: str) -> bool:
    return schema_of(answer.takes, name) is not None
