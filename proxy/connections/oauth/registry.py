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
from proxy.connections.oauth.tokens import ConnectionTokens, OAuthParts, TokenUnavailable
from proxy.principal import DEFAULT_WORKSPACE
from proxy.state import MemoryState
from proxy.tasks import TaskSupervisor


class OAuthRegistry:
    """`state` None: what is got lives as long as the process, as for commands that serve nothing."""

    def __init__(
        self,
        state: OAuthState | None,
        resolver: Resolver,
        tasks: TaskSupervisor,
        changed: Callable[[], None],
    ) -> None:
        self._state = state
        self._resolver = resolver
        self._tasks = tasks
        self._changed = changed
        self._by_name: dict[tuple[str, str], ConnectionTokens] = {}
        self._requests: set[asyncio.Task[None]] = set()
        self.workspaces: tuple[str, ...] = (DEFAULT_WORKSPACE,)
        """Those of the newest config."""

    def tokens(self, plan: OAuthPlan, http: HttpClient) -> ConnectionTokens:
        """The same object for the same settings, so that a reload forgets nothing and asks nothing again."""
        name = (plan.scope, plan.prefix)
        known = self._by_name.get(name)
        if known is None or known.plan != plan:
            store = TokenStore(self._state or self._memory(), plan.scope)
            asked = OAuthHttp(http, plan.rules)
            parts = OAuthParts(
                asked, store, self._resolver, self._spawn, self._changed, workspaces=lambda: self.workspaces
            )
            known = self._by_name[name] = ConnectionTokens(plan, parts)
        return known

    def _memory(self) -> OAuthState:
        self._state = MemoryState()
        return self._state

    def _spawn(self, work: Coroutine[Any, Any, TokenRecord], name: str) -> asyncio.Future[TokenRecord]:
        """A task of our own, whose failure is told to those who wait and ends nothing else."""
        outcome: asyncio.Future[TokenRecord] = asyncio.get_running_loop().create_future()
        # An outcome that nobody waits for any more is no error.
        outcome.add_done_callback(lambda done: done.cancelled() or done.exception())
        request = self._tasks.keep("token", lambda: _told(work, outcome), about=name, restart=False)
        self._requests.add(request)

        def ended(request: asyncio.Task[None]) -> None:
            self._requests.discard(request)
            work.close()
            if not outcome.done():
                outcome.set_exception(TokenUnavailable("the request for a token was not made"))

        request.add_done_callback(ended)
        return outcome

    async def close(self) -> None:
        """Wait for requests under way: what a server has answered must be stored. They have limits of their own."""
        if self._requests:
            await asyncio.wait(self._requests)


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
