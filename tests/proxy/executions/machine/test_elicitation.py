"""From what an upstream asks to a question, and from answers to a reply."""

from __future__ import annotations

from typing import Any

import pytest

from integrations.conversation import ElicitationAnswer, ElicitationRequest, InputNeeded, Reply
from proxy.executions.machine.elicitation import (
    answer_to,
    answered,
    first_question,
    next_question,
    presentable,
    problem_of,
    read_content,
)
from proxy.executions.machine.events import (
    CallAsked,
    CancelRequested,
    Deliver,
    DispatchCall,
    Judge,
    Judged,
    KillWorker,
    MachineCommand,
    Pause,
    Rejoin,
    Resolution,
    Resumed,
    Settled,
    WorkerBlocked,
    WriteRecord,
)
from proxy.executions.machine.journal import (
    ApprovalQuestion,
    AskingCall,
    DispatchRecord,
    HoldRecord,
    PauseRecord,
    Record,
    UpstreamQuestion,
    past_of,
)
from proxy.executions.machine.state import IllegalEvent, MachineLimits, MachineState
from proxy.executions.machine.step import step as machine_step
from tests.proxy.executions.machine.test_step import (
    OK,
    SEND,
    START,
    after,
    approval,
    call,
    digest_of,
    ended,
    step,
)

FORM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "title": "Your\u200b name", "minLength": 2},
        "size": {"type": "string", "enum": ["s", "m"]},
    },
    "required": ["name"],
}
BASE = AskingCall("a.org.main.t", "{}", "model")


def form(**changes: Any) -> ElicitationRequest:
    return ElicitationRequest("who?", schema={**FORM, **changes})


def test_prose_of_a_schema_is_made_visible_and_the_rest_stays() -> None:
    shown = presentable(form())
    assert shown is not None
    assert shown.schema is not None
    assert shown.schema["properties"]["name"]["title"] == "Your\\u{200B} name"
    assert shown.schema["properties"]["size"] == FORM["properties"]["size"]


@pytest.mark.parametrize(
    "question",
    [
        form(properties={"na\u200bme": {"type": "string"}}),
        form(properties={"name": {"enum": ["yes", "n\u202eo"]}}),
        form(properties={"name": {"default": "\x1b[2J"}}),
        form(type="string"),
        form(properties={f"p{n}": {"type": "string", "description": "x" * 390} for n in range(60)}),
        ElicitationRequest("deep", schema={"type": "object", "a": [[[[[[[[[[[[["x"]]]]]]]]]]]]]}),
        ElicitationRequest("no schema"),
        ElicitationRequest("go", url="javascript:alert(1)"),
        ElicitationRequest("go", url="https://user@example.com/"),
        ElicitationRequest("go", url="https://ex\u0430mple.com/"),
        ElicitationRequest("go", url="https://example.com/" + "x" * 3000),
    ],
)
def test_what_cannot_be_shown_as_it_is_is_not_asked(question: ElicitationRequest) -> None:
    assert presentable(question) is None
    assert first_question("int_1", BASE, InputNeeded({"a": question, "b": form()}, None, 1)) is None


def test_several_questions_are_asked_one_after_another_and_answered_together() -> None:
    needed = InputNeeded(
        {"a": form(), "b": ElicitationRequest("go", url="https://example.com/x")}, "sealed", 2
    )
    first = first_question("int_1", BASE, needed)
    assert first is not None
    assert (first.kind, first.id, first.rounds) == ("form", "int_1", 2)
    second = next_question(first, answered(first, answer_to(first, "accept", {"name": "Ada"})))
    assert second is not None
    assert (second.kind, second.id) == ("url", "int_1.1")
    assert second.binding != first.binding
    answers = answered(second, answer_to(second, "accept", {"ignored": 1}))
    assert next_question(second, answers) is None
    assert answers == {"a": ElicitationAnswer("accept", {"name": "Ada"}), "b": ElicitationAnswer("accept")}
    assert (second.state, second.rounds) == ("sealed", 2)


