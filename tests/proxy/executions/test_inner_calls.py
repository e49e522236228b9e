"""What a call tells while it is under way; that it may ask is tested in test_open_calls.py."""

from __future__ import annotations

import orjson

from integrations.base import PreparedCall, Result, Success
from integrations.conversation import Conversation, ElicitationRequest, InputNeeded
from policies import Rule
from proxy.calls import Calls, Settlement
from proxy.executions import ExecutionLimits, ExecutionRequest
from proxy.executions.context import NewExecution, first_run
from proxy.executions.inner_calls import CallAdmission, CallEntries, code_of, not_shown
from proxy.executions.machine.events import (
    Ended,
    HeldCall,
    Hold,
    Judgement,
    MaySend,
    Pause,
    Refuse,
    WriteRecord,
)
from proxy.executions.machine.journal import (
    ApprovalQuestion,
    DispatchRecord,
    HoldRecord,
    LostCallQuestion,
    TimerRecord,
)
from proxy.sandbox import ToolCall
from proxy.state import MemoryState
from tests.proxy.executions.machine.test_step import approval
from tests.proxy.executions.world import (
    ALICE,
    WHO,
    Noted,
    Talking,
    connection,
    live_with,
    shelf,
    talking,
    workspace,
    world,
)

HIDDEN = ElicitationRequest("go", url="javascript:alert(1)")


class Ending(Talking):
    """Its calls end with a question that nobody must be asked, after telling how far they are."""

    async def converse(self, call: object, timeout_seconds: float, conversation: Conversation) -> InputNeeded:
        assert conversation.progress is not None
        conversation.progress(1.0, 2.0, "half\nway")
        conversation.progress(2.0, 2.0, "at once, so not told")
        return InputNeeded({"a": HIDDEN}, None, 1)


class Sealing(Talking):
    """Its calls end with a question and a state, and want both back."""

    async def converse(
        self, call: PreparedCall, timeout_seconds: float, conversation: Conversation
    ) -> Result | InputNeeded:
        self.sent.append((call.tool.name, call.arguments))
        if conversation.reply is None:
            return InputNeeded({"a": ElicitationRequest("who?", schema=WHO)}, "sealed", 1)
        answer = conversation.reply.answers["a"]
        return Success([conversation.reply.state, conversation.reply.rounds, answer.as_json()])


def ending() -> Ending:
    plain = talking()
    return Ending(plain.answers, plain.toolset)


def sealing() -> Sealing:
    plain = talking()
    return Sealing(plain.answers, plain.toolset)


async def test_an_answer_to_a_question_that_ended_the_call_goes_back_from_any_process() -> None:
    state = MemoryState()
    code = "return (await tools.demo.org.main.things.create({n: 1})).data"
    async with world(sealing(), state=state) as here:
        first = await here.run(code)
        assert [one.kind for one in first.interactions] == ["form"]
    async with world(sealing(), state=state) as there:
        done = await there.executions.resume(first.execution_id, "accept", {"name": "Ada"}, None, ALICE)
        assert done.result == ["sealed", 1, {"action": "accept", "content": {"name": "Ada"}}]
        assert there.upstream.sent == [("things.create", {"n": 1})]


async def test_an_answer_is_sent_only_if_the_rules_of_the_moment_let_the_call_through() -> None:
    state = MemoryState()
    block = Rule("no", "demo.org.main.things.create", "block", reason="not any more")
    async with world(sealing(), state=state) as before:
        first = await before.run("return await tools.demo.org.main.things.create({n: 1})")
    async with world(sealing(), rules=[block], state=state) as after:
        done = await after.executions.resume(first.execution_id, "accept", {"name": "Ada"}, None, ALICE)
        assert done.result["error"]["code"] == "tool_blocked"
        assert after.upstream.sent == []


async def test_progress_reaches_the_observer_under_the_number_of_the_call() -> None:
    async with world(ending()) as one:
        await one.run("await tools.catalog.namespaces({}); return await tools.demo.org.main.things.get({})")
        steps = [event for event in one.observer.events if event[0] == "progress"]
        assert steps == [("progress", 1, "1 of 2: half way")]


async def test_what_cannot_be_shown_fails_the_call_and_nothing_else() -> None:
    async with world(ending()) as one:
        found = await one.value("return await tools.demo.org.main.things.get({})")
        assert found["error"]["code"] == "mcp_tool_error"
        assert "cannot be shown" in found["error"]["message"]


