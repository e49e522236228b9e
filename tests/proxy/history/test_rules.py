"""The table of rules, and what each of them says to one call."""

from __future__ import annotations

from pathlib import Path

from policies import Caller
from proxy.catalog import CatalogTool
from proxy.history.rule_hits import RuleHits
from proxy.history.rules import RuleAnswer, explained, rule_layers
from proxy.workspace import Workspace
from tests.proxy.support import config_text, generation_of

MORE = """\
policies:
  - {id: ci-may, pattern: shop.*.*.items.create, principals: ["group:ci"], action: approve}
  - {id: small, pattern: shop.*.*.items.create, when: {id: {in: ["1", 2]}, name: {exists: true}}, action: approve}
  - {id: no-deletes, pattern: shop.*.*.items.delete, action: block, reason: Kept}
  - {id: never, pattern: shop.org.main.items.delete, action: approve}
  - {id: nothing, pattern: shop.*.*.orders.*, risk: [write], action: block}
workspaces:
  ws:
    policies:
      - {id: all-ask, pattern: "shop.*.*.items.*", action: require_approval, approver: human}
"""
CREATE = "shop.org.main.items.create"


async def workspace(folder: Path, env: dict[str, str]) -> Workspace:
    return (await generation_of(folder, config_text(more=MORE), env)).workspaces["ws"]


def tool(made: Workspace, address: str) -> CatalogTool:
    found = made.catalog.find(address)
    assert isinstance(found, CatalogTool)
    return found


async def test_the_table_says_what_is_wrong_with_a_rule(tmp_path: Path, env: dict[str, str]) -> None:
    made = await workspace(tmp_path, env)
    rules = {rule.id: (rule.id, rule.source) for rule in made.policies.rules()}
    layers = rule_layers(made, {rules["small"]: RuleHits(4, 9.0)})
    assert [layer.name for layer in layers] == ["policies", "workspaces.ws.policies", "defaults"]
    rows = {row.id: row for layer in layers for row in layer.rows}
    assert [row.number for row in layers[0].rows] == [1, 2, 3, 4, 5]
    assert (rows["small"].hits.count, rows["small"].unused, rows["ci-may"].unused) == (4, False, True)
    assert rows["small"].conditions == ('`id` is one of "1", 2', "`name` exists: true")
    assert rows["ci-may"].conditions == ("caller is group:ci",)
    assert rows["nothing"].conditions == ("risk is write",)
    assert (rows["never"].shadowed_by, rows["no-deletes"].shadowed_by) == ("no-deletes", "")
    assert [row.id for row in layers[0].rows if row.unmatched] == ["nothing"]
    assert rows["all-ask"].approver == "human"
    assert [(row.default, row.pattern) for row in layers[2].rows] == [(True, "shop.*")]


async def test_every_rule_answers(tmp_path: Path, env: dict[str, str]) -> None:
    made = await workspace(tmp_path, env)
    found = explained(made, tool(made, CREATE), Caller(key="bot"), {"id": "1", "name": "x"})
    said = {one.id: (one.answer, one.note) for one in found.answers}
    assert said["ci-may"] == ("skipped", "only for group:ci")
    assert said["small"][0] == "applied"
    assert said["no-deletes"] == ("other tools", "")
    assert said["all-ask"] == ("decided", "")
    assert (found.decision.action, found.decision.approver) == ("require_approval", "human")


async def test_what_an_earlier_rule_has_settled_is_not_reached(tmp_path: Path, env: dict[str, str]) -> None:
    made = await workspace(tmp_path, env)
    found = explained(made, tool(made, "shop.org.main.items.delete"), Caller(key="bot"), None)
    said = {one.id: one.answer for one in found.answers}
    assert (said["no-deletes"], said["never"], said["all-ask"]) == ("decided", "not reached", "applied")


async def test_a_default_answers_where_no_rule_does(tmp_path: Path, env: dict[str, str]) -> None:
    made = (await generation_of(tmp_path, config_text(), env)).workspaces["default"]
    found = explained(made, tool(made, CREATE), Caller(key="bot"), None)
    (answer,) = found.answers
    assert isinstance(answer, RuleAnswer)
    assert (answer.id, answer.answer, answer.action) == (
        "approve_by_default: reads",
        "decided",
        "require_approval",
    )
    assert found.lock == ""
