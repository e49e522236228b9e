"""Who may know of a tool, what may happen to a call of it, and how two snapshots judge."""

from __future__ import annotations

import pytest

from integrations.base import JsonObject
from policies import Condition, Rule
from proxy.calls import (
    CallContext,
    Calls,
)
from proxy.calls.judging import gate_of
from proxy.catalog import CatalogTool
from proxy.principal import Principal
from proxy.state import MemoryState
from proxy.workspace import Workspace
from tests.proxy.calls.desk import DELETE, GET, Desk
from tests.proxy.catalog.samples import Tools, tool
from tests.proxy.executions.world import (
    ALICE,
    TOOLS,
    Shelf,
    connection,
    generation,
    live_with,
    shelf,
    workspace,
)


async def test_an_unknown_tool_comes_with_visible_suggestions() -> None:
    answer = await Desk().call("demo.org.main.things.gett")
    assert answer["error"]["code"] == "tool_not_found"
    assert GET in answer["error"]["details"]["suggestions"]


async def test_a_short_path_of_several_connections_is_ambiguous() -> None:
    live = live_with(workspace([connection("demo.org.main", shelf()), connection("demo.org.other", shelf())]))
    calls = Calls(live, MemoryState())
    answer = await calls.call(live.current, ALICE, "demo.things.get", {}, CallContext())
    assert answer["error"]["code"] == "tool_ambiguous"
    assert answer["error"]["details"]["addresses"] == [GET, "demo.org.other.things.get"]


async def test_a_hidden_tool_answers_like_an_absent_one() -> None:
    """T9: same code, same words, and it is not among anyone's suggestions."""
    hiding = Desk(rules=[Rule("hide", DELETE, "block", source="f:1")])
    hidden = await hiding.call(DELETE)
    absent = await hiding.call("demo.org.main.things.erase")
    assert hidden["error"]["code"] == absent["error"]["code"] == "tool_not_found"
    assert hidden["error"].keys() == absent["error"].keys()
    assert hidden["error"]["message"].replace(DELETE, "X") == absent["error"]["message"].replace(
        "demo.org.main.things.erase", "X"
    )
    assert DELETE not in hidden["error"]["details"]["suggestions"]
    assert hiding.upstream.sent == []
    assert hiding.reports[0].decision is not None


async def test_a_block_with_a_reason_explains_itself() -> None:
    desk = Desk(rules=[Rule("hide", DELETE, "block", reason="By hand", source="f:1")])
    answer = await desk.call(DELETE)
    assert answer["error"]["code"] == "tool_blocked"
    assert answer["error"]["details"] == {"rule": "hide", "reason": "By hand"}


async def test_a_reason_that_must_not_be_disclosed_hides_the_tool() -> None:
    desk = Desk(rules=[Rule("hide", DELETE, "block", reason="By hand", disclose=False, source="f:1")])
    assert await desk.code(DELETE) == "tool_not_found"


async def test_conditions_are_judged_on_the_prepared_arguments() -> None:
    """T8: what is judged is what is sent; text is not its number."""
    limit = Rule("small", GET, "approve", when={"amount": Condition(at_most=100)}, source="f:1")
    rest = Rule("rest", GET, "block", reason="too much", source="f:2")
    desk = Desk(rules=[limit, rest])
    assert await desk.code(GET, amount=100) is None
    assert await desk.code(GET, amount=101) == "tool_blocked"
    assert await desk.code(GET, amount="5") == "tool_blocked"
    assert await desk.code(GET) == "tool_blocked"
    assert [arguments for _, arguments in desk.upstream.sent] == [{"amount": 100}]


async def test_the_default_asks_for_writes() -> None:
    desk = Desk(default="reads")
    assert await desk.code(GET) is None
    assert await desk.code("demo.org.main.things.create") == "approval_required"


async def test_wrong_arguments_have_pointers_and_are_not_sent() -> None:
    desk = Desk()
    answer = await desk.call(GET, wrong=1)
    assert answer["error"]["code"] == "invalid_tool_arguments"
    assert answer["error"]["details"]["problems"][0]["pointer"] == "/wrong"
    assert desk.upstream.sent == []


