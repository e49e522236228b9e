"""The one path of an inner call: who may know, what is judged, what is sent, what comes back."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from integrations.base import Failure, JsonObject, Result, Success
from policies import Condition, Rule
from proxy.calls import (
    CallContext,
    CallLimits,
    CallReport,
    Calls,
    CallSubject,
    Refusal,
    ToolDefect,
    WrongArgument,
)
from proxy.live import Live
from proxy.principal import Principal
from proxy.state import MemoryState
from proxy.workspace import Generation
from tests.proxy.catalog.samples import Tools
from tests.proxy.executions.world import (
    ALICE,
    TOKEN,
    TOOLS,
    Shelf,
    connection,
    generation,
    live_with,
    shelf,
    workspace,
)

GET = "demo.org.main.things.get"
DELETE = "demo.org.main.things.delete"


class Desk:
    """One workspace, one upstream, and what was reported."""

    def __init__(
        self,
        upstream: Shelf | None = None,
        rules: Iterable[Rule] = (),
        default: str = "all",
        failure: JsonObject | None = None,
        **more: Any,
    ) -> None:
        self.upstream = upstream or shelf()
        one = connection("demo.org.main", None if failure else self.upstream, failure)
        self.live: Live = live_with(workspace([one], rules, 1, default))
        self.lease: Generation = self.live.current
        self.reports: list[CallReport] = []
        self.calls = Calls(self.live, MemoryState(), on_call=self.reports.append, **more)

    async def call(self, path: str, principal: Principal = ALICE, **args: Any) -> Any:
        return await self.calls.call(self.lease, principal, path, args, CallContext("exec_1", "s", 0))

    async def code(self, path: str, **args: Any) -> str | None:
        answer = await self.call(path, **args)
        return None if answer["ok"] else answer["error"]["code"]


async def test_a_call_is_sent_as_prepared_and_answered_in_an_envelope() -> None:
    desk = Desk()
    assert await desk.call(GET, id=1) == {"ok": True, "data": {"id": 1}}
    assert desk.upstream.sent == [("things.get", {"id": 1})]


@pytest.mark.parametrize("path", [GET, f"tools.{GET}", "demo.things.get"])
async def test_a_path_may_be_full_prefixed_or_short(path: str) -> None:
    desk = Desk()
    assert await desk.code(path) is None
    assert desk.reports[0].address == GET


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


async def test_an_upstreams_failure_is_passed_on() -> None:
    def refusing(arguments: JsonObject) -> Result:
        return Failure("connection_rejected", "HTTP 401", status=401)

    answer = await Desk(shelf(get=refusing)).call(GET)
    assert answer == {
        "ok": False,
        "error": {"code": "connection_rejected", "message": "HTTP 401", "retryable": False, "status": 401},
    }


class Turnstile:
    """A limiter that lets `room` calls through."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.seen: list[CallSubject] = []

    async def admit(self, subject: CallSubject) -> Refusal | None:
        self.seen.append(subject)
        return None if len(self.seen) <= self.room else Refusal("per-tool", 1500)


async def test_rate_limits_count_what_policies_let_through() -> None:
    turnstile = Turnstile(1)
    desk = Desk(rules=[Rule("hide", DELETE, "block", source="f:1")], limiter=turnstile)
    assert await desk.code(DELETE) == "tool_not_found"
    assert await desk.code(GET) is None
    answer = await desk.call(GET)
    assert answer["error"]["code"] == "rate_limited"
    assert answer["error"]["retryable"] is True
    assert answer["error"]["details"] == {"scope": "per-tool", "retryAfterMs": 1500}
    assert turnstile.seen[0] == CallSubject(ALICE, "s", "demo", "demo.org.main", GET)
    assert len(desk.upstream.sent) == 1


async def test_an_oversized_result_is_a_failure_with_advice() -> None:
    def large(arguments: JsonObject) -> Result:
        return Success("x" * 1000)

    desk = Desk(shelf(get=large), limits=CallLimits(result_bytes=500))
    answer = await desk.call(GET)
    assert answer["error"]["code"] == "upstream_response_too_large"
    assert answer["error"]["details"] == {"bytes": 1021, "limit": 500}


async def test_an_overdeep_result_is_a_failure_not_a_defect() -> None:
    deep: Any = 1
    for _ in range(400):
        deep = [deep]

    desk = Desk(shelf(get=lambda arguments: Success(deep)))
    assert await desk.code(GET) == "upstream_response_too_large"


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
        await desk.call("search", query=5)
    assert desk.reports[0].integration == "system"


async def test_a_secret_that_an_upstream_reflects_is_redacted() -> None:
    def echoing(arguments: JsonObject) -> Result:
        return Failure("upstream_http_error", f"bad header Bearer {TOKEN}", details={"h": [TOKEN]})

    answer = await Desk(shelf(get=echoing)).call(GET)
    assert answer["error"]["message"] == "bad header Bearer [redacted]"
    assert answer["error"]["details"] == {"h": ["[redacted]"]}


async def test_every_call_is_reported_once_with_its_decision() -> None:
    desk = Desk()
    await desk.call(GET, id=1)
    (report,) = desk.reports
    assert (report.path, report.address, report.integration, report.code) == (GET, GET, "demo", None)
    assert report.decision is not None
    assert report.decision.action == "approve"
    assert report.arguments_digest is not None
    assert report.context == CallContext("exec_1", "s", 0)


async def test_a_foreign_workspace_knows_no_tools() -> None:
    answer = await Desk().call(GET, principal=Principal("elsewhere", "key:eve", "key"))
    assert answer["error"]["code"] == "tool_not_found"


async def test_an_upstream_that_keeps_no_deadline_is_cut_off() -> None:
    desk = Desk(limits=CallLimits(timeout_seconds=0.0, grace_seconds=0.01))
    answer = await desk.call("demo.org.main.things.slow")
    assert answer["error"]["code"] == "upstream_timeout"
    assert answer["error"]["retryable"] is True
    assert desk.upstream.underway == 0


async def test_a_tool_that_its_upstream_dropped_says_so() -> None:
    desk = Desk()
    desk.upstream.toolset = Tools(TOOLS[1:], digest="smaller")
    assert await desk.code(GET) == "tool_definition_changed"


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
