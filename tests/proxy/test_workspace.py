"""A workspace as policies and callers see it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from policies import Caller, ToolFacts
from proxy.catalog import CatalogTool
from proxy.workspace import Workspace
from tests.proxy.support import config_text, generation_of

POLICIES = """\
policies:
  - {pattern: shop.org.main.items.delete, action: block, principals: ["user:ann"]}
  - {pattern: shop.org.main.items.create, action: block}
"""


async def workspace_of(folder: Path, env: Mapping[str, str]) -> Workspace:
    return (await generation_of(folder, config_text(more=POLICIES), env)).workspaces["default"]


def tool(workspace: Workspace, name: str) -> CatalogTool:
    found = workspace.catalog.find(f"shop.org.main.items.{name}")
    assert isinstance(found, CatalogTool)
    return found


async def test_facts(tmp_path: Path, env: Mapping[str, str]) -> None:
    workspace = await workspace_of(tmp_path, env)
    found = tool(workspace, "delete")
    facts = workspace.facts(found)
    assert facts == ToolFacts(
        address="shop.org.main.items.delete",
        integration="shop",
        risk="destructive",
        approve_by_default="reads",
        default_source=f"{tmp_path / 'executor.yaml'}:3",
        origin="DELETE /items/{id}",
    )
    assert workspace.facts(found) is facts


async def test_what_each_caller_sees(tmp_path: Path, env: Mapping[str, str]) -> None:
    workspace = await workspace_of(tmp_path, env)

    def seen(caller: Caller) -> list[str]:
        return [one.definition.name for one in workspace.catalog.all() if workspace.visible_for(caller)(one)]

    assert seen(Caller(user="ann")) == ["items.list", "items.get"]
    assert seen(Caller(user="bob")) == ["items.list", "items.get", "items.delete"]
    assert seen(Caller(user="ann")) == ["items.list", "items.get"]


async def test_answers_are_remembered_for_some_callers(tmp_path: Path, env: Mapping[str, str]) -> None:
    """Names of users come from tokens: what is kept for them must not grow without end."""
    workspace = await workspace_of(tmp_path, env)
    first, second = Caller(user="ann"), Caller(user="bob")
    remembered = workspace.visible_for(first)
    assert workspace.visible_for(Caller(user="ann")) is remembered
    assert workspace.visible_for(second) is not remembered
    for number in range(100):
        workspace.visible_for(Caller(user=f"user{number}"))
    again = workspace.visible_for(first)
    assert again is not remembered
    assert not again(tool(workspace, "delete"))


async def test_a_generation_knows_its_workspaces(tmp_path: Path, env: Mapping[str, str]) -> None:
    generation = await generation_of(tmp_path, config_text(more="workspaces: {a: {}, b: {}}\n"), env)
    assert generation.workspace("b") is generation.workspaces["b"]
    assert generation.workspace("default") is None
