"""Search: one query over all connections of a catalog, filtered by what the caller may see."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge

from proxy.catalog.branch import Branch
from proxy.catalog.entries import CatalogTool, Found, SearchPage, Visible
from proxy.catalog.match import match
from proxy.catalog.query import Query, parse_query
from proxy.catalog.weigh import weigh

# How much a word is worth in a tool whose connection is named by it.
_GRANT = 0.6
# Matches are counted (and so checked for visibility) to here and to the end of the page, not further.
_COUNTED = 200


def search(
    branches: Sequence[Branch], text: str, namespace: str, limit: int, offset: int, visible: Visible
) -> SearchPage:
    """The page `offset .. offset+limit` of the visible matches, best first, ties by address."""
    chosen = [(branch, start) for branch in branches if (start := branch.under(namespace)) is not None]
    query = parse_query(text)
    if query.terms:
        found: Iterable[Found] = ranked(chosen, query)
    elif not text.strip():
        found = (Found(tool, 0.0) for tool in listed(chosen))
    else:
        found = ()
    return page(found, limit, offset, visible)


def page(found: Iterable[Found], limit: int, offset: int, visible: Visible) -> SearchPage:
    """Filter and cut. `visible` is asked in order, and only as far as counting goes."""
    enough = max(_COUNTED, offset + limit + 1)
    seen: list[Found] = []
    for each in found:
        if visible(each.tool):
            seen.append(each)
            if len(seen) >= enough:
                break
    best = seen[0].score if seen else 0.0
    return SearchPage(tuple(seen[offset : offset + limit]), len(seen), offset, best)


def listed(chosen: Iterable[tuple[Branch, str]]) -> Iterator[CatalogTool]:
    """Tools in address order of connections, then source order."""
    for branch, start in chosen:
        for tool in branch.tools:
            if tool.name.startswith(start):
                yield tool


def ranked(chosen: Sequence[tuple[Branch, str]], query: Query) -> Iterator[Found]:
    """All matches, best first. Connections of one toolset share the work unless their own names take part.

    Results are made as they are asked for: a page of a catalog with fifty equal connections looks at few of them."""
    weighed = weigh(list({id(b.index): b.index for b, _ in chosen if b.index is not None}.values()), query)
    done: dict[tuple[int, tuple[float, ...]], list[tuple[float, int]]] = {}
    streams: list[Iterator[Found]] = []
    for branch, start in chosen:
        if branch.index is None:
            continue
        granted = tuple(_GRANT if branch.words & term.forms.keys() else 0.0 for term in query.terms)
        key = (id(branch.index), granted)
        if key not in done:
            done[key] = match(branch.index, query, weighed, granted)
        streams.append(_found(branch, start, done[key]))
    return merge(*streams, key=lambda found: (-found.score, found.tool.address))


def _found(branch: Branch, start: str, matches: Sequence[tuple[float, int]]) -> Iterator[Found]:
    tools = branch.tools
    for score, number in matches:
        if tools[number].name.startswith(start):
            yield Found(tools[number], score)
