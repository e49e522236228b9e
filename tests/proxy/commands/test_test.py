"""`executor test`: tests of policies that cannot pass without testing something, and past calls decided again."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.proxy.commands.running import Run
from tests.proxy.support import shop

CONFIG = """\
version: 1
integrations:
  shop: {kind: openapi, spec: {file: shop.json}}
  far: {kind: openapi, spec: {url: https://far.example.com/openapi.json}}
connections:
  shop.org.main: {auth: {kind: bearer, token: {env: NOT_SET_ANYWHERE}}}
  far.org.main: {}
auth:
  api_keys: {keys: {ci: {value: {env: CI_KEY}, groups: [bots], workspace: one}}}
  oauth: {issuer: https://login.example.com}
workspaces:
  one: {}
  two: {policies: [{id: two-asks, pattern: shop.*, action: require_approval}]}
policies:
  - {id: first-goes, pattern: shop.*.*.items.delete, when: {id: {equals: "1"}}, action: approve}
  - {id: no-deletes, pattern: shop.*.*.items.delete, action: block}
  - {id: bots-create, pattern: shop.*.*.items.create, principals: ["group:bots"], action: approve}
  - {id: ann-creates, pattern: shop.*.*.items.create, principals: ["user:ann"], action: approve}
server: {public_url: https://executor.example.com}
"""
MAIN = "shop.org.main.items"
IN_ONE = {"workspace": "one"}
PASSING: list[dict[str, Any]] = [
    {
        "tool": f"{MAIN}.delete",
        "arguments": {"id": "1"},
        "expect": {"action": "approve", "rule": "first-goes"},
    },
    {
        "tool": f"tools.{MAIN}.delete",
        "arguments": {"id": "2"},
        "expect": {"action": "block", "rule": "no-deletes"},
    },
    {"tool": f"{MAIN}.create", "as": {"key": "ci"}, "expect": {"action": "approve", "rule": "bots-create"}},
    {
        "tool": f"{MAIN}.create",
        "as": {"user": "ann", **IN_ONE},
        "expect": {"action": "approve", "rule": "ann-creates"},
    },
    {
        "tool": f"{MAIN}.list",
        "as": {"workspace": "two"},
        "expect": {"action": "require_approval", "rule": "two-asks"},
    },
    {"tool": f"{MAIN}.list", "expect": {"action": "approve", "rule": "approve_by_default"}},
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.json").write_text(json.dumps(shop()))
    (tmp_path / "executor.yaml").write_text(CONFIG)
    return tmp_path


def tests_of(folder: Path, *tests: dict[str, Any]) -> None:
    """JSON is YAML. Who calls is somebody in workspace `one` unless the test says it."""
    named = [{"name": f"test {at}", "as": IN_ONE, **one} for at, one in enumerate(tests)]
    (folder / "policies.test.yaml").write_text(json.dumps({"tests": named}, indent=1))


def test_all_pass_and_every_rule_is_covered(run: Run, folder: Path) -> None:
    tests_of(folder, *PASSING)
    ran = run("test", "--coverage-min", "100")
    assert (ran.code, ran.err) == (0, ""), ran
    assert ran.out.splitlines()[-1] == "6 passed, 0 failed; rules covered 5/5"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"expect": {"action": "block"}},
            "want block, got approve (approve_by_default: reads, executor.yaml:3)",
        ),
        (
            {"tool": f"{MAIN}.destroy"},
            f"got unknown: no tool `{MAIN}.destroy`; did you mean `{MAIN}.delete`?",
        ),
        ({"tool": "nothing"}, "got unknown: no tool `nothing`"),
        ({"tool": "far.org.main.x"}, "the tools of `far.org.main` are not known here"),
        ({"expect": {"action": "approve", "rule": "typo"}}, "there is no rule `typo`"),
        ({"expect": {"action": "approve", "rule": "no-deletes"}}, "it never came to that rule"),
        (
            {"tool": f"{MAIN}.delete", "expect": {"action": "block"}},
            "this rule depends on `id`: give `arguments`",
        ),
        ({"arguments": {"limit": "many"}}, "the arguments do not fit the tool: /limit"),
        ({"arguments": {"limitt": 1}}, "the arguments do not fit the tool: /limitt"),
        ({"as": {"key": "nobody"}}, "there is no key `nobody`"),
        ({"as": {"key": "ci", "groups": ["other"]}}, "key `ci` has other groups: bots"),
        ({"as": {"key": "ci", "workspace": "two"}}, "key `ci` works in workspace `one` only"),
        ({"as": {"key": "ci", "user": "ann"}}, "a caller is one of `key` and `user`"),
        ({"as": {"workspace": "three"}}, "there is no workspace `three`"),
        ({"as": {}}, "there are several workspaces"),
    ],
)
def test_nothing_passes_without_testing_something(
    run: Run, folder: Path, change: dict[str, Any], problem: str
) -> None:
    tests_of(folder, {"tool": f"{MAIN}.list", "expect": {"action": "approve"}, **change})
    ran = run("test")
    assert ran.code == 1, ran
    assert ran.out.startswith("FAIL test 0\n     policies.test.yaml:")
    assert problem in ran.out
    assert "0 passed, 1 failed; rules covered 0/5" in ran.out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the top level must be a mapping with `tests`"),
        ("- a\n", "the top level must be a mapping with `tests`"),
        ("tests: []\n", "E2"),
        ("version: 1\n", "missing required key `tests`"),
        ("tests:\n  - {name: a, tool: b, expcet: {action: block}}\n", "did you mean `expect`?"),
        ("tests:\n  - {name: a, tool: b, expect: {action: blok}}\n", "`blok` is not a valid action"),
        ("tests:\n  - {name: a, tool: b, expect: {action: block, ruel: x}}\n", "did you mean `rule`?"),
        ("tests:\n  - {name: a, tool: b, as: {usr: x}, expect: {action: block}}\n", "did you mean `user`?"),
        ("tests:\n  - {name: a, name: b, tool: b, expect: {action: block}}\n", "E103"),
        ("tests:\n" + "  - {name: a, tool: b, expect: {action: block}}\n" * 2, "two tests are called `a`"),
        ("tests: [\n", "E101"),
    ],
)
def test_a_file_that_says_something_else_is_no_test(run: Run, folder: Path, text: str, said: str) -> None:
    (folder / "policies.test.yaml").write_text(text)
    ran = run("test")
    assert (ran.code, ran.out) == (2, ""), ran
    assert said in ran.err
    assert "policies.test.yaml:" in ran.err


def test_no_test_is_exit_code_2(run: Run, folder: Path) -> None:
    ran = run("test")
    assert ran.code == 2
    assert "no test was found: there is no *.test.yaml in ." in ran.err
    tests_of(folder, PASSING[0])
    assert run("test", "-k", "nowhere").code == 2
    assert run("test", "none.test.yaml").code == 2
    (folder / "executor.yaml").write_text("version: 2\n")
    assert run("test").code == 2


def test_which_files_and_which_config(run: Run, folder: Path) -> None:
    tests_of(folder, *PASSING)
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    other = elsewhere / "other.test.yaml"
    other.write_text((folder / "policies.test.yaml").read_text())
    for words in (
        ("test", "."), ("test", "policies.test.yaml"), ("test", "--config", "."), ("test", str(other)),
        ("test", str(other), "--config", "executor.yaml"), ("test", str(folder)),
    ):  # fmt: skip
        assert "6 passed" in run(*words).out, words
    assert "1 passed" in run("test", "-k", "TEST 3").out


def test_formats(run: Run, folder: Path) -> None:
    tests_of(folder, PASSING[0], {"tool": f"{MAIN}.list", "expect": {"action": "block"}})
    machine = json.loads(run("test", "--json").out)
    assert (machine["passed"], machine["failed"], machine["coverage"]) == (1, 1, 20.0)
    assert machine["tests"][1]["problem"].startswith("want block, got approve")
    root = ElementTree.fromstring(run("test", "--format", "junit").out)
    assert root.attrib["failures"] == "1"
    assert [case.attrib["name"] for case in root.iter("testcase")] == ["test 0", "test 1"]
    assert len(list(root.iter("failure"))) == 1
    github = run("test", "--format", "github").out
    assert github.startswith("::error file=policies.test.yaml,line=")
    ran = run("test", "-k", "test 0", "--coverage-min", "50")
    assert (ran.code, "coverage 20% is below 50%" in ran.err) == (1, True)


def called(address: str, action: str, rule: str, **more: Any) -> str:
    who = {"workspace": "one", "account": "key:ci", "kind": "key", "groups": ["bots"]}
    record = {"seq": 1, "time": "2026-11-30T10:00:00Z", "event": "call", "who": who, "executionId": "ex_1"}
    decision = {"action": action, "rule": rule, "source": "executor.yaml:9"}
    return json.dumps({**record, "address": address, "decision": decision, **more})


def test_replay_says_which_past_calls_would_be_decided_otherwise(run: Run, folder: Path) -> None:
    trail = [
        called(f"{MAIN}.create", "approve", "bots-create", arguments={"value": {"name": "x"}}),
        called(f"{MAIN}.delete", "approve", "old", arguments={"value": {"id": "2"}}),
        called(f"{MAIN}.delete", "approve", "old", arguments={"sha256": "0"}),
        called(f"{MAIN}.delete", "approve", "old", arguments={"value": {"id": "[redacted]"}}),
        called(f"{MAIN}.gone", "approve", "old"),
        called("far.org.main.x", "approve", "old"),
        called(f"{MAIN}.list", "approve", "old", who={"workspace": "gone", "account": "local"}),
        json.dumps({"seq": 2, "event": "execution"}),
        "no json",
    ]
    (folder / "audit.jsonl").write_text("\n".join(trail) + "\n")
    ran = run("test", "--replay", "audit.jsonl")
    assert ran.code == 1, ran
    assert f"{MAIN}.delete: approve (old) -> block (no-deletes, executor.yaml:16)" in ran.out
    assert f"-> there is no tool `{MAIN}.gone`" in ran.out
    assert "-> there is no workspace `gone`" in ran.out
    assert "not judged: 2 (the trail does not have the arguments" in ran.out
    assert "not judged: 1 (the tools of `far.org.main` are not known here)" in ran.out
    assert ran.out.endswith("3 of 7 calls would be decided otherwise\n")
    machine = json.loads(run("test", "--replay", "audit.jsonl", "--json").out)
    assert machine["changed"][0]["now"]["rule"] == "no-deletes"


def test_replay_against_a_revision(run: Run, folder: Path) -> None:
    def git(*words: str) -> None:
        subprocess.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *words], cwd=folder, check=True
        )

    git("init", "-q", "-b", "main")
    git("add", "-A")
    git("commit", "-qm", "first")
    (folder / "executor.yaml").write_text(CONFIG.replace("action: block", "action: approve"))
    line = called(f"{MAIN}.delete", "block", "no-deletes", arguments={"value": {"id": "2"}})
    (folder / "audit.jsonl").write_text(line + "\n")
    assert run("test", "--replay", "audit.jsonl").code == 1
    assert run("test", "--replay", "audit.jsonl", "--against", "main").code == 0
    (folder / "asked.jsonl").write_text(line.replace('"block"', '"approve"') + "\n")
    ran = run("test", "--replay", "asked.jsonl", "--against", "main")
    assert ran.code == 1
    assert "approve (no-deletes) -> block (no-deletes, executor.yaml:" in ran.out
    for words in (
        ("--against", "nowhere"),
        ("--against=--help",),
        ("--against", "main", "--config", "audit.jsonl"),
    ):
        ran = run("test", "--replay", "audit.jsonl", *words)
        assert (ran.code, ran.out) == (2, ""), words
    assert run("test", "--against", "main").code == 2
    assert run("test", "--replay", "none.jsonl").code == 2


LOCKED = """\
version: 1
lock: {mode: enforce}
integrations: {far: {kind: openapi, spec: SPEC}}
connections: {far.org.main: {}}
"""
FAR_RULES = """\
policies:
  - {id: one, pattern: far.*.*.items.delete, when: {id: {equals: "1"}}, action: block}
  - {id: no-creates, pattern: far.*.*.items.create, action: block}
"""


@pytest.mark.parametrize(
    ("test", "says"),
    [
        ({"tool": "far.org.main.items.create", "expect": {"action": "block", "rule": "no-creates"}}, ""),
        ({"tool": "far.org.main.items.list", "expect": {"action": "block"}}, "want block, got approve"),
        ({"tool": "far.org.main.items.nope", "expect": {"action": "block"}}, "are not known here"),
        (
            {"tool": "far.org.main.items.create", "arguments": {"body": {}}, "expect": {"action": "block"}},
            "is known from executor.lock only, and its arguments cannot be checked: use --online",
        ),
        (
            {"tool": "far.org.main.items.delete", "expect": {"action": "block"}},
            "is known from executor.lock only, and a rule asks for arguments: use --online",
        ),
    ],
    ids=["passes", "another action", "not in the lock", "arguments", "conditional"],
)
def test_a_tool_that_only_the_lock_knows(run: Run, tmp_path: Path, test: dict[str, Any], says: str) -> None:
    (tmp_path / "far.json").write_text(json.dumps(shop()))
    file = tmp_path / "executor.yaml"
    file.write_text(LOCKED.replace("SPEC", "{file: far.json}") + FAR_RULES)
    assert run("lock", "--yes", "--config", str(file)).code == 0
    file.write_text(LOCKED.replace("SPEC", "{url: https://far.example.com/o.json}") + FAR_RULES)
    (tmp_path / "p.test.yaml").write_text(json.dumps({"tests": [{"name": "t", **test}]}))
    ran = run("test", "--config", str(file), str(tmp_path / "p.test.yaml"))
    assert (ran.code, says in ran.out + ran.err) == (int(bool(says)), True), ran
