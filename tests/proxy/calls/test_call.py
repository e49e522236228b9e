"""The one path of an inner call: who may know, what is judged, what is sent, what comes back."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest

from integrations.base import Failure, JsonObject, Result, Success
from policies import Condition, Rule
from proxy.calls import (
    CallContext,
    ToolDefect,
    WrongArgument,
)
from tests.proxy.calls.desk import GET, Desk
from tests.proxy.catalog.samples import Tools
from tests.proxy.executions.world import (
    ALICE,
    TOKEN,
    TOOLS,
    Shelf,
    shelf,
)


async def test_a_call_is_sent_as_prepared_and_answered_in_an_envelope() -> None:
    desk = Desk()
    assert await desk.call(GET, id=1) == {"ok": True, "data": {"id": 1}}
    assert desk.upstream.sent == [("things.get", {"id": 1})]


@pytest.mark.parametrize("path", [GET, f"tools.{GET}", "demo.things.get"])
async def test_a_path_may_be_full_prefixed_or_short(path: str) -> None:
    desk = Desk()
    assert await desk.code(path) is None
    assert desk.reports[0].address == GET


async def test_a_call_that_needs_approval_is_not_sent() -> None:
    rule = Rule("ask", "demo.*", "require_approval", reason="careful", source="executor.yaml:7")
    desk = Desk(rules=[rule])
    answer = await desk.call(GET)
    assert answer["error"]["code"] == "approval_required"
    assert answer["error"]["details"] == {
        "rule": "ask",
        "source": "executor.yaml:7",
        "pattern": "demo.*",
        "reason": "careful",
    }
    assert desk.upstream.sent == []


async def test_an_upstreams_failure_is_passed_on() -> None:
    def refusing(arguments: JsonObject) -> Result:
        return Failure("connection_rejected", "HTTP 401", status=401)

    answer = await Desk(shelf(get=refusing)).call(GET)
    assert answer == {
        "ok": False,
        "error": {"code": "connection_rejected", "message": "HTTP 401", "retryable": False, "status": 401},
    }


async def test_a_defect_shows_eight_digits_and_logs_the_cause_without_secrets(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = Desk()
    with caplog.at_level(logging.ERROR), pytest.raises(ToolDefect) as caught:
        await desk.call("demo.org.main.things.broken")
    correlation = caught.value.correlation_id
    assert len(correlation) == 8
    assert str(caught.value) == f"Internal tool error [{correlation}]"
    (record,) = caplog.records
    shown = str(record.__dict__)
    assert correlation in shown
    assert "the cause" in shown
    assert TOKEN not in shown
    assert desk.reports[0].code == "internal_error"


async def test_a_wrong_argument_to_a_system_tool_throws() -> None:
    desk = Desk()
    with pytest.raises(WrongArgument, match="`query` must be a string"):
        await desk.call("search", query=True)
    assert desk.reports[0].integration == "system"


async def test_every_call_is_reported_once_with_its_decision() -> None:
    desk = Desk()
    await desk.call(GET, id=1)
    (report,) = desk.reports
    assert (report.path, report.address, report.integration, report.code) == (GET, GET, "demo", None)
    assert report.decision is not None
    assert report.decision.action == "approve"
    assert report.arguments_digest is not None
    assert report.context == CallContext("exec_1", "s", 0)


async def test_a_defect_in_a_system_tool_has_no_secrets_to_hide() -> None:
    desk = Desk()
    desk.live.close()
    with pytest.raises(ToolDefect):
        await desk.call("search", query="x")


LIST = "demo.org.main.things.list"
CREATE = "demo.org.main.things.create"


def paged() -> Shelf:
    """Two pages, found by their number."""

    def listed(arguments: JsonObject) -> Result:
        more = {"next": "https://x/?page=2"} if arguments.get("page", 1) == 1 else {}
        return Success({"items": [arguments.get("page", 1)], **more})

    answers = {**shelf().answers, "things.list": listed, "things.create": listed}
    schema: JsonObject = {"properties": {"page": {"type": "integer"}}}
    return Shelf(answers, Tools(TOOLS, "paged", {"things.list": schema, "things.create": schema}))


async def pages_of(desk: Desk, path: str, args: Any = None) -> Any:
    given = {"path": path} | ({} if args is None else {"args": args})
    return await desk.calls.call(desk.lease, ALICE, "executor.paginate", given, CallContext("exec_1", "s", 0))


async def test_pages_are_calls_like_any_other() -> None:
    desk = Desk(paged())
    found = await pages_of(desk, path=f"tools.{LIST}")
    assert found == {"items": [1, 2], "pages": 2}
    assert [(one.path, one.integration) for one in desk.reports] == [
        (LIST, "demo"),
        (LIST, "demo"),
        ("executor.paginate", "system"),
    ]


async def test_every_page_is_judged() -> None:
    second = Rule("second", LIST, "block", when={"page": Condition(equals=2)}, source="f:1")
    desk = Desk(paged(), [second])
    found = await pages_of(desk, path=LIST)
    assert (found["items"], found["error"]["code"], found["next"]) == ([1], "tool_blocked", {"page": 2})
    blocked = await pages_of(Desk(paged(), default="reads"), path=CREATE)
    assert blocked["error"]["code"] == "approval_required"
    assert f"Call `tools.{CREATE}` itself" in blocked["error"]["message"]


async def test_a_page_that_needs_approval_says_with_what_to_go_on() -> None:
    ask = Rule("ask", LIST, "require_approval", when={"page": Condition(equals=2)}, source="f:1")
    found = await pages_of(Desk(paged(), [ask]), path=LIST)
    assert (found["items"], found["next"], found["error"]["code"]) == ([1], {"page": 2}, "approval_required")


async def test_pagination_knows_no_more_than_a_call() -> None:
    hidden = Desk(paged(), [Rule("hide", LIST, "block", source="f:1")])
    missing = Desk(paged())
    one = await pages_of(hidden, path=LIST)
    other = await pages_of(missing, path="demo.org.main.things.lisp")
    assert one["error"]["code"] == other["error"]["code"] == "tool_not_found"


@pytest.mark.parametrize("path", ["search", "tools.executor.paginate"])
async def test_system_tools_have_no_pages(path: str) -> None:
    with pytest.raises(WrongArgument, match="must be a tool of a connection"):
        await pages_of(Desk(), path=path)


async def test_the_arguments_of_a_pagination_are_an_object() -> None:
    with pytest.raises(WrongArgument, match="`args` must be an object"):
        await pages_of(Desk(), path=LIST, args=[1])


async def test_the_names_of_a_config_are_used() -> None:
    from proxy.config import Config

    def listed(arguments: JsonObject) -> Result:
        start = arguments.get("from", 0)
        return Success({"rows": [start], "others": [], "last": {"id": start + 1 if start < 2 else None}})

    answers = {**shelf().answers, "things.list": listed}
    schema: JsonObject = {"properties": {"from": {"type": "integer"}}}
    desk = Desk(Shelf(answers, Tools(TOOLS, "named", {"things.list": schema})))
    demo = {"kind": "openapi", "spec": {"url": "https://x.example/o.json"}}
    demo["pagination"] = {"cursor": "from", "next": "last.id", "items": "rows"}
    config = Config.model_validate({"version": 1, "integrations": {"demo": demo}})
    desk.lease = replace(desk.lease, config=config)
    assert (await pages_of(desk, path=LIST))["items"] == [0, 1, 2]
