"""Conditions judge what is sent: the same call in every spelling meets the same rule, and people see what is sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import configs
from tests.e2e.running import Answer, JsonObject, Proxy, serving
from tests.integrations.echo import Echo, Reply, echo_thread

FILE = {"_tag": "ToolFile", "mimeType": "text/plain", "encoding": "base64", "data": "NDI="}
RULES = [
    {"id": "not-42", "pattern": "bank.*.*.accounts.read", "action": "block", "when": {"id": {"equals": "42"}}},
    {
        "id": "large", "pattern": "bank.*.*.transfers.send", "action": "require_approval",
        "when": {"amount": {"at_least": 1000}},
    },
    {"id": "small", "pattern": "bank.*.*.orders.*", "action": "approve", "when": {"amount": {"at_most": 100}}},
    {"id": "small-form", "pattern": "bank.*.*.forms.*", "action": "approve", "when": {"body.amount": {"at_most": 100}}},
    {"id": "no-wipe", "pattern": "bank.*.*.admin.*", "action": "block", "reason": "Wiping is done by hand"},
    {"id": "no-evil", "pattern": "bank.*.*.files.*", "action": "block", "when": {"body.note": {"equals": "42"}}},
    {"id": "rest", "pattern": "bank.*.*.orders.*", "action": "require_approval"},
    {"id": "rest-form", "pattern": "bank.*.*.forms.*", "action": "require_approval"},
]  # fmt: skip


def _query(name: str, schema: JsonObject) -> JsonObject:
    return {"name": name, "in": "query", "schema": schema}


def _operation(name: str, *parameters: JsonObject, body: JsonObject | None = None) -> JsonObject:
    made: JsonObject = {
        "operationId": name,
        "parameters": list(parameters),
        "responses": {"200": {"description": ""}},
    }
    return {**made, "requestBody": {"content": body}} if body else made


def document() -> JsonObject:
    identifier = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    amount = _query("amount", {"type": "integer"})
    fields = {"type": "object", "properties": {"amount": {"type": "integer"}, "more": {"type": "object"}}}
    form = {"application/x-www-form-urlencoded": {"schema": fields, "encoding": {"more": {"style": "form"}}}}
    parts = {
        "multipart/form-data": {"schema": {"type": "object", "properties": {"note": {"type": "string"}}}}
    }
    paths = {
        "/accounts/{id}": {"get": _operation("accounts.read", identifier)},
        "/transfers": {"post": _operation("transfers.send", amount)},
        "/orders": {"post": _operation("orders.place", amount, _query("filter", {"type": "object"}))},
        "/forms": {"post": _operation("forms.send", body=form)},
        "/files": {"post": _operation("files.send", body=parts)},
        "/moved": {"post": _operation("moved.here")},
        "/admin/wipe": {"post": _operation("admin.wipe")},
    }
    return {"openapi": "3.1.0", "info": {"title": "Bank", "version": "1"}, "paths": paths}


@pytest.fixture(scope="module")
def echo() -> Iterator[Echo]:
    with echo_thread() as running:
        yield running


@pytest.fixture(scope="module")
def audit_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("audit") / "audit.jsonl"


@pytest.fixture(scope="module")
def bank(echo: Echo, audit_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("bank")
    kind = {
        "kind": "openapi",
        "spec": {"inline": document()},
        "base_url": echo.url,
        "approve_by_default": "all",
    }
    config = {
        "version": 1, "integrations": {"bank": kind}, "connections": {"bank.org.main": {}},
        "policies": RULES, "state": {"backend": "memory"},
        "audit": {"sink": {"file": str(audit_file)}, "arguments": "full"},
    }  # fmt: skip
    with serving(configs.write(folder / "executor.yaml", config), folder / "state") as proxy:
        yield proxy


async def call(bank: Proxy, echo: Echo, tool: str, arguments: JsonObject) -> tuple[Answer, list[str]]:
    """The answer, and the targets of what was sent."""
    echo.log.clear()
    answer = await bank.execute(f"return await tools.bank.org.main.{tool}({json.dumps(arguments)})")
    return answer, [one.target for one in echo.log]


def lines_of(file: Path) -> list[JsonObject]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def refusal(answer: Answer) -> str:
    found: str = answer.value["error"]["code"]
    return found


@pytest.mark.parametrize("spelled", ["42", 42, 42.0])
async def test_a_block_meets_every_spelling(bank: Proxy, echo: Echo, spelled: Any) -> None:
    answer, sent = await call(bank, echo, "accounts.read", {"id": spelled})
    assert (refusal(answer), sent) == ("tool_blocked", [])
    answer, sent = await call(bank, echo, "accounts.read", {"id": 43})
    assert (answer.value["ok"], sent) == (True, ["/accounts/43"])


@pytest.mark.parametrize("spelled", [5000, "5000", "5000.0", "5e3", 5000.0])
async def test_a_question_is_asked_for_every_spelling(bank: Proxy, echo: Echo, spelled: Any) -> None:
    answer, sent = await call(bank, echo, "transfers.send", {"amount": spelled})
    assert (answer.status, sent) == ("waiting_for_interaction", [])
    assert json.loads(answer.structured["interaction"]["args"]) == {"amount": 5000}


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("orders.place", {"amount": 1, "filter": {"amount": "5000"}}),
        ("orders.place", {"amount": 1, "filter": {"Amount": "5000"}}),
        ("orders.place", {"amount": 1, "filter": {"amount[]": "5000"}}),
        ("orders.place", {"filter": {"amount": "5000"}}),
        ("forms.send", {"body": {"amount": 1, "more": {"amount": "5000"}}}),
        ("forms.send", {"body": "amount=1&amount=5000"}),
    ],
)
async def test_no_argument_speaks_for_another(
    bank: Proxy, echo: Echo, tool: str, arguments: JsonObject
) -> None:
    answer, sent = await call(bank, echo, tool, arguments)
    assert sent == []
    if answer.status == "completed":
        assert refusal(answer) == "invalid_tool_arguments"


async def test_an_approve_rule_still_holds_for_what_it_means(bank: Proxy, echo: Echo) -> None:
    answer, sent = await call(bank, echo, "orders.place", {"amount": "100", "filter": {"colour": "red"}})
    assert (answer.value["ok"], sent) == (True, ["/orders?amount=100&colour=red"])
    answer, sent = await call(bank, echo, "forms.send", {"body": {"amount": "100"}})
    assert (answer.value["ok"], sent) == (True, ["/forms"])
    answer, sent = await call(bank, echo, "orders.place", {"amount": "101"})
    assert (answer.status, sent) == ("waiting_for_interaction", [])


async def test_a_file_where_a_condition_looks_is_not_sent(bank: Proxy, echo: Echo) -> None:
    answer, sent = await call(bank, echo, "files.send", {"body": {"note": FILE}})
    assert (refusal(answer), sent) == ("tool_blocked", [])
    answer, sent = await call(bank, echo, "files.send", {"body": {"note": "43"}})
    assert (answer.value["ok"], sent) == (True, ["/files"])


async def test_a_redirect_to_another_tool_is_told_and_not_followed(bank: Proxy, echo: Echo) -> None:
    echo.replies["/moved"] = [Reply(307, [("Location", "/admin/wipe")])]
    answer, sent = await call(bank, echo, "moved.here", {})
    assert sent == ["/moved"]
    error = answer.value["error"]
    assert (error["status"], error["details"]["location"]) == (307, f"{echo.url}/admin/wipe")
    assert "was not followed" in error["message"]


async def test_the_question_the_page_the_audit_and_the_request_show_one_form(
    bank: Proxy, echo: Echo, audit_file: Path
) -> None:
    answer, _ = await call(bank, echo, "transfers.send", {"query": {"amount": "7000.0"}})
    execution, question = answer.structured["executionId"], answer.structured["interaction"]
    assert json.loads(question["args"]) == {"amount": 7000}
    async with bank.client() as client:
        origin = {"origin": bank.url, "sec-fetch-site": "same-origin"}
        await client.post(
            "/login", data={"credential": bank.token or "", "next": "/approvals"}, headers=origin
        )
        page = (await client.get(f"/resume/{execution}")).text
        listed = (await client.get("/api/approvals")).json()["items"]
        path, chosen = f"/api/executions/{execution}", {"action": "accept", "interactionId": question["id"]}
        await client.post(f"{path}/resume", json=chosen)
    assert "7000" in page
    # The code stands there as the agent wrote it.
    arguments = page[page.index('aria-label="Arguments"') :].partition("</pre>")[0]
    assert ("7000" in arguments, "7000.0" in arguments) == (True, False)
    shown = [one["interaction"] for one in listed if one["executionId"] == execution]
    assert [(one["args"], one["argsDigest"]) for one in shown] == [(question["args"], question["argsDigest"])]
    assert question["argsDigest"] in page
    assert [one.target for one in echo.log] == ["/transfers?amount=7000"]
    bank.stop()
    told = [line for line in lines_of(audit_file) if line.get("executionId") == execution]
    calls = [line["arguments"] for line in told if line["event"] == "call"]
    assert [(one["value"], one["sha256"]) for one in calls] == [
        ({"amount": 7000}, question["argsDigest"])
    ] * 2
    digests = {line["argumentsDigest"] for line in told if line["event"] == "approval"}
    assert digests == {question["argsDigest"]}
