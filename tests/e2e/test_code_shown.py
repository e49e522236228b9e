"""The code of an execution, for whoever may see it: page, command, REST, audit. Encrypted in every store."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests import processes
from tests.e2e import configs
from tests.e2e.running import Proxy, serving
from tests.e2e.upstream import Upstream
from tests.proxy.state.servers import redis_server

MARK = "unmistakable-4711"
CODE = f"""// {MARK} <script>alert(1)</script> \u202e
const name = "a & b";
return (await tools.shop.org.main.things.create({{body: {{name}}}})).ok;"""
KEYS = {"AGENT_KEY": "agent-key-1c9f", "OTHER_KEY": "other-key-22aa", "BOSS_KEY": "boss-key-77ab"}
ENV = {**configs.ENV, **KEYS, "STATE_KEY": "k" * 40}
CALLERS = {
    "api_keys": {
        "keys": {
            "agent": {"value": {"env": "AGENT_KEY"}},
            "other": {"value": {"env": "OTHER_KEY"}},
            "boss": {"value": {"env": "BOSS_KEY"}, "groups": ["ops"]},
        }
    },
    "roles": {"approver": ["ops"], "admin": ["ops"]},
}


def config(api: Upstream, **sections: Any) -> configs.JsonObject:
    return configs.base(api, auth=CALLERS, **sections)


async def paused(proxy: Proxy) -> str:
    answer = await proxy.execute(CODE, token=KEYS["AGENT_KEY"], metadata={"ticket": "OPS-9 <b>"})
    found: str = answer.structured["executionId"]
    return found


async def end(proxy: Proxy, execution: str) -> None:
    async with proxy.client(KEYS["BOSS_KEY"]) as client:
        answer = await client.post(f"/api/executions/{execution}/resume", json={"action": "accept"})
        assert answer.json()["status"] == "completed", answer.text


async def test_whoever_may_see_the_execution_sees_its_code(api: Upstream, tmp_path: Path) -> None:
    file = configs.write(tmp_path / "executor.yaml", config(api))
    with serving(file, tmp_path / "state", env=ENV) as proxy:
        execution = await paused(proxy)
        for key in ("AGENT_KEY", "BOSS_KEY"):
            async with proxy.client(KEYS[key]) as client:
                shown = (await client.get(f"/api/executions/{execution}")).json()
                listed = (await client.get("/api/executions")).text
                (question,) = shown["interactions"]
            assert (shown["code"], shown["metadata"]) == (CODE, {"ticket": "OPS-9 <b>"})
            assert shown["askedAtLine"] == {question["id"]: 3}
            assert MARK not in listed
        async with proxy.client(KEYS["OTHER_KEY"]) as client:
            hidden = await client.get(f"/api/executions/{execution}")
            assert (hidden.status_code, MARK in hidden.text) == (404, False)
            assert MARK not in (await client.get("/api/executions")).text
            assert MARK not in (await client.get("/api/approvals")).text
        said = command(proxy, tmp_path, "approvals", "show", execution)
        assert ">   3  return (await tools.shop" in said
        assert "    1  // unmistakable-4711 <script>alert(1)</script> \\u{202E}" in said
        assert "OPS-9 <b>" in said
        await end(proxy, execution)
        async with proxy.client(KEYS["AGENT_KEY"]) as client:
            assert (await client.get(f"/api/executions/{execution}")).json()["code"] == CODE


def command(proxy: Proxy, folder: Path, *words: str) -> str:
    env = {**os.environ, "EXECUTOR_STATE_DIR": str(folder / "state"), "EXECUTOR_TOKEN": KEYS["BOSS_KEY"]}
    ran = processes.run(*words, "--server", proxy.url, env=env)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


async def signed_in(client: Any, url: str, key: str) -> None:
    answer = await client.post("/login", data={"credential": key}, headers={"origin": url})
    assert answer.status_code == 303


async def test_the_page_shows_it_by_line_escaped_and_to_nobody_else(api: Upstream, tmp_path: Path) -> None:
    file = configs.write(tmp_path / "executor.yaml", config(api))
    with serving(file, tmp_path / "state", env=ENV) as proxy:
        execution = await paused(proxy)
        async with proxy.client("none") as client:
            del client.headers["authorization"]
            await signed_in(client, proxy.url, KEYS["BOSS_KEY"])
            page = await client.get(f"/resume/{execution}")
        async with proxy.client("none") as client:
            del client.headers["authorization"]
            await signed_in(client, proxy.url, KEYS["OTHER_KEY"])
            other = await client.get(f"/resume/{execution}")
    assert "<code>// unmistakable-4711 &lt;script&gt;alert(1)&lt;/script&gt; \\u{202E}</code>" in page.text
    assert '<li class="asks"><code>return (await tools.shop' in page.text
    assert "OPS-9 \\u003cb\\u003e" in page.text or "OPS-9 &lt;b&gt;" in page.text
    assert "<script>alert" not in page.text
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert (other.status_code, MARK in other.text) == (404, False)


@pytest.mark.parametrize("wanted", ["none", "digest", "full"])
async def test_audit_has_as_much_of_the_code_as_the_config_wants(
    api: Upstream, tmp_path: Path, wanted: str
) -> None:
    trail = tmp_path / "audit.jsonl"
    audit = {"sink": {"file": str(trail)}, "code": wanted}
    file = configs.write(tmp_path / "executor.yaml", config(api, audit=audit))
    leak = f'return "{configs.TOKEN} {MARK}"'
    with serving(file, tmp_path / "state", env=ENV) as proxy:
        await proxy.execute(leak, token=KEYS["AGENT_KEY"], metadata={"ticket": "OPS-9"})
    (line,) = [one for one in map(json.loads, trail.read_text().splitlines()) if one["event"] == "execution"]
    assert ("codeSha256" in line) is (wanted != "none")
    assert (MARK in line.get("code", "")) is (wanted == "full")
    assert line["metadata"] == {"ticket": "OPS-9"}
    assert configs.TOKEN not in trail.read_text() + proxy.err.text
    assert MARK not in proxy.err.text


async def test_on_sqlite_it_survives_and_is_encrypted(api: Upstream, tmp_path: Path) -> None:
    state = {"backend": "sqlite", "encryption_key": {"env": "STATE_KEY"}}
    file = configs.write(tmp_path / "executor.yaml", config(api, state=state))
    with serving(file, tmp_path / "state", env=ENV) as proxy:
        execution = await paused(proxy)
    stored = b"".join(one.read_bytes() for one in (tmp_path / "state").glob("state.db*"))
    assert execution.encode() in stored
    assert MARK.encode() not in stored
    with serving(file, tmp_path / "state", env=ENV) as proxy:
        async with proxy.client(KEYS["BOSS_KEY"]) as client:
            assert (await client.get(f"/api/executions/{execution}")).json()["code"] == CODE


async def test_in_redis_it_is_encrypted(api: Upstream, tmp_path: Path) -> None:
    with redis_server() as server:
        state = {"backend": "redis", "url": {"env": "REDIS_URL"}, "encryption_key": {"env": "STATE_KEY"}}
        file = configs.write(tmp_path / "executor.yaml", config(api, state=state))
        with serving(file, tmp_path / "state", env={**ENV, "REDIS_URL": server.url}) as proxy:
            execution = await paused(proxy)
            async with proxy.client(KEYS["BOSS_KEY"]) as client:
                assert (await client.get(f"/api/executions/{execution}")).json()["code"] == CODE
            server.ask("CONFIG", "SET", "rdbcompression", "no")
            server.ask("SAVE")
            folder = Path(server.url.removeprefix("unix://")).parent
            dump = b"".join(one.read_bytes() for one in folder.glob("*.rdb"))
    assert execution.encode() in dump
    assert MARK.encode() not in dump
