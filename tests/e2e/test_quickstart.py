"""The first five minutes: `executor serve --demo`, the lines it prints, and the things its README says to try."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from tests.e2e.running import (
    LIMIT_SECONDS,
    MODERN,
    QUICKSTART,
    ROOT,
    Answer,
    Proxy,
    environment,
    post,
    serving,
)

ERAS = pytest.mark.parametrize("mode", ["legacy", MODERN])
NINE = {
    "inventory.org.main.items.list",
    "inventory.org.main.items.create",
    "inventory.org.main.items.get",
    "inventory.org.main.items.update",
    "inventory.org.main.items.delete",
    "inventory.org.main.items.adjustStock",
    "inventory.org.main.reports.valuation",
    "inventory.org.main.service.health",
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with serving(QUICKSTART, tmp_path_factory.mktemp("demo"), "--demo") as proxy:
        yield proxy


def printed(demo: Proxy, start: str) -> str:
    return demo.out.wait(lambda line: line.strip().startswith(start)).strip()


async def bash(line: str) -> str:
    """In a new shell somewhere else, as if pasted into another terminal."""
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", line),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd="/",
        env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
    )
    out, err = await asyncio.wait_for(process.communicate(), LIMIT_SECONDS)
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_one_paste_of_the_printed_curl_line_shows_a_result(demo: Proxy) -> None:
    answer = Answer(json.loads(await bash(printed(demo, "curl ")))["result"])
    assert answer.status == "completed"
    assert answer.structured["result"]["data"]["items"][0]["name"] == "Hex bolt M8"
    assert [call["ok"] for call in answer.structured["calls"]] == [True]


def test_the_token_is_kept_for_its_owner_only(demo: Proxy) -> None:
    kept = re.search(r"kept in (.+)\)", demo.out.text)
    assert kept is not None
    assert Path(kept[1]).read_text().strip() == demo.token
    assert Path(kept[1]).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("token", ["wrong", "Bearer", "x" * 5000])
async def test_another_token_does_not_open_it(demo: Proxy, token: str) -> None:
    async with demo.client(token) as client:
        assert (await post(client, "execute", {"code": "1"})).status_code == 401


def test_the_only_address_it_speaks_of_is_its_own(demo: Proxy) -> None:
    """The demo API's address before it would be taken for the MCP URL."""
    assert "http" not in demo.err.text


def test_the_printed_connect_line_has_the_url_and_the_header(demo: Proxy) -> None:
    line = printed(demo, "npx add-mcp ")
    assert f"{demo.url}/mcp --transport http" in line
    assert f"--header 'Authorization: Bearer {demo.token}'" in line


async def test_every_printed_command_works_from_anywhere(demo: Proxy) -> None:
    """As it stands, in another directory, in a shell that knows nothing of the server's environment."""
    assert await bash(printed(demo, "EXECUTOR_STATE_DIR=")) == "nothing waits for approval\n"
    line = printed(demo, "export ")
    assert "inventory.org.main.items.delete" in await bash(line)
    exports, _, executor = line.partition("; ")
    executor, _, config = executor.partition(" tools ls ")
    explained = await bash(f"{exports}; {executor} explain inventory.org.main.items.delete {config}")
    assert "deleting-asks" in explained
    assert "executor.yaml:" in explained
    assert "Hex bolt M8" in await bash(f"{exports}; {executor} call inventory.org.main.items.list {config}")


async def test_the_root_path_leads_a_browser_to_a_page_and_tells_curl(demo: Proxy) -> None:
    async with demo.client() as client:
        told = await client.get("/")
        led = await client.get("/", headers={"accept": "text/html,*/*"})
    assert f"{demo.url}/mcp" in told.text
    assert told.headers["content-type"].startswith("text/plain")
    assert (led.status_code, led.headers["location"]) == (303, "/console")