@pytest.mark.parametrize(
    ("action", "said"), [("decline", "decline"), ("cancel", "cancel"), ("expired", "cancel")]
)
def test_whoever_does_not_accept_sends_no_content(action: Any, said: Any) -> None:
    question = first_question("int_1", BASE, InputNeeded({"a": form()}, None, 1))
    assert question is not None
    assert answer_to(question, action, {"name": "Ada"}) == ElicitationAnswer(said)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"name": "Ada", "size": "m"}, None),
        ({}, "'name' is a required property"),
        ({"name": "A"}, "/name"),
        ({"name": "Ada", "size": "xl"}, "/size"),
        ({"name": "Ada", "more": {"a": 1}}, "/more: a form's values"),
        ({"name": "Ada", "more": ["a", "b"]}, None),
    ],
)
def test_content_is_held_against_the_schema(content: dict[str, Any], words: str | None) -> None:
    problem = problem_of(FORM, content)
    assert (problem is None) if words is None else (words in (problem or ""))


def test_texts_are_read_as_what_the_form_asks_for() -> None:
    fields = {name: {"type": name} for name in ("integer", "number", "boolean", "string")}
    given = {"integer": "9007199254740993", "number": "1.5", "boolean": "true", "string": "5", "other": "5"}
    asked = {"type": "object", "properties": fields}
    expected = {"integer": 9007199254740993, "number": 1.5, "boolean": True, "string": "5", "other": "5"}
    assert read_content(asked, given) == expected
    assert read_content(asked, {"integer": "1.5"}) == {"integer": "1.5"}
    assert read_content(None, given) == given


# ---- in the machine ----------------------------------------------------------------------------------------
def held_form(approved: ApprovalQuestion | None = None, **more: Any) -> UpstreamQuestion:
    asking = AskingCall("demo.org.main.t", "{}", "model", approved)
    request = ElicitationRequest("who?", {"type": "object"})
    return UpstreamQuestion("int_9", asking, "who", request, state="sealed", **more)


def test_a_call_that_asks_is_held_on_record_and_pauses_when_nothing_else_can_progress() -> None:
    state, commands = after(WorkerBlocked(1001, (call(0), call(1)), None), CallAsked(1002, 0, held_form()))
    assert [type(one) for one in commands] == [WriteRecord]
    assert set(state.flying) == {1}
    state, commands = step(state, Settled(1003, 1, OK))
    assert [type(one) for one in commands] == [WriteRecord, Deliver]
    state, commands = step(state, WorkerBlocked(1004, (), None))
    assert [type(one) for one in commands] == [WriteRecord, KillWorker, Pause]


def test_only_a_call_that_is_under_way_asks() -> None:
    state, _ = after(WorkerBlocked(1001, (call(0),), None))
    with pytest.raises(IllegalEvent):
        step(state, CallAsked(1002, 1, held_form()))


def asked_before(
    question: UpstreamQuestion, resolution: Resolution
) -> tuple[MachineState, tuple[MachineCommand, ...]]:
    """A run that goes on after the question was decided, up to the judging of the call."""
    held, _ = after(WorkerBlocked(1001, (call(0),), None))
    _, commands = step(held, CallAsked(1002, 0, question))
    records: list[Record] = [START, DispatchRecord(0, "demo.org.main.t0", digest_of(call(0)))]
    records += [one.record for one in commands if isinstance(one, WriteRecord)]
    resumed = Resumed(5000.0, past_of(records), {0: resolution})
    state, _ = machine_step(MachineState(MachineLimits()), resumed)
    return machine_step(state, WorkerBlocked(5001, (call(0),), None))


def test_an_answered_call_is_judged_again_and_sent_with_its_answer() -> None:
    resolution = Resolution("accept", {"name": "Ada"}, "int_9")
    state, commands = asked_before(held_form(approved=approval("int_1")), resolution)
    (judge,) = (one for one in commands if isinstance(one, Judge))
    (judgement,) = judge.calls
    assert judgement.approved == approval("int_1"), "its approval was for this very call"
    assert judgement.again
    assert judgement.reply == Reply({"who": ElicitationAnswer("accept", {"name": "Ada"})}, "sealed", 1)
    state, commands = machine_step(state, Judged(5001, ((0, SEND),)))
    (write, dispatch) = commands
    assert isinstance(write, WriteRecord)
    assert write.uses == "int_9", "one answer serves one request"
    assert isinstance(dispatch, DispatchCall)


