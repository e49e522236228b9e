"""Who may know of a tool, and what may happen to a call of it."""

from __future__ import annotations

import pytest

from integrations.base import JsonObject
from policies import Condition, Rule
from proxy.calls import (
    CallContext,
    Calls,
)
from proxy.principal import Principal
from proxy.state import MemoryState
from tests.proxy.calls.desk import DELETE, GET, Desk
from tests.proxy.catalog.samples import Tools
from tests.proxy.executions.world import (
    ALICE,
    TOOLS,
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
