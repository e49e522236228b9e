"""`tools/list_changed` of the modern era, a stream of its own (specification 2026-07-28, subscriptions).

Servers of the handshake era send the notification unasked; the session passes it on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from mcp.client.subscriptions import SubscriptionLost
from mcp.shared.exceptions import MCPError
from mcp_types import METHOD_NOT_FOUND

from integrations.mcp.link import Link

log = logging.getLogger("executor.mcp")
_AGAIN_SECONDS = 15.0


def announces_changes(link: Link) -> bool:
    tools = link.capabilities.tools
    return link.modern and tools is not None and tools.list_changed is True


async def listen(link: Link, changed: Callable[[], None]) -> None:
    """Until cancelled, or for good when the server does not know the method. A stream that breaks is opened again."""
    while True:
        try:
            async with link.listen() as events:
                # What changed before the stream was there is told by nobody.
                changed()
                async for _ in events:
                    changed()
        except (MCPError, SubscriptionLost) as error:
            log.debug(
                "mcp stream of changes ended server=%s reason=%s", link.server_name, type(error).__name__
            )
            if isinstance(error, MCPError) and error.code == METHOD_NOT_FOUND:
                return
        await asyncio.sleep(_AGAIN_SECONDS)
