"""`executor explain`: which rules matched, in order, and which line decides."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.proxy.commands.running import Run
from tests.proxy.support import config_text, inline, shop, written

# Starts in line 9 of the file.
MORE = """\
policies:
  - {id: sandbox-is-free, pattern: shop.org.main.*, when: {id: {in: ["1", "2"]}}, action: approve}
  - {id: ci-may, pattern: shop.*.*.items.create, principals: ["group:ci"], action: approve}
  - {id: no-lists, pattern: shop.*.*.items.list, action: block, reason: Too long}
rate_limits:
  api: {per: connection, applies_to: tool_calls, pattern: shop.*, limit: 5000/hour}
  web: {per: workspace, limit: 100/minute}
"""
MAIN = "shop.org.main.items"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return written(
        tmp_path, config_text(connection="{auth: {kind: bearer, token: {env: EXPLAIN_T}}}", more=MORE)
    )


def rows(out: str) -> list[list[str]]:
    """The columns of the table; those of a row are at least two spaces apart."""
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in out.splitlines()]


def explained(run: Run, config: Path, tool: str, *words: str) -> list[list[str]]:
    run.set(EXPLAIN_T="canary-1f")
    ran = run("explain", tool, "--config", str(config), *words)
    assert ran.code == 0, ran
    assert "canary-1f" not in ran.out
    return rows(ran.out)


def tail() -> list[list[str]]:
    """What is said about every tool of the connection."""
    return [
        ["limit", "api: 5000/hour per connection"],
        ["connection", "shop.org.main: connected, auth bearer"],
    ]


def test_a_default_decides(run: Run, config: Path) -> None:
    assert explained(run, config, f"{MAIN}.create") == [
        [f"{MAIN}.create: require_approval"],
        ["skipped", "sandbox-is-free", f"{config}:10", "depends on `id`"],
        ["skipped", "ci-may", f"{config}:11", "only for group:ci"],
        ["require_approval", "approve_by_default: reads", f"{config}:3", "POST /items"],
        *tail(),
    ]


def test_a_rule_decides_for_a_caller(run: Run, config: Path) -> None:
    assert explained(run, config, f"{MAIN}.create", "--as", "key=bot,group=ci") == [
        [f"{MAIN}.create: approve"],
        ["skipped", "sandbox-is-free", f"{config}:10", "depends on `id`"],
        ["approve", "ci-may", f"{config}:11"],
        *tail(),
    ]


def test_a_rule_decides_by_arguments(run: Run, config: Path) -> None:
    said = explained(run, config, f"{MAIN}.delete", "--arguments", '{"id": "1"}')
    assert said[:2] == [[f"{MAIN}.delete: approve"], ["approve", "sandbox-is-free", f"{config}:10"]]
    said = explained(run, config, f"{MAIN}.delete", "--arguments", '{"id": "3"}')
    assert said[:2] == [
        [f"{MAIN}.delete: require_approval"],
        ["skipped", "sandbox-is-free", f"{config}:10", "`id` does not hold"],
    ]


def test_the_stricter_layer_wins(run: Run, tmp_path: Path) -> None:
    more = """\
workspaces:
  clerks: {policies: [{pattern: shop.*, action: require_approval, reason: Two pairs of eyes}]}
