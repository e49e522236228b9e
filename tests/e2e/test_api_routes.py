"""Every route of the REST API once with a request that is good, on one server: its answer is what the document says.

The rows come from the table that the server is made of: a route that the tour does not visit fails here. (What foreign
credentials get: `test_workspaces`; odd values: `make api-truth`.)
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest
from jsonschema import Draft202012Validator

from proxy.auth import hash_key
from proxy.serving.detached import DetachedTasks
from proxy.serving.rest.openapi import document
from proxy.serving.rest.routes import Route, routes
from tests.e2e import configs
from tests.e2e.running import JsonObject, Proxy, serving
from tests.e2e.upstream import Upstream
from tests.integrations.mcp.http_server import RawHttp
from tests.integrations.oauth.server import AuthServer, auth_thread
from tests.proxy.support import shop

KEY, WS = "exk_tour-key-0000000000000", "ws_tour"
ROUTES = routes(DetachedTasks())
DOCUMENT = document(ROUTES)
MAIL, TOOL = "mail.user.me", "shop.org.main.things.list"
CREATE = 'return (await tools.shop.org.main.things.create({body: {name: "bolt", price: 1}})).ok'
SERVERS = f"/api/v1/workspaces/{WS}/mcp"
Answers = dict[str, JsonObject]


def config(api: Upstream, auth: AuthServer) -> JsonObject:
    mail = {"kind": "openapi", "spec": {"inline": shop()}, "base_url": f"{auth.url}/api"}
    sign_in = {"kind": "oauth2", "grant": "authorization_code", "issuer": auth.issuer}
    base = configs.base(api)
    return {
        **base,
        "integrations": {**base["integrations"], "mail": mail},
        "connections": {**base["connections"], MAIL: {"auth": sign_in}},
        "rate_limits": {},
        "auth": {
            "api_keys": {
                "keys": {"tour": {"hash": f"sha256:{hash_key(KEY)}", "workspace": WS, "groups": ["ops"]}}
            },
            "roles": {"admin": ["ops"], "approver": ["ops"]},
        },
        "workspaces": {WS: {}},
        "api": {"registration": "overlay", "egress": {"allow": ["127.0.0.0/8"]}},
    }


class Tour:
    """Calls routes by their names, and keeps each one's first answer."""

    def __init__(self, proxy: Proxy, auth: AuthServer) -> None:
        self._proxy = proxy
        self._auth = auth
        self._named = {one.name: one for one in ROUTES}
        self.answers: Answers = {}

    async def call(
        self, called: str, /, body: Any = None, query: JsonObject | None = None, **path: str
    ) -> Any:
        route = self._named[called]
        async with self._proxy.client(KEY) as http:
            answer = await http.request(
                route.method, route.path.format(workspaceID=WS, **path), json=body, params=query
            )
        assert answer.status_code == 200, (route.name, answer.text)
        said = answer.json()
        self.answers.setdefault(called, said)
        return said

    async def sent_back(self, url: str) -> dict[str, str]:
        """Somebody signs in: what their browser is sent back with."""
        async with httpx2.AsyncClient(trust_env=False) as browser:
            answer = await browser.get(url)
        return dict(parse_qsl(urlsplit(answer.headers["location"]).query))

    async def executions(self) -> None:
        one, two, three = [
            (await self.call("execute", {"code": CREATE, "sessionId": "mcp_tour"}))["executionId"]
            for _ in range(3)
        ]
        await self.call("listExecutions", query={"status": "paused", "limit": "2"})
        await self.call("listApprovals")
        await self.call("decideExecution", {"action": "accept"}, executionId=one)
        await self.call("resumeExecution", {}, executionId=one)
        await self.call("getExecution", executionId=one)
        await self.call("getSessionExecution", sessionId="mcp_tour", executionId=two)
        await self.call(
            "decideSessionExecution", {"action": "decline"}, sessionId="mcp_tour", executionId=two
        )
        await self.call("cancelExecution", executionId=three)

    async def catalog(self) -> None:
        await self.call("listTools", query={"query": "things", "includeSchemas": "true"})
        await self.call("getTool", address=TOOL)
        await self.call("listConnections")
        await self.call("explainPolicy", query={"tool": TOOL, "arguments": "{}"})

    async def sign_ins(self) -> None:
        await self.call("listSignIns")
        begun = await self.call("beginSignIn", {}, connection=MAIL)
        back = await self.sent_back(begun["authorizationUrl"])
        await self.call("completeSignIn", back, connection=MAIL)
        await self.call("signOut", connection=MAIL)
        device = await self.call("beginDeviceSignIn", connection=MAIL)
        self._auth.enter(device["userCode"], "ann")
        async with asyncio.timeout(30):
            while True:
                said = await self.call("askDeviceSignIn", {"state": device["state"]}, connection=MAIL)
                if said["status"] == "connected":
                    break
        self.answers["askDeviceSignIn"] = said

    async def servers(self) -> None:
        docs = {"type": "remote", "url": f"{self._auth.url}/api"}
        await self.call("registerServer", {"name": "docs", "config": docs})
        await self.call("listServers")
        begun = await self.call("beginServerSignIn", name="docs")
        back = await self.sent_back(begun["authorizationUrl"])
        await self.call("completeServerSignIn", {"code": back["code"]}, name="docs")
        await self.call("awaitServerSignIn", name="docs")
        await self.call("connectServer", name="docs")
        await self.call("disconnectServer", name="docs")
        await self.call("exportServers")
        await self.call("endServerSignIn", name="docs")
        await self.call("removeServer", name="docs")


