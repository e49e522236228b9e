"""Two people sign in to one MCP server, each for itself: every account has a session and a token of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from proxy.auth import hash_key
from tests.e2e import configs
from tests.e2e.running import MODERN, envelope, headers_of, serving
from tests.e2e.test_connections import ALICE, BOB, Browser, Login, Scene, command, resumed
from tests.integrations.oauth.guarded_mcp import GuardedMcp
from tests.integrations.oauth.server import AuthServer, auth_thread

MINE = "github.user.me"
WHO = "const r = await tools.github.user.me.whoami({}); if (!r.ok) throw new Error(JSON.stringify(r)); return r.data"
COUNT = "return (await tools.executor.connections.list({}))[0].toolCount"
CODE = "const r = await tools.github.user.me.whoami({}); return r.ok ? r.data : r.error"
ERAS = pytest.mark.parametrize("mode", ["legacy", MODERN])


def config_in(folder: Path, auth: AuthServer, **sections: Any) -> Path:
    url = f"{auth.url}/mcp"
    config = {
        "version": 1,
        "rate_limits": {},
        "integrations": {
            "github": {"kind": "mcp", "type": "remote", "url": url, "transport": "streamable-http"}
        },
        "connections": {MINE: {}},
        "auth": {
            "api_keys": {
                "keys": {
                    "alice": {"hash": f"sha256:{hash_key(ALICE)}", "groups": ["admins"]},
                    "bob": {"hash": f"sha256:{hash_key(BOB)}"},
                }
            },
            "roles": {"admin": ["admins"]},
        },
        "audit": {"sink": {"file": str(folder / "audit.jsonl")}, "arguments": "full"},
        "server": {"reload": {"drain_timeout": "5s"}},
        **sections,
    }
    return configs.write(folder / "executor.yaml", config)


@dataclass
class McpScene(Scene):
    server: GuardedMcp

    async def log_in(self, key: str, account: str) -> None:
        """From the command line, as this account of the server behind."""
        self.auth.account = account
        login = Login(self, key, MINE)
        await self.browse(login.url)
        assert login.process.wait() == 0, login.process.err.text

    async def listed(self, key: str = ALICE) -> None:
        """Until the tools of the server are known."""
        while await self.proxy.value(COUNT, token=key) == 0:
            pass

    async def redirected(self, url: str) -> str:
        """Where the authorization server sends the browser."""
        async with httpx2.AsyncClient(trust_env=False) as browser:
            return str((await browser.get(url)).headers["location"])

    async def described(self, key: str) -> str:
        async with self.proxy.client(key) as client:
            answer = await client.post("/mcp", json=envelope("tools/list"), headers=headers_of("tools/list"))
        tools = answer.json()["result"]["tools"]
        return str(next(one["description"] for one in tools if one["name"] == "execute"))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[McpScene]:
    with auth_thread() as auth:
        server = GuardedMcp(auth)
        with serving(config_in(tmp_path, auth), tmp_path / "state", env={}) as proxy:
            yield McpScene(auth, proxy, tmp_path, server)


async def test_each_account_has_its_own_session_and_token(scene: McpScene) -> None:
    assert command(scene, ALICE, "status", MINE).returncode == 1
    await scene.log_in(ALICE, "alice-there")
    await scene.listed()
    assert await scene.proxy.value(WHO, token=ALICE) == "alice-there"
    # Bob sees the tools, and has to sign in for himself.
    asked = await scene.proxy.execute(WHO, token=BOB)
    (question,) = asked.structured["interactions"]
    assert question["url"].endswith(f"/sign-in/{MINE}?account=key%3Abob")
    await scene.log_in(BOB, "bob-there")
    done = await resumed(scene, asked.structured["executionId"], BOB)
    assert done.value == "bob-there"
    assert await scene.proxy.value(WHO, token=ALICE) == "alice-there"
    shown = command(scene, BOB, "logout", MINE)
    assert (shown.returncode, shown.stdout) == (0, f"signed out of {MINE}\n")
    assert (await scene.proxy.execute(WHO, token=BOB)).status == "waiting_for_interaction"
    assert await scene.proxy.value(WHO, token=ALICE) == "alice-there"
    assert scene.server.mixed == 0
    assert {account for account, _ in scene.server.calls} == {"alice-there", "bob-there"}
    # The tools come from one account, whoever calls.
    assert set(scene.server.sessions.values()) == {"alice-there", "bob-there"}


async def test_the_first_one_signs_in_from_the_middle_of_a_call(scene: McpScene) -> None:
    """Nobody has signed in, so no tool is known: a call of any asks, and then says that the tools are there."""
    description = await scene.described(ALICE)
    assert "github.user.me [needs_auth: its tools appear once somebody signs in" in description
    first = await scene.proxy.execute(CODE, token=ALICE)
    assert first.status == "waiting_for_interaction"
    (question,) = first.structured["interactions"]
    assert question["url"].endswith(f"/sign-in/{MINE}?account=key%3Aalice")
    again = await resumed(scene, first.structured["executionId"], ALICE)
    assert again.status == "waiting_for_interaction"
    await scene.log_in(ALICE, "alice-there")
    await scene.listed()
    done = await resumed(scene, first.structured["executionId"], ALICE)
    assert done.value == "alice-there"
    declined = await scene.proxy.execute(CODE, token=BOB)
    error = (await resumed(scene, declined.structured["executionId"], BOB, "decline")).value
    assert error["code"] == "oauth_reauth_required"
    assert error["details"]["url"].endswith("account=key%3Abob")
    assert error["details"]["account"] == "key:bob"


@ERAS
async def test_by_url_elicitation_in_both_eras(scene: McpScene, mode: str) -> None:
    from mcp_types import ElicitResult

    seen: list[str] = []

    async def person(context: Any, params: Any) -> ElicitResult:
        seen.append(params.url)
        await scene.log_in(ALICE, "alice-there")
        await scene.listed(BOB)
        return ElicitResult(action="accept")

    path = "/mcp?elicitation_mode=native"
    async with scene.proxy.sdk(mode, path, ALICE, elicitation_callback=person) as client:
        result = await client.call_tool("execute", {"code": CODE})
    assert (result.structured_content or {})["result"] == "alice-there", result
    (url,) = seen
    assert re.fullmatch(f"https?://[^/]+/sign-in/{MINE}\\?account=key%3Aalice", url)


async def test_from_the_page(scene: McpScene) -> None:
    link = f"/sign-in/{MINE}?account=key%3Aalice"
    async with Browser(scene) as alice, Browser(scene) as bob:
        await alice.log_in(ALICE)
        await bob.log_in(BOB)
        assert (await bob.get(link)).status_code == 403
        leaving = await alice.begin(link)
        scene.auth.account = "alice-there"
        back = (await scene.redirected(leaving)).removeprefix(scene.proxy.url)
        assert (await bob.get(back)).status_code == 403
        assert (await alice.get(back)).status_code == 303
        assert "connected" in (await alice.get("/connections")).text
        assert "needs_auth" in (await bob.get("/connections")).text
    await scene.listed()
    assert await scene.proxy.value(WHO, token=ALICE) == "alice-there"


async def test_what_each_account_is_told_of_the_status(scene: McpScene) -> None:
    await scene.log_in(ALICE, "alice-there")
    await scene.listed()
    code = "return (await tools.executor.connections.list({}))[0]"
    mine = await scene.proxy.value(code, token=ALICE)
    assert (mine["status"], mine["toolCount"]) == ("connected", 2)
    other = await scene.proxy.value(code, token=BOB)
    assert (other["status"], other["toolCount"]) == ("needs_auth", 2)
    assert other["note"].endswith(f"/sign-in/{MINE}?account=key%3Abob")


async def test_approvals_limits_and_audit_know_the_account(tmp_path: Path) -> None:
    """Bob's approval is not Alice's, Alice's limit is not Bob's, and the audit says who called."""
    with auth_thread() as auth:
        server = GuardedMcp(auth)
        sections = {
            "policies": [{"pattern": "github.user.me.rename", "action": "require_approval", "id": "ask"}],
            "rate_limits": {
                "mine": {
                    "per": "user",
                    "applies_to": "tool_calls",
                    "pattern": "github.*",
                    "limit": "3/hour",
                }
            },
        }
        with serving(config_in(tmp_path, auth, **sections), tmp_path / "state", env={}) as proxy:
            scene = McpScene(auth, proxy, tmp_path, server)
            await scene.log_in(ALICE, "alice-there")
            await scene.log_in(BOB, "bob-there")
            await scene.listed()
            code = (
                "const r = await tools.github.user.me.rename({to: 'x'}); return r.ok ? r.data : r.error.code"
            )
            held = {key: await proxy.execute(code, token=key) for key in (ALICE, BOB)}
            assert {one.status for one in held.values()} == {"waiting_for_interaction"}
            # Nobody but its own account decides.
            stolen = await resumed(scene, held[ALICE].structured["executionId"], BOB)
            assert stolen.status != "completed"
            assert server.calls == []
            assert (await resumed(scene, held[BOB].structured["executionId"], BOB)).value == "bob-there"
            assert server.calls == [("bob-there", "rename")]
            assert (await resumed(scene, held[ALICE].structured["executionId"], ALICE)).value == "alice-there"
            used = [await proxy.value(CODE, token=ALICE) for _ in range(3)]
            assert used[:2] == ["alice-there"] * 2
            assert used[2]["code"] == "rate_limited"
            assert await proxy.value(CODE, token=BOB) == "bob-there"
        lines = [json.loads(one) for one in (tmp_path / "audit.jsonl").read_text().splitlines()]
        calls = [
            (one["who"]["account"], one.get("code"))
            for one in lines
            if one["event"] == "call" and "address" in one
        ]
        assert calls.count(("key:alice", "rate_limited")) == 1
        assert calls.count(("key:bob", None)) == 2
        approvals = [(one["who"]["account"], one["owner"]) for one in lines if one["event"] == "approval"]
        assert ("key:bob", "key:bob") in approvals
        assert ("key:alice", "key:alice") in approvals
