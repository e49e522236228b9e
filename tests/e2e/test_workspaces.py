"""No route of one workspace tells or changes anything with the credentials of another.

The routes come from the table that the server itself is made of: a new one is tried without a change here, and one
with a new parameter fails until it says what a foreign value of that is.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from proxy.auth import hash_key
from proxy.serving.detached import DetachedTasks
from proxy.serving.rest.routes import Route, routes
from tests.e2e import configs
from tests.e2e.running import Proxy, serving
from tests.e2e.upstream import Upstream
from tests.e2e.workspace_client import McpClient

OURS, THEIRS = "ws_ours", "ws_theirs"
# Their operator is one of the server's: even so, no route leads into our workspace.
OWNER, STRANGER = "exk_owner-key-00000000000", "exk_stranger-key-00000000"
CANARY = "canary-of-ours"
ROUTES = routes(DetachedTasks())


@dataclass
class Scene:
    """Our workspace with everything that one can have. `parameters` lead to it."""

    proxy: Proxy
    parameters: dict[str, str]

    async def ask(self, key: str, method: str, path: str, body: Any = None, **query: str) -> httpx2.Response:
        async with self.proxy.client(key) as http:
            return await http.request(method, path, params=query, json=body)

    async def ours(self) -> list[Any]:
        """What our owner sees: it is the same before and after."""
        shown = (
            "/api/executions",
            "/api/approvals",
            "/api/connections",
            "/api/overlay",
            f"/api/v1/workspaces/{OURS}/mcp",
        )
        return [(await self.ask(OWNER, "GET", path)).json() for path in shown]


@pytest.fixture(scope="module")
def scene(api: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("isolated")
    keys = {
        "owner": {"hash": f"sha256:{hash_key(OWNER)}", "workspace": OURS, "groups": ["ops"]},
        "stranger": {"hash": f"sha256:{hash_key(STRANGER)}", "workspace": THEIRS, "groups": ["ops"]},
    }
    base = configs.base(api)
    config = {
        **base,
        "rate_limits": {},
        "auth": {"api_keys": {"keys": keys}, "roles": {"admin": ["ops"], "approver": ["ops"]}},
        "workspaces": {OURS: {}, THEIRS: {"integrations": []}},
        "api": {"registration": "overlay"},
        "policies": [{"pattern": "*", "action": "require_approval"}],
    }
    with serving(configs.write(folder / "executor.yaml", config), folder / "state", env=configs.ENV) as proxy:
        yield asyncio.run(prepared(proxy, next(iter(base["connections"]))))


async def prepared(proxy: Proxy, connection: str) -> Scene:
    """A paused execution with an approval, a registered server."""
    scene = Scene(proxy, {})
    tools = (await scene.ask(OWNER, "GET", "/api/tools")).json()["items"]
    address = next(one["path"] for one in tools if one["path"].startswith(connection))
    code = f'return await tools["{address}"]({{}}) ?? "{CANARY}"'
    paused = (await scene.ask(OWNER, "POST", "/api/executions", {"code": code})).json()
    client = McpClient(proxy, OWNER, OURS)
    url = f"https://{CANARY}.invalid/mcp"
    added = await client.add_server(CANARY, {"type": "remote", "url": url, "enabled": False})
    assert added == {CANARY: {"status": "disabled"}}
    scene.parameters |= {
        "executionId": paused["executionId"],
        "sessionId": "mcp_0123456789abcdef",
        "address": address,
        "connection": connection,
        "workspaceID": OURS,
        "name": CANARY,
    }
    return scene


def filled(route: Route, parameters: dict[str, str]) -> str:
    return route.path.format(**{name: quote(value, safe="") for name, value in parameters.items()})


BODIES: dict[str | None, Any] = {
    None: None,
    "ExecuteRequest": {"code": "return await tools.catalog.namespaces({})"},
    "ResumeRequest": {"action": "accept"},
    "DecideRequest": {"action": "accept"},
    "SignInRequest": {},
    "SignInCallback": {"state": "x", "code": "y"},
    "DeviceSignInQuestion": {"state": "x"},
    "ServerRegistration": {"name": "mine", "config": {"type": "remote", "url": "https://x.invalid"}},
    "ServerSignInCallback": {"code": "x"},
}


@pytest.mark.parametrize("route", ROUTES, ids=[f"{one.method} {one.path}" for one in ROUTES])
async def test_with_foreign_credentials_a_route_tells_and_changes_nothing(scene: Scene, route: Route) -> None:
    before = await scene.ours()
    path, body = filled(route, scene.parameters), BODIES[route.body]
    query = {"tool": scene.parameters["address"]} if "tool" in route.required else {}
    answers = [await scene.ask(STRANGER, route.method, path, body, **query)]
    into = await scene.ask(STRANGER, route.method, path, body, workspaceId=OURS, **query)
    assert into.status_code == 403, into.text
    nobody = await scene.ask("exk_unknown-key-000000000", route.method, path, body, **query)
    assert nobody.status_code == 401
    if "{" in route.path or query:
        # Unknown and foreign look the same.
        unknown = answers[0].status_code in (403, 404) or "state_mismatch" in answers[0].text
        assert unknown, answers[0].text
    for answer in (*answers, into, nobody):
        told = answer.text.replace(path, "")
        assert scene.parameters["executionId"] not in told
        assert f"{CANARY}.invalid" not in told
    if answers[0].status_code == 200:
        assert CANARY not in answers[0].text
        assert scene.parameters["address"] not in json.dumps(answers[0].json())
    assert await scene.ours() == before


async def test_sessions_and_tools_of_mcp_are_those_of_the_own_workspace(scene: Scene) -> None:
    foreign = await scene.proxy.execute("return await tools.catalog.namespaces({})", token=STRANGER)
    assert scene.parameters["connection"] not in foreign.text
    async with scene.proxy.client(STRANGER) as http:
        for path in (f"/{OURS}/mcp", f"/mcp?workspaceId={OURS}"):
            assert (await http.post(path, json={})).status_code == 403