@pytest.fixture(scope="module")
def answers(api: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answers]:
    folder: Path = tmp_path_factory.mktemp("tour")
    with auth_thread() as auth:
        raw = RawHttp(auth.echo)
        raw.modern = True
        auth.echo.answer, auth.behind = auth.answer, raw.answer
        auth.quirks.devices = True
        file = configs.write(folder / "executor.yaml", config(api, auth))
        with serving(file, folder / "state", env=configs.ENV) as proxy:
            tour = Tour(proxy, auth)
            for part in (tour.executions, tour.catalog, tour.sign_ins, tour.servers):
                asyncio.run(part())
            yield tour.answers


# What the answer must say beyond its schema.
SAYS: dict[str, Callable[[Any], bool]] = {
    "execute": lambda said: said["status"] == "waiting_for_interaction",
    "listExecutions": lambda said: len(said["items"]) == 2 and bool(said["nextCursor"]),
    "listApprovals": lambda said: len(said["items"]) == 3,
    "decideExecution": lambda said: list(said["decided"].values()) == ["accept"],
    "resumeExecution": lambda said: said["result"] is True,
    "getExecution": lambda said: said["status"] == "completed",
    "getSessionExecution": lambda said: said["status"] == "waiting_for_interaction",
    "listTools": lambda said: any(one["path"] == TOOL for one in said["items"]),
    "getTool": lambda said: said["path"] == TOOL,
    "listConnections": lambda said: len(said["items"]) == 2,
    "explainPolicy": lambda said: said["action"] == "approve",
    "completeSignIn": lambda said: said == {"connection": MAIL, "status": "connected"},
    "signOut": lambda said: said == {"connection": MAIL, "signedOut": True},
    "askDeviceSignIn": lambda said: said == {"connection": MAIL, "status": "connected"},
    "registerServer": lambda said: said == {"docs": {"status": "needs_auth"}},
    "listServers": lambda said: said == {"docs": {"status": "needs_auth"}},
    "beginServerSignIn": lambda said: list(said) == ["authorizationUrl"],
    "completeServerSignIn": lambda said: said == {"status": "connected"},
    "awaitServerSignIn": lambda said: said == {"status": "connected"},
    "connectServer": lambda said: said is True,
    "disconnectServer": lambda said: said is True,
    "exportServers": lambda said: "docs:" in said["yaml"],
    "endServerSignIn": lambda said: said == {"success": True},
    "removeServer": lambda said: said == {"success": True},
}


@pytest.mark.parametrize("route", ROUTES, ids=[f"{one.method} {one.path}" for one in ROUTES])
def test_a_good_request_gets_what_the_document_promises(answers: Answers, route: Route) -> None:
    assert route.name in answers, "a route that the tour does not visit: add it there"
    said = answers[route.name]
    schema = {"$ref": f"#/components/schemas/{route.answer}", "components": DOCUMENT["components"]}
    Draft202012Validator(schema).validate(said)
    says = SAYS.get(route.name)
    assert says is None or says(said), said
