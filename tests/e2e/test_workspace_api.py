"""The workspace API on real servers: the examples of its documentation, every refusal, restart, a second process."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2

from proxy.auth import hash_key
from proxy.config import load_config
from tests.e2e import configs
from tests.e2e.running import LIMIT_SECONDS, Proxy, serving
from tests.e2e.workspace_client import McpClient
from tests.integrations.echo import echo_thread
from tests.integrations.mcp.http_server import RawHttp
from tests.integrations.oauth.server import AuthServer, auth_thread
from tests.proxy.state.servers import redis_server

WS, OTHER = "ws_01HXYZ", "ws_other"
BOSS, AGENT, FOREIGN = "exk_boss-key-000000000000", "exk_agent-key-00000000000", "exk_foreign-key-000000000"
SECRET = "secret-key-that-nobody-may-see"
STDIO = Path(__file__).parents[1] / "integrations" / "mcp" / "stdio_server.py"
FILESYSTEM = ["npx", "-y", "@modelcontextprotocol/server-filesystem", "/data"]


def config(folder: Path, **sections: Any) -> Path:
    keys = {
        "boss": {"hash": f"sha256:{hash_key(BOSS)}", "workspace": WS, "groups": ["ops"]},
        "agent": {"hash": f"sha256:{hash_key(AGENT)}", "workspace": WS},
        "foreign": {"hash": f"sha256:{hash_key(FOREIGN)}", "workspace": OTHER, "groups": ["ops"]},
    }
    whole = {
        "version": 1,
        "rate_limits": {},
        "auth": {"api_keys": {"keys": keys}, "roles": {"admin": ["ops"]}},
        "workspaces": {WS: {}, OTHER: {}},
        "api": {
            "registration": "overlay",
            "allow_local_commands": [" ".join(FILESYSTEM)],
            "egress": {"allow": ["127.0.0.0/8"]},
        },
        "audit": {"sink": {"file": str(folder / "audit.jsonl")}},
        "policies": [{"pattern": "*", "action": "approve"}],
        **sections,
    }
    return configs.write(folder / "executor.yaml", whole)


def npx(folder: Path) -> dict[str, str]:
    """A `npx` that starts a server of the tests, first on the PATH."""
    program = folder / "bin" / "npx"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "{STDIO}" plain\n')
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:/usr/bin:/bin"}


@contextmanager
def upstream() -> Iterator[tuple[AuthServer, RawHttp]]:
    """An MCP server that wants a token, and the server that gives it."""
    with auth_thread() as auth:
        raw = RawHttp(auth.echo)
        raw.modern = True
        auth.echo.answer, auth.behind = auth.answer, raw.answer
        yield auth, raw


@contextmanager
def plain() -> Iterator[RawHttp]:
    with echo_thread() as echo:
        raw = RawHttp(echo)
        raw.modern = True
        yield raw


def boss(proxy: Proxy) -> McpClient:
    return McpClient(proxy, BOSS, WS)


CODE = "const r = await tools.{name}.read({{}}); if (!r.ok) throw new Error(JSON.stringify(r)); return r.data"


async def calls(proxy: Proxy, name: str, key: str = AGENT) -> Any:
    """What an agent gets from the `read` of a server."""
    return (await proxy.execute(CODE.format(name=name), token=key)).raw


def remote(url: str, **more: Any) -> dict[str, Any]:
    return {"type": "remote", "url": url, **more}


async def test_the_examples_of_the_documentation(tmp_path: Path) -> None:
    with upstream() as (auth, _), serving(config(tmp_path), tmp_path / "state", env=npx(tmp_path)) as proxy:
        client = boss(proxy)
        assert await client.get_status() == {}
        local = {"type": "local", "command": FILESYSTEM, "enabled": True, "timeout": 10000}
        assert await client.add_server("filesystem", local) == {"filesystem": {"status": "connected"}}
        github = remote(
            f"{auth.url}/api", enabled=True, headers={"X-Api-Key": SECRET}, oauth={"scope": "read:user repo"}
        )
        expected = {"filesystem": {"status": "connected"}, "github": {"status": "needs_auth"}}
        assert await client.add_server("github", github) == expected
        assert await client.connect("github") == {"status": "needs_auth"}

        begun = await client.start_oauth("github")
        assert list(begun) == ["authorizationUrl"]
        assert "scope=read%3Auser+repo" in begun["authorizationUrl"]
        assert await client.get_status() == expected
        assert await client.complete_oauth("github", code=await code_from(begun)) == {"status": "connected"}
        assert await client.connect("github") is True
        assert await client.disconnect("github") is True
        assert (await client.get_status())["github"] == {"status": "disabled"}
        assert await client.connect("github") is True
        assert await client.remove_oauth("github") == {"success": True}
        assert (await client.get_status())["github"] == {"status": "needs_auth"}
        assert await client.remove_oauth("github") == {"success": True}
        assert await client.remove_oauth("filesystem") == {"success": True}


async def code_from(begun: dict[str, str]) -> str:
    """Somebody signs in: the code that their browser is sent back with."""
    return (await sent_back(begun))["code"]


async def sent_back(begun: dict[str, str]) -> dict[str, str]:
    async with httpx2.AsyncClient(trust_env=False) as browser:
        answer = await browser.get(begun["authorizationUrl"])
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


async def test_callbacks_and_who_waits_for_them(tmp_path: Path) -> None:
    with upstream() as (auth, _), serving(config(tmp_path), tmp_path / "state") as proxy:
        client = boss(proxy)
        await client.add_server("github", remote(f"{auth.url}/api"))
        await client.complete_oauth("github", code="x")
        assert client.refusal == (409, "no_pending_sign_in")

        await client.start_oauth("github")
        failed = await client.complete_oauth("github", code="wrong")
        assert (client.last.status_code, failed["status"]) == (200, "failed")
        await client.complete_oauth("github", code="wrong")
        assert client.refusal == (409, "no_pending_sign_in")

        back = await sent_back(await client.start_oauth("github"))
        await client.complete_oauth("github", code=back["code"], state="another")
        assert client.refusal == (400, "state_mismatch")
        await client.complete_oauth("github", code=back["code"], iss="https://evil.example")
        assert client.refusal == (400, "state_mismatch")

        back = await sent_back(await client.start_oauth("github"))
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(boss(proxy).authenticate_oauth("github"))
            assert await client.complete_oauth("github", **back) == {"status": "connected"}
        assert waiting.result() == {"status": "connected"}
        assert await client.authenticate_oauth("github") == {"status": "connected"}
        assert SECRET not in proxy.err.text


async def test_what_is_registered_is_called_survives_a_restart_and_is_shared(tmp_path: Path) -> None:
    """Two processes on one state file agree within a second; so does a third one that starts later."""
    path, state = config(tmp_path, audit={}), tmp_path / "state"
    with plain() as raw, serving(path, state) as one, serving(path, state) as two:
        docs = remote(f"{raw.echo.url}/mcp", headers={"X-Api-Key": SECRET})
        assert await boss(one).add_server("internal-docs", docs) == {"internal-docs": {"status": "connected"}}
        assert "fine" in json.dumps(await calls(one, "internal_docs"))
        assert all(seen.header("x-api-key") == SECRET for seen in raw.echo.log)
        await agrees(two, {"internal-docs": {"status": "connected"}})
        assert "fine" in json.dumps(await calls(two, "internal_docs"))

        assert await boss(two).disconnect("internal-docs") is True
        await agrees(one, {"internal-docs": {"status": "disabled"}})
        assert "fine" not in json.dumps(await calls(one, "internal_docs"))
        assert await boss(one).connect("internal-docs") is True
        with serving(path, state) as three:
            assert await boss(three).get_status() == {"internal-docs": {"status": "connected"}}
            assert "fine" in json.dumps(await calls(three, "internal_docs"))
            # Another workspace has none of it, and may give the name to something else.
            other = McpClient(three, FOREIGN, OTHER)
            assert await other.get_status() == {}
            assert await other.add_server("internal-docs", remote(f"{raw.echo.url}/other")) == {
                "internal-docs": {"status": "connected"}
            }
            assert await boss(three).remove_server("internal-docs") == {"success": True}
            assert await boss(three).get_status() == {}
            assert await other.get_status() == {"internal-docs": {"status": "connected"}}
    assert SECRET not in (state / "state.db").read_bytes().decode("latin-1")
    assert all(SECRET not in said for proxy in (one, two, three) for said in (proxy.err.text, proxy.out.text))


async def agrees(proxy: Proxy, expected: dict[str, Any]) -> None:
    """Another replica says the same within a second (and twice that on a machine that is busy)."""
    async with asyncio.timeout(LIMIT_SECONDS):
        while await boss(proxy).get_status() != expected:
            pass


async def test_replicas_on_redis_agree(tmp_path: Path) -> None:
    with redis_server() as redis, plain() as raw:
        sections = {
            "audit": {},
            "state": {"backend": "redis", "url": {"env": "URL"}, "encryption_key": {"env": "KEY"}},
        }
        path, env = config(tmp_path, **sections), {"URL": redis.url, "KEY": "k" * 32}
        with serving(path, tmp_path / "a", env=env) as one, serving(path, tmp_path / "b", env=env) as two:
            await boss(one).add_server("docs", remote(f"{raw.echo.url}/mcp", headers={"X-Api-Key": SECRET}))
            await agrees(two, {"docs": {"status": "connected"}})
            assert "fine" in json.dumps(await calls(two, "docs"))
            await boss(two).remove_server("docs")
            await agrees(one, {})


async def test_the_files_win(tmp_path: Path) -> None:
    """What they name cannot be registered; what they name later shadows a registration, which comes back after."""
    path = config(tmp_path)
    with plain() as raw, serving(path, tmp_path / "state") as proxy:
        client = boss(proxy)
        await client.add_server("docs", remote(f"{raw.echo.url}/one", headers={"X-Api-Key": SECRET}))
        exported = await client.export()
        assert exported["variables"] == ["DOCS_X_API_KEY"]
        assert SECRET not in json.dumps(exported)
        assert "notServed" not in exported["servers"][0]
        declared = {
            "integrations": {"docs": {"kind": "mcp", "type": "remote", "url": f"{raw.echo.url}/two"}},
            "connections": {"docs.org.main": {}},
        }
        config(tmp_path, **declared)
        since = proxy.err.mark()
        assert (await reload(proxy)).json()["changed"]
        proxy.err.wait(lambda line: "registration not served" in line, since)
        found = await client.get_status()
        assert found["docs"]["status"] == "failed"
        assert re.fullmatch(rf"shadowed by {path}:\d+", found["docs"]["error"])
        assert (await client.export())["servers"][0]["notServed"] == found["docs"]["error"]
        assert "fine" in json.dumps(await calls(proxy, "docs"))
        await client.add_server("docs", remote(f"{raw.echo.url}/two"))
        assert client.refusal == (409, "declared_in_config")
        assert str(path) in client.last.json()["error"]["source"]
        config(tmp_path)
        await reload(proxy)
        assert await client.get_status() == {"docs": {"status": "connected"}}


async def reload(proxy: Proxy) -> httpx2.Response:
    async with proxy.client(BOSS) as http:
        return await http.post("/-/reload")


async def test_the_export_is_a_config_that_can_be_committed(tmp_path: Path) -> None:
    with plain() as raw, serving(config(tmp_path), tmp_path / "state") as proxy:
        docs = remote(f"{raw.echo.url}/mcp", headers={"X-Api-Key": SECRET}, timeout=7000)
        await boss(proxy).add_server("docs", docs)
        exported = await boss(proxy).export()
        committed = tmp_path / "committed.yaml"
        committed.write_text(exported["yaml"])
        loaded = load_config([committed], env={"DOCS_X_API_KEY": SECRET})
        assert loaded.diagnostics == ()
        assert loaded.config is not None
        assert loaded.config.integrations["docs"].timeout == 7.0


async def test_servers_of_the_files_are_disconnected_in_one_workspace_only(tmp_path: Path) -> None:
    with plain() as raw:
        declared = {
            "integrations": {"docs": {"kind": "mcp", "type": "remote", "url": f"{raw.echo.url}/one"}},
            "connections": {"docs.org.main": {}, "docs.org.second": {}},
        }
        with serving(config(tmp_path, **declared), tmp_path / "state") as proxy:
            client, other = boss(proxy), McpClient(proxy, FOREIGN, OTHER)
            connected = {name: {"status": "connected"} for name in ("docs.org.main", "docs.org.second")}
            assert await client.get_status() == connected
            assert await client.disconnect("docs.org.main") is True
            assert (await client.get_status())["docs.org.main"] == {"status": "disabled"}
            assert await other.get_status() == connected
            assert "fine" in json.dumps(await calls(proxy, "docs.org.main", FOREIGN))
            assert "fine" not in json.dumps(await calls(proxy, "docs.org.main"))
            assert await client.connect("docs.org.main") is True
            await client.remove_server("docs.org.main")
            assert client.refusal == (409, "declared_in_config")


async def test_refusals(tmp_path: Path) -> None:
    with plain() as raw, serving(config(tmp_path), tmp_path / "state") as proxy:
        client, url = boss(proxy), f"{raw.echo.url}/mcp"
        await client.add_server("docs", remote(url))
        rows: list[tuple[str, dict[str, Any], tuple[int, str], str | None]] = [
            ("docs", remote(url, enabled=True, timeout=5000, oauth={}), (200, ""), None),
            ("docs", remote(f"{url}/2"), (409, "exists"), None),
            ("x", remote(url, timeout=0), (400, "invalid_config"), "/config/timeout"),
            ("x", remote(url, timeout=1.5), (400, "invalid_config"), "/config/timeout"),
            ("x", remote(url, timeout=True), (400, "invalid_config"), "/config/timeout"),
            ("x", remote(url, headrs={}), (400, "invalid_config"), "/config/headrs"),
            ("x", remote("ftp://x.example"), (400, "invalid_config"), "/config/url"),
            ("x", remote(url, headers={"A B": "x"}), (400, "invalid_config"), "/config/headers/A B"),
            ("x", remote(url, headers={"A": "x\ny"}), (400, "invalid_config"), "/config/headers/A"),
            ("x", remote(url, oauth={"clientSecret": "s"}), (400, "invalid_config"), "/config/oauth"),
            ("9x", remote(url), (400, "invalid_config"), "/name"),
            ("", remote(url), (400, "invalid_config"), "/name"),
            ("search", remote(url), (400, "invalid_config"), "/name"),
            ("x", {"type": "stdio"}, (400, "invalid_config"), "/config/type"),
            ("x", {"type": "local", "command": []}, (400, "invalid_config"), "/config/command"),
            # T29: nobody runs a program over the API that `allow_local_commands` does not have, word by word.
            ("x", {"type": "local", "command": ["sh", "-c", "id"]}, (403, "local_commands_refused"), None),
            ("x", {"type": "local", "command": FILESYSTEM[:1]}, (403, "local_commands_refused"), None),
            (
                "x",
                {"type": "local", "command": FILESYSTEM, "environment": {"NODE_OPTIONS": "-r /x"}},
                (403, "local_commands_refused"),
                None,
            ),
        ]
        for name, one, expected, pointer in rows:
            answer = await client.add_server(name, one)
            if expected[0] == 200:
                assert client.last.status_code == 200, answer
                continue
            assert client.refusal == expected, answer
            assert answer["error"].get("pointer") == pointer, answer
        assert list(await client.get_status()) == ["docs"]

        await client.connect("nothing")
        assert client.refusal == (404, "not_found")
        agent = McpClient(proxy, AGENT, WS)
        assert await agent.get_status() == {"docs": {"status": "connected"}}
        for refused in (agent.add_server("y", remote(url)), agent.disconnect("docs"), agent.export()):
            await refused
            assert agent.refusal == (403, "forbidden")
        for foreign in (McpClient(proxy, BOSS, OTHER), McpClient(proxy, BOSS, "ws_unknown")):
            await foreign.get_status()
            assert foreign.refusal == (403, "forbidden")
        await client.add_server("open", remote(url, oauth=False))
        await client.start_oauth("open")
        assert client.refusal == (400, "oauth_not_supported")

        lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
        servers = [line for line in lines if line["event"] == "server"]
        assert servers[0]["server"] == "docs"
        assert servers[0]["url"] == url
        assert {"local_commands_refused", "invalid_config", "exists", "forbidden"} <= {
            line.get("refused") for line in servers
        }


async def test_a_private_address_is_refused_unless_the_config_allows_it(tmp_path: Path) -> None:
    """A URL that was registered spells nothing out (T24)."""
    with plain() as raw, serving(config(tmp_path, api={"registration": "overlay"}), tmp_path / "s") as proxy:
        found = await boss(proxy).add_server("docs", remote(f"{raw.echo.url}/mcp"))
        assert found["docs"]["status"] == "failed"
        assert raw.echo.log == []


async def test_registration_is_off_by_default(tmp_path: Path) -> None:
    with serving(config(tmp_path, api={}), tmp_path / "state") as proxy:
        client = boss(proxy)
        body = await client.add_server(
            "github", remote("https://mcp.example.com/github", headers={"X-Api-Key": SECRET})
        )
        assert client.refusal == (409, "registration_off")
        assert "X-Api-Key: {env: GITHUB_X_API_KEY}" in body["error"]["yaml"]
        assert SECRET not in client.last.text
