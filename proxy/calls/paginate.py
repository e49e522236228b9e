"""`tools.executor.paginate({path, args, max})`: one page after the other, each an inner call of its own.

A page goes the way of every call: policies, limits and audit see it. What is bounded here is the number of pages,
and the bytes that all of them have together.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from integrations.base import Failure, JsonObject
from integrations.json_text import read_json
from proxy.calls.approval import CallTrace
from proxy.calls.outcome import PlainValue, Settlement
from proxy.calls.pages import Names, ResultPage, read_page
from proxy.catalog import CatalogTool

NAME: Final = "executor.paginate"
ASK_BY_PAGE: Final = (
    "`executor.paginate` cannot wait for a person. Call `tools.{path}` itself with the arguments of this page: the "
    "execution then pauses for the decision, and goes on with the page."
)

CallPage = Callable[[JsonObject], Awaitable[Settlement]]


@dataclass(frozen=True, slots=True)
class PageLimits:
    """Of one pagination. `items`: no page is asked for once there are as many; the last page comes whole."""

    items: int
    pages: int = 100
    total_bytes: int = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Pageable:
    """What is known of the tool: its input schema, and the names that its integration gives."""

    schema: Mapping[str, Any]
    names: Names


def pageable(trace: CallTrace, path: str) -> Pageable:
    """What is known of a tool that was just called."""
    workspace = trace.lease.workspace(trace.principal.workspace_id)
    assert workspace is not None
    tool = workspace.catalog.find(path, workspace.visible_for(trace.principal.caller()))
    if not isinstance(tool, CatalogTool):
        return Pageable({}, Names())
    given = getattr(trace.lease.config.integrations.get(tool.integration), "pagination", None)
    names = Names(given.cursor, given.next, given.items) if given is not None else Names()
    return Pageable(tool.toolset.schemas(tool.definition.name).input, names)


async def paginate(
    call: CallPage, tool: Callable[[], Pageable], arguments: JsonObject, limits: PageLimits
) -> PlainValue | Failure | Settlement:
    """`{items, pages, next?, error?}`; the settlement of the first page when that one fails.

    `next` are arguments to go on with: what was left because of a limit, or of an error.
    """
    items: list[Any] = []
    pages, size = 0, 0
    pageable: Pageable | None = None
    following: JsonObject | None = arguments
    while following is not None and pages < limits.pages and len(items) < limits.items:
        settlement = await call(following)
        size += len(settlement.body)
        if not settlement.ok:
            return settlement if pages == 0 else _cut(items, pages, following, settlement)
        if size > limits.total_bytes and pages:
            break
        pageable = pageable or tool()
        page = read_page(read_json(settlement.body), following, pageable.schema, pageable.names)
        if page.items is None:
            return _no_list() if pages == 0 else PlainValue({"items": items, "pages": pages})
        items += page.items
        pages += 1
        if page.untaken or page.says_more:
            return _unfollowed(items, pages, page)
        following = page.next if page.items else None
    return PlainValue({"items": items, "pages": pages} | ({} if following is None else {"next": following}))


def _cut(
    items: list[Any], pages: int, following: JsonObject, settlement: Settlement
) -> PlainValue | Settlement:
    """What came before the error is not lost. A defect of ours still throws."""
    answer = read_json(settlement.body)
    if "error" not in answer:
        return settlement
    return PlainValue({"items": items, "pages": pages, "next": following, "error": answer["error"]})


def _no_list() -> Failure:
    message = "The result of this tool holds no list, so it has no pages. Call the tool itself."
    return Failure("not_pageable", message)


def _unfollowed(items: list[Any], pages: int, page: ResultPage) -> PlainValue:
    names = ", ".join(f"`{name}`" for name in page.untaken)
    message = (
        f"There is another page, but the tool takes no argument {names}."
        if names
        else f"There is another page (`{page.says_more}` of the result says so), but not how to ask for it. "
        "Call the tool itself; `pagination` of the integration can name the argument."
    )
    error = {"code": "not_pageable", "message": message, "retryable": False}
    return PlainValue({"items": items, "pages": pages, "error": error})
