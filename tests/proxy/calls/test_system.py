"""The system tools: live, within what the caller may see, strict about argument types."""

from __future__ import annotations

from typing import Any

import pytest

from integrations.base import Failure
from policies import Rule
from proxy.calls.catalog_thread import WorkBudget
from proxy.calls.outcome import CallContext, PlainValue, WrongArgument
from proxy.calls.system import PARAMETERS, SystemTools, read_arguments, slice_of
from proxy.live import Live
from proxy.principal import Principal
from proxy.state import MemoryState, Owner
from tests.proxy.calls.desk import Desk, Turnstile
from tests.proxy.executions.world import ALICE, BOB, connection, generation, live_with, shelf, workspace

HIDE = Rule("hide", "demo.org.main.things.delete", "block", source="f:1")
FAILED = {"status": "failed", "error": "HTTP 503"}


def live(*rules: Rule) -> Live:
    return live_with(
        workspace([connection("demo.org.main", shelf()), connection("crm.org.eu", None, FAILED)], rules)
    )


async def ask(name: str, where: Live | None = None, principal: Principal = ALICE, **arguments: Any) -> Any:
    answer = await SystemTools(where or live(), MemoryState()).run(name, arguments, principal)
    return answer.value if isinstance(answer, PlainValue) else answer


async def test_search_answers_a_page() -> None:
    page = await ask("search", query="get thing", limit=1)
    assert page["items"][0]["path"] == "demo.org.main.things.get"
    assert page["hasMore"] is (page["nextOffset"] is not None)


async def test_search_and_describe_do_not_know_what_is_hidden() -> None:
    where = live(HIDE)
    page = await ask("search", where, query="delete")
    assert [item["name"] for item in page["items"]] == []
    hidden = await ask("describe.tool", where, path="demo.org.main.things.delete")
    missing = await ask("describe.tool", where, path="demo.org.main.things.delet")
    assert isinstance(hidden, Failure)
    assert hidden.code == missing.code == "tool_not_found"
    assert "demo.org.main.things.delete" not in (hidden.details.get("suggestions") or [])


async def test_describe_shows_types_and_the_policy() -> None:
    ask_first = Rule("ask", "demo.*", "require_approval", reason="careful", source="f:1")
    shown = await ask("describe.tool", live(ask_first), path="tools.demo.org.main.things.create")
    assert shown["path"] == "demo.org.main.things.create"
    assert shown["policy"] == {
        "action": "require_approval",
        "rule": "ask",
        "reason": "careful",
        "approver": "model",
    }


async def test_a_tool_of_a_failed_connection_describes_as_its_reason() -> None:
    answer = await ask("describe.tool", path="crm.org.eu.people.list")
    assert (answer.code, answer.retryable) == ("connection_not_ready", True)
    assert answer.message == "The connection `crm.org.eu` is not ready: failed (HTTP 503)."


async def test_a_failed_connection_is_told_where_its_tools_would_be() -> None:
    page = await ask("search", query="people")
    assert page["items"] == []
    assert page["notReady"] == [{"namespace": "crm.org.eu", "status": "failed", "error": "HTTP 503"}]


async def test_the_live_snapshot_is_asked_not_the_leased_one() -> None:
    where = live()
    before = await ask("search", where, query="delete thing")
    hidden = workspace([connection("demo.org.main", shelf())], [HIDE], 2)
    where.swap(generation(hidden, number=2))
    after = await ask("search", where, query="delete thing")
    assert before["items"][0]["name"] == "things.delete"
    assert all(item["name"] != "things.delete" for item in after["items"])


async def test_namespaces_and_tools_are_listed() -> None:
    assert [row["namespace"] for row in await ask("catalog.namespaces")] == ["crm.org.eu", "demo.org.main"]
    page = await ask("catalog.tools", namespace="demo", limit=2, includeSchemas=True)
    assert len(page["items"]) == 2
    assert "inputTypeScript" in page["items"][0]


async def test_discover_names_a_clear_winner() -> None:
    found = await ask("discover", query="create a thing")
    assert found["bestPath"] == "demo.org.main.things.create"


async def test_inventory_has_status_and_no_secret() -> None:
    rows = await ask("executor.connections.list")
    assert [(row["connection"], row["status"]) for row in rows] == [
        ("crm.org.eu", "failed"),
        ("demo.org.main", "connected"),
    ]
    assert rows[0]["error"] == "HTTP 503"
    assert len(await ask("executor.connections.list", integration="demo")) == 1
    page = await ask("executor.integrations.list", query="demo", limit=1)
    names = [row["integration"] for row in page["items"]]
    assert page["total"] == 2
    assert names == ["crm"]
    assert page["nextOffset"] == 1


async def test_a_workspace_that_is_gone_is_a_failure() -> None:
    answer = await ask("search", principal=Principal("elsewhere", "key:a", "key"))
    assert answer.code == "connection_removed"


async def test_a_stored_result_is_read_in_slices_by_its_owner_only() -> None:
    state = MemoryState()
    ref = await state.put_result(Owner("ws", "key:alice"), b"[1,2,3]", 60)
    tools = SystemTools(live(), state)
    answer = await tools.run("executor.results.read", {"ref": ref, "offset": 1, "limit": 1}, ALICE)
    assert isinstance(answer, PlainValue)
    assert answer.value == {
        "ref": ref,
        "bytes": 7,
        "kind": "array",
        "value": [2],
        "offset": 1,
        "total": 3,
        "hasMore": True,
        "nextOffset": 2,
    }
    foreign = await tools.run("executor.results.read", {"ref": ref}, BOB)
    absent = await tools.run("executor.results.read", {"ref": "res_0"}, BOB)
    assert isinstance(foreign, Failure)
    assert isinstance(absent, Failure)
    assert foreign.code == absent.code == "result_not_found"


