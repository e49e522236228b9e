"""The 2026-07-28 `subscriptions/listen` streams."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import ListenHandler, ServerEvent, ToolsListChanged

from proxy.serving.peer import Peer

Context = ServerRequestContext[Peer, Any]


class Changes:
    """The streams by workspace, so that nobody hears of another's changes."""

    def __init__(self) -> None:
        self._handlers: dict[str, tuple[_Bus, ListenHandler]] = {}

    def announce(self, workspaces: frozenset[str]) -> None:
        for workspace in workspaces & self._handlers.keys():
            self._handlers[workspace][0].tell(ToolsListChanged())

    def end_streams(self) -> None:
        """Each stream sends its final result and ends; the client knows that it was on purpose."""
        for _, handler in self._handlers.values():
            handler.close()

    async def listen(
        self, context: Context, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        workspace = context.lifespan_context.principal.workspace_id
        if workspace not in self._handlers:
            bus = _Bus()
            self._handlers[workspace] = (bus, ListenHandler(bus, max_buffered_events=64))
        return await self._handlers[workspace][1](context, params)


class _Bus:
    """The SDK's `SubscriptionBus`, told synchronously."""

    def __init__(self) -> None:
        self._listeners: dict[object, Callable[[ServerEvent], None]] = {}

    async def publish(self, event: ServerEvent) -> None:
        self.tell(event)

    def tell(self, event: ServerEvent) -> None:
        for listener in list(self._listeners.values()):
            listener(event)

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        token = object()
        self._listeners[token] = listener

        def unsubscribe() -> None:
            self._listeners.pop(token, None)

        return unsubscribe
