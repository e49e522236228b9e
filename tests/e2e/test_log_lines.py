"""What the log of a whole server says: a line for everything that happened, in both formats, and no secret in any."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import configs
from tests.e2e.running import Proxy, post, serving
from tests.e2e.upstream import Upstream

ARGUMENT = "pump-4711"
CREATE = f'return (await tools.shop.org.main.things.create({{body: {{name: "{ARGUMENT}"}}}})).ok'
KEY = "agent-key-1c9f-LEAKED-IF-SEEN"
PERSON = "person-key-77ab-LEAKED-IF-SEEN"
WRONG = "wrong-key-5d21-LEAKED-IF-SEEN"
SECRETS = (KEY, PERSON, WRONG, configs.TOKEN)
CALLERS = {
    "api_keys": {
        "keys": {
            "agent": {"value": {"env": "AGENT_KEY"}},
            "boss": {"value": {"env": "PERSON_KEY"}, "groups": ["ops"]},
        }
    },
    "roles": {"approver": ["ops"], "admin": ["ops"]},
}
ENV = {**configs.ENV, "AGENT_KEY": KEY, "PERSON_KEY": PERSON}
LIMITS = {"few": {"per": "key", "applies_to": "executions", "limit": "6/hour"}}


@dataclass(frozen=True)
class Said:
    """All that one server logged, and the ids of what was done meanwhile."""

    lines: tuple[str, ...]
    format: str
    execution: str
    interaction: str

    def events(self, name: str) -> list[dict[str, Any]]:
        return [one for one in map(self._read, self.lines) if one.get("event") == name]

    def _read(self, line: str) -> dict[str, Any]:
        if self.format == "json":
            found: dict[str, Any] = json.loads(line)
            return found
        level, _, rest = line.partition(" ")
        event = rest.strip().split(" ")[0]
        pairs = re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S+)', rest)
        fields = {name: value.strip('"') for name, value in pairs}
        return {"level": level.lower(), "event": event, **fields}


def config(api: Upstream, fmt: str, level: str, shown: str, **more: Any) -> configs.JsonObject:
    return configs.base(
        api,
        auth=CALLERS,
        audit={"arguments": shown},
        telemetry={"log": {"format": fmt, "level": level}},
        rate_limits=LIMITS,
        **more,
    )


async def refused(proxy: Proxy) -> None:
    """One of each: 401, 403, 421, and 429 as a tool result and as a status."""
    async with proxy.client(WRONG) as client:
        assert (await post(client, "execute", {"code": "1"})).status_code == 401
        form = {"credential": WRONG}
        page = await client.post("/login", data=form, headers={"origin": proxy.url})
        assert page.status_code == 403
    async with proxy.client(KEY) as client:
        assert (await client.get("/-/status")).status_code == 403
        assert (await client.get("/api/tools", headers={"host": "evil.example"})).status_code == 421
        answers = [(await post(client, "execute", {"code": "return 1"})).text for _ in range(8)]
        assert "rate_limited" in answers[-1]
        assert (await client.post("/api/executions", json={"code": "1"})).status_code == 429


async def approved(proxy: Proxy) -> tuple[str, str]:
    paused = await proxy.execute(CREATE, token=KEY)
    execution = paused.structured["executionId"]
    question = paused.structured["interaction"]["id"]
    async with proxy.client(PERSON) as client:
        body = {"action": "accept", "interactionId": question}
        answer = await client.post(f"/api/executions/{execution}/decide", json=body)
        assert answer.status_code == 200, answer.text
        await client.post(f"/api/executions/{execution}/resume", json={})
    return execution, question


async def reloads(proxy: Proxy, file: Path, good: configs.JsonObject) -> None:
    mark = proxy.err.mark()
    configs.write(file, {**good, "policies": [{"pattern": "nothing[", "action": "explode"}]})
    proxy.err.wait(lambda line: "config rejected" in line, mark)
    configs.write(file, good)
    proxy.err.wait(lambda line: "config unchanged" in line, mark)
    configs.write(
        file, {**good, "policies": [*good["policies"], {"pattern": "shop.org.main.x", "action": "block"}]}
    )
    proxy.err.wait(lambda line: "config applied" in line, mark)
    async with proxy.client(PERSON) as client:
        assert (await client.post("/-/reload")).status_code == 200


async def everything(api: Upstream, folder: Path, fmt: str, level: str, shown: str) -> Said:
    good = config(api, fmt, level, shown)
    file = configs.write(folder / "executor.yaml", good)
    with serving(file, folder / "state", env=ENV) as proxy:
        proxy.admin = PERSON
        await proxy.execute("return (await tools.shop.org.main.things.list({})).ok", token=KEY)
        await proxy.execute("return (await tools.shop.org.main.admin.wipe({})).ok", token=KEY)
        execution, question = await approved(proxy)
        await refused(proxy)
        await reloads(proxy, file, good)
        assert json.loads(proxy.out.text.splitlines()[0])["event"] == "listening"
        proxy.stop()
        lines = tuple(proxy.err.text.splitlines())
    for secret in SECRETS:
        assert secret not in "\n".join(lines) + proxy.out.text
    return Said(lines, fmt, execution, question)


@pytest.fixture(scope="module", params=["json", "text"])
def fmt(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def said(api: Upstream, fmt: str, tmp_path_factory: pytest.TempPathFactory) -> Said:
    return asyncio.run(everything(api, tmp_path_factory.mktemp(fmt), fmt, "info", "redacted"))


WHO = {"workspace": "default", "account": "key:agent"}
BOSS = {"workspace": "default", "account": "key:boss"}
CALL = {**WHO, "call": r"\d+", "tool": r"shop\.org\.main\..+"}
TABLE = [
    ("execution", {**WHO, "id": "exec_.+", "status": "completed", "calls": r"\d+", "in": r"\d+(ms)?"}),
    ("call", {**CALL, "outcome": "approval_required", "decision": "require_approval", "rule": ".+"}),
    (
        "call",
        {**CALL, "outcome": "ok", "execution": "exec_.+", "arguments_sha256": "[0-9a-f]{64}", "in": ".+"},
    ),
    ("call", {**CALL, "outcome": "tool_blocked", "decision": "block", "rule": "no-wipe", "rule_at": ".+:.+"}),
    (
        "approval",
        {**BOSS, "owner": "key:agent", "decision": "accept", "via": "rest", "outcome": "taken", "in": ".+"},
    ),
    (
        "caller_refused",
        {"status": "401", "route": "mcp", "ip": "127.0.0.1", "reason": ".+", "request_id": ".+"},
    ),
    ("caller_refused", {"status": "403", "route": "pages", "ip": "127.0.0.1", "reason": "sign-in: .+"}),
    ("caller_refused", {**WHO, "status": "403", "route": "/-/status", "reason": ".+admin role.+"}),
    ("caller_refused", {"status": "421", "route": "api", "ip": "127.0.0.1", "reason": ".+"}),
    ("caller_refused", {**WHO, "status": "429", "route": "execute", "reason": ".+few.+"}),
    ("caller_refused", {**WHO, "status": "429", "route": "api", "reason": ".+few.+"}),
    ("reload_asked", BOSS),
]


def _fits(line: dict[str, Any], wanted: dict[str, str]) -> bool:
    return all(name in line and re.fullmatch(value, str(line[name])) for name, value in wanted.items())


@pytest.mark.parametrize(("event", "wanted"), TABLE)
def test_each_event_has_a_line_at_info_with_its_fields(
    said: Said, event: str, wanted: dict[str, str]
) -> None:
    found = said.events(event)
    assert any(_fits(one, {**wanted, "level": "info"}) for one in found), found


def test_a_rejection_is_an_error_and_the_rollback_to_what_serves_is_said(said: Said) -> None:
    rejected = next(line for line in said.lines if "config rejected" in line)
    back = next(line for line in said.lines if "config unchanged" in line)
    assert "error" in rejected.lower()
    assert "after_rejection" in back
    assert "watch" in back


def test_ids_are_the_same_everywhere(said: Said) -> None:
    (approval,) = said.events("approval")
    assert (approval["execution"], approval["interaction"]) == (said.execution, said.interaction)
    assert said.execution in {one["id"] for one in said.events("execution")}
    assert said.execution in {one["execution"] for one in said.events("call")}


def test_reads_requests_and_arguments_are_not_at_info(said: Said) -> None:
    assert not [one for one in said.events("call") if one["tool"].endswith(".list")]
    assert said.events("request") == []
    assert ARGUMENT not in "\n".join(said.lines)


async def test_debug_adds_reads_requests_and_arguments(api: Upstream, fmt: str, tmp_path: Path) -> None:
    said = await everything(api, tmp_path, fmt, "debug", "redacted")
    assert [one for one in said.events("call") if one["tool"].endswith(".list") and one["level"] == "debug"]
    requests = said.events("request")
    assert any(
        _fits(one, {**WHO, "method": "POST", "route": "mcp", "status": "200", "in": ".+"}) for one in requests
    )
    assert ARGUMENT in "\n".join(said.lines)


async def test_no_arguments_where_audit_shows_none(api: Upstream, fmt: str, tmp_path: Path) -> None:
    said = await everything(api, tmp_path, fmt, "debug", "none")
    assert ARGUMENT not in "\n".join(said.lines)
    assert "arguments" not in {name for one in said.events("call") for name in one}


async def test_refusals_do_not_fill_the_log(api: Upstream, tmp_path: Path) -> None:
    file = configs.write(tmp_path / "executor.yaml", config(api, "json", "info", "redacted"))
    with serving(file, tmp_path / "state", env=ENV) as proxy:
        async with proxy.client(WRONG) as client:
            for _ in range(60):
                await client.get("/api/tools")
        proxy.stop()
        lines = [json.loads(line) for line in proxy.err.text.splitlines()]
    told = [one for one in lines if one["event"] == "caller_refused"]
    (rest,) = [one for one in lines if one["event"] == "callers_refused_unlogged"]
    assert len(told) <= 10
    assert len(told) + rest["count"] == 60
    assert rest["level"] == "warning"
