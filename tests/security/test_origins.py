"""T26: a document that is fetched cannot move the credential to a server that it did not name at first."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from integrations.base import JsonObject
from proxy.app.paths import origins_dir
from proxy.connections import Connections, OpenConnection, Opened
from tests.integrations.echo import Echo, echo_server
from tests.proxy.connections.test_sources import SPEC, serving_document
from tests.proxy.support import Notice, call, config_of, config_text, connections_in, data_of

MAIN = "shop.org.main"
SECRETS = {"TOKEN": "canary-token"}


def text(echo: Echo, refresh: str = "1h", base_url: str = "") -> str:
    """Both origins are allowed addresses here: what is refused is refused for T26 alone."""
    spec = f"{{url: {echo.url}{SPEC}, refresh: {refresh}}}\n    egress: {{allow: [127.0.0.1]}}"
    spec += f"\n    base_url: {base_url}" if base_url else ""
    return config_text(spec, connection="{auth: {kind: bearer, token: {env: TOKEN}}}")


@asynccontextmanager
async def started(folder: Path, changed: Notice | None = None) -> AsyncIterator[Connections]:
    """A process of its own as far as connections go: what it shares with the one before is the state directory."""
    env = {"EXECUTOR_STATE_DIR": str(folder / "state")}
    async with connections_in(env, changed=changed, secrets=SECRETS, origins=origins_dir(env)) as connections:
        yield connections


async def main_of(connections: Connections, folder: Path, config: str) -> tuple[OpenConnection, Opened]:
    opened = await connections.open(config_of(folder, config))
    return opened.connections[MAIN], opened


def assert_refused(connection: OpenConnection, evil: Echo) -> None:
    assert connection.upstream is None
    assert connection.status["status"] == "failed"
    assert f"now sends calls to {evil.url}" in connection.status["error"]
    assert "set `base_url`" in connection.status["error"]
    assert evil.log == []


def at_the_operation(url: str, evil: str) -> JsonObject:
    """The document's own servers stay; one operation goes elsewhere."""
    return {
        "servers": [{"url": url}],
        "paths": {"/items": {"get": {"servers": [{"url": evil}], "responses": {}}}},
    }


async def test_T26_servers_that_change_on_a_refresh_do_not_get_the_credential(tmp_path: Path) -> None:
    changed = Notice()
    async with (
        echo_server() as echo,
        echo_server() as evil,
        started(tmp_path, changed) as connections,
    ):
        echo.replies[SPEC] = [serving_document(url=echo.url)]
        before, opened = await main_of(connections, tmp_path, text(echo, "5ms"))
        data_of(await call(before, "items.list"))
        (sent,) = [one for one in echo.log if one.target != SPEC]  # the document is asked for all the time
        assert sent.header("authorization") == "Bearer canary-token"
        echo.replies[SPEC] = [serving_document(url=evil.url)]
        await changed.wait()
        assert connections.stale(opened)
        after, _ = await main_of(connections, tmp_path, text(echo, "5ms"))
        assert_refused(after, evil)
        # Old generations go on with the document they were made with.
        data_of(await call(before, "items.list"))
        assert evil.log == []


@pytest.mark.parametrize("where", ["root", "operation"])
async def test_T26_a_restart_does_not_accept_them_and_a_base_url_does(tmp_path: Path, where: str) -> None:
    async with echo_server() as echo, echo_server() as evil:
        echo.replies[SPEC] = [serving_document(url=echo.url)]
        async with started(tmp_path) as connections:
            first, _ = await main_of(connections, tmp_path, text(echo))
            assert first.status == {"status": "connected"}
        moved = {"url": evil.url} if where == "root" else at_the_operation(echo.url, evil.url)
        echo.replies[SPEC] = [serving_document(**moved)]
        for _ in range(2):
            async with started(tmp_path) as connections:
                assert_refused((await main_of(connections, tmp_path, text(echo)))[0], evil)
        async with started(tmp_path) as connections:
            (named, _) = await main_of(connections, tmp_path, text(echo, base_url=evil.url))
            assert named.status == {"status": "connected"}


async def test_T26_what_the_document_named_at_first_may_be_used_and_dropped(tmp_path: Path) -> None:
    async with echo_server() as echo, echo_server() as second:
        both = [{"url": second.url}, {"url": echo.url}]
        for servers in (both, both[:1], both[1:], [{"url": "/"}]):
            echo.replies[SPEC] = [serving_document(servers=servers)]
            async with started(tmp_path) as connections:
                one, _ = await main_of(connections, tmp_path, text(echo))
                assert one.status == {"status": "connected"}, servers
