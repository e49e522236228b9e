"""While a change is rolled out, replicas serve different configs: each judges by its own, says which, sees the rest."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import httpx2

from tests import processes
from tests.e2e import configs
from tests.replicas.fleet import AGENT, BOSS, Fleet, config, fleet
from tests.replicas.front import CHOICE
from tests.replicas.test_replicas import code

A, B = 0, 1
SHA = "executor/config-sha256"
# A tool that is blocked is not there.
BLOCKED = "tool_not_found"


async def test_a_session_is_judged_by_the_replica_that_it_reaches(tmp_path: Path) -> None:
    with fleet(tmp_path / "two", size=2) as two:
        older = await _sha256(two, A)
        assert await _sha256(two, B) == older
        assert _command(two, "wait", "--all", "--digest", older).returncode == 0
        _roll_out(two, B, action="block")
        two.replicas[B].logged("config applied", generation=2)
        newer = await _sha256(two, B)
        program = code("skew", "const r = await quick(c(1)); return r.ok ? r.data.text : r.error.code")
        async with _client(two) as client:
            session = await _opened(client)
            assert await _called(client, session, program, A) == ("quick 1", {SHA: older})
            assert await _called(client, session, program.replace("c(1)", "c(2)"), B) == (
                BLOCKED,
                {SHA: newer},
            )
        assert not two.api.arrived("quick", "skew", "2")
        _seen_from_outside(two, older, newer)
        assert not two.api.doubled()


def _seen_from_outside(two: Fleet, older: str, newer: str) -> None:
    """`executor status` and `executor wait --all` say who serves what, and a refused config is told to the others."""
    late = _command(two, "wait", "--all", "--digest", newer, "--timeout", "100ms")
    assert (late.returncode, f"serves generation 1, sha256 {older[:8]}" in late.stderr) == (1, True)
    two.config_file(A).write_text("version: 1\ncolour: blue\n")
    two.replicas[A].logged("config rejected")
    # The other replica hears of it when the first announces itself again.
    waiting = ("wait", "--all", "--digest", newer, "--timeout", "1s")
    while "its newest config was rejected: " not in (late := _command(two, *waiting, replica=B)).stderr:
        assert late.returncode == 1
    assert "E201 unknown key `colour`" in late.stderr
    shown = _command(two, "status", replica=B).stdout
    assert "2 seen, DIFFERENT configs: 1 serve" in shown
    assert "E201 unknown key `colour`" in shown
    _roll_out(two, A, action="block")
    done = _command(two, "wait", "--all", "--digest", newer)
    assert (done.returncode, "2 replicas" in done.stdout) == (0, True)


def _roll_out(two: Fleet, index: int, action: str) -> None:
    policies = [{"id": "quick", "pattern": "plain.*.*.ledger.quick", "action": action}]
    configs.write(two.config_file(index), config(two.api, policies=policies))


def _command(two: Fleet, *words: str, replica: int = A) -> subprocess.CompletedProcess[str]:
    server = ("--server", two.replicas[replica].url, "--token", BOSS)
    return processes.run(*words, *server)


def _client(two: Fleet, key: str = AGENT) -> httpx2.AsyncClient:
    headers = {"authorization": f"Bearer {key}", "accept": "application/json, text/event-stream"}
    return httpx2.AsyncClient(base_url=two.front.url, headers=headers, timeout=60)


async def _sha256(two: Fleet, replica: int) -> str:
    async with _client(two, BOSS) as client:
        answer = await client.get("/-/status", headers={CHOICE: str(replica)})
    found: str = answer.json()["config"]["sha256"]
    return found


async def _opened(client: httpx2.AsyncClient) -> dict[str, str]:
    """A session of 2025-11-25, opened at A: the headers of its requests."""
    params = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"},
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    answer = await client.post("/mcp", json=body, headers={CHOICE: str(A)})
    return {"mcp-session-id": answer.headers["mcp-session-id"], "mcp-protocol-version": "2025-11-25"}


async def _called(
    client: httpx2.AsyncClient, session: dict[str, str], program: str, replica: int
) -> tuple[str, dict[str, str]]:
    """What the program returned, and what the answer says about itself."""
    params = {"name": "execute", "arguments": {"code": program}}
    body = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}
    answer = await client.post("/mcp", json=body, headers={**session, CHOICE: str(replica)})
    result: dict[str, Any] = answer.json()["result"]
    return result["structuredContent"]["result"], result["_meta"]
