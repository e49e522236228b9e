"""What an approval is bound to."""

from __future__ import annotations

from dataclasses import replace

from integrations.base import PreparedCall
from policies import Rule
from proxy.calls import Approval, ApprovalNeeded, CallContext, Calls, Ready, Settlement
from proxy.calls.approval import with_key
from proxy.state import MemoryState
from tests.proxy.executions.world import ALICE, BOB, connection, live_with, shelf, workspace

PATH = "demo.org.main.things.create"
CONTEXT = CallContext("exec_1", None, 3)


def asked() -> tuple[Calls, ApprovalNeeded]:
    live = live_with(
        workspace([connection("demo.org.main", shelf())], [Rule("ask", PATH, "require_approval")])
    )
    calls = Calls(live, MemoryState())
    verdict = calls.judge(live.current, ALICE, PATH, {"n": 1}, CONTEXT)
    assert isinstance(verdict, ApprovalNeeded)
    return calls, verdict


def test_an_approval_lets_exactly_its_call_through() -> None:
    calls, needed = asked()
    approval = Approval(needed.binding, 4e12)
    lease = needed.trace.lease
    assert isinstance(calls.judge(lease, ALICE, PATH, {"n": 1}, CONTEXT, approval), Ready)
    assert isinstance(calls.judge(lease, ALICE, PATH, {"n": 2}, CONTEXT, approval), ApprovalNeeded)
    assert isinstance(calls.judge(lease, BOB, PATH, {"n": 1}, CONTEXT, approval), ApprovalNeeded)


def test_an_expired_approval_sends_nothing_unless_it_was_used_before() -> None:
    calls, needed = asked()
    lease = needed.trace.lease
    late = Approval(needed.binding, 1.0)
    refused = calls.judge(lease, ALICE, PATH, {"n": 1}, CONTEXT, late)
    assert isinstance(refused, Settlement)
    assert refused.code == "approval_expired"
    again = calls.judge(lease, ALICE, PATH, {"n": 1}, CONTEXT, replace(late, again=True))
    assert isinstance(again, Ready)


def test_another_definition_voids_it() -> None:
    calls, needed = asked()
    binding = (*needed.binding[:4], "another", *needed.binding[5:])
    refused = calls.judge(needed.trace.lease, ALICE, PATH, {"n": 1}, CONTEXT, Approval(binding, 4e12))
    assert isinstance(refused, Settlement)
    assert refused.code == "tool_definition_changed"


def test_the_key_of_a_call_is_the_same_for_every_attempt_and_of_no_other_call() -> None:
    tool = shelf().toolset.tools[0]
    plain = PreparedCall(tool, {}, "POST /", None)
    keyed = PreparedCall(tool, {}, "POST /", None, "Idempotency-Key")
    assert with_key(plain, CONTEXT) is plain
    first = with_key(keyed, CONTEXT).idempotency_key
    assert first == with_key(keyed, CONTEXT).idempotency_key
    assert first != with_key(keyed, replace(CONTEXT, seq=4)).idempotency_key
    pages = [with_key(keyed, replace(CONTEXT, page=page)).idempotency_key for page in (0, 1, 2, 1)]
    assert len({first, *pages}) == 4
    assert pages[1] == pages[3]
