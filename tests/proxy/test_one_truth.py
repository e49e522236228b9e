"""One truth: for random configs and calls the gate, `explain`, `test`, `diff` and the lock say the same.

`EXECUTOR_TRUTH_CASES` is how many pairs are tried (`make one-truth`: 10,000). The seed is fixed; a failure names config
and call.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from proxy.app.comparison import Side, compare, outlook
from proxy.app.local import open_live
from proxy.app.offline import OfflineView
from proxy.calls.approval import ApprovalNeeded, CallTrace, Ready
from proxy.calls.judging import CallJudge
from proxy.calls.outcome import CallContext
from proxy.catalog import CatalogTool
from proxy.cli import main
from proxy.commands.caller import resolve_caller
from proxy.config import LoadedConfig
from proxy.live import Live
from proxy.lock.file import LockFile, read_lock, write_lock
from proxy.lock.records import Records
from proxy.policy_tests.judging import TestJudge, sent_arguments
from proxy.policy_tests.model import PolicyTest
from tests.proxy.support import load, shop, written

CASES = int(os.environ.get("EXECUTOR_TRUTH_CASES", "300"))
CALLS = 25
TOOLS = ("items.list", "items.create", "items.get", "items.delete")
ARGUMENTS: Mapping[str, tuple[dict[str, Any], ...]] = {
    "items.list": ({}, {"limit": 5}, {"limit": 500}),
    "items.create": ({"body": {"name": "a"}}, {"body": {"name": "b", "id": "1"}}, {"body": {}}),
    "items.get": ({"id": "1"}, {"id": "2"}),
    "items.delete": ({"id": "1"}, {"id": "2"}),
}
CONDITIONS = (
    {"id": {"equals": "1"}},
    {"id": {"in": ["1", "3"]}},
    {"body.name": {"matches": "a+"}},
    {"limit": {"at_most": 10}},
    {"limit": {"exists": False}},
    {"id": {"not_in": ["2"]}, "limit": {"exists": False}},
)
CALLERS = (
    "", "key=ci", "key=other", "user=ann", "user=bob", "group=staff", "user=ann,group=bots", "group=staff,group=bots",
)  # fmt: skip
PRINCIPALS = ("key:ci", "user:ann", "group:bots", "group:staff")
PATTERNS = (
    "*", "shop.*", "shop.org.*", "shop.*.main.*", "shop.org.other.*", "shop.*.*.items.*", "tools.shop.*",
    *(f"shop.*.*.{name}" for name in TOOLS), "shop.org.main.items.delete", "shop.*.*.items.c*",
)  # fmt: skip

Said = tuple[str, str, dict[str, Any], str]
"""Who calls which address with which arguments, and what the gate does."""


def rule(rng: random.Random) -> dict[str, Any]:
    made: dict[str, Any] = {
        "pattern": rng.choice(PATTERNS),
        "action": rng.choice(("block", "require_approval", "approve")),
    }
    if rng.random() < 0.4:
        made["when"] = rng.choice(CONDITIONS)
    if rng.random() < 0.4:
        made["principals"] = rng.sample(PRINCIPALS, rng.randint(1, 2))
    if rng.random() < 0.3:
        made["risk"] = rng.sample(("read", "write", "destructive"), rng.randint(1, 2))
    if made["action"] == "require_approval" and rng.random() < 0.3:
        made["approver"] = "human"
    if made["action"] == "block" and rng.random() < 0.5:
        made["reason"] = "because"
    return made


def config(rng: random.Random, mode: str) -> dict[str, Any]:
    keys = {
        "ci": {"value": {"env": "CI"}, "groups": ["bots"], "workspace": "one"},
        "other": {"value": {"env": "OTHER"}, "workspace": "one"},
    }
    workspaces: dict[str, Any] = {"one": {}}
    if rng.random() < 0.5:
        workspaces["two"] = {"policies": [rule(rng) for _ in range(rng.randint(0, 2))]}
    return {
        "version": 1,
        "lock": {"mode": mode},
        "server": {"public_url": "https://executor.example.com"},
        "auth": {
            "api_keys": {"keys": keys},
            "oauth": {"issuer": "https://login.example.com"},
            "roles": {"approver": ["key:other"]},
        },
        "integrations": {
            "shop": {
                "kind": "openapi",
                "spec": {"file": "shop.json"},
                "approve_by_default": rng.choice(("reads", "all", "none")),
            }
        },
        "connections": {"shop.org.main": {}, "shop.org.other": {}},
        "workspaces": workspaces,
        "policies": [rule(rng) for _ in range(rng.randint(0, 5))],
    }


def drifted(rng: random.Random, lock: LockFile) -> LockFile:
    """A lock that was written of other tools: some differ, some are new, one is gone."""
    source = lock.sources["shop"]
    tools = dict(source.tools)
    for name in list(tools):
        how = rng.random()
        if how < 0.15:
            tools[name] = dataclasses.replace(tools[name], sha256="0" * 64)
        elif how < 0.25:
            del tools[name]
        elif how < 0.4:
            tools[name] = dataclasses.replace(tools[name], risk=rng.choice(("read", "write", "destructive")))
    tools["items.old"] = dataclasses.replace(source.tools["items.list"], sha256="1" * 64)
    return LockFile({"shop": dataclasses.replace(source, tools=tools)})


def gate(live: Live, tool: CatalogTool, who: str, arguments: dict[str, Any]) -> tuple[str, str | None]:
    """What the running gate does with the call, in the words of policies, and the rule that it names."""
    principal, _ = resolve_caller(who, live.current)
    trace = CallTrace(live.current, principal, CallContext("ex", None, 0), tool.address)
    verdict = CallJudge(live).judge(trace, dict(arguments), None)
    named = trace.decision.rule_id if trace.decision is not None else None
    if isinstance(verdict, ApprovalNeeded):
        return "require_approval", named
    hidden = not isinstance(verdict, Ready) or verdict.suggest is not None
    return ("block" if hidden else "approve"), named


def check(live: Live, rng: random.Random, about: str) -> None:
    generation = live.current
    workspace_id = rng.choice(list(generation.workspaces))
    name = rng.choice(TOOLS)
    address = f"shop.org.{rng.choice(('main', 'other'))}.{name}"
    arguments = rng.choice(ARGUMENTS[name])
    caller = rng.choice(CALLERS)
    workspace_id = "one" if caller.startswith("key=") else workspace_id
    who = ",".join(filter(None, (caller, f"workspace={workspace_id}")))
    about = f"{about}\n{who}: {address} {json.dumps(arguments)}"

    principal, workspace = resolve_caller(who, generation)
    tool = workspace.catalog.find(address)
    assert isinstance(tool, CatalogTool), about
    sent = sent_arguments(workspace, tool, arguments)
    assert not isinstance(sent, str), about
    explained = workspace.decide(tool, principal.caller(), sent)

    done, named = gate(live, tool, who, arguments)
    assert done == explained.action, f"gate {done} by {named}, explain {explained}\n{about}"
    # A hidden tool is refused before its arguments are looked at: of two layers that block the other may be named.
    hidden = not workspace.visible_for(principal.caller())(tool)
    assert done == "approve" or hidden or named == explained.rule_id, f"{named}, {explained}\n{about}"

    words = {
        name: value
        for name, _, value in (part.partition("=") for part in caller.split(",") if part)
        if not name.startswith("group")
    }
    groups = [part.removeprefix("group=") for part in caller.split(",") if part.startswith("group=")]
    as_ = {"workspace": workspace_id, **words, "groups": groups}
    judge = TestJudge(generation, {})
    for action in ("block", "require_approval", "approve"):
        test = {"name": "t", "tool": address, "arguments": arguments, "as": as_, "expect": {"action": action}}
        verdict = judge.judge(PolicyTest.model_validate(test))
        assert verdict.passed == (action == done), f"test {verdict}\n{about}"

    possible = outlook(workspace, workspace.facts(tool), principal.caller()).possible
    assert done in possible, f"diff {possible}\n{about}"
    held = workspace.withheld(tool) is not None
    assert held == (explained.rule_id == "lock"), about


async def judged(
    loaded: LoadedConfig, text: str, env: Mapping[str, str], rng: random.Random, calls: int
) -> Said:
    """Check so many random calls; the last one is also asked of the command."""
    async with open_live(loaded, env) as live:
        base = loaded.directories[0]
        for _ in range(calls):
            check(live, rng, text)
        side = Side(loaded, OfflineView(live.current, {}), base)
        assert compare(side, side, Records(None)) == []
        name, caller = rng.choice(TOOLS), rng.choice(CALLERS)
        who = caller if caller.startswith("key=") else f"{caller},workspace=one"
        arguments = rng.choice(ARGUMENTS[name])
        tool = live.current.workspaces["one"].catalog.find(f"shop.org.main.{name}")
        assert isinstance(tool, CatalogTool)
        done, _ = gate(live, tool, who, arguments)
        return who, tool.address, arguments, done


def test_all_say_the_same(
    tmp_path: Path,
    env: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    rng = random.Random(f"one truth {CASES}")
    (tmp_path / "shop.json").write_text(json.dumps(shop()))
    path, lock = tmp_path / "executor.yaml", tmp_path / "executor.lock"
    written(tmp_path, json.dumps(config(rng, "off")))
    assert main(["lock", "--yes", "--config", str(path)]) == 0
    reviewed = read_lock(lock)
    for _ in range(0, CASES, CALLS):
        write_lock(lock, drifted(rng, reviewed))
        written(tmp_path, json.dumps(config(rng, rng.choice(("off", "warn", "enforce")))))
        who, address, arguments, done = asyncio.run(judged(load(path), path.read_text(), env, rng, CALLS))
        capsys.readouterr()
        words = ["explain", address, "--as", who, "--arguments", json.dumps(arguments), "--json"]
        assert main([*words, "--config", str(path)]) == 0, path.read_text()
        assert json.loads(capsys.readouterr().out)["action"] == done, path.read_text()