policies: [{id: free, pattern: shop.*, action: approve}]
"""
    config = written(tmp_path, config_text(more=more))
    assert explained(run, config, f"{MAIN}.get") == [
        [f"{MAIN}.get: require_approval"],
        ["approve", "free", f"{config}:11"],
        ["require_approval", "workspaces.clerks.policies[0]", f"{config}:10", "Two pairs of eyes"],
        ["↑ the stricter layer wins"],
        ["connection", "shop.org.main: connected, auth none"],
    ]


def test_a_short_address_is_enough(run: Run, config: Path) -> None:
    assert explained(run, config, "tools.shop.items.get")[0] == [f"{MAIN}.get: approve"]


def test_json(run: Run, config: Path) -> None:
    run.set(EXPLAIN_T="canary-1f")
    said = run("explain", f"{MAIN}.list", "--json", "--config", str(config)).json
    considered = said.pop("considered")
    assert said == {
        "tool": f"{MAIN}.list",
        "action": "block",
        "rule": "no-lists",
        "default": None,
        "file": str(config),
        "line": 12,
        "reason": "Too long",
        "approver": None,
        "conditional": True,
        "limits": [{"name": "api", "limit": "5000/hour", "per": "connection"}],
        "auth": "bearer",
        "connection": {"status": "connected"},
        "lock": None,
    }
    assert [(row["rule"], row["outcome"]) for row in considered] == [
        ("sandbox-is-free", "skipped"),
        ("no-lists", "decided"),
    ]


@pytest.mark.parametrize(("expected", "code"), [("block", 0), ("approve", 1), ("require_approval", 1)])
def test_expect(run: Run, config: Path, expected: str, code: int) -> None:
    run.set(EXPLAIN_T="x")
    ran = run("explain", f"{MAIN}.list", "--expect", expected, "--config", str(config))
    assert ran.code == code
    assert (f"expected {expected}, got block" in ran.out) == bool(code)


@pytest.mark.parametrize(
    ("tool", "said"),
    [
        (f"{MAIN}.gte", f"no tool `{MAIN}.gte`: did you mean `{MAIN}.get`?"),
        ("zzz", "no tool `zzz`: see `executor tools list`"),
    ],
)
def test_an_unknown_tool(run: Run, config: Path, tool: str, said: str) -> None:
    run.set(EXPLAIN_T="x")
    ran = run("explain", tool, "--config", str(config))
    assert (ran.code, ran.out, ran.err) == (1, "", f"executor: {said}\n")


def test_an_ambiguous_tool(run: Run, tmp_path: Path) -> None:
    config = written(tmp_path, config_text(more="  shop.org.second: {}\n"))
    ran = run("explain", "shop.items.get", "--config", str(config))
    assert ran.code == 1
    said = "`shop.items.get` is ambiguous: shop.org.main.items.get, shop.org.second.items.get"
    assert (ran.out, ran.err) == ("", f"executor: {said}\n")


def test_a_connection_without_tools_says_why(run: Run, tmp_path: Path) -> None:
    spec = f"{inline(shop())}\n  crm: {{kind: openapi, spec: {{url: http://127.0.0.1:9/api.json}}}}"
    config = written(tmp_path, config_text(spec, more="  crm.org.main: {}\n"))
    ran = run("explain", "crm.org.main.query.people", "--config", str(config))
    assert ran.code == 1
    assert (
        "no tool `crm.org.main.query.people`: crm.org.main is failed: http://127.0.0.1:9/api.json" in ran.err
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--as", "ann"], "--as ann: expected one of"),
        (["--as", "workspace=nope"], "no such workspace; there are: default"),
        (["--arguments", "[]"], "must be a JSON object"),
        (["--arguments", "{"], "not JSON"),
    ],
)
def test_what_cannot_run_is_exit_2(run: Run, config: Path, words: list[str], said: str) -> None:
    run.set(EXPLAIN_T="x")
    ran = run("explain", f"{MAIN}.get", "--config", str(config), *words)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("executor: ")
    assert said in ran.err


def test_a_wrong_document_is_exit_2(run: Run, tmp_path: Path) -> None:
    config = written(tmp_path, config_text('{inline: {openapi: "9.0"}}'))
    ran = run("explain", f"{MAIN}.get", "--config", str(config))
    assert ran.code == 2
    assert "OpenAPI version '9.0' is not supported" in ran.err


def test_an_invalid_config_is_exit_78(run: Run, tmp_path: Path) -> None:
    config = written(tmp_path, config_text(more="polices: []\n"))
    ran = run("explain", f"{MAIN}.get", "--config", str(config))
    assert (ran.code, ran.out) == (78, "")
    assert "did you mean `policies`?" in ran.err


def test_without_a_config_nothing_runs(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = run("explain", f"{MAIN}.get")
    assert ran.code == 2
    assert "name one with --config PATH" in ran.err
