"""An MCP server that wants a sign-in: the session waits for it, keeps its token fresh, and asks for more scopes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from proxy.connections.oauth.sign_in import SignIns
from proxy.connections.oauth.storage import TokenStore
from proxy.state import MemoryState
from tests.integrations.mcp.http_server import RawHttp
from tests.integrations.oauth.server import AuthServer, Quirks, auth_server
from tests.proxy.connections.oauth.support import ANN, BASE, Replica, visit
from tests.proxy.support import Notice, call, config_of, connections_in, data_of, failure_of

IT = "it.org.main"


def guard(server: AuthServer) -> RawHttp:
    """An MCP server behind this authorization server, at `/mcp`."""
    raw = RawHttp(server.echo)
    server.behind, server.api_path = raw.answer, "/mcp"
    server.quirks.challenge = 'Bearer resource_metadata="{url}/.well-known/oauth-protected-resource/mcp"'
    server.echo.answer = server.answer
    return raw


@asynccontextmanager
async def opened(
    folder: Path,
    env: Mapping[str, str],
    server: AuthServer,
    state: MemoryState,
    notice: Notice,
    oauth: Mapping[str, Any] | None = None,
) -> AsyncIterator[Replica]:
    own = {"kind": "mcp", "type": "remote", "url": f"{server.url}/mcp", "transport": "streamable-http"}
    config = {
        "version": 1,
        "integrations": {"it": {**own, **({"oauth": dict(oauth)} if oauth else {})}},
        "connections": {IT: {}},
    }
    async with connections_in(env, changed=notice, state=state) as connections:
        parsed = config_of(folder, json.dumps(config))
        found = dict((await connections.open(parsed)).connections)

        async def again() -> None:
            """What the application does when a connection has changed."""
            found.update((await connections.open(parsed)).connections)

        def find(workspace: str, prefix: str) -> Any:
            return found[prefix].oauth if prefix in found else None

        yield Replica(connections, found, SignIns(find, TokenStore(state), lambda: BASE), again)


async def until(replica: Replica, notice: Notice, status: str) -> None:
    while replica[IT].status["status"] != status:
        await notice.wait()
    assert replica.again is not None
    await replica.again()


async def sign_in(replica: Replica) -> None:
    await replica.sign_in(IT, ANN, operator=True)


async def test_a_session_waits_for_the_sign_in_and_keeps_its_token_fresh(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    notice = Notice()
    async with auth_server() as server:
        raw = guard(server)
        async with opened(tmp_path, env, server, MemoryState(), notice) as one:
            await until(one, notice, "needs_auth")
            await sign_in(one)
            await until(one, notice, "connected")
            asked = server.redirected[-1]
            assert asked["resource"] == f"{server.url}/mcp"
            (session,) = [one[IT].session]
            assert session is not None
            upstream: Any = session
            prepared = upstream.prepare("write", {})
            data_of(await one[IT].invoke(prepared, 20, ANN))
            sessions = raw.sessions
            server.revoke_all()
            data_of(await one[IT].invoke(prepared, 20, ANN))
            assert (raw.sessions, server.refused, server.issued) == (sessions, 0, 2)
            assert server.asked[-1]["grant_type"] == "refresh_token"
            server.grants[-1].dead = True
            server.revoke_all()
            failure = failure_of(await one[IT].invoke(prepared, 20, ANN))
            assert failure.code == "oauth_reauth_required"
            await sign_in(one)
            data_of(await one[IT].invoke(prepared, 20, ANN))


async def test_more_scopes_are_asked_for_beside_those_granted(tmp_path: Path, env: Mapping[str, str]) -> None:
    notice = Notice()
    async with auth_server(Quirks(scopes=("read",))) as server:
        guard(server)
        async with opened(tmp_path, env, server, MemoryState(), notice) as one:
            await until(one, notice, "needs_auth")
            await sign_in(one)
            await until(one, notice, "connected")
            assert server.redirected[-1]["scope"] == "read"
            server.wanted_scope = "write admin"
            upstream: Any = one[IT].session
            prepared = upstream.prepare("write", {})
            failure = failure_of(await one[IT].invoke(prepared, 20, ANN))
            assert (failure.code, failure.details["scope"]) == ("oauth_scope_insufficient", "write admin")
            await sign_in(one)
            assert set(server.redirected[-1]["scope"].split()) == {"read", "write", "admin"}
            data_of(await one[IT].invoke(prepared, 20, ANN))


async def test_a_hostile_server_gets_no_secret_and_leads_nowhere(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    """It names another metadata host and another authorization server; the configured client is for neither."""
    notice = Notice()
    async with auth_server() as server, auth_server() as evil, auth_server() as good:
        guard(server)
        server.quirks.challenge = (
            f'Bearer resource_metadata="{evil.url}/.well-known/oauth-protected-resource"'
        )
        server.quirks.issuer = evil.url
        good.clients["cid"] = ""
        oauth = {"client_id": "cid", "issuer": good.url}
        async with opened(tmp_path, env, server, MemoryState(), notice, oauth) as one:
            await until(one, notice, "needs_auth")
            begun = await one.sign_ins.begin(IT, ANN, operator=True)
            assert begun.url.startswith(f"{good.url}/authorize?")
            await one.sign_ins.complete(await visit(begun.url), ANN, operator=True)
        assert evil.echo.log == []
        assert {asked["client_id"] for asked in good.asked} == {"cid"}


@pytest.mark.parametrize("secret", ["client_secret: {env: S}", "private_key: {env: S}"])
def test_a_secret_without_its_server_is_a_config_error(secret: str) -> None:
    from tests.proxy.config.texts import codes

    text = "version: 1\nintegrations:\n  it:\n    kind: mcp\n    type: remote\n    url: https://mcp.example.com\n"
    text += f"    oauth: {{client_id: a, {secret}%s}}\nconnections: {{it.org.main: {{}}}}\n"
    assert codes(text % "") == ["E501"]
    assert codes(text % ", issuer: https://login.example.com") == []


async def test_a_call_helper_is_enough_for_documents(tmp_path: Path, env: Mapping[str, str]) -> None:
    """A server without any authorization is left alone."""
    notice = Notice()
    async with auth_server() as server:
        raw = RawHttp(server.echo)
        async with opened(tmp_path, env, server, MemoryState(), notice) as one:
            await until(one, notice, "connected")
            data_of(await call(one[IT], "write"))
            assert raw.calls == 1
