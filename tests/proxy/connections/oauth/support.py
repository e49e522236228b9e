"""A config with one connection that people sign in to, and a browser that follows redirects without a person."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2

from proxy.connections import Connections, OpenConnection
from proxy.connections.oauth.sign_in import SignIns
from proxy.connections.oauth.storage import TokenStore
from proxy.principal import Principal
from proxy.state import State
from tests.integrations.oauth.server import AuthServer
from tests.proxy.support import config_of, config_text, connections_in, inline, shop

BASE = "http://127.0.0.1:8080"
ANN = Principal("default", "key:ann", "key")
BOB = Principal("default", "key:bob", "key")
NOBODY = Principal("default", "anonymous", "anonymous")


async def visit(url: str) -> dict[str, str]:
    """What a browser brings back from the authorization server."""
    async with httpx2.AsyncClient(trust_env=False) as browser:
        answer = await browser.get(url)
    assert answer.status_code == 302, answer.text
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


@dataclass
class Replica:
    """One process of several, as far as connections go."""

    connections: Connections
    open: Mapping[str, OpenConnection]
    sign_ins: SignIns
    again: Callable[[], Awaitable[None]] | None = None

    def __getitem__(self, prefix: str) -> OpenConnection:
        return self.open[prefix]

    async def sign_in(self, prefix: str, who: Principal = ANN, *, operator: bool = False) -> None:
        begun = await self.sign_ins.begin(prefix, who, operator=operator)
        await self.sign_ins.complete(await visit(begun.url), who, operator=operator)


@asynccontextmanager
async def replica(
    folder: Path,
    env: Mapping[str, str],
    server: AuthServer,
    state: State,
    auth: Mapping[str, Any] | None = None,
    *,
    secrets: Mapping[str, str] | None = None,
    base: str | None = BASE,
) -> AsyncIterator[Replica]:
    """`shop.user.me` and `shop.org.main`, both signed in to at `server`."""
    given = {"issuer": server.issuer} if auth is None else dict(auth)
    entry = json.dumps({"auth": {"kind": "oauth2", "grant": "authorization_code", **given}})
    spec = f"{inline(shop())}\n    base_url: {server.url}/api"
    text = config_text(spec, connection=entry, more=f"  shop.user.me: {entry}\n")

    def page(prefix: str, account: str | None) -> str | None:
        return f"{base}/sign-in/{prefix}" if base else None

    async with connections_in(env, secrets=secrets, state=state, page=page) as connections:
        opened = (await connections.open(config_of(folder, text))).connections

        def find(workspace: str, prefix: str) -> Any:
            return opened[prefix].oauth if prefix in opened else None

        yield Replica(connections, opened, SignIns(find, TokenStore(state), lambda: base))
