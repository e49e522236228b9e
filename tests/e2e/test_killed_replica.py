"""A replica dies while it refreshes a token whose refresh token is used once: another one goes on when its lease has
ended, or says that somebody has to sign in anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.e2e.running import MODERN, Proxy, serving
from tests.e2e.test_connections import ALICE, ASK, MINE, Scene, command, config_in, log_in
from tests.integrations.oauth.server import AuthServer, auth_thread
from tests.proxy.state.servers import redis_server

REDIS: dict[str, Any] = {
    "backend": "redis",
    "url": {"env": "REDIS_URL"},
    "encryption_key": {"env": "STATE_KEY"},
}
STORES = pytest.mark.parametrize("store", ["sqlite", "redis"])


@contextmanager
def two(store: str, auth: AuthServer, folder: Path) -> Iterator[tuple[Proxy, Proxy]]:
    if store == "sqlite":
        yield from _on(config_in(folder, auth, audit={"sink": "off"}), folder, {})
        return
    with redis_server() as server:
        env = {"REDIS_URL": server.url, "STATE_KEY": "a-key-of-the-deployment-32-bytes"}
        yield from _on(config_in(folder, auth, audit={"sink": "off"}, state=REDIS), folder, env)


def _on(config: Path, folder: Path, env: dict[str, str]) -> Iterator[tuple[Proxy, Proxy]]:
    with (
        serving(config, folder / "state", env=env) as one,
        serving(config, folder / "state", env=env) as other,
    ):
        yield one, other


async def killed_in_mid_refresh(auth: AuthServer, replica: Proxy) -> None:
    """The first replica asks for a new token, and dies before it has the answer."""
    auth.revoke_all()

    async def kill() -> None:
        assert await asyncio.to_thread(auth.held.wait, 60)
        replica.process.kill()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(kill())
        with pytest.raises(httpx2.TransportError):
            await replica.execute(ASK, token=ALICE)


async def patiently(replica: Proxy) -> Any:
    """The structured answer; it takes until the lease of the dead replica has ended, and comes as events."""
    async with replica.sdk(MODERN, token=ALICE) as client:
        return (await client.call_tool("execute", {"code": ASK})).structured_content or {}


@STORES
async def test_the_other_one_refreshes_and_nobody_signs_in(store: str, tmp_path: Path) -> None:
    with auth_thread() as auth, two(store, auth, tmp_path) as (one, other):
        await log_in(Scene(auth, one, tmp_path), ALICE)
        assert await other.value(ASK, token=ALICE) == "ann"
        auth.hold = "unread"
        await killed_in_mid_refresh(auth, one)
        assert (await patiently(other))["result"] == "ann"
        assert (auth.refused, auth.issued, len(auth.redirected)) == (0, 2, 1)


@STORES
async def test_a_refresh_token_that_was_used_up_is_lost_and_said(store: str, tmp_path: Path) -> None:
    """The answer had the only new one, and died with the replica: using the old one ends the whole grant."""
    with auth_thread() as auth, two(store, auth, tmp_path) as (one, other):
        await log_in(Scene(auth, one, tmp_path), ALICE)
        auth.hold = "answered"
        await killed_in_mid_refresh(auth, one)
        auth.revoke_all()
        asked = await patiently(other)
        assert asked["status"] == "waiting_for_interaction"
        (question,) = asked["interactions"]
        assert "the sign-in has ended (invalid_grant)" in question["message"]
        shown = command(Scene(auth, other, tmp_path), ALICE, "status", MINE)
        assert (shown.returncode, "needs_auth" in shown.stdout) == (1, True)
        await log_in(Scene(auth, other, tmp_path), ALICE)
        assert await other.value(ASK, token=ALICE) == "ann"
