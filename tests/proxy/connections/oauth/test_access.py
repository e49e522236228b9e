"""An upstream of any kind that wants more scopes than the token has (RFC 6750 section 3.1)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from integrations.base import PreparedCall
from integrations.conversation import Conversation, ElicitationAnswer, InputNeeded, Reply
from proxy.connections.oauth.sign_in import SignIns
from proxy.connections.oauth.storage import TokenStore
from proxy.state import MemoryState
from tests.integrations.echo import Reply as Answer
from tests.integrations.echo import Seen
from tests.integrations.oauth.server import AuthServer, Quirks, auth_server
from tests.proxy.connections.oauth.support import ANN, BASE, Replica
from tests.proxy.support import call, config_of, connections_in, data_of, failure_of, shop

SDL = "type Query { me: String }\n"
TOOLS = {"openapi": "items.list", "graphql": "query.me"}
KINDS = pytest.mark.parametrize("kind", TOOLS)
PERSON: Any = {"kind": "oauth2", "grant": "authorization_code", "scopes": ["read"]}
ROBOT: Any = {
    "kind": "oauth2",
    "grant": "client_credentials",
    "scopes": ["read"],
    "client_id": "robot",
    "client_secret": {"env": "S"},
}


def integration(kind: str, folder: Path, server: AuthServer) -> dict[str, Any]:
    if kind == "openapi":
        return {"kind": kind, "spec": {"inline": shop()}, "base_url": f"{server.url}/api"}
    (folder / "it.graphql").write_text(SDL)
    return {
        "kind": kind,
        "endpoint": f"{server.url}/api",
        "introspection": {"file": str(folder / "it.graphql")},
    }


def answered(seen: Seen) -> Answer:
    return Answer(200, [("Content-Type", "application/json")], json.dumps({"data": {"me": "ann"}}).encode())


@asynccontextmanager
async def opened(
    kind: str, folder: Path, env: Mapping[str, str], server: AuthServer, auth: Mapping[str, Any] = PERSON
) -> AsyncIterator[Replica]:
    state = MemoryState()
    server.behind = answered
    owner = "org" if auth is ROBOT else "user"
    entry = {"auth": {**auth, "issuer": server.issuer}}
    config = {
        "version": 1,
        "integrations": {"it": integration(kind, folder, server)},
        "connections": {f"it.{owner}.me": entry},
    }

    def page(prefix: str, account: str | None) -> str:
        return f"{BASE}/sign-in/{prefix}"

    async with connections_in(env, secrets={"S": "secret"}, state=state, page=page) as connections:
        found = dict((await connections.open(config_of(folder, json.dumps(config)))).connections)

        def find(workspace: str, prefix: str) -> Any:
            return found[prefix].oauth if prefix in found else None

        yield Replica(connections, found, SignIns(find, TokenStore(state), lambda: BASE))


@KINDS
async def test_the_next_sign_in_asks_for_them_beside_those_granted(
    kind: str, tmp_path: Path, env: Mapping[str, str]
) -> None:
    async with auth_server(Quirks()) as server, opened(kind, tmp_path, env, server) as one:
        await one.sign_in("it.user.me")
        assert server.redirected[-1]["scope"] == "read"
        server.wanted_scope = "write admin"
        failure = failure_of(await call(one["it.user.me"], TOOLS[kind], {}, ANN))
        assert (failure.code, failure.status) == ("oauth_scope_insufficient", 403)
        assert failure.details["scope"] == "write admin"
        assert failure.details["url"] == f"{BASE}/sign-in/it.user.me"
        assert "sign in anew, open http" in failure.message
        await one.sign_in("it.user.me")
        assert set(server.redirected[-1]["scope"].split()) == {"read", "write", "admin"}
        data_of(await call(one["it.user.me"], TOOLS[kind], {}, ANN))


@KINDS
async def test_it_is_asked_for_from_the_middle_of_a_call_three_times_at_most(
    kind: str, tmp_path: Path, env: Mapping[str, str]
) -> None:
    async with auth_server() as server, opened(kind, tmp_path, env, server) as one:
        await one.sign_in("it.user.me")
        server.wanted_scope = "write"
        connection = one["it.user.me"]
        assert connection.upstream is not None
        prepared: PreparedCall = connection.upstream.prepare(TOOLS[kind], {})
        talk = Conversation("exec_1")
        asked = 0
        while isinstance(result := await connection.converse(prepared, 20, talk, ANN), InputNeeded):
            asked += 1
            assert "the upstream wants more scopes (write)" in result.questions["sign_in"].message
            answers = {"sign_in": ElicitationAnswer("accept")}
            talk = Conversation("exec_1", reply=Reply(answers, None, result.rounds))
        assert asked == 3
        assert failure_of(result).code == "oauth_scope_insufficient"
        # Who has signed in meanwhile goes on.
        await one.sign_in("it.user.me")
        data_of(await connection.invoke(prepared, 20, ANN))


@KINDS
async def test_where_nobody_signs_in_the_remedy_is_the_config(
    kind: str, tmp_path: Path, env: Mapping[str, str]
) -> None:
    async with auth_server() as server:
        server.clients["robot"] = "secret"
        server.wanted_scope = "write"
        async with opened(kind, tmp_path, env, server, ROBOT) as one:
            failure = failure_of(await call(one["it.org.me"], TOOLS[kind], {}, ANN))
            assert failure.code == "oauth_scope_insufficient"
            assert failure.message.endswith("add them to its `scopes`.")
            assert "url" not in failure.details


@KINDS
async def test_a_403_that_names_no_scopes_stays_what_it_is(
    kind: str, tmp_path: Path, env: Mapping[str, str]
) -> None:
    async with auth_server() as server, opened(kind, tmp_path, env, server) as one:
        await one.sign_in("it.user.me")
        challenge = ("WWW-Authenticate", 'Bearer error="insufficient_scope"')
        server.behind = lambda seen: Answer(403, [challenge])
        failure = failure_of(await call(one["it.user.me"], TOOLS[kind], {}, ANN))
        assert (failure.code, failure.status) == ("connection_rejected", 403)
        assert "WWW-Authenticate" not in json.dumps(failure.as_json())
