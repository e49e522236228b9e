"""What a running application writes into its audit trail, and what reloads do to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from proxy.app.application import Application
from proxy.app.options import CannotServe
from proxy.audit import FileSink, verify
from proxy.auth import AuthError, AuthRequest
from proxy.executions import SILENT, ExecutionRequest, InteractionDecision
from proxy.principal import Principal
from tests.integrations.echo import echo_server
from tests.proxy.app.started import application_of
from tests.proxy.support import config_text, inline, shop, written

BOT = Principal("default", "local", "local", frozenset({"ci"}))
BLOCK = "policies: [{id: no-removal, pattern: shop.*.*.items.delete, action: block, reason: kept for the auditors}]\n"


def audit(path: Path, more: str = "") -> str:
    return f"audit: {{sink: {{file: {path}}}{more}}}\n"


def read(path: Path) -> list[dict[str, Any]]:
    lines = path.read_bytes().splitlines()
    assert verify(lines).fault is None
    return [json.loads(line) for line in lines]


async def run(application: Application, code: str) -> Any:
    return await application.gateway.execute(ExecutionRequest(code, 60_000, metadata={"run": 7}), BOT, SILENT)


async def test_calls_and_executions_are_told(tmp_path: Path, env: Mapping[str, str]) -> None:
    path = tmp_path / "audit.jsonl"
    async with echo_server() as echo:
        text = config_text(inline(shop(echo.url)), more=BLOCK + audit(path, ", redact: [id]"))
        async with application_of(tmp_path, text, env) as application:
            code = """
                await tools.shop.items.get({id: "a\\n\\u202e"});
                await tools.shop.items.delete({id: "a"});
                return (await tools.nobody.knows({})).ok"""
            result = await run(application, code)
            sha256 = application.live.current.sha256
    reload, get, remove, unknown, execution = read(path)
    assert (reload["event"], reload["outcome"], reload["trigger"]) == ("reload", "applied", "start")
    assert get["who"] == {"workspace": "default", "account": "local", "kind": "local", "groups": ["ci"]}
    assert (get["address"], get["ok"], get["call"]) == ("shop.org.main.items.get", True, 0)
    assert get["arguments"]["value"] == {"id": "[redacted]"}
    assert get["decision"]["action"] == "approve"
    assert get["config"] == sha256
    assert (remove["code"], remove["decision"]["rule"]) == ("tool_blocked", "no-removal")
    assert remove["decision"]["source"].endswith("executor.yaml:9")
    assert (unknown["code"], unknown["path"]) == ("tool_not_found", "nobody.knows")
    assert execution["executionId"] == result.execution_id
    assert (execution["status"], execution["calls"], execution["metadata"]) == ("completed", 3, {"run": 7})


async def test_who_decided_what_is_told(tmp_path: Path, env: Mapping[str, str]) -> None:
    path = tmp_path / "audit.jsonl"
    async with echo_server() as echo:
        text = config_text(inline(shop(echo.url)), more=audit(path))
        async with application_of(tmp_path, text, env) as application:
            held = await run(application, "return (await tools.shop.items.delete({id: 'a'})).ok")
            question = held.interactions[0]
            decision = {question.id: InteractionDecision("decline")}
            assert (await application.gateway.decide(held.execution_id, decision, BOT, "rest")).taken
            assert (
                await application.gateway.decide("exec_unknown", decision, BOT, "rest")
            ).why == "not_found"
    asked, approval = [line for line in read(path) if line["event"] in ("call", "approval")][:2]
    assert (asked["code"], asked["decision"]["action"]) == ("approval_required", "require_approval")
    assert (approval["action"], approval["via"], approval["interactionId"]) == (
        "decline",
        "rest",
        question.id,
    )
    assert approval["argumentsDigest"] == asked["arguments"]["sha256"]
    assert approval["address"] == "shop.org.main.items.delete"


async def test_a_reload_moves_the_trail_and_a_rejected_one_does_not(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    async with application_of(tmp_path, config_text(more=audit(first)), env) as application:
        written(tmp_path, config_text(more=audit(tmp_path / "none" / "audit.jsonl")))
        outcome = await application.reloader.reload("http")
        assert "its directory must exist" in str(outcome.diagnostics[0].message).lower()
        written(tmp_path, config_text(more=audit(second)))
        assert (await application.reloader.reload("http")).result == "applied"
        await run(application, "return 1")
        written(tmp_path, config_text())
        assert (await application.reloader.reload("http")).result == "applied"
        await run(application, "return 2")
        # Nobody holds it any more.
        FileSink(second).close()
    assert [line["outcome"] for line in read(first)] == ["applied", "rejected"]
    assert [line["event"] for line in read(second)] == ["reload", "execution"]


async def test_a_trail_that_cannot_be_written_is_no_start(tmp_path: Path, env: Mapping[str, str]) -> None:
    with pytest.raises(CannotServe, match=r"audit file.*must exist"):
        async with application_of(tmp_path, config_text(more=audit(tmp_path / "none" / "a.jsonl")), env):
            raise AssertionError("it started")


async def test_who_was_not_let_in_is_told(tmp_path: Path, env: Mapping[str, str]) -> None:
    path = tmp_path / "audit.jsonl"
    async with application_of(tmp_path, config_text(more=audit(path)), env) as application:
        presented = {"authorization": "Bearer exk_not-a-key"}
        with pytest.raises(AuthError):
            await application.gateway.authenticate(AuthRequest.of(presented, {}), "203.0.113.9")
    failure = read(path)[-1]
    assert (failure["event"], failure["status"], failure["peer"]) == ("auth_failure", 401, "203.0.113.9")
    assert b"exk_not-a-key" not in path.read_bytes()


async def test_lines_are_counted(tmp_path: Path, env: Mapping[str, str]) -> None:
    path = tmp_path / "audit.jsonl"
    async with application_of(tmp_path, config_text(more=audit(path)), env) as application:
        await run(application, "return 1")
    assert 'executor_audit_lines_total{outcome="written"} 2.0' in application.metrics.render()[0].decode()
