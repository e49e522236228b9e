"""One session for each tenant: made by its first call, ended when idle, and never more than so many."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from integrations.base import Failure, Result, Success
from integrations.conversation import SILENT
from integrations.mcp import McpLimits, McpUpstream, RemoteServer
from tests.integrations.mcp.running import PATIENCE, QUICK
from tests.integrations.oauth.guarded_mcp import GuardedMcp
from tests.integrations.oauth.server import Grant, auth_server


@dataclass(frozen=True)
class Token:
    """Implements `TokenHeaders` for one tenant that has signed in."""

    name: str

    async def present(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer token-of-{self.name}"}

    async def refused(self, status: int, challenge: str, sent: Mapping[str, str]) -> Mapping[str, str] | None:
        return None


@dataclass
class Tenants:
    """An upstream with a session for each tenant, and the tasks that it has begun: the lead's is the first."""

    server: GuardedMcp
    upstream: McpUpstream
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def sign_in(self, *names: str) -> None:
        for name in names:
            self.server.auth.tokens[f"token-of-{name}"] = Grant(name, "client", "", None)

    async def call(self, tenant: str) -> Result:
        prepared = replace(self.upstream.prepare("whoami", {}), tenant=tenant)
        result = await self.upstream.converse(prepared, PATIENCE, SILENT)
        assert isinstance(result, Success | Failure)
        return result

    async def value(self, tenant: str) -> Any:
        result = await self.call(tenant)
        assert isinstance(result, Success), result
        return result.data

    async def failure(self, tenant: str) -> Failure:
        result = await self.call(tenant)
        assert isinstance(result, Failure), result
        return result


@asynccontextmanager
async def tenants(limits: McpLimits = QUICK) -> AsyncIterator[Tenants]:
    async with auth_server() as auth, asyncio.TaskGroup() as tasks:
        server = GuardedMcp(auth)
        remote = RemoteServer(f"{auth.url}/mcp", transport="streamable-http", detect_oauth=False)
        remote = replace(remote, timeout_seconds=PATIENCE)
        upstream = McpUpstream(remote, limits=limits, tokens=Token("lister"), tenants=Token)
        one = Tenants(server, upstream)
        one.sign_in("lister", "ann", "bob")

        def keep(work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
            one.tasks.append(tasks.create_task(work()))
            return one.tasks[-1]

        upstream.start(keep)
        try:
            assert await upstream.settled(PATIENCE)
            yield one
        finally:
            await upstream.aclose()


async def test_each_has_a_session_and_the_lead_only_lists() -> None:
    async with tenants() as one:
        assert [await one.value(name) for name in ("ann", "bob", "ann")] == ["ann", "bob", "ann"]
        assert sorted(one.server.sessions.values()) == ["ann", "bob", "lister"]
        assert one.server.mixed == 0
        assert "lister" not in {account for account, _ in one.server.calls}
        assert len(one.tasks) == 3


async def test_one_whose_token_is_refused_is_alone_with_that() -> None:
    async with tenants() as one:
        failure = await one.failure("nobody")
        assert (failure.code, failure.status, failure.details) == (
            "connection_rejected",
            401,
            {"sent": False},
        )
        assert await one.value("ann") == "ann"
        assert one.upstream.status == {"status": "connected"}


async def test_somebody_who_signs_in_does_not_wait_for_a_pause() -> None:
    async with tenants(replace(QUICK, first_pause_seconds=60.0, longest_pause_seconds=60.0)) as one:
        await one.failure("carl")
        one.sign_in("carl")
        one.upstream.signed_in()
        assert await one.value("carl") == "carl"


async def test_idle_ones_end_and_the_next_call_begins_another() -> None:
    async with tenants(replace(QUICK, idle_seconds=0.05)) as one:
        assert await one.value("ann") == "ann"
        await asyncio.wait(one.tasks[1:])
        assert one.server.ended.count("session-2") == 1
        assert await one.value("ann") == "ann"
        assert list(one.server.sessions.values()).count("ann") == 2


async def test_for_one_too_many_the_oldest_idle_one_ends() -> None:
    async with tenants(replace(QUICK, tenant_sessions=1)) as one:
        assert await one.value("ann") == "ann"
        assert await one.value("bob") == "bob"
        await asyncio.wait(one.tasks[1:2])
        assert one.tasks[1].cancelled()
        assert "session-2" in one.server.ended


async def test_where_all_are_in_use_one_more_is_refused() -> None:
    async with tenants(replace(QUICK, tenant_sessions=1)) as one:
        one.server.hangs = True
        async with asyncio.TaskGroup() as calls:
            hung = calls.create_task(one.call("ann"))
            while not any(b"tools/call" in seen.body for seen in one.server.auth.echo.log):
                one.server.auth.echo.arrived.clear()
                await one.server.auth.echo.arrived.wait()
            failure = await one.failure("bob")
            assert (failure.code, failure.retryable) == ("mcp_connection_failed", True)
            assert "too many sessions" in failure.message
            hung.cancel()


async def test_an_idle_upstream_lists_again_when_somebody_calls() -> None:
    limits = replace(QUICK, idle_seconds=0.05, refresh_seconds=0.01)
    async with tenants(limits) as one:
        while one.upstream._supervisor._session is not None:
            await one.value("ann")
        before = one.server.listings.count("lister")
        while one.server.listings.count("lister") == before:
            await one.value("ann")


async def test_closing_ends_all_of_them() -> None:
    async with tenants() as one:
        await one.value("ann")
        await one.value("bob")
        await one.upstream.aclose()
        assert all(task.done() for task in one.tasks)
        assert len(one.server.ended) == 3