def test_its_failure_is_a_settlement_like_any_other() -> None:
    settlement = not_shown("a.b")
    assert (settlement.ok, settlement.code) == (False, "mcp_tool_error")
    assert orjson.loads(settlement.body)["ok"] is False


ASK = Rule("ask", "demo.org.main.things.delete", "require_approval")
BLOCK = Rule("no", "demo.*.*.things.create", "block", reason="not here", source="f:2")


def admission(*rules: Rule) -> CallAdmission:
    live = live_with(workspace([connection("demo.org.main", shelf())], [ASK, *rules]))
    new = NewExecution("exec_1", ExecutionRequest("code"), ALICE, Noted())
    context = first_run(new, live.current, ExecutionLimits(), MemoryState(), 1.0)
    return CallAdmission(context, Calls(live, MemoryState()))


def call(seq: int, name: str) -> ToolCall:
    return ToolCall(seq, f"demo.org.main.things.{name}", {})


def test_what_may_go_out_is_remembered_until_it_is_sent() -> None:
    judge = admission()
    assert judge.verdict(Judgement(call(0, "get"))) == (MaySend(True), None)
    assert judge.sendable(0).repeatable
    assert judge.verdict(Judgement(call(1, "create"))) == (MaySend(False), None)
    assert judge.guards(WriteRecord(DispatchRecord(1, "p", "d")))
    assert not judge.guards(WriteRecord(DispatchRecord(0, "p", "d")))


def test_what_may_not_go_out_is_asked_about_or_refused() -> None:
    judge = admission(BLOCK)
    held, _ = judge.verdict(Judgement(call(0, "delete")))
    assert isinstance(held, Hold)
    assert isinstance(held.question, ApprovalQuestion)
    refused, settlement = judge.verdict(Judgement(call(1, "create")))
    assert isinstance(refused, Refuse)
    assert settlement is not None
    assert settlement.code == "tool_blocked"
    # What a wrong path may have meant takes a search: it is said where calls are sent, and nothing is.
    assert judge.verdict(Judgement(call(3, "absent"))) == (MaySend(True), None)
    assert judge.sendable(3).suggest is not None
    lost, _ = judge.verdict(Judgement(call(2, "create"), lost=True))
    assert isinstance(lost, Hold)
    assert isinstance(lost.question, LostCallQuestion)
    assert judge.guards(WriteRecord(HoldRecord(0, "p", "d", lost.question)))
    assert not judge.guards(WriteRecord(TimerRecord(1.0)))


CALLS = [ToolCall(seq, f"a.b.c.t{seq}", {}) for seq in range(4)]


def test_calls_are_listed_in_the_order_of_the_code() -> None:
    entries = CallEntries(None)
    entries.begin(1, 100.0)
    entries.settle(CALLS[1], Settlement(b"{}", True), 130.0)
    entries.settle(CALLS[0], Settlement(b"{}", False, "tool_blocked"), 150.0)
    shown = entries.listed(None, 200.0)
    assert [(one.path, one.ok, one.code, one.ms) for one in shown] == [
        ("a.b.c.t0", False, "tool_blocked", 0.0),
        ("a.b.c.t1", True, None, 30.0),
    ]


def test_what_has_no_outcome_says_why() -> None:
    entries = CallEntries(None)
    entries.begin(0, 100.0)
    ended = Ended("canceled", unsettled=(CALLS[0], CALLS[1]), unsent=(CALLS[2],))
    assert [one.code for one in entries.listed(ended, 200.0)] == ["outcome_unknown", "not_sent", "not_sent"]
    held = entries.listed(Pause((HeldCall(CALLS[3], approval()),)), 200.0)
    assert [one.code for one in held] == ["approval_required"]


def test_codes_of_recorded_outcomes() -> None:
    assert code_of(b'{"ok":true,"data":1}') is None
    assert code_of(b"[1]") is None
    assert code_of(b'{"ok":false,"error":{"code":"x"}}') == "x"
    assert code_of(b'{"throw":{"name":"ToolApprovalDeclinedError"}}') == "approval_declined"
    assert code_of(b'{"throw":{"name":"Error"}}') == "internal_error"
