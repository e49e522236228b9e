"""Recipe 22: what requests of each kind of integration say of their sender; and the names of operations (recipe 07)."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import configs
from tests.e2e.running import Proxy, serving
from tests.integrations.echo import Echo, Reply, echo_thread
from tests.integrations.mcp.http_server import RawHttp

OURS = f"executor/{metadata.version('executor-proxy')}"
CALLS = {
    "rest": "tools.{name}.org.main.天气.get天气城市({{城市: '北京'}})",
    "graph": "tools.{name}.org.main.query.hello({{}})",
    "mcp": "tools.{name}.org.main.read({{}})",
}


def integrations(folder: Path, echo: Echo, mcp: RawHttp) -> dict[str, Any]:
    parameter = {"name": "城市", "in": "path", "required": True, "schema": {"type": "string"}}
    operation = {"tags": ["天气"], "parameters": [parameter], "responses": {"200": {"description": "OK"}}}
    spec = {
        "openapi": "3.1.0",
        "info": {"title": "天气", "version": "1"},
        "paths": {"/天气/{城市}": {"get": operation}},
    }
    (folder / "schema.graphql").write_text("type Query { hello: String }")
    return {
        "rest": {"kind": "openapi", "spec": {"inline": spec}, "base_url": echo.url},
        "graph": {
            "kind": "graphql",
            "endpoint": echo.url + "/graphql",
            "introspection": {"file": "schema.graphql"},
        },
        "mcp": {
            "kind": "mcp",
            "type": "remote",
            "url": mcp.echo.url + "/mcp",
            "transport": "streamable-http",
        },
    }


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Proxy, Echo, dict[str, RawHttp]]]:
    folder = tmp_path_factory.mktemp("agents")
    # A server of its own for each MCP connection: this one knows a single session.
    with echo_thread() as echo, echo_thread() as plain_mcp, echo_thread() as own_mcp:
        servers = {"mcp": RawHttp(plain_mcp), "mcp_own": RawHttp(own_mcp)}
        echo.replies["/graphql"] = [
            Reply(200, [("Content-Type", "application/json")], b'{"data": {"hello": "x"}}')
        ]
        plain = integrations(folder, echo, servers["mcp"])
        others = integrations(folder, echo, servers["mcp_own"])
        own = {f"{kind}_own": {**one, "headers": {"user-agent": "mine/1"}} for kind, one in others.items()}
        config = {
            "version": 1,
            "integrations": {**plain, **own},
            "connections": {f"{name}.org.main": {} for name in (*plain, *own)},
        }
        path = configs.write(folder / "executor.yaml", config)
        with serving(path, folder / "state", env={}) as proxy:
            yield proxy, echo, servers


@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize(("ending", "agent"), [("", OURS), ("_own", "mine/1")])
async def test_every_kind_says_who_sends_it(
    running: tuple[Proxy, Echo, dict[str, RawHttp]], kind: str, ending: str, agent: str
) -> None:
    proxy, echo, servers = running
    seen = servers[kind + ending].echo.log if kind == "mcp" else echo.log
    before = len(seen)
    answer = await proxy.execute(
        f"const r = await {CALLS[kind].format(name=kind + ending)}; return r.ok || r.error"
    )
    assert answer.value is True
    assert {one.header("user-agent") for one in seen[before:]} == {agent}
