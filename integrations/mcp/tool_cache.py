"""The tools of one server as they were last listed, when to list them again, and how the server announces changes.

Servers of the handshake era send `tools/list_changed` unasked, and the session passes it on. Servers of the 2026 era
send it on a stream of its own, which the client opens (specification 2026-07-28, subscriptions).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

import mcp_types as types
from mcp.client.subscriptions import SubscriptionLost
from mcp.shared.exceptions import MCPError as SdkError
from pydantic import ValidationError

from integrations.logs import with_fields
from integrations.mcp.errors import McpError
from integrations.mcp.messages import hide, restore, restore_if_needed
from integrations.mcp.redact import Redactor
from integrations.mcp.repair import LEFT_OUT
from integrations.mcp.servers import McpLimits
from integrations.mcp.session import McpSession, connection_error
from integrations.mcp.toolset import EMPTY, ListedTool, McpToolset, Offer

log = logging.getLogger("executor.mcp")
_MAX_RELISTED_PAGES = 100
_REOPEN_SECONDS = 15.0
_MAX_WARNINGS = 50
MakeToolset = Callable[[Offer], McpToolset]


class ToolCache:
    """`toolset` is replaced as a whole, and never by an empty one once it had tools. One task at a time may list.
    `kept`: it was not listed by the server, but some other time."""

    def __init__(self, name: str, make: MakeToolset, limits: McpLimits) -> None:
        self._name = name
        self._make = make
        self._limits = limits
        self._requested = False
        self._earliest = 0.0
        self._scheduled = 0.0
        self.toolset: McpToolset = EMPTY
        self.listed = False
        self.kept = False

    def keep(self, offer: Offer) -> None:
        """Go on with what was listed some other time, until the server lists its tools."""
        self.toolset, self.listed, self.kept = self._make(offer), True, True

    def refresh_soon(self, *, at_once: bool = False) -> None:
        """Several requests become one listing. Two listings are `shortest_refresh_seconds` apart, unless `at_once`."""
        self._requested = True
        if at_once:
            self._earliest = 0.0

    def due_in(self) -> float:
        """Seconds until the next listing; zero or less when it is due."""
        return (self._earliest if self._requested else self._scheduled) - _now()

    def schedule(self, ttl_seconds: float | None) -> None:
        """Set when to list next: after the server's time to live, or `refresh_seconds` when it gave none."""
        gap = self._limits.shortest_refresh_seconds
        self._earliest = _now() + gap
        self._scheduled = _now() + max(gap, ttl_seconds or self._limits.refresh_seconds)

    async def refresh(self, session: McpSession) -> bool:
        """List the tools. Whether `toolset` was replaced. Raises `McpError`, and then the toolset stays as it is."""
        self._requested = False
        offer, ttl = await fetch_offer(session, self._limits)
        self.schedule(ttl)
        if not offer.tools and self.listed and self.toolset.tools:
            log.warning(
                "mcp_lists_no_tools",
                extra=with_fields(connection=self._name, detail="the ones it had are kept"),
            )
            return False
        toolset = self._make(offer)
        was_kept, self.kept = self.kept, False
        if self.listed and toolset.digest == self.toolset.digest:
            return was_kept
        self.listed = True
        self.toolset = toolset
        for warning in toolset.warnings:
            log.warning(
                "mcp_tools", extra=with_fields(connection=self._name, detail=Redactor(()).clean(warning))
            )
        return True


# ---- Listing ------------------------------------------------------------------------------------------------------


async def fetch_offer(session: McpSession, limits: McpLimits) -> tuple[Offer, float | None]:
    """All pages of `tools/list`, and for how many seconds they are valid (`ttlMs`; None when it is missing or 0).

    Raises `McpError`.
    """
    has = session.capabilities
    if has.tools is None:
        return await _undeclared(session, limits), None
    try:
        async with asyncio.timeout(limits.list_seconds):
            tools, warnings, ttl = await _list_tools(session, limits)
    except TimeoutError:
        raise McpError("timeout", f"tools/list took longer than {limits.list_seconds:g} seconds") from None
    except SdkError as error:
        raise connection_error(error, session) or McpError(
            "protocol", f"tools/list failed: {error.message[:300]}"
        ) from None
    except ValidationError as error:
        raise McpError("protocol", f"tools/list breaks the protocol: {_place(error)}") from None
    return _offer(session, tools, warnings), ttl


