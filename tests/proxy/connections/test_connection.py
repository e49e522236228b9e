"""One connection: its status, and the credential of each call. Upstreams are real HTTP servers."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from integrations.base import JsonObject
from proxy.connections import OpenConnection
from tests.integrations.echo import Echo, Seen, echo_server
from tests.proxy.support import (
    call,
    config_of,
    config_text,
    connections_in,
    data_of,
    failure_of,
    inline,
    shop,
)

BEARER = "{auth: {kind: bearer, token: {env: TOKEN}}}"
SECURED: JsonObject = {
    "components": {
        "securitySchemes": {
            "key": {"type": "apiKey", "in": "header", "name": "X-Key"},
            "login": {"type": "http", "scheme": "basic"},
        }
    },
    "security": [{"key": []}, {"login": []}],
}


@asynccontextmanager
async def opened(
    folder: Path,
    env: Mapping[str, str],
    connection: str,
    secrets: Mapping[str, str] | None = None,
    headers: str = "{}",
    more: str = "",
    **parts: Any,
) -> AsyncIterator[tuple[Echo, dict[str, OpenConnection]]]:
    async with echo_server() as echo, connections_in(env, secrets=secrets) as connections:
        spec = f"{inline(shop(**parts))}\n    base_url: {echo.url}\n    headers: {headers}"
        config = config_of(folder, config_text(spec, connection=connection, more=more))
        yield echo, dict((await connections.open(config)).connections)


async def sent(echo: Echo, connection: OpenConnection) -> Seen:
    """What arrives when `items.list` is called."""
    data_of(await call(connection, "items.list"))
    return echo.log[-1]


async def test_the_credential_goes_with_the_call(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with opened(tmp_path, env, BEARER, {"TOKEN": "t0k"}) as (echo, connections):
        connection = connections["shop.org.main"]
        assert connection.status == {"status": "connected"}
        assert (await sent(echo, connection)).header("authorization") == "Bearer t0k"
        assert connection.known_secrets() == ["t0k"]


async def test_a_missing_secret_stops_its_connection_only(tmp_path: Path, env: Mapping[str, str]) -> None:
    more = "  shop.org.open: {}\n"
    async with opened(tmp_path, env, BEARER, {}, more=more) as (echo, connections):
        needy = connections["shop.org.main"]
        assert needy.status == {"status": "needs_secret", "error": "TOKEN is not set"}
        assert needy.known_secrets() == []
        failure = failure_of(await call(needy, "items.list"))
        assert (failure.code, failure.retryable) == ("connection_value_missing", False)
        assert failure.message == "shop.org.main: TOKEN is not set"
        assert echo.log == []
        assert connections["shop.org.open"].status == {"status": "connected"}
        await sent(echo, connections["shop.org.open"])


async def test_a_rotated_secret_file_is_used_by_the_next_call(tmp_path: Path, env: Mapping[str, str]) -> None:
    secret = tmp_path / "token"
    secret.write_text("first\n")
    auth = f"{{auth: {{kind: bearer, token: {{file: {secret}}}}}}}"
    async with opened(tmp_path, env, auth) as (echo, connections):
        connection = connections["shop.org.main"]
        assert (await sent(echo, connection)).header("authorization") == "Bearer first"
        replacement = tmp_path / "next"
        replacement.write_text("second\n")
        replacement.replace(secret)
        assert (await sent(echo, connection)).header("authorization") == "Bearer second"
        assert connection.known_secrets() == ["second"]
        secret.unlink()
        assert connection.status["status"] == "needs_secret"
        assert failure_of(await call(connection, "items.list")).code == "connection_value_missing"


async def test_text_and_secret_headers_of_the_integration(tmp_path: Path, env: Mapping[str, str]) -> None:
    headers = "{X-Team: blue, X-Key: {env: KEY}}"
    secrets = {"TOKEN": "t0k", "KEY": "k3y"}
    async with opened(tmp_path, env, BEARER, secrets, headers) as (echo, connections):
        connection = connections["shop.org.main"]
        seen = await sent(echo, connection)
        assert [seen.header(name) for name in ("x-team", "x-key", "authorization")] == [
            "blue",
            "k3y",
            "Bearer t0k",
        ]
        assert sorted(connection.known_secrets()) == ["k3y", "t0k"]


async def test_parts_arrive_at_their_places(tmp_path: Path, env: Mapping[str, str]) -> None:
    parts = (
        "{kind: basic, username: ann, password: {env: A}}, {kind: query, name: key, value: {env: B}}, "
        "{kind: cookie, name: sid, value: {env: C}}"
    )
    auth = f"{{auth: {{kind: parts, parts: [{parts}]}}}}"
    async with opened(tmp_path, env, auth, {"A": "pw", "B": "b b", "C": "c"}) as (echo, connections):
        seen = await sent(echo, connections["shop.org.main"])
    assert seen.header("authorization") == "Basic " + base64.b64encode(b"ann:pw").decode()
    assert seen.query == "key=b%20b"
    assert seen.header("cookie") == "sid=c"


async def test_schemes_go_where_the_document_says(tmp_path: Path, env: Mapping[str, str]) -> None:
    by_key = "{auth: {kind: schemes, schemes: {key: {value: {env: A}}}}}"
    more = (
        "  shop.org.login: {auth: {kind: schemes, schemes: {login: {username: ann, password: {env: B}}}}}\n"
    )
    async with opened(tmp_path, env, by_key, {"A": "k3y", "B": "pw"}, more=more, **SECURED) as (
        echo,
        connections,
    ):
        seen = await sent(echo, connections["shop.org.main"])
        assert (seen.header("x-key"), seen.header("authorization")) == ("k3y", None)
        seen = await sent(echo, connections["shop.org.login"])
        assert seen.header("authorization") == "Basic " + base64.b64encode(b"ann:pw").decode()


async def test_the_connection_may_name_another_server(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with echo_server() as other:
        more = f"  shop.org.other: {{base_url: {other.url}/v2}}\n"
        async with opened(tmp_path, env, "{}", more=more) as (echo, connections):
            data: JsonObject = data_of(await call(connections["shop.org.other"], "items.get", {"id": "7"}))
            assert data["path"] == "/v2/items/7"
            assert (len(echo.log), len(other.log)) == (0, 1)


async def test_without_its_document_a_connection_says_so(tmp_path: Path, env: Mapping[str, str]) -> None:
    """What a call under way at a reload meets."""
    async with opened(tmp_path, env, "{}") as (_, connections):
        ready = connections["shop.org.main"]
        assert ready.upstream is not None
        prepared = ready.upstream.prepare("items.list", {})
        down = OpenConnection(
            "shop",
            "org",
            "main",
            "openapi",
            "",
            1.0,
            "",
            None,
            ready.resolve,
            {"status": "failed", "error": "gone"},
        )
        failure = failure_of(await down.invoke(prepared, 1.0))
    assert down.status == {"status": "failed", "error": "gone"}
    assert (failure.code, failure.retryable) == ("connection_not_ready", True)
    assert failure.message == "shop.org.main is not ready: gone"


async def test_statuses_are_json(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with opened(tmp_path, env, BEARER, {}) as (_, connections):
        assert json.loads(json.dumps(connections["shop.org.main"].status))["status"] == "needs_secret"
