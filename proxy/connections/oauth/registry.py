"""The tokens of every connection of this process, over all generations of its config."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from integrations.http import HttpClient
from integrations.oauth.http import OAuthHttp
from proxy.config.secrets import Resolver
from proxy.connections.oauth.plan import OAuthPlan
from proxy.connections.oauth.records import TokenRecord
from proxy.connections.oauth.storage import OAuthState, TokenStore
from proxy.connections.oauth.tokens import ConnectionTokens, OAuthParts
from proxy.state import MemoryState


class OAuthRegistry:
    """`state` None: what is got lives as long as the process, as for commands that serve nothing."""

    def __init__(
        self,
        state: OAuthState | None,
        resolver: Resolver,
        tasks: asyncio.TaskGroup,
        changed: Callable[[], None],
    ) -> None:
        self._state = state
        self._resolver = resolver
        self._tasks = tasks
        self._changed = changed
        self._by_prefix: dict[str, ConnectionTokens] = {}

    def tokens(self, plan: OAuthPlan, http: HttpClient) -> ConnectionTokens:
        """The same object for the same settings, so that a reload forgets nothing and asks nothing again."""
        known = self._by_prefix.get(plan.prefix)
        if known is None or known.plan != plan:
            store = TokenStore(self._state or self._memory())
            parts = OAuthParts(OAuthHttp(http, plan.rules), store, self._resolver, self._spawn, self._changed)
            known = self._by_prefix[plan.prefix] = ConnectionTokens(plan, parts)
        return known

    def _memory(self) -> OAuthState:
        self._state = MemoryState()
        return self._state

    def _spawn(self, work: Coroutine[Any, Any, TokenRecord], name: str) -> asyncio.Future[TokenRecord]:
        """A task of our own, whose failure is told to those who wait and ends nothing else."""
        outcome: asyncio.Future[TokenRecord] = asyncio.get_running_loop().create_future()
        # An outcome that nobody waits for any more is no error.
        outcome.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._tasks.create_task(_told(work, outcome), name=name)
        return outcome


async def _told(work: Coroutine[Any, Any, TokenRecord], outcome: asyncio.Future[TokenRecord]) -> None:
    try:
        record = await work
    except asyncio.CancelledError:
        outcome.cancel()
        raise
    # Nothing is swallowed: whoever waits is told.
    except Exception as error:
        outcome.set_exception(error)
    else:
        outcome.set_result(record)
