"""From a valid config to workspaces: who sees what, under which rules, and where those stand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from policies import Caller, Decision
from proxy.app.build import build_generation
from proxy.catalog import CatalogTool
from proxy.principal import DEFAULT_WORKSPACE
from proxy.workspace import Generation, Workspace
from tests.integrations.echo import Reply, echo_server
from tests.proxy.support import (
    config_text,
    connections_in,
    generation_of,
    inline,
    load,
    shop,
    written,
)

MAIN = "shop.org.main"
TWO = (
    f"{inline(shop())}\n  depot:\n    kind: openapi\n    spec: {inline(shop())}\n    approve_by_default: none"
)
TENANTS = """\
  depot.org.main: {}
workspaces:
  all: {name: Everybody}
  clerks:
    integrations: [shop]
    elicitation: {mode: model}
    policies:
      - {pattern: shop.*.*.items.delete, action: block}
policies:
  - {id: ci-deletes, pattern: shop.*.*.items.delete, action: approve, principals: ["group:ci"]}
  - pattern: shop.org.main.items.create
    when: {body.name: {in: [pen, ink]}, body.price: {at_most: 10}}
    action: approve
"""


async def tenants(folder: Path, env: Mapping[str, str]) -> Generation:
    return await generation_of(folder, config_text(TWO, more=TENANTS), env, number=7)


def tool(workspace: Workspace, address: str) -> CatalogTool:
    found = workspace.catalog.find(address)
    assert isinstance(found, CatalogTool), found
    return found


def decision(
    workspace: Workspace, address: str, arguments: dict[str, object] | None = None, *groups: str
) -> Decision:
    caller = Caller(groups=frozenset(groups))
    return workspace.policies.decide(workspace.facts(tool(workspace, address)), caller, arguments)


async def test_without_workspaces_there_is_the_default_one(tmp_path: Path, env: Mapping[str, str]) -> None:
    generation = await generation_of(tmp_path, config_text(), env, number=3)
    assert list(generation.workspaces) == [DEFAULT_WORKSPACE]
    workspace = generation.workspaces[DEFAULT_WORKSPACE]
    assert (workspace.id, workspace.name, workspace.generation) == ("default", "default", 3)
    assert (generation.number, workspace.sha256) == (3, generation.sha256)
    assert [one.prefix for one in generation.connections] == [MAIN]
    assert len(workspace.catalog) == 4


async def test_a_workspace_sees_its_own_integrations(tmp_path: Path, env: Mapping[str, str]) -> None:
    generation = await tenants(tmp_path, env)
    everybody, clerks = generation.workspaces["all"], generation.workspaces["clerks"]
    assert (everybody.name, clerks.name) == ("Everybody", "clerks")
    assert sorted(everybody.connections) == ["depot.org.main", MAIN]
    assert list(clerks.connections) == [MAIN]
    assert (len(everybody.catalog), len(clerks.catalog)) == (8, 4)
    assert len(generation.connections) == 2


async def test_workspaces_share_what_is_open(tmp_path: Path, env: Mapping[str, str]) -> None:
    generation = await tenants(tmp_path, env)
    everybody, clerks = generation.workspaces["all"], generation.workspaces["clerks"]
    assert everybody.connections[MAIN] is clerks.connections[MAIN]
    address = f"{MAIN}.items.get"
    assert tool(everybody, address).toolset is tool(clerks, address).toolset


async def test_own_policies_only_tighten(tmp_path: Path, env: Mapping[str, str]) -> None:
    generation = await tenants(tmp_path, env)
    address = f"{MAIN}.items.delete"
    free = decision(generation.workspaces["all"], address, {}, "ci")
    assert (free.action, free.rule_id) == ("approve", "ci-deletes")
    tight = decision(generation.workspaces["clerks"], address, {}, "ci")
    assert (tight.action, tight.rule_id) == ("block", "workspaces.clerks.policies[0]")
    assert [row.outcome for row in tight.considered] == ["applied", "decided"]


async def test_rules_know_their_place(tmp_path: Path, env: Mapping[str, str]) -> None:
    generation = await tenants(tmp_path, env)
    lines = (tmp_path / "executor.yaml").read_text().splitlines()

    def line(text: str) -> int:
        return next(number for number, one in enumerate(lines, 1) if text in one)

    file = tmp_path / "executor.yaml"
    clerks = decision(generation.workspaces["clerks"], f"{MAIN}.items.delete")
    assert clerks.rule_source == f"{file}:{line('action: block')}"
    named = decision(generation.workspaces["all"], f"{MAIN}.items.delete", {}, "ci")
    assert named.rule_source == f"{file}:{line('ci-deletes')}"
    numbered = decision(
        generation.workspaces["all"], f"{MAIN}.items.create", {"body": {"name": "pen", "price": 1}}
    )
    assert (numbered.rule_id, numbered.rule_source) == (
        "policies[1]",
        f"{file}:{line('pattern: shop.org.main.items.create')}",
    )


async def test_a_default_stands_where_it_is_set(tmp_path: Path, env: Mapping[str, str]) -> None:
    """Else it stands at the integration that it is the default of."""
    workspace = (await tenants(tmp_path, env)).workspaces["all"]
    file = tmp_path / "executor.yaml"
    lines = file.read_text().splitlines()
    implied = decision(workspace, f"{MAIN}.items.get")
    assert (implied.action, implied.default, implied.rule_source) == ("approve", "reads", f"{file}:3")
    said = decision(workspace, "depot.org.main.items.get")
    place = next(number for number, one in enumerate(lines, 1) if "approve_by_default" in one)
    assert (said.action, said.default, said.rule_source) == ("require_approval", "none", f"{file}:{place}")


@pytest.mark.parametrize(
    ("body", "action"),
    [
        ({"name": "pen", "price": 10}, "approve"),
        ({"name": "car", "price": 10}, "require_approval"),
        ({"name": "pen", "price": 11}, "require_approval"),
        ({"name": "pen"}, "require_approval"),
    ],
)
async def test_conditions_arrive(
    tmp_path: Path, env: Mapping[str, str], body: dict[str, object], action: str
) -> None:
    workspace = (await tenants(tmp_path, env)).workspaces["all"]
    assert decision(workspace, f"{MAIN}.items.create", {"body": body}).action == action


@pytest.mark.parametrize(
    ("condition", "fits", "fails"),
    [
        ("{equals: null}", None, "x"),
        ("{not_in: [a, b]}", "c", "a"),
        ('{matches: "[ab]+"}', "ab", "abc"),
        ("{at_least: 3}", 3, 2),
        ("{exists: true}", "", ...),
    ],
)
async def test_every_kind_of_condition_arrives(
    tmp_path: Path, env: Mapping[str, str], condition: str, fits: object, fails: object
) -> None:
    rule = f'policies: [{{pattern: "*", action: block, when: {{x: {condition}}}}}]\n'
    workspace = (await generation_of(tmp_path, config_text(more=rule), env)).workspaces["default"]
    address = f"{MAIN}.items.get"
    assert decision(workspace, address, {"x": fits}).action == "block"
    assert decision(workspace, address, {} if fails is ... else {"x": fails}).action == "approve"


async def test_the_rest_of_a_rule_arrives(tmp_path: Path, env: Mapping[str, str]) -> None:
    rule = "{pattern: '*', action: require_approval, risk: [destructive], approver: human"
    rule += ", reason: Why, disclose: false}"
    workspace = (await generation_of(tmp_path, config_text(more=f"policies: [{rule}]\n"), env)).workspaces[
        "default"
    ]
    found = decision(workspace, f"{MAIN}.items.delete", {})
    assert (found.rule_id, found.approver, found.reason, found.disclose) == (
        "policies[0]",
        "human",
        "Why",
        False,
    )
    assert decision(workspace, f"{MAIN}.items.create", {}).default == "reads"


async def test_how_a_workspace_asks(tmp_path: Path, env: Mapping[str, str]) -> None:
    more = "elicitation: {mode: native}\nworkspaces: {a: {}, b: {elicitation: {mode: browser}}}\n"
    generation = await generation_of(tmp_path, config_text(more=more), env)
    assert {name: one.elicitation_mode for name, one in generation.workspaces.items()} == {
        "a": "native",
        "b": "browser",
    }


async def test_what_is_not_ready_is_listed_with_its_reason(tmp_path: Path, env: Mapping[str, str]) -> None:
    auth = "{auth: {kind: bearer, token: {env: TOKEN}}}"
    async with echo_server() as echo, connections_in(env) as connections:
        echo.replies["/api.json"] = [Reply(503)]
        spec = f"{inline(shop())}\n  down: {{kind: openapi, spec: {{url: {echo.url}/api.json}}}}"
        loaded = load(written(tmp_path, config_text(spec, connection=auth, more="  down.org.main: {}\n")))
        assert loaded.config is not None
        catalog = (
            build_generation(loaded, await connections.open(loaded.config), 1).workspaces["default"].catalog
        )
    down, needy = catalog.connections
    assert (down.prefix, down.status, down.toolset, down.index) == ("down.org.main", "failed", None, None)
    assert down.error is not None
    assert "503" in down.error
    # A secret may come at any time, and its tools are known: agents see them, and calls say what is missing.
    assert (needy.prefix, needy.status, needy.error) == (MAIN, "needs_secret", "TOKEN is not set")
    assert needy.toolset is not None
