"""`tools/list`, all pages, as an `Offer`."""

from __future__ import annotations

import asyncio
from typing import Any

import mcp_types as types
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from integrations.mcp.link import Link, trouble_of
from integrations.mcp.servers import Limits
from integrations.mcp.toolset import Listed, Offer
from integrations.mcp.trouble import Trouble


async def fetch_offer(link: Link, limits: Limits) -> tuple[Offer, float | None]:
    """What the server offers, and for how many seconds it may be kept (`ttlMs`, None when it does not say or says 0).

    Raises `Trouble`. A server without the `tools` capability offers no tools, which is not an error.
    """
    try:
        async with asyncio.timeout(limits.list_seconds):
            tools, ttl = await _tools(link, limits) if link.capabilities.tools is not None else ((), None)
    except TimeoutError:
        raise Trouble("timeout", f"tools/list took longer than {limits.list_seconds:g} seconds") from None
    except MCPError as error:
        raise trouble_of(error, link) or Trouble(
            "protocol", f"tools/list failed: {error.message[:300]}"
        ) from None
    except ValidationError as error:
        raise Trouble("protocol", f"tools/list breaks the protocol: {_place(error)}") from None
    has = link.capabilities
    return Offer(link.server_name, tools, has.resources is not None, has.prompts is not None), ttl


async def _tools(link: Link, limits: Limits) -> tuple[tuple[Listed, ...], float | None]:
    found: list[Listed] = []
    cursor: str | None = None
    seen: set[str] = set()
    ttl: float | None = None
    for _ in range(limits.pages):
        params = types.PaginatedRequestParams(cursor=cursor) if cursor is not None else None
        page = await link.session.list_tools(params=params)
        found += map(_listed, page.tools)
        if link.modern and page.ttl_ms > 0:
            ttl = min(page.ttl_ms / 1000, ttl or page.ttl_ms / 1000)
        cursor = page.next_cursor
        if cursor is None or cursor in seen or len(found) >= limits.tools:
            # A cursor that comes again would go round for ever.
            break
        seen.add(cursor)
    return tuple(found[: limits.tools]), ttl


def _listed(tool: types.Tool) -> Listed:
    annotations: dict[str, Any] = (
        tool.annotations.model_dump(by_alias=True, exclude_none=True) if tool.annotations is not None else {}
    )
    return Listed(
        name=tool.name,
        title=tool.title or str(annotations.get("title") or ""),
        description=tool.description or "",
        input=tool.input_schema,
        output=tool.output_schema,
        annotations=annotations,
        needs_task=tool.execution is not None and tool.execution.task_support == "required",
    )


def _place(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"[:300]
