"""Two snapshots judge, and the stricter wins: tightening is immediate, loosening waits."""

from __future__ import annotations

from policies import Condition, Rule
from proxy.calls.gate import gate
from proxy.catalog import CatalogTool
from proxy.workspace import Workspace
from tests.proxy.catalog.samples import Tools, tool
from tests.proxy.executions.world import ALICE, TOOLS, Shelf, connection, generation, shelf, workspace

ADDRESS = "demo.org.main.things.get"
BLOCK = Rule("no", ADDRESS, "block", source="f:1")
ASK = Rule("ask", ADDRESS, "require_approval", source="f:2")
SHELF = shelf()


def space(*rules: Rule, number: int = 1, default: str = "all", prefix: str = "demo.org.main") -> Workspace:
    return workspace([connection(prefix, SHELF)], rules, number, default)


def found(where: Workspace) -> CatalogTool:
    tool_found = where.catalog.find(ADDRESS)
    assert isinstance(tool_found, CatalogTool)
    return tool_found


def judged(leased: Workspace, current: Workspace | None) -> tuple[bool, bool, str]:
    now = generation(current, number=2) if current is not None else generation(number=2)
    door = gate(generation(leased), now, "ws", ALICE.caller())
    assert door is not None
    here = found(leased)
    action = door.decide(here, {}).action if door.present(here) else "gone"
    return door.present(here), door.visible(here), action


def test_an_unchanged_config_is_asked_once() -> None:
    leased = space()
    lease = generation(leased)
    door = gate(lease, lease, "ws", ALICE.caller())
    assert door is not None
    assert door.decide(found(leased), {}).action == "approve"


def test_a_block_added_meanwhile_wins() -> None:
    assert judged(space(), space(BLOCK, number=2)) == (True, False, "block")


def test_an_approval_added_meanwhile_wins() -> None:
    assert judged(space(), space(ASK, number=2)) == (True, True, "require_approval")


def test_a_block_removed_meanwhile_still_holds() -> None:
    assert judged(space(BLOCK), space(number=2)) == (True, False, "block")


def test_a_removed_connection_or_workspace_is_gone_not_hidden() -> None:
    assert judged(space(), space(number=2, prefix="other.org.main")) == (False, True, "gone")
    assert judged(space(), None) == (False, True, "gone")


def test_an_operation_that_left_its_document_is_judged_by_todays_default() -> None:
    smaller = Shelf(SHELF.answers, Tools(TOOLS[1:], digest="smaller"))
    current = workspace([connection("demo.org.main", smaller)], (), 2, "none")
    assert judged(space(), current) == (True, True, "require_approval")


def test_each_snapshot_judges_by_its_own_view_of_the_risk() -> None:
    changed = Shelf(SHELF.answers, Tools((tool("things.get", risk="destructive"),), digest="changed"))
    current = workspace([connection("demo.org.main", changed)], (), 2, "reads")
    assert judged(space(default="reads"), current) == (True, True, "require_approval")


def test_the_hiding_decision_is_the_stricter_one() -> None:
    leased, current = space(), space(BLOCK, number=2)
    door = gate(generation(leased), generation(current, number=2), "ws", ALICE.caller())
    assert door is not None
    assert door.hiding(found(leased)).rule_id == "no"


def test_patterns_are_found_by_rule_id_in_either_snapshot() -> None:
    leased, current = space(), space(ASK, number=2)
    door = gate(generation(leased), generation(current, number=2), "ws", ALICE.caller())
    assert door is not None
    assert door.pattern("ask", ASK.source) == ADDRESS
    assert door.pattern("ask", "another:1") is None
    assert door.pattern("approve_by_default: all", "") is None


def test_a_conditional_block_does_not_hide() -> None:
    small = Rule("big", ADDRESS, "block", when={"amount": Condition(at_least=100)}, source="f:3")
    leased = space(small)
    lease = generation(leased)
    door = gate(lease, lease, "ws", ALICE.caller())
    assert door is not None
    assert door.visible(found(leased))
    assert door.decide(found(leased), {"amount": 100}).action == "block"


def test_an_unknown_workspace_has_no_gate() -> None:
    assert gate(generation(), generation(), "ws", ALICE.caller()) is None


def test_a_tool_hidden_then_removed_stays_hidden() -> None:
    leased = space(BLOCK)
    door = gate(generation(leased), generation(number=2), "ws", ALICE.caller())
    assert door is not None
    assert not door.visible(found(leased))
    assert door.hiding(found(leased)).rule_id == "no"