@ERAS
async def test_the_description_lists_the_demo_connection(demo: Proxy, mode: str) -> None:
    async with demo.sdk(mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert set(tools) == {"execute", "resume"}
    text = tools["execute"].description or ""
    assert "inventory.org.main" in text
    assert "items.list" in text
    assert "purge" not in text
    assert len(text.encode()) <= 2048


@ERAS
async def test_both_eras_of_the_official_client_run_code(demo: Proxy, mode: str) -> None:
    code = """const page = await tools.inventory.org.main.items.list({category: 'drives'});
        return page.data.items.length;"""
    async with demo.sdk(mode) as client:
        result = await client.call_tool("execute", {"code": code})
    assert not result.is_error
    assert (result.structured_content or {})["result"] == 2


async def test_a_loop_over_pages_reads_everything(demo: Proxy) -> None:
    code = """
        const names = [];
        for (let cursor = undefined, more = true; more; ) {
          const page = await tools.inventory.org.main.items.list(cursor ? {cursor} : {});
          if (!page.ok) return page.error;
          names.push(...page.data.items.map((item) => item.name));
          cursor = page.data.next;
          more = cursor !== null;
        }
        return names.length;"""
    assert await demo.value(code) == 8


async def test_a_small_change_is_approved_by_its_policy_and_a_large_one_asks(demo: Proxy) -> None:
    code = """
        const before = (await tools.inventory.org.main.items.get({itemId: "itm_1"})).data.quantity;
        const small = await tools.inventory.org.main.items.adjustStock({itemId: "itm_1", body: {change: -2}});
        const large = await tools.inventory.org.main.items.adjustStock({itemId: "itm_1", body: {change: -50}});
        return {moved: small.data.quantity - before, large: large.ok};"""
    answer = await demo.execute(code)
    assert answer.status == "waiting_for_interaction"
    (question,) = answer.structured["interactions"]
    assert question["address"] == "inventory.org.main.items.adjustStock"
    assert '"change": -50' in question["args"]


async def test_a_write_that_needs_approval_pauses_and_says_why(demo: Proxy) -> None:
    answer = await demo.execute('return await tools.inventory.org.main.items.delete({itemId: "itm_8"});')
    assert answer.status == "waiting_for_interaction"
    rule = answer.structured["interaction"]["rule"]
    assert rule["id"] == "deleting-asks"
    assert rule["reason"] == "A deleted item is gone for good"
    still = await demo.value('return (await tools.inventory.org.main.items.get({itemId: "itm_8"})).ok')
    assert still is True


async def test_a_blocked_tool_is_in_no_list_and_says_why_when_called(demo: Proxy) -> None:
    code = """
        const seen = {
          search: (await tools.search({query: "purge empty stock room", limit: 200})).items.map((one) => one.path),
          all: (await tools.search({namespace: "inventory", limit: 200})).items.map((one) => one.path),
          listed: (await tools.catalog.tools({limit: 200})).items.map((one) => one.path),
          discovered: (await tools.discover({query: "purge"})).results.map((one) => one.path),
          described: (await tools.describe.tool({path: "inventory.org.main.admin.purge"})).error.code,
        };
        return {...seen, called: (await tools.inventory.org.main.admin.purge({})).error};"""
    seen = await demo.value(code)
    for place in ("search", "all", "listed", "discovered"):
        assert not [path for path in seen[place] if "purge" in path]
    assert set(seen["all"]) == NINE
    assert set(seen["listed"]) == NINE
    assert seen["described"] == "tool_not_found"
    assert seen["called"]["code"] == "tool_blocked"
    assert seen["called"]["details"] == {
        "rule": "never-purge",
        "reason": "Emptying the stock room is done by hand",
    }


async def test_the_slow_reports_of_the_readme_run_side_by_side(demo: Proxy) -> None:
    code = """
        const slow = [1, 2, 3].map(() => tools.inventory.org.main.reports.valuation({seconds: 0.2}));
        return (await Promise.all(slow)).map((report) => report.data.currency);"""
    answer = await demo.execute(code)
    assert answer.value == ["EUR", "EUR", "EUR"]
    assert [call["path"] for call in answer.structured["calls"]] == [
        "inventory.org.main.reports.valuation"
    ] * 3


@pytest.mark.parametrize("execution", ["exec_0123456789abcdef0123456789abcdef", "x", "../../etc/passwd"])
async def test_resume_knows_no_execution(demo: Proxy, execution: str) -> None:
    async with demo.client() as client:
        response = await post(client, "resume", {"executionId": execution, "action": "accept"})
    answer = Answer(response.json()["result"])
    assert answer.raw["isError"] is True
    assert answer.status == "execution_not_found"
    assert answer.structured["recovery"] == "re_execute"
    assert "execute" in answer.text


async def test_the_server_names_its_version(demo: Proxy) -> None:
    async with demo.sdk("legacy") as client:
        assert client.server_info is not None
        assert client.server_info.version == (await demo.status())["version"]


async def test_health_and_status_are_open_on_loopback(demo: Proxy) -> None:
    async with demo.client("none") as client:
        for path in ("/healthz", "/readyz", "/-/healthy", "/-/ready", "/-/status", "/-/config", "/metrics"):
            assert (await client.get(path)).status_code == 200, path


# ---- stdio ---------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def stdio_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The quickstart's policies without its API: its document is all that stdio needs here."""
    document = ROOT / "proxy" / "commands" / "demo_openapi.json"
    text = (QUICKSTART / "executor.yaml").read_text()
    spec = re.search(r"spec: .*", text)
    assert spec is not None
    folder = tmp_path_factory.mktemp("stdio")
    (folder / "executor.yaml").write_text(text.replace(spec[0], f"spec: {{file: {document}}}"))
    return folder


@ERAS
async def test_stdio_serves_the_official_client(stdio_config: Path, mode: str, tmp_path: Path) -> None:
    args = ["-m", "proxy", "mcp", "--config", str(stdio_config)]
    env = environment(tmp_path, {"INVENTORY_TOKEN": "unused"})
    server = StdioServerParameters(command=sys.executable, args=args, env=env, cwd=ROOT)
    async with Client(stdio_client(server), mode=mode, cache=None) as client:
        tools = (await client.list_tools()).tools
        assert "inventory.org.main" in (tools[0].description or "")
        result = await client.call_tool("execute", {"code": "return (await tools.catalog.tools({})).total"})
        assert (result.structured_content or {})["result"] == len(NINE)
        assert (result.structured_content or {})["accountId"] == "local"


async def test_stdio_finds_the_config_in_its_scope_and_keeps_stdout_to_json_rpc(
    stdio_config: Path, tmp_path: Path
) -> None:
    messages: list[dict[str, Any]] = [
        {
            "jsonrpc": "2.0",
            "id": 0,
            "method": "initialize",
            "params": {
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {"name": "test", "version": "1"},
            },
        },
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": "execute", "arguments": {"code": "console.log('hello'); return 1"}},
        },
    ]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "proxy", "mcp", "--scope", str(stdio_config),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT,
        env=environment(tmp_path, {"INVENTORY_TOKEN": "unused"}),
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    lines: list[bytes] = []
    for message in messages:
        process.stdin.write(json.dumps(message).encode() + b"\n")
        await process.stdin.drain()
        if "id" in message:
            lines.append(await asyncio.wait_for(process.stdout.readline(), LIMIT_SECONDS))
    rest, errors = await asyncio.wait_for(process.communicate(b""), LIMIT_SECONDS)
    assert process.returncode == 0
    answers = [json.loads(line) for line in [*lines, *rest.splitlines()]]
    assert [answer["id"] for answer in answers] == [0, 1]
    assert all(answer["jsonrpc"] == "2.0" for answer in answers)
    assert answers[1]["result"]["structuredContent"]["logs"] == [{"level": "log", "text": "hello"}]
    assert b"config applied" in errors
    assert b"Traceback" not in errors
