"""Nothing outside of the REST table leads from one workspace into another either: MCP, pages, operations, the audit
trail, limits, policies. The routes of the pages come from the app that serves them: a new one is tried without a change
here. (Those of the REST API: `test_workspaces`.)
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from proxy.auth import hash_key
from proxy.serving.drain import Drain
from proxy.serving.pages import PageOptions
from proxy.serving.rest.operations import RestOptions, build_rest
from tests import processes
from tests.e2e import configs
from tests.e2e.running import Proxy, post, serving
from tests.e2e.upstream import Upstream
from tests.e2e.workspace_client import McpClient
from tests.proxy.serving.board import Board

OURS, THEIRS, SMALL = "ws_ours", "ws_theirs", "ws_small"
OWNER, STRANGER = "exk_owner-key-00000000000", "exk_stranger-key-00000000"
SERVER_ADMIN, TENANT = "exk_boss-key-000000000000", "exk_small-key-00000000000"
CANARY = "canary-of-ours"
RULES = [(rule.rule, rule.methods or set()) for rule in
         build_rest(Board(), Drain(), RestOptions(pages=PageOptions())).url_map.iter_rules()]  # fmt: skip
PAGES = sorted(
    (method, rule)
    for rule, methods in RULES
    for method in methods & {"GET", "POST"}
    if not rule.startswith(("/api", "/.well-known", "/v1", "/health", "/ready", "/-", "/metrics"))
)
FILLED = {"connection": "shop.org.main", "name": CANARY, "prefix": "shop.org.main"}
OPERATIONS = [("GET", "/-/status"), ("GET", "/-/config"), ("GET", "/metrics"), ("POST", "/-/reload")]
READ = "return (await tools.shop.org.main.things.list({})).ok"


@dataclass
class Scene:
    proxy: Proxy
    folder: Path
    execution: str = ""
    session: str = ""
    signed_in: dict[str, str] | None = None

    async def ask(self, key: str, method: str, path: str, **more: Any) -> httpx2.Response:
        async with self.proxy.client(key) as http:
            return await http.request(method, path, **more)

    @asynccontextmanager
    async def browser(self) -> AsyncIterator[httpx2.AsyncClient]:
        """The stranger, signed in on the pages once: signing in is limited."""
        own = {"origin": self.proxy.url, "sec-fetch-site": "same-origin"}
        async with httpx2.AsyncClient(base_url=self.proxy.url, trust_env=False, headers=own) as http:
            if self.signed_in is None:
                assert (await http.post("/login", data={"credential": STRANGER})).status_code == 303
                self.signed_in = dict(http.cookies)
            http.cookies.update(self.signed_in)
            yield http


def config(api: Upstream, folder: Path) -> dict[str, Any]:
    keys = {
        "owner": {"hash": f"sha256:{hash_key(OWNER)}", "workspace": OURS, "groups": ["approvers"]},
        "stranger": {"hash": f"sha256:{hash_key(STRANGER)}", "workspace": THEIRS, "groups": ["approvers"]},
        "boss": {"hash": f"sha256:{hash_key(SERVER_ADMIN)}", "workspace": OURS, "groups": ["ops"]},
        "tenant": {"hash": f"sha256:{hash_key(TENANT)}", "workspace": SMALL},
    }
    ask_first = {"id": "ask", "pattern": "shop.*.*.things.create", "action": "require_approval"}
    hidden = {"id": "not-here", "pattern": "shop.*.*.things.list", "action": "block"}
    return configs.base(
        api,
        ask_first,
        auth={
            "api_keys": {"keys": keys},
            "roles": {"admin": ["ops"], "approver": ["approvers"]},
        },
        rate_limits={"all": {"per": "workspace", "limit": "100000/minute"}},
        workspaces={
            OURS: {},
            THEIRS: {"integrations": []},
            SMALL: {"policies": [hidden], "rate_limits": {"all": "12/minute"}},
        },
        api={"registration": "overlay"},
        audit={"sink": {"file": str(folder / "audit.jsonl")}, "arguments": "full"},
    )


@pytest.fixture(scope="module")
def scene(api: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("walls")
    file = configs.write(folder / "executor.yaml", config(api, folder))
    with serving(file, folder / "state", env=configs.ENV) as proxy:
        one = Scene(proxy, folder)
        asyncio.run(furnish(one))
        yield one


async def furnish(scene: Scene) -> None:
    """A paused execution, a session, a registered server: what our workspace has that nobody else may find."""
    code = f'return await tools.shop.org.main.things.create({{body: {{name: "{CANARY}", price: 1}}}})'
    paused = await scene.proxy.execute(code, token=OWNER)
    assert paused.status == "waiting_for_interaction", paused.text
    scene.execution = paused.structured["executionId"]
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    answer = await rpc(scene, OWNER, "initialize", hello)
    scene.session = answer.headers["mcp-session-id"]
    url = f"https://{CANARY}.invalid/mcp"
    boss = McpClient(scene.proxy, SERVER_ADMIN, OURS)
    await boss.add_server(CANARY, {"type": "remote", "url": url, "enabled": False})
    assert boss.last.status_code == 200


async def rpc(scene: Scene, key: str, method: str, params: Any = None, **headers: str) -> httpx2.Response:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
    accept = {"accept": "application/json, text/event-stream", **headers}
    return await scene.ask(key, "POST", "/mcp", json=body, headers=accept)


def told(answer: httpx2.Response, scene: Scene, *asked: str) -> list[str]:
    """What an answer says of our workspace beyond what was asked with."""
    text = answer.text
    for one in asked:
        text = text.replace(one, "")
    return [one for one in (CANARY, scene.execution, "shop.org.main", "key:owner") if one in text]


async def opened(http: httpx2.AsyncClient, method: str, path: str, **more: Any) -> httpx2.Response:
    """The whole answer; of a stream that does not end, what comes first."""
    async with http.stream(method, path, **more) as answer:
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            await answer.aread()
            return answer
        async for chunk in answer.aiter_bytes():
            return httpx2.Response(answer.status_code, content=chunk)
    return httpx2.Response(answer.status_code)


@pytest.mark.parametrize(("method", "rule"), PAGES)
async def test_no_page_of_ours_opens_for_a_stranger(scene: Scene, method: str, rule: str) -> None:
    """A stranger who may approve in a workspace of their own, with our ids in every place."""
    parts = [FILLED.get(one.strip("<>").rpartition(":")[2], scene.execution) if one.startswith("<") else one
             for one in rule.split("/")]  # fmt: skip
    path = "/".join(parts)
    async with scene.browser() as http:
        answer = await opened(http, method, path, **({"data": {"csrf": "x"}} if method == "POST" else {}))
        into = await opened(http, method, path, params={"workspaceId": OURS})
    assert answer.status_code < 500
    assert rule != "/console" or answer.status_code == 200, "the stranger is not signed in"
    assert told(answer, scene, path) == []
    assert told(into, scene, path, f"workspaceId={OURS}") == []
    if "<" in rule and not rule.startswith("/static") and "state" not in rule:
        assert answer.status_code in (303, 403, 404, 415, 422), (path, answer.status_code)


@pytest.mark.parametrize(
    "path", [f"/{OURS}/mcp", f"/mcp?workspaceId={OURS}", f"/v1/mcp?workspaceId={OURS}",
             f"/mcp/anonymous?workspaceId={OURS}", f"/v1/mcp/anonymous?workspaceId={OURS}"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
async def test_no_path_of_mcp_leads_into_it(scene: Scene, path: str, method: str) -> None:
    headers = {"mcp-session-id": scene.session, "accept": "application/json, text/event-stream"}
    answer = await scene.ask(STRANGER, method, path, headers=headers)
    assert (answer.status_code, told(answer, scene)) == (403, [])


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
async def test_a_session_is_of_its_owner(scene: Scene, method: str) -> None:
    if method == "POST":
        answer = await rpc(scene, STRANGER, "tools/list", **{"mcp-session-id": scene.session})
    else:
        answer = await scene.ask(STRANGER, method, "/mcp", headers={"mcp-session-id": scene.session})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, -32003)
    still = await rpc(scene, OWNER, "tools/list", **{"mcp-session-id": scene.session})
    assert still.status_code == 200


async def test_tools_of_mcp_do_not_know_what_is_ours(scene: Scene) -> None:
    async with scene.proxy.client(STRANGER) as http:
        resumed = await post(http, "resume", {"executionId": scene.execution, "action": "accept"})
    assert "not_found" in resumed.text
    code = """
        const found = [await tools.search({query: "things"}), await tools.executor.connections.list({})];
        for (const name of ["things.create", "things.list"])
            found.push(await tools.shop.org.main[name]({}).catch(error => String(error)));
        return found"""
    answer = await scene.proxy.execute(code, token=STRANGER)
    assert CANARY not in answer.text
    assert "connected" not in answer.text
    shown = (await scene.ask(OWNER, "GET", f"/api/executions/{scene.execution}")).json()
    assert shown["status"] == "waiting_for_interaction"


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
async def test_operations_are_for_operators_of_the_server(scene: Scene, method: str, path: str) -> None:
    """Whoever approves in a workspace is none; the admin role is for the whole server."""
    for key in (STRANGER, OWNER):
        answer = await scene.ask(key, method, path)
        assert (answer.status_code, told(answer, scene)) == (403, [])


async def test_rules_and_limits_of_one_workspace_bind_no_other(scene: Scene) -> None:
    """The same tool is blocked in one, and its last request there costs the others nothing."""
    assert await scene.proxy.value(READ, token=OWNER) is True
    small = await scene.proxy.execute(
        "return (await tools.shop.org.main.things.list({})).error.code", token=TENANT
    )
    assert small.value in ("tool_not_found", "tool_blocked"), small.text
    answers = [await scene.ask(TENANT, "GET", "/api/tools") for _ in range(14)]
    assert answers[-1].status_code == 429, [one.status_code for one in answers]
    assert await scene.proxy.value(READ, token=OWNER) is True
    assert (await scene.ask(STRANGER, "GET", "/api/tools")).status_code == 200


async def test_the_audit_trail_tells_workspaces_apart(scene: Scene) -> None:
    """Every line is somebody's, and a query for one workspace has no line of another."""
    await scene.proxy.value("return 1", token=STRANGER)
    assert (await scene.ask(STRANGER, "GET", f"/{OURS}/mcp")).status_code == 403
    of = {workspace: query(scene, "--workspace", workspace) for workspace in (OURS, THEIRS)}
    assert {line["who"]["account"] for line in of[THEIRS] if "who" in line} == {"key:stranger"}
    assert CANARY not in json.dumps(of[THEIRS])
    assert {line["who"]["account"] for line in of[OURS] if "who" in line} == {"key:owner", "key:boss"}
    assert CANARY in json.dumps(of[OURS])
    # Who tried to get in, and where.
    tried = [line for line in query(scene, "--account", "key:stranger") if line["event"] == "auth_failure"]
    assert {line["workspace"] for line in tried} == {OURS}
    assert {line["workspace"] for line in of[OURS] if line["event"] == "auth_failure"} == {OURS}


def query(scene: Scene, *conditions: str) -> list[dict[str, Any]]:
    words = ("audit", "query", str(scene.folder / "audit.jsonl"), *conditions, "--json")
    done = processes.run(*words)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]
