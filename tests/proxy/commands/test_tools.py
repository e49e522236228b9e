"""`executor tools`: what the config gives agents, for people and machines."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path

import pytest

from tests.integrations.echo import Reply, Seen, echo_server
from tests.integrations.mcp.running import RAW
from tests.proxy.commands.running import Ran, Run
from tests.proxy.support import DOWN_ERROR, config_text, inline, shop, with_a_connection_down, written

MAIN = "shop.org.main.items"
MORE = """\
policies:
  - {id: no-deletes, pattern: shop.*.*.items.delete, action: block}
  - {id: ci-may, pattern: shop.*.*.items.create, principals: ["group:ci"], action: approve}
"""
# Other programs read these keys: none may be renamed or leave.
FIELDS = [
    "address",
    "integration",
    "owner",
    "connection",
    "name",
    "method",
    "path",
    "operationId",
    "risk",
    "deprecated",
    "action",
    "rule",
    "file",
    "line",
]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return written(tmp_path, config_text(more=MORE))


def tools(run: Run, config: Path, *words: str) -> Ran:
    return run("tools", *words, "--config", str(config))


def test_list_for_people(run: Run, config: Path) -> None:
    ran = tools(run, config, "list")
    assert ran.code == 0
    assert ran.out == (
        "TOOL                        ACTION            RULE\n"
        "shop.org.main.items.list    approve           approve_by_default: reads\n"
        "shop.org.main.items.create  require_approval  approve_by_default: reads\n"
        "shop.org.main.items.get     approve           approve_by_default: reads\n"
        "shop.org.main.items.delete  block             no-deletes\n"
    )


def test_list_is_ls_too(run: Run, config: Path) -> None:  # recipe 23
    assert tools(run, config, "ls") == tools(run, config, "list")


def test_list_for_machines(run: Run, config: Path) -> None:
    rows = tools(run, config, "list", "--json").json
    assert [list(row) for row in rows] == [FIELDS] * 4
    assert rows[3] == {
        "address": f"{MAIN}.delete",
        "integration": "shop",
        "owner": "org",
        "connection": "main",
        "name": "items.delete",
        "method": "DELETE",
        "path": "/items/{id}",
        "operationId": "items.delete",
        "risk": "destructive",
        "deprecated": True,
        "action": "block",
        "rule": "no-deletes",
        "file": str(config),
        "line": 10,
    }
    assert (rows[0]["rule"], rows[0]["line"], rows[0]["deprecated"]) == (
        "approve_by_default: reads",
        3,
        False,
    )


def test_schemas(run: Run, config: Path) -> None:
    rows = tools(run, config, "list", f"{MAIN}.*", "--json", "--schemas").json
    assert [list(row) for row in rows] == [[*FIELDS, "input", "output"]] * 4
    get, delete = rows[2], rows[3]
    assert get["input"]["required"] == ["id"]
    assert get["input"]["properties"]["id"] == {"type": "string"}
    assert get["output"]["properties"] == {"id": {"type": "string"}, "name": {"type": "string"}}
    assert delete["output"] == {"type": "null"}


def test_an_operation_without_an_id_has_none(run: Run, tmp_path: Path) -> None:
    document = shop(paths={"/ping": {"get": {"responses": {"204": {"description": "ok"}}}}})
    config = written(tmp_path, config_text(inline(document)))
    (row,) = tools(run, config, "list", "--json").json
    assert (row["operationId"], row["method"], row["path"]) == (None, "GET", "/ping")


def test_lists_are_the_callers(run: Run, config: Path) -> None:
    rows = tools(run, config, "list", "--json", "--as", "group=ci").json
    assert (rows[1]["action"], rows[1]["rule"]) == ("approve", "ci-may")


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("shop.*.*.items.get", ["get"]),
        ("shop.*", ["list", "create", "get", "delete"]),
        ("*", ["list", "create", "get", "delete"]),
        ("shop.org.other.*", []),
    ],
)
def test_patterns(run: Run, config: Path, pattern: str, names: list[str]) -> None:
    rows = tools(run, config, "list", pattern, "--json").json
    assert [row["address"].rpartition(".")[2] for row in rows] == names


def test_a_pattern_that_is_none(run: Run, config: Path) -> None:
    ran = tools(run, config, "list", "shop..x")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("executor: shop..x: ")


def test_search_finds_what_agents_may_see(run: Run, config: Path) -> None:
    ran = tools(run, config, "search", "get", "one", "item")
    assert ran.code == 0
    assert ran.out.splitlines()[1].split(maxsplit=1) == [f"{MAIN}.get", "Get one item"]
    page = tools(run, config, "search", "item", "--json").json
    assert {item["path"] for item in page["items"]} == {
        f"{MAIN}.{name}" for name in ("list", "create", "get")
    }
    assert (page["total"], page["hasMore"]) == (3, False)
    page = tools(run, config, "search", "item", "--json", "--limit", "1").json
    assert (len(page["items"]), page["hasMore"]) == (1, True)


def test_search_without_a_match_is_exit_1(run: Run, config: Path) -> None:
    ran = tools(run, config, "search", "zeppelin")
    assert (ran.code, ran.out) == (1, "nothing found; try other words, or `executor tools list`\n")


def test_search_says_why_there_are_no_tools(run: Run, tmp_path: Path) -> None:
    down = written(tmp_path, with_a_connection_down())
    ran = tools(run, down, "search", "zeppelin")
    assert ran.code == 1
    assert ran.out.startswith(f"crm.org.main is failed: {DOWN_ERROR}")
    none = written(tmp_path, "version: 1\n", "none.yaml")
    assert (
        tools(run, none, "search", "zeppelin").out == "there are no tools: the config has no `connections`\n"
    )


def test_describe_for_people(run: Run, config: Path) -> None:
    ran = tools(run, config, "describe", f"{MAIN}.create")
    assert ran.code == 0
    first, *rest = ran.out.splitlines()
    assert first == f"{MAIN}.create: require_approval (approve_by_default: reads {config}:3)"
    assert "Create an item" in rest
    types = " ".join(rest)
    assert "input   {   body?: {     id?: string;     name?: string;   }; }" in types
    assert "output  {   id?: string;   name?: string; }" in types


def test_describe_for_machines(run: Run, config: Path) -> None:
    described = tools(run, config, "describe", "shop.items.delete", "--json").json
    assert described["path"] == f"{MAIN}.delete"
    assert described["policy"] == {"action": "block", "rule": "no-deletes", "source": f"{config}:10"}


def test_describe_of_an_unknown_tool_is_exit_1(run: Run, config: Path) -> None:
    ran = tools(run, config, "describe", f"{MAIN}.gte")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"executor: no tool `{MAIN}.gte`: did you mean `{MAIN}.get`?\n"


def test_sources(run: Run, tmp_path: Path) -> None:
    text = with_a_connection_down().replace("\n  crm:", "\n    exclude: [nothing]\n  crm:")
    config = written(tmp_path, text)
    ran = tools(run, config, "sources")
    assert ran.code == 0
    header, shop_row, crm_row, warning = ran.out.splitlines()
    assert header == "CONNECTION     KIND     TOOLS  STATUS"
    assert shop_row == "shop.org.main  openapi  4      connected"
    assert crm_row.startswith(f"crm.org.main   openapi  0      failed {DOWN_ERROR}")
    assert warning.startswith("warning: shop.org.main: ")
    assert ":7:15 W609 `nothing` matches no tool that `shop` offers (there are: items.list, " in warning
    rows = tools(run, config, "sources", "--json").json
    assert [(row["connection"], row["status"]) for row in rows] == [
        ("shop.org.main", "connected"),
        ("crm.org.main", "failed"),
    ]


def test_sources_say_what_was_not_checked(run: Run, tmp_path: Path) -> None:
    more = "policies:\n  - {pattern: crm.*.*.x, action: block}\n"
    ran = tools(run, written(tmp_path, with_a_connection_down() + more), "sources")
    assert ran.out.splitlines()[-1].startswith("not checked: patterns that may match crm.org.main (failed: ")


def test_sources_can_probe_health_once(run: Run, tmp_path: Path) -> None:
    probed = inline(shop("http://127.0.0.1:9"))
    quiet = f"{probed}\n    health: {{tool: items.list}}\n  quiet: {{kind: openapi, spec: {probed}}}"
    config = written(tmp_path, config_text(quiet, more="  quiet.org.main: {}\n"))
    ran = tools(run, config, "sources", "--health")
    assert ran.code == 1
    assert [re.split("  +", line)[3] for line in ran.out.splitlines()] == [
        "HEALTH",
        "unhealthy: upstream_unreachable",
        "-",
    ]
    (row, other) = json.loads(tools(run, config, "sources", "--health", "--json").out)
    assert (row["health"]["healthy"], row["health"]["error"]) == (False, "upstream_unreachable")
    assert "health" not in other
    assert tools(run, config, "sources").code == 0


def test_workspaces_see_their_own(run: Run, tmp_path: Path) -> None:
    config = written(tmp_path, config_text(more="workspaces: {all: {}, none: {integrations: []}}\n"))
    assert tools(run, config, "list", "--json", "--as", "workspace=none").json == []
    assert len(tools(run, config, "list", "--json", "--as", "workspace=all").json) == 4
    ran = tools(run, config, "list")
    assert ran.code == 2
    assert "name one with --as workspace=ID (all, none)" in ran.err


def test_a_wrong_document_is_exit_2(run: Run, tmp_path: Path) -> None:
    ran = tools(run, written(tmp_path, config_text("{inline: {}}")), "list")
    assert (ran.code, ran.out) == (2, "")
    assert "no OpenAPI document" in ran.err


def test_an_invalid_config_is_exit_78(run: Run, tmp_path: Path) -> None:
    assert tools(run, written(tmp_path, "version: 2\n"), "list").code == 78


STATES = """\
version: 1
integrations:
  ready: {{kind: mcp, type: local, command: [{python}, -I, -S, {raw}]}}
  off: {{kind: mcp, type: local, enabled: false, command: [nothing]}}
  broken: {{kind: mcp, type: local, command: [/nonexistent/server]}}
  closed: {{kind: mcp, type: remote, url: {url}/closed}}
  strange: {{kind: mcp, type: remote, url: {url}/strange}}
  known: {{kind: mcp, type: remote, url: {url}/strange, oauth: {{client_id: known}}}}
  needy: {{kind: mcp, type: remote, url: {url}/closed, headers: {{X-Key: {{env: NOWHERE}}}}}}