def _offer(session: McpSession, tools: Sequence[ListedTool], warnings: Sequence[str]) -> Offer:
    has = session.capabilities
    return Offer(
        session.server_name, tuple(tools), has.resources is not None, has.prompts is not None, tuple(warnings)
    )


async def _undeclared(session: McpSession, limits: McpLimits) -> Offer:
    """What a server offers that does not declare the `tools` capability. Some have tools all the same, so they are
    listed once a session; a server that refuses has none.
    """
    if session.undeclared_tools is None:
        tools: Sequence[ListedTool] = ()
        warnings: Sequence[str] = ()
        try:
            async with asyncio.timeout(limits.probe_seconds):
                tools, warnings, _ = await _list_tools(session, limits)
        except (TimeoutError, ValidationError):
            pass
        except SdkError as error:
            if (lost := connection_error(error, session)) is not None:
                raise lost from None
        if tools:
            warnings = (*warnings, "it lists tools without declaring the `tools` capability; they are used")
        session.undeclared_tools = tools, warnings
    return _offer(session, *session.undeclared_tools)


async def _list_tools(
    session: McpSession, limits: McpLimits
) -> tuple[Sequence[ListedTool], Sequence[str], float | None]:
    """The tools, what was wrong with others (`repair`), and the time to live."""
    found: list[ListedTool] = []
    warnings: list[str] = []
    cursor: str | None = None
    seen: set[str] = set()
    ttl: float | None = None
    for _ in range(limits.pages):
        page = await _page(session, cursor)
        found += map(_as_listed, page.tools)
        warnings += restore((page.meta or {}).get(LEFT_OUT, []))
        if session.modern and page.ttl_ms > 0:
            ttl = min(page.ttl_ms / 1000, ttl or page.ttl_ms / 1000)
        cursor = page.next_cursor
        if cursor is None or cursor in seen or len(found) >= limits.tools:
            # A cursor that was seen before would make this loop endless.
            break
        seen.add(cursor)
    return found[: limits.tools], warnings[:_MAX_WARNINGS], ttl


async def relist(session: McpSession, name: str) -> None:
    """List until this tool was listed, which renews what the SDK knows of it. Raises what the SDK raises."""
    cursor: str | None = None
    for _ in range(_MAX_RELISTED_PAGES):
        page = await _page(session, cursor)
        cursor = page.next_cursor
        if cursor is None or any(tool.name == hide(name) for tool in page.tools):
            return


async def _page(session: McpSession, cursor: str | None) -> types.ListToolsResult:
    params = types.PaginatedRequestParams(cursor=cursor) if cursor is not None else None
    return await session.sdk_session.list_tools(params=params)


def _as_listed(tool: types.Tool) -> ListedTool:
    annotations: dict[str, Any] = (
        tool.annotations.model_dump(by_alias=True, exclude_none=True) if tool.annotations is not None else {}
    )
    return ListedTool(
        name=restore(tool.name),
        title=restore(tool.title or str(annotations.get("title") or "")),
        description=restore(tool.description or ""),
        input=restore_if_needed(tool.input_schema),
        output=restore_if_needed(tool.output_schema),
        annotations=restore(annotations),
        needs_task=tool.execution is not None and tool.execution.task_support == "required",
    )


def _place(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"[:300]


# ---- Changes ------------------------------------------------------------------------------------------------------


def announces_changes(session: McpSession) -> bool:
    """Whether the server has a stream of `tools/list_changed`."""
    tools = session.capabilities.tools
    return session.modern and tools is not None and tools.list_changed is True


async def listen(session: McpSession, on_changed: Callable[[], None]) -> None:
    """Call `on_changed` for every change, until cancelled. A stream that breaks is opened again after a pause.

    Returns when the server does not know the method.
    """
    while True:
        try:
            async with session.listen() as events:
                # A change from before the stream was open is not announced on it.
                on_changed()
                async for _ in events:
                    on_changed()
        except (SdkError, SubscriptionLost) as error:
            fields = with_fields(server=session.server_name, reason=type(error).__name__)
            log.debug("mcp_changes_ended", extra=fields)
            if isinstance(error, SdkError) and error.code == types.METHOD_NOT_FOUND:
                return
        await asyncio.sleep(_REOPEN_SECONDS)


def _now() -> float:
    return asyncio.get_running_loop().time()
