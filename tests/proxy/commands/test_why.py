"""`executor why`: past calls explained from a real chain of lines, by the config of then and that of today."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from proxy.audit import Chain
from proxy.config import load_config
from tests.proxy.commands.running import Run
from tests.proxy.support import shop

CONFIG = """\
version: 1
integrations:
  shop: {kind: openapi, spec: {file: shop.json}}
  far: {kind: openapi, spec: {url: https://far.example.com/openapi.json}}
connections: {shop.org.main: {}, far.org.main: {}}
audit: {sink: {file: audit.jsonl}, arguments: full}
policies:
  - {id: no-deletes, pattern: shop.*.*.items.delete, action: block, reason: never}
  - {id: small, pattern: shop.*.*.items.create, when: {body.name: {in: [a]}}, action: approve}
"""
MAIN = "shop.org.main.items"
LATER = 1_800_000_000.0
SMALL = {"value": {"body": {"name": "a"}}}
Line = tuple[str, dict[str, Any]]


def call(name: str, action: str, rule: str, line: int, **more: Any) -> Line:
    who = {"workspace": "default", "account": "key:ci", "kind": "key", "groups": ["bots"]}
    decision = {"action": action, "rule": rule, "source": f"executor.yaml:{line}"}
    address = name if "." in name else f"{MAIN}.{name}"
    fields = {"who": who, "executionId": "ex_1", "call": 0, "address": address, "decision": decision}
    return "call", {**fields, **more}


CREATED = call("create", "approve", "small", 9, ok=True, arguments=SMALL)


def write_trail(
    folder: Path, *lines: Line, chain: Chain | None = None, sha256: str = "", name: str = "audit.jsonl"
) -> Chain:
    sha256 = sha256 or load_config([folder / "executor.yaml"], env=None).sha256
    chain = chain or Chain()
    with (folder / name).open("ab") as out:
        for at, (event, fields) in enumerate(lines):
            out.write(chain.line(LATER + at, event, {"config": sha256, **fields}) + b"\n")
    return chain


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.json").write_text(json.dumps(shop()))
    (tmp_path / "executor.yaml").write_text(CONFIG)
    return tmp_path


def test_an_execution_is_explained_call_by_call(run: Run, folder: Path) -> None:
    search: Line = (
        "call",
        {"executionId": "ex_1", "path": "search", "ok": True, "who": {"account": "key:ci"}},
    )
    deleted = call("delete", "block", "no-deletes", 8, ok=False, code="tool_blocked")
    decided: Line = (
        "approval",
        {"executionId": "ex_1", "action": "accept", "via": "page", "who": {"account": "user:ann"}},
    )
    ended: Line = ("execution", {"executionId": "ex_1", "status": "completed"})
    write_trail(
        folder, CREATED, deleted, search, decided, ended, call("list", "approve", "x", 1, executionId="o")
    )
    ran = run("why", "ex_1")
    assert (ran.code, ran.err) == (0, ""), ran
    assert "approval ex_1: accept by user:ann, by page" in ran.out
    assert "execution ex_1: completed" in ran.out
    assert f"  {MAIN}.create: approve  (the call: ok)\n    rule       small (executor.yaml:9)" in ran.out
    assert '    as it was  {"id": "small", "pattern": "shop.*.*.items.create"' in ran.out
    assert '    arguments  {"body": {"name": "a"}}\n    today      approve, by the same rule' in ran.out
    assert "    arguments  not in the trail: refused whatever they are" in ran.out
    assert "  search: ok\n  nothing was decided" in ran.out
    assert ".list" not in ran.out


def test_another_config_is_found_in_git_and_today_is_said(run: Run, folder: Path) -> None:
    def git(*words: str) -> None:
        who = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
        subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)

    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "then")
    write_trail(folder, CREATED, call("delete", "block", "no-deletes", 8, arguments={"value": {"id": "1"}}))
    (folder / "executor.yaml").write_text(
        CONFIG.replace("in: [a]", "in: [b]").replace("version", "\n\nversion")
    )
    found = run("why", "--tool", "shop.*", "--json").json["calls"]
    assert found[0]["then"] == {
        **CREATED[1]["decision"], "file": "executor.yaml", "line": 9
    }  # fmt: skip
    assert found[0]["rule_then"]["when"] == {"body.name": {"in": ["a"]}}
    assert found[0]["config"]["where"].startswith("git ")
    today = {key: found[0]["today"][key] for key in ("action", "rule", "same", "clear")}
    assert today == {
        "action": "require_approval", "rule": "approve_by_default: reads", "same": False, "clear": True
    }  # fmt: skip
    text = run("why", "--tool", "shop.*").out
    assert (
        "today      require_approval, otherwise than then: approve_by_default: reads (executor.yaml:5)"
        in text
    )
    # The same rule, two lines further down.
    assert "today      block, by no-deletes (executor.yaml:10)" in text


def test_a_config_that_nobody_has_any_more_is_said(run: Run, folder: Path) -> None:
    write_trail(folder, CREATED, sha256="0" * 64)
    ran = run("why", "ex_1")
    assert ran.code == 0
    assert "config     00000000, no longer known: it is not that of the files here" in ran.out
    assert "as it was" not in ran.out
    assert run("why", "ex_1", "--json").json["calls"][0]["config"]["known"] is False


@pytest.mark.parametrize(
    ("line", "today"),
    [
        (
            call("create", "approve", "small", 9, arguments={"sha256": "ab" * 32}),
            "(audit.arguments), sha256 abababababab\n    today      depends on the arguments",
        ),
        (
            call("create", "approve", "small", 9, arguments={"value": {"body": "[redacted]"}}),
            "today      depends on the arguments: the trail does not have the arguments (audit.arguments: full)",
        ),
        (call("create", "approve", "small", 9), "arguments  not in the trail (audit.arguments)\n"),
        (call("gone", "approve", "x", 1), f"today      there is no tool `{MAIN}.gone`"),
        (call("far.org.main.x", "approve", "x", 1), "today      the tools of `far.org.main` are not known here"),
        (call("list", "approve", "x", 1, who={"workspace": "w"}), "today      there is no workspace `w`"),
    ],
    ids=["digest", "redacted", "none", "tool gone", "unknown tools", "workspace gone"],
)  # fmt: skip
def test_what_cannot_be_judged_today_is_said(run: Run, folder: Path, line: Line, today: str) -> None:
    write_trail(folder, line)
    ran = run("why", "ex_1")
    assert ran.code == 0, ran
    assert today in ran.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ex_2"], "no execution `ex_2` in audit.jsonl (1 line, 2027-"),
        (["--tool", "crm.*"], "no call of `crm.*` in audit.jsonl"),
        (["--tool", "shop.*", "--since", "2030-01-01"], "no call of `shop.*` in that time in "),
        (["--tool", "shop.*", "--until", "24h"], "no call of `shop.*` in that time in "),
    ],
)
def test_what_is_not_there_is_said(run: Run, folder: Path, words: Sequence[str], said: str) -> None:
    write_trail(folder, CREATED)
    ran = run("why", *words)
    assert (ran.code, ran.out) == (1, "")
    assert said in ran.err.replace(str(folder) + "/", "")
    assert said in json.loads(run("why", *words, "--json").out)["problem"].replace(str(folder) + "/", "")


def test_an_execution_without_calls(run: Run, folder: Path) -> None:
    write_trail(folder, ("execution", {"executionId": "ex_9", "status": "failed"}))
    ran = run("why", "ex_9")
    assert ran.code == 1
    assert "execution ex_9: failed" in ran.out
    assert "execution `ex_9` made no call that the trail has" in ran.err


def test_rotated_files_are_one_trail(run: Run, folder: Path) -> None:
    chain = write_trail(folder, CREATED, name="audit.jsonl.1")
    write_trail(folder, call("list", "approve", "x", 1, executionId="ex_2"), chain=chain)
    ran = run("why", "ex_1")
    assert ran.code == 1
    assert "the trail begins with line number 1 here: earlier ones are in a rotated file" in ran.err
    assert run("why", "ex_1", "--audit", "audit.jsonl.1", "--audit", "audit.jsonl").code == 0
    wrong = run("why", "ex_1", "--audit", "audit.jsonl", "--audit", "audit.jsonl.1")
    assert (wrong.code, "not whole: line 2: " in wrong.err) == (1, True)


def test_a_trail_that_was_changed_is_answered_and_fails(run: Run, folder: Path) -> None:
    write_trail(folder, CREATED, call("list", "approve", "x", 1))
    trail = folder / "audit.jsonl"
    trail.write_bytes(trail.read_bytes().replace(b'"action":"approve"', b'"action":"block"', 1))
    ran = run("why", "ex_1")
    assert (ran.code, f"{MAIN}.create: block" in ran.out) == (1, True)
    assert "not whole: line 2: the line before it was changed" in ran.err
    assert json.loads(run("why", "ex_1", "--json").out)["trail"]["whole"] is False


def test_a_line_that_is_just_being_written_is_no_fault(run: Run, folder: Path) -> None:
    write_trail(folder, CREATED)
    with (folder / "audit.jsonl").open("a") as out:
        out.write('{"seq":1,"ti')
    assert run("why", "ex_1").code == 0


def test_only_the_last_calls_are_shown_and_the_rest_counted(run: Run, folder: Path) -> None:
    write_trail(folder, *[CREATED] * 4)
    ran = run("why", "ex_1", "--limit", "3")
    assert ran.out.count("rule  ") == 3
    assert ran.out.endswith("1 earlier call not shown: --limit 4\n")


@pytest.mark.parametrize(
    ("config", "words", "said"),
    [
        ("", [], "there is no audit trail yet at "),
        (f"{CONFIG}x", ["--tool", "a", "ex_1"], "name an EXECUTION_ID, or tools with --tool PATTERN"),
        ("", ["--audit", "none.jsonl"], "none.jsonl: No such file"),
        (CONFIG.replace("{file: audit.jsonl}", "off"), [], "writes no audit trail (audit.sink is off)"),
        (CONFIG.replace("{file: audit.jsonl}", "stdout"), [], "sends audit lines to stdout; name a file"),
    ],
)
def test_without_a_trail_it_says_what_to_do(
    run: Run, folder: Path, config: str, words: Sequence[str], said: str
) -> None:
    (folder / "executor.yaml").write_text(config or CONFIG)
    ran = run("why", *(words or ["ex_1"]), *(["ex_1"] if words and "--tool" not in words else []))
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