def test_slices_of_strings_and_other_values() -> None:
    assert slice_of("héllo", 1, 2)["value"] == "él"
    assert slice_of({"a": 1}, 5, 5) == {"kind": "object", "value": {"a": 1}, "hasMore": False}
    assert slice_of(None, 0, 1)["kind"] == "value"


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("search", {"query": True}, "`query` must be a string, not true; leave it out for the default"),
        ("search", {"query": ["a"]}, 'not ["a"]'),
        ("search", {"limit": "many"}, '`limit` must be a whole number from 0, not "many"'),
        ("search", {"limit": ""}, 'not ""; leave it out'),
        ("search", {"limit": {"max": None}}, "not {max: null}"),
        ("search", {"limit": -1}, "not -1"),
        ("search", {"limit": 1.5}, "not 1.5"),
        ("search", {"offset": True}, "not true"),
        ("search", {"q": "x"}, "unknown argument `q`; it takes {query?, namespace?, limit?, offset?}"),
        ("describe.tool", {}, "`path` is required; it takes {path}"),
        ("describe.tool", {"path": {}}, "not {}"),
        ("discover", {"query": "a", "compact": "yes"}, "must be true or false"),
        ("catalog.namespaces", {"x": 1}, "it takes no arguments"),
    ],
)
def test_wrong_argument_types_throw_with_words(name: str, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(WrongArgument, match="tools\\."):
        read_arguments(name, arguments)
    try:
        read_arguments(name, arguments)
    except WrongArgument as error:
        assert words in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    ("name", "arguments", "read"),
    [
        ("search", {"query": 404, "limit": "12"}, {"query": "404", "limit": 12}),
        ("search", {"query": "a", "offset": "3.0"}, {"query": "a", "offset": 3}),
        ("discover", {"query": "a", "compact": "false"}, {"compact": False}),
        ("executor.paginate", {"path": "a.b", "args": '{"a": 1}', "max": "5"}, {"args": {"a": 1}, "max": 5}),
    ],
)
def test_what_loses_nothing_is_read_as_what_it_means(
    name: str, arguments: dict[str, Any], read: dict[str, Any]
) -> None:
    assert read_arguments(name, arguments).items() >= read.items()


def test_null_counts_as_absent_and_large_pages_are_cut() -> None:
    assert read_arguments("search", {"query": None, "limit": 10_000.0}) == {
        "query": "",
        "namespace": "",
        "limit": 200,
        "offset": 0,
    }


def test_every_system_tool_is_in_the_table() -> None:
    tools = SystemTools(live(), MemoryState())
    assert all(name in tools for name in PARAMETERS if name != "executor.paginate")
    assert "fetch" not in tools


# ---- what they may cost ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "arguments", "units"),
    [
        ("search", {"query": "thing"}, 10),
        ("discover", {"query": "thing"}, 10),
        ("discover", {"query": "thing", "limit": 2, "includeSchemas": True}, 10 + 2),
        ("catalog.tools", {}, 10),
        ("catalog.tools", {"limit": 2, "includeSchemas": True}, 10 + 2),
        ("describe.tool", {"path": "demo.org.main.things.get"}, 1),
        ("describe.tool", {"path": "demo.org.main.thngs"}, 1 + 10),
        ("catalog.namespaces", {}, 1),
        ("executor.integrations.list", {}, 1),
        ("executor.connections.list", {}, 1),
        ("executor.results.read", {"ref": "res_none"}, 1),
    ],
)
async def test_every_system_tool_costs_units_and_ends_with_them(
    name: str, arguments: dict[str, Any], units: int
) -> None:
    tools, budget = SystemTools(live(), MemoryState()), WorkBudget(units)
    first = await tools.run(name, arguments, ALICE, budget)
    assert not (isinstance(first, Failure) and first.code == "call_limit_exceeded")
    assert budget.left == 0
    refused = await tools.run(name, arguments, ALICE, budget)
    assert isinstance(refused, Failure)
    assert refused.code == "call_limit_exceeded"
    assert "includeSchemas" in refused.message


async def test_a_path_that_does_not_exist_costs_a_search_and_is_told_without_one_too() -> None:
    desk, budget = Desk(), WorkBudget(10)
    context = CallContext("exec_1", None, 0, budget=budget)
    first, second = [
        await desk.calls.call(desk.lease, ALICE, "demo.org.main.things.gt", {}, context) for _ in range(2)
    ]
    assert "demo.org.main.things.get" in first["error"]["details"]["suggestions"]
    assert (second["error"]["code"], second["error"].get("details")) == ("tool_not_found", None)
    assert budget.left == 0


async def test_rates_of_inner_calls_count_system_tools() -> None:
    turnstile = Turnstile(1)
    desk = Desk(limiter=turnstile)
    assert "items" in await desk.call("search", query="thing")
    assert await desk.code("search", query="thing") == "rate_limited"
    assert [subject.address for subject in turnstile.seen] == ["system.search", "system.search"]
