"""Executor signs in for itself: a real authorization server, a real API behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from proxy.connections import OpenConnection
from proxy.connections.oauth.storage import SHARED
from proxy.state import Entry, MemoryState
from proxy.tasks import TaskSupervisor
from tests.integrations.oauth.server import AuthServer, Quirks, auth_server
from tests.proxy.failing import FailingSupervisor
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

SECRET = "s3cret: with/odd+characters&=%"
SECRETS = {"S": SECRET}


@asynccontextmanager
async def opened(
    folder: Path,
    env: Mapping[str, str],
    server: AuthServer,
    state: MemoryState | None = None,
    secrets: Mapping[str, str] | None = None,
    tasks: TaskSupervisor | None = None,
    **options: Any,
) -> AsyncIterator[OpenConnection]:
    auth = {
        "kind": "oauth2",
        "grant": "client_credentials",
        "client_id": "robot",
        "client_secret": {"env": "S"},
        **({} if "token_url" in options else {"issuer": server.issuer}),
        **options,
    }
    auth = {name: value for name, value in auth.items() if value is not None}
    server.clients.setdefault("robot", SECRET)
    spec = f"{inline(shop())}\n    base_url: {server.url}/api"
    text = config_text(spec, connection=json.dumps({"auth": auth}))
    given = SECRETS if secrets is None else secrets
    async with connections_in(env, secrets=given, state=state, tasks=tasks) as connections:
        yield (await connections.open(config_of(folder, text))).connections["shop.org.main"]


@pytest.mark.parametrize(
    "options",
    [{}, {"client_auth": "post"}, {"token_url": "{url}/token"}, {"scopes": ["a", "b"], "audience": "api"}],
)
async def test_calls_carry_a_token(tmp_path: Path, env: Mapping[str, str], options: dict[str, Any]) -> None:
    async with auth_server() as server:
        options = {k: v.format(url=server.url) if isinstance(v, str) else v for k, v in options.items()}
        async with opened(tmp_path, env, server, **options) as connection:
            assert connection.status == {"status": "connected"}
            answers = [data_of(await call(connection, "items.list")) for _ in range(3)]
            assert {one["account"] for one in answers} == {"client:robot"}
            assert server.issued == 1
            (token,) = set(server.api_log)
            assert token in connection.known_secrets()
            assert connection.status["expiresAt"] > 0
            assert connection.oauth is not None
            ends = connection.oauth.expiry
            assert ends is not None
            assert (int(ends.at), ends.renewable) == (connection.status["expiresAt"], True)
            asked = server.asked[0]
            assert asked.get("scope") == ("a b" if "scopes" in options else None)
            assert asked.get("audience") == options.get("audience")
            assert "resource" not in asked


async def test_a_token_outlives_the_process(tmp_path: Path, env: Mapping[str, str]) -> None:
    state = MemoryState()
    async with auth_server() as server:
        for _ in range(2):
            async with opened(tmp_path, env, server, state) as connection:
                data_of(await call(connection, "items.list"))
        assert server.issued == 1
        # Another client is somebody else: its token is not the one of the first.
        server.clients["other"] = SECRET
        async with opened(tmp_path, env, server, state, client_id="other") as connection:
            assert data_of(await call(connection, "items.list"))["account"] == "client:other"


async def test_a_refused_token_is_replaced_once(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with auth_server() as server, opened(tmp_path, env, server) as connection:
        data_of(await call(connection, "items.list"))
        server.revoke_all()
        data_of(await call(connection, "items.list"))
        assert (server.issued, len(server.api_log)) == (2, 3)
        # An API that takes no token at all is asked twice a call, not for ever.
        server.api_log.clear()
        server.quirks.challenge = "Bearer"
        server.echo.answer = lambda seen: None if seen.path == "/token" else server.answer(seen)
        server.revoke_all()
        failure = failure_of(await call(connection, "items.list"))
        assert failure.code in ("connection_rejected", "oauth_refresh_failed")
        assert len(server.api_log) <= 2


async def test_a_token_of_another_replica_may_have_ended_too(tmp_path: Path, env: Mapping[str, str]) -> None:
    state = MemoryState()
    (tmp_path / "b").mkdir()
    async with (
        auth_server() as server,
        opened(tmp_path, env, server, state) as here,
        opened(tmp_path / "b", env, server, state) as there,
    ):
        for connection in (here, there):
            data_of(await call(connection, "items.list"))
        server.revoke_all()
        data_of(await call(there, "items.list"))
        server.revoke_all()
        # What it knows was refused, and so is what the other one has stored since.
        data_of(await call(here, "items.list"))
        assert server.issued == 3


class HeldReads(MemoryState):
    """A store whose next read, where `hold` is set, answers with what was there before it waited."""

    def __init__(self) -> None:
        super().__init__()
        self.hold: asyncio.Event | None = None
        self.is_held = asyncio.Event()

    async def read_entry(self, kind: str, workspace_id: str, key: str) -> Entry | None:
        entry = await super().read_entry(kind, workspace_id, key)
        if self.hold is not None:
            hold, self.hold = self.hold, None
            self.is_held.set()
            await hold.wait()
        return entry


async def test_a_slow_read_never_brings_an_older_token_back(tmp_path: Path, env: Mapping[str, str]) -> None:
    state = HeldReads()
    async with auth_server() as server, opened(tmp_path, env, server, state) as connection:
        data_of(await call(connection, "items.list"))
        assert connection.oauth is not None
        go = state.hold = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(connection.oauth.tokens.look(SHARED))
            await state.is_held.wait()
            server.revoke_all()
            data_of(await call(connection, "items.list"))
            go.set()
        data_of(await call(connection, "items.list"))
        assert (server.issued, len(server.api_log)) == (2, 4)


async def test_an_own_token_that_has_ended_meanwhile_is_replaced(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    """What is known is older than what this process has stored itself, and both are refused by now."""
    state = MemoryState()
    async with auth_server() as server, opened(tmp_path, env, server, state) as connection:
        assert connection.oauth is not None
        tokens = connection.oauth.tokens
        data_of(await call(connection, "items.list"))
        old = await tokens.access(SHARED)
        server.revoke_all()
        data_of(await call(connection, "items.list"))
        newest = await tokens.parts.store.read(tokens.plan.prefix, SHARED)
        assert newest is not None
        await tokens.parts.store.write(tokens.plan.prefix, SHARED, old, newest.entry)
        await tokens.look(SHARED)
        older = await tokens.parts.store.read(tokens.plan.prefix, SHARED)
        assert older is not None
        await tokens.parts.store.write(tokens.plan.prefix, SHARED, newest.record, older.entry)
        server.revoke_all()
        data_of(await call(connection, "items.list"))
        assert server.issued == 3


async def test_what_is_wrong_is_said(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with auth_server() as server:
        async with opened(tmp_path, env, server, secrets={}) as connection:
            assert connection.status == {"status": "needs_secret", "error": "S is not set"}
            failure = failure_of(await call(connection, "items.list"))
            assert (failure.code, failure.retryable) == ("connection_value_missing", False)
        async with opened(tmp_path, env, server, secrets={"S": "wrong-secret"}) as connection:
            failure = failure_of(await call(connection, "items.list"))
            assert (failure.code, failure.retryable) == ("oauth_refresh_failed", False)
            assert "invalid_client" in failure.message
            assert "wrong-secret" not in failure.message
        server.down = True
        async with opened(tmp_path, env, server) as connection:
            failure = failure_of(await call(connection, "items.list"))
            assert failure.code == "oauth_refresh_failed"


async def test_a_signed_assertion_instead_of_a_secret(tmp_path: Path, env: Mapping[str, str]) -> None:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from joserfc import jwt
    from joserfc.jwk import ECKey

    key = generate_private_key(SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    async with auth_server() as server:
        server.clients["robot"] = ""
        text: dict[str, Any] = {"private_key": {"env": "K"}, "key_id": "k1", "algorithm": "ES256"}
        text["client_secret"] = None
        async with opened(tmp_path, env, server, secrets={"K": pem}, **text) as connection:
            data_of(await call(connection, "items.list"))
        asked = server.asked[0]
        assert asked["client_assertion_type"].endswith(":jwt-bearer")
        signed = jwt.decode(asked["client_assertion"], ECKey.import_key(pem), algorithms=["ES256"])
        assert signed.header["kid"] == "k1"
        assert (signed.claims["iss"], signed.claims["sub"]) == ("robot", "robot")
        assert signed.claims["aud"] == server.issuer


async def test_short_lives_are_renewed_before_their_end(tmp_path: Path, env: Mapping[str, str]) -> None:
    """A life of 4 s is renewed in its last second; `expires_in` as text counts."""
    async with auth_server(Quirks(expires_in="4")) as server, opened(tmp_path, env, server) as connection:
        data_of(await call(connection, "items.list"))
        assert connection.oauth is not None
        record = await connection.oauth.tokens.access(connection.oauth.holder(None))  # type: ignore[arg-type]
        assert record.expires_at is not None
        assert record.expires_at - record.obtained_at == pytest.approx(4)


async def test_a_request_that_cannot_be_made_fails_its_call_only(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    tasks = FailingSupervisor("token")
    async with auth_server() as server, opened(tmp_path, env, server, tasks=tasks) as connection:
        assert failure_of(await call(connection, "items.list")).code == "oauth_refresh_failed"
        assert data_of(await call(connection, "items.list"))["account"] == "client:robot"
    assert tasks.failures == 1.0