async def test_a_block_applies_to_a_running_execution_at_once() -> None:
    desk = Desk()
    blocked = workspace(
        [connection("demo.org.main", desk.upstream)], [Rule("no", GET, "block", source="f:1")], 2
    )
    desk.live.swap(generation(blocked, number=2))
    assert await desk.code(GET) == "tool_not_found"
    assert desk.upstream.sent == []


async def test_a_removed_connection_says_so() -> None:
    desk = Desk()
    desk.live.swap(generation(workspace([connection("other.org.main", shelf())], (), 2), number=2))
    assert await desk.code(GET) == "connection_removed"


async def test_while_shutting_down_the_leased_rules_hold() -> None:
    desk = Desk()
    desk.live.close()
    assert await desk.code(GET) is None


@pytest.mark.parametrize(
    ("failure", "code", "retryable"),
    [
        ({"status": "needs_secret", "error": "API_TOKEN is not set"}, "connection_value_missing", False),
        ({"status": "failed", "error": "HTTP 503"}, "connection_not_ready", True),
    ],
)
async def test_a_connection_without_upstream_says_why(
    failure: JsonObject, code: str, retryable: bool
) -> None:
    upstream = shelf()
    listed = workspace([connection("demo.org.main", upstream)])
    broken = connection("demo.org.main", upstream, failure)
    listed.connections["demo.org.main"] = broken  # type: ignore[index]
    live = live_with(listed)
    answer = await Calls(live, MemoryState()).call(live.current, ALICE, GET, {}, CallContext())
    assert answer["error"]["code"] == code
    assert answer["error"]["retryable"] is retryable
    assert failure["error"] in answer["error"]["message"]


async def test_a_foreign_workspace_knows_no_tools() -> None:
    answer = await Desk().call(GET, principal=Principal("elsewhere", "key:eve", "key"))
    assert answer["error"]["code"] == "tool_not_found"


async def test_a_tool_that_its_upstream_dropped_says_so() -> None:
    desk = Desk()
    desk.upstream.toolset = Tools(TOOLS[1:], digest="smaller")
    assert await desk.code(GET) == "tool_definition_changed"


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
    gate = gate_of(generation(leased), now, "ws", ALICE.caller())
    assert gate is not None
    here = found(leased)
    action = gate.decide(here, {}).action if gate.present(here) else "gone"
    return gate.present(here), gate.visible(here), action


def test_an_unchanged_config_is_asked_once() -> None:
    leased = space()
    lease = generation(leased)
    gate = gate_of(lease, lease, "ws", ALICE.caller())
    assert gate is not None
    assert gate.decide(found(leased), {}).action == "approve"


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
    gate = gate_of(generation(leased), generation(current, number=2), "ws", ALICE.caller())
    assert gate is not None
    assert gate.hiding(found(leased)).rule_id == "no"


def test_patterns_are_found_by_rule_id_in_either_snapshot() -> None:
    leased, current = space(), space(ASK, number=2)
    gate = gate_of(generation(leased), generation(current, number=2), "ws", ALICE.caller())
    assert gate is not None
    assert gate.pattern("ask", ASK.source) == ADDRESS
    assert gate.pattern("ask", "another:1") is None
    assert gate.pattern("approve_by_default: all", "") is None


def test_a_conditional_block_does_not_hide() -> None:
    small = Rule("big", ADDRESS, "block", when={"amount": Condition(at_least=100)}, source="f:3")
    leased = space(small)
    lease = generation(leased)
    gate = gate_of(lease, lease, "ws", ALICE.caller())
    assert gate is not None
    assert gate.visible(found(leased))
    assert gate.decide(found(leased), {"amount": 100}).action == "block"


def test_an_unknown_workspace_has_no_gate() -> None:
    assert gate_of(generation(), generation(), "ws", ALICE.caller()) is None


def test_a_tool_hidden_then_removed_stays_hidden() -> None:
    leased = space(BLOCK)
    gate = gate_of(generation(leased), generation(number=2), "ws", ALICE.caller())
    assert gate is not None
    assert not gate.visible(found(leased))
    assert gate.hiding(found(leased)).rule_id == "no"