connections:
  ready.org.main: {{}}
  off.org.main: {{}}
  broken.org.main: {{}}
  closed.org.main: {{}}
  strange.org.main: {{}}
  known.org.main: {{}}
  needy.org.main: {{}}
"""


def unauthorized(seen: Seen) -> Reply:
    """`/strange` has metadata, which names this very server as the one that signs people in."""
    origin = f"http://{seen.header('host')}"
    about = {"resource": f"{origin}/strange", "authorization_servers": [origin]}
    documents = {
        "/.well-known/oauth-protected-resource/strange": about,
        "/.well-known/oauth-authorization-server": {"issuer": origin},
    }
    found = documents.get(seen.path)
    return Reply(200, [], json.dumps(found).encode()) if found else Reply(401)


async def test_every_published_status(run: Run, tmp_path: Path) -> None:
    """Each of the published values, and `needs_secret`, which is our addition."""
    async with echo_server() as echo:
        echo.answer = unauthorized
        text = STATES.format(python=sys.executable, raw=RAW, url=echo.url)
        ran = await asyncio.to_thread(tools, run, written(tmp_path, text), "sources", "--json")
    rows = {row["connection"].partition(".")[0]: row for row in json.loads(ran.out)}
    assert {name: (row["status"], "error" in row) for name, row in rows.items()} == {
        "ready": ("connected", False),
        "off": ("disabled", False),
        "broken": ("failed", True),
        "closed": ("needs_auth", False),
        "strange": ("needs_client_registration", True),
        "known": ("needs_auth", False),
        "needy": ("needs_secret", True),
    }


def test_an_empty_list_says_why(run: Run, config: Path, tmp_path: Path) -> None:
    nothing = tools(run, config, "list", "shop.org.other.*").out
    assert nothing == "no tool fits; `executor tools list` shows all\n"
    down = with_a_connection_down()
    ran = tools(run, written(tmp_path, down), "list", "crm.*")
    assert ran.code == 0
    assert ran.out.startswith(f"crm.org.main is failed: {DOWN_ERROR}")
