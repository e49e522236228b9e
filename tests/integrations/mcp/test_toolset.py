from __future__ import annotations

from typing import Any

import pytest

from integrations.base import UnknownTool, offered_by
from integrations.mcp.toolset import EMPTY, ListedTool, Offer, RequestPlan, make_toolset, risk_of
from integrations.naming import name_hash


def tool(name: str, **annotations: Any) -> ListedTool:
    return ListedTool(name, "", "does it", {"type": "object", "properties": {"q": {}}}, None, annotations)


def names(*offered: str) -> list[str]:
    toolset = make_toolset(Offer("shop", tuple(map(tool, offered))))
    return [one.name for one in toolset.tools]


@pytest.mark.parametrize(
    ("annotations", "risk"),
    [
        ({}, "write"),
        ({"readOnlyHint": True}, "read"),
        ({"readOnlyHint": True, "destructiveHint": True}, "read"),
        ({"readOnlyHint": False, "destructiveHint": True}, "destructive"),
        ({"destructiveHint": True}, "destructive"),
        ({"destructiveHint": False}, "write"),
        ({"readOnlyHint": "yes"}, "write"),
        ({"readOnlyHint": 1}, "write"),
    ],
)
def test_risk_follows_the_annotations(annotations: dict[str, Any], risk: str) -> None:
    assert risk_of(annotations) == risk


def test_reads_and_declared_tools_are_idempotent() -> None:
    toolset = make_toolset(
        Offer("s", (tool("r", readOnlyHint=True), tool("i", idempotentHint=True), tool("w")))
    )
    assert [one.idempotent for one in toolset.tools] == [True, True, False]


def test_t4_names_are_made_safe_and_never_shadow() -> None:
    found = names("get-sum", "get_sum", "get sum", "then", "toJSON", "1st", "a.b", "..", "查询天气")
    hashes = [name_hash(one) for one in ("get-sum", "get sum", "then", "toJSON", "1st", "..")]
    sum1, sum2, then, json, first, dots = hashes
    assert found == [
        f"get_sum_{sum1}", "get_sum", f"get_sum_{sum2}", f"then__{then}", f"toJSON__{json}", f"_1st_{first}", "a.b",
        f"tool_{dots}", "查询天气",
    ]  # fmt: skip


# Recipe 07.
def test_the_order_of_the_list_moves_no_name() -> None:
    offered = ("查询天气", "删除文件", "a/b", "a-b", "München")
    assert sorted(names(*offered)) == sorted(names(*reversed(offered)))


def test_the_upstreams_name_is_what_is_sent() -> None:
    toolset = make_toolset(Offer("s", (tool("get-sum"),)))
    (name,) = names("get-sum")
    assert toolset.plan(name) == RequestPlan("tools/call", "get-sum")
    assert toolset.definition(name).keywords == "q get-sum"


def test_a_name_listed_twice_counts_once() -> None:
    toolset = make_toolset(Offer("shop", (tool("a"), tool("a"), tool(" "), tool("x" * 300))))
    assert [one.name for one in toolset.tools] == ["a"]
    assert len(toolset.warnings) == 3


def test_a_tool_that_only_runs_as_a_task_is_left_out() -> None:
    task = ListedTool("t", "", "", {}, None, {}, needs_task=True)
    toolset = make_toolset(Offer("shop", (task,)))
    assert toolset.tools == ()
    assert toolset.warnings == (
        "shop: tool 't' left out: it can only be run as a task, which is not supported",
        "shop: it offers nothing that can become a tool",
    )


def test_resources_and_prompts_are_tools_where_the_server_has_them() -> None:
    toolset = make_toolset(Offer("s", (tool("resources.list"),), resources=True, prompts=True))
    theirs = f"resources.list_{name_hash('resources.list')}"
    assert [one.name for one in toolset.tools] == [
        theirs, "resources.list", "resources.read", "prompts.list", "prompts.get",
    ]  # fmt: skip
    assert toolset.plan(theirs) == RequestPlan("tools/call", "resources.list")
    assert toolset.plan("resources.list") == RequestPlan("resources/list")
    assert names("resources.list") == [theirs], "whether the server has resources or not"
    assert {one.risk for one in toolset.tools[1:]} == {"read"}
    assert toolset.schemas("resources.read").input["required"] == ["uri"]
    assert toolset.schemas("prompts.get").output is not None


def test_include_and_exclude() -> None:
    offer = Offer("shop", (tool("a.x"), tool("a.y"), tool("b")))
    toolset = make_toolset(offer, include=("a.*",), exclude=("*.y", "nothing"))
    assert [one.name for one in toolset.tools] == ["a.x"]
    assert toolset.warnings == ()
    assert offered_by(toolset) == ("a.x", "a.y", "b")


def test_equal_offers_have_equal_digests() -> None:
    offer = Offer("s", (tool("a", readOnlyHint=True),))
    same = Offer("s", (tool("a", readOnlyHint=True),))
    assert make_toolset(offer).digest == make_toolset(same).digest
    for other in (
        Offer("s", (tool("a", readOnlyHint=False),)),
        Offer("s", (tool("b", readOnlyHint=True),)),
        Offer("s", (tool("a", readOnlyHint=True),), prompts=True),
    ):
        assert make_toolset(other).digest != make_toolset(offer).digest
    assert make_toolset(offer, include=("a",)).digest != make_toolset(offer).digest


def test_unknown_tools() -> None:
    for look in (EMPTY.definition, EMPTY.plan, EMPTY.schemas, EMPTY.annotations):
        with pytest.raises(UnknownTool):
            look("nothing")


CODE = {"type": "object", "properties": {"code": {"type": "string"}}, "required": ["code"]}


# Recipe 20.
@pytest.mark.parametrize(
    ("name", "description", "schema", "found"),
    [
        ("execute", "", CODE, True),
        ("run_code", "", CODE, True),
        ("executeJavascript", "", CODE, True),
        ("search", "Runs JavaScript code against the API's document", CODE, True),
        (
            "sandbox",
            "Evaluate a Python script",
            {**CODE, "properties": {"script": {}}, "required": ["script"]},
            True,
        ),
        ("execute", "", {"type": "object", "properties": {"code": {}}}, True),
        ("execute", "", {"type": "object", "properties": {"code": {}, "id": {}}, "required": ["id"]}, False),
        ("evalScript", "", {"type": "object", "properties": {"Script": {}}, "required": []}, True),
        ("execute", "", {"type": "object"}, False),
        ("redeem", "Redeem a coupon code", CODE, False),
        ("executor_status", "", CODE, False),
        ("return_item", "By the code on its label", CODE, False),
        ("run", "", {**CODE, "required": 5}, True),
    ],
)
def test_a_server_that_runs_code_is_named_as_one(
    name: str, description: str, schema: Any, found: bool
) -> None:
    toolset = make_toolset(
        Offer("s", (ListedTool(name, "", description, schema, None, {"readOnlyHint": True}),))
    )
    (made,) = toolset.tools
    assert made.runs_code is found
    assert any("runs code upstream" in warning for warning in toolset.warnings) is found