@pytest.mark.parametrize("action", ["decline", "cancel", "expired"])
def test_no_is_an_answer_that_travels_too(action: Any) -> None:
    _, commands = asked_before(held_form(), Resolution(action, {}, "int_9"))
    (judge,) = (one for one in commands if isinstance(one, Judge))
    reply = judge.calls[0].reply
    assert reply is not None
    assert reply.answers == {"who": ElicitationAnswer("decline" if action == "decline" else "cancel")}
    assert judge.calls[0].approved is None


def test_the_next_question_of_a_call_is_held_without_sending_anything() -> None:
    rest = (("age", ElicitationRequest("how old?", {"type": "object"})),)
    _, commands = asked_before(held_form(rest=rest), Resolution("accept", {"name": "Ada"}, "int_9"))
    writes = [one for one in commands if isinstance(one, WriteRecord)]
    assert isinstance(writes[0].record, HoldRecord)
    assert writes[0].uses == "int_9"
    question = writes[0].record.question
    assert isinstance(question, UpstreamQuestion)
    assert (question.id, question.key) == ("int_9.1", "age")
    assert any(isinstance(one, Pause) for one in commands)
    assert not any(isinstance(one, DispatchCall | Judge) for one in commands)


# ---- calls that ask in the middle ----------------------------------------------------------------------------------
PARKED = held_form(parked=True)


def test_a_call_that_is_under_way_is_held_but_on_record_it_is_just_sent() -> None:
    _, commands = after(WorkerBlocked(1001, (call(0),), None), CallAsked(1002, 0, PARKED))
    assert [type(one) for one in commands] == [WriteRecord, KillWorker, Pause]
    assert isinstance(commands[0], WriteRecord)
    assert isinstance(commands[0].record, PauseRecord)


def test_a_question_that_was_withdrawn_lets_the_code_go_on() -> None:
    waiting = WorkerBlocked(1001, (call(0), call(1)), None)
    state, _ = after(waiting, CallAsked(1002, 0, PARKED))
    state, commands = step(state, Settled(1003, 0, OK))
    assert [type(one) for one in commands] == [WriteRecord, Deliver]
    assert not state.held
    with pytest.raises(IllegalEvent):
        step(state, Settled(1004, 0, OK))


def test_a_call_that_waits_for_an_answer_counts_as_sent_when_the_execution_ends() -> None:
    state, _ = after(WorkerBlocked(1001, (call(0), call(1)), None), CallAsked(1002, 0, PARKED))
    _, commands = step(state, CancelRequested(1003, "enough"))
    assert [one.seq for one in ended(commands).unsettled] == [1, 0]


def gone_on(alive: frozenset[int], repeatable: bool) -> tuple[MachineState, tuple[MachineCommand, ...]]:
    dispatch = DispatchRecord(0, "demo.org.main.t0", digest_of(call(0)), 1001.0, repeatable)
    resumed = Resumed(5000.0, past_of([START, dispatch]), {}, alive)
    state, _ = machine_step(MachineState(MachineLimits()), resumed)
    return machine_step(state, WorkerBlocked(5001, (call(0),), None))


@pytest.mark.parametrize("repeatable", [True, False])
def test_a_replay_joins_what_is_under_way_still(repeatable: bool) -> None:
    state, commands = gone_on(frozenset({0}), repeatable)
    assert commands == (Rejoin(call(0)),)
    assert (set(state.flying), set(state.once)) == ({0}, set() if repeatable else {0})
    state, commands = machine_step(state, CallAsked(5002, 0, PARKED))
    assert [type(one) for one in commands] == [WriteRecord, KillWorker, Pause]


@pytest.mark.parametrize("repeatable", [True, False])
def test_another_process_settles_it_by_the_rule_of_crashes(repeatable: bool) -> None:
    _, commands = gone_on(frozenset(), repeatable)
    (judge,) = (one for one in commands if isinstance(one, Judge))
    assert (judge.calls[0].again, judge.calls[0].lost) == (repeatable, not repeatable)
