"""From what an upstream asks to a question, and from answers to a reply."""

from __future__ import annotations

from typing import Any

import pytest

from integrations.conversation import ElicitationAnswer, ElicitationRequest, InputNeeded, Reply
from proxy.executions import inputs, machine
from proxy.executions.journal import DispatchRecord, HoldRecord, PauseRecord, Record
from proxy.executions.machine import IllegalEvent, MachineLimits, State
from proxy.executions.past import past_of
from proxy.executions.protocol import (
    Asked,
    Blocked,
    CancelRequested,
    Command,
    Deliver,
    Dispatch,
    Given,
    Judge,
    Judged,
    KillWorker,
    Pause,
    Rejoin,
    Resumed,
    Settled,
    Write,
)
from tests.proxy.executions.test_machine import OK, SEND, START, after, ask, call, digest_of, ended, step

FORM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "title": "Your\u200b name", "minLength": 2},
        "size": {"type": "string", "enum": ["s", "m"]},
    },
    "required": ["name"],
}
BASE = {"id": "int_1", "address": "a.org.main.t", "arguments": "{}", "approver": "model"}


def form(**changes: Any) -> ElicitationRequest:
    return ElicitationRequest("who?", schema={**FORM, **changes})


def test_prose_of_a_schema_is_made_visible_and_the_rest_stays() -> None:
    shown = inputs.shown(form())
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
    assert inputs.shown(question) is None
    assert inputs.first_ask(BASE, InputNeeded({"a": question, "b": form()}, None, 1)) is None


def test_several_questions_are_asked_one_after_another_and_answered_together() -> None:
    needed = InputNeeded(
        {"a": form(), "b": ElicitationRequest("go", url="https://example.com/x")}, "sealed", 2
    )
    first = inputs.first_ask(BASE, needed)
    assert first is not None
    assert (first["kind"], first["id"], first["rounds"]) == ("form", "int_1", 2)
    answers = inputs.answered(first, "accept", {"name": "Ada"})
    second = inputs.next_ask(first, answers)
    assert second is not None
    assert (second["kind"], second["id"]) == ("url", "int_1.1")
    assert second["binding"] != first["binding"]
    answers = inputs.answered(second, "accept", {"ignored": 1})
    assert inputs.next_ask(second, answers) is None
    reply = inputs.reply(inputs.reply_of(second, answers))
    assert reply == Reply(
        {"a": ElicitationAnswer("accept", {"name": "Ada"}), "b": ElicitationAnswer("accept")}, "sealed", 2
    )


@pytest.mark.parametrize(
    ("action", "said"), [("decline", "decline"), ("cancel", "cancel"), ("expired", "cancel")]
)
def test_whoever_does_not_accept_sends_no_content(action: str, said: str) -> None:
    ask = inputs.first_ask(BASE, InputNeeded({"a": form()}, None, 1))
    assert ask is not None
    assert inputs.answered(ask, action, {"name": "Ada"}) == {"a": {"action": said}}


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
    problem = inputs.problem_of(FORM, content)
    assert (problem is None) if words is None else (words in (problem or ""))


# ---- in the machine ----------------------------------------------------------------------------------------
def held_form(name: str = "int_9", **more: Any) -> dict[str, Any]:
    question = {"message": "who?", "schema": {"type": "object"}, "url": None}
    return {
        "kind": "form", "id": name, "binding": ["input", name], "address": "demo.org.main.t", "arguments": "{}",
        "state": "sealed", "rounds": 1, "number": 0, "answers": {}, "key": "who", "question": question, "rest": [],
        **more,
    }  # fmt: skip


def test_a_call_that_asks_is_held_on_record_and_pauses_when_nothing_else_can_progress() -> None:
    state, commands = after(Blocked(1001, (call(0), call(1)), None), Asked(1002, 0, held_form()))
    assert [type(one) for one in commands] == [Write]
    assert set(state.flying) == {1}
    state, commands = step(state, Settled(1003, 1, OK))
    assert [type(one) for one in commands] == [Write, Deliver]
    state, commands = step(state, Blocked(1004, (), None))
    assert [type(one) for one in commands] == [Write, KillWorker, Pause]


def test_only_a_call_that_is_under_way_asks() -> None:
    state, _ = after(Blocked(1001, (call(0),), None))
    with pytest.raises(IllegalEvent):
        step(state, Asked(1002, 1, held_form()))


def asked_before(ask: dict[str, Any], given: Given) -> tuple[State, tuple[Command, ...]]:
    """A run that goes on after the question was decided, up to the judging of the call."""
    held, _ = after(Blocked(1001, (call(0),), None))
    _, commands = step(held, Asked(1002, 0, ask))
    records: list[Record] = [START, DispatchRecord(0, "demo.org.main.t0", digest_of(call(0)))]
    records += [one.record for one in commands if isinstance(one, Write)]
    resumed = Resumed(5000.0, past_of(records), {0: given})
    state, _ = machine.step(State(MachineLimits()), resumed)
    return machine.step(state, Blocked(5001, (call(0),), None))


def test_an_answered_call_is_judged_again_and_sent_with_its_answer() -> None:
    given = Given("accept", {"name": "Ada"}, "int_9")
    state, commands = asked_before(held_form(approved=ask("int_1")), given)
    (judge,) = (one for one in commands if isinstance(one, Judge))
    (judgement,) = judge.calls
    assert judgement.ask == ask("int_1"), "its approval was for this very call"
    assert judgement.again
    assert judgement.reply == {
        "answers": {"who": {"action": "accept", "content": {"name": "Ada"}}}, "state": "sealed", "rounds": 1,
    }  # fmt: skip
    state, commands = machine.step(state, Judged(5001, ((0, SEND),)))
    (write, dispatch) = commands
    assert isinstance(write, Write)
    assert write.uses == "int_9", "one answer serves one request"
    assert isinstance(dispatch, Dispatch)


@pytest.mark.parametrize("action", ["decline", "cancel", "expired"])
def test_no_is_an_answer_that_travels_too(action: Any) -> None:
    _, commands = asked_before(held_form(), Given(action, {}, "int_9"))
    (judge,) = (one for one in commands if isinstance(one, Judge))
    reply = judge.calls[0].reply
    assert reply is not None
    assert reply["answers"] == {"who": {"action": "decline" if action == "decline" else "cancel"}}
    assert judge.calls[0].ask is None


def test_the_next_question_of_a_call_is_held_without_sending_anything() -> None:
    rest = [["age", {"message": "how old?", "schema": {"type": "object"}, "url": None}]]
    _, commands = asked_before(held_form(rest=rest), Given("accept", {"name": "Ada"}, "int_9"))
    writes = [one for one in commands if isinstance(one, Write)]
    assert isinstance(writes[0].record, HoldRecord)
    assert writes[0].uses == "int_9"
    assert (writes[0].record.ask["id"], writes[0].record.ask["key"]) == ("int_9.1", "age")
    assert any(isinstance(one, Pause) for one in commands)
    assert not any(isinstance(one, Dispatch | Judge) for one in commands)


# ---- calls that ask in the middle ----------------------------------------------------------------------------------
PARKED = held_form(parked=True)


def test_a_call_that_is_under_way_is_held_but_on_record_it_is_just_sent() -> None:
    _, commands = after(Blocked(1001, (call(0),), None), Asked(1002, 0, PARKED))
    assert [type(one) for one in commands] == [Write, KillWorker, Pause]
    assert isinstance(commands[0], Write)
    assert isinstance(commands[0].record, PauseRecord)


def test_a_question_that_was_withdrawn_lets_the_code_go_on() -> None:
    waiting = Blocked(1001, (call(0), call(1)), None)
    state, _ = after(waiting, Asked(1002, 0, PARKED))
    state, commands = step(state, Settled(1003, 0, OK))
    assert [type(one) for one in commands] == [Write, Deliver]
    assert not state.held
    with pytest.raises(IllegalEvent):
        step(state, Settled(1004, 0, OK))


def test_a_call_that_waits_for_an_answer_counts_as_sent_when_the_execution_ends() -> None:
    state, _ = after(Blocked(1001, (call(0), call(1)), None), Asked(1002, 0, PARKED))
    _, commands = step(state, CancelRequested(1003, "enough"))
    assert [one.seq for one in ended(commands).unsettled] == [1, 0]


def gone_on(alive: frozenset[int], repeatable: bool) -> tuple[State, tuple[Command, ...]]:
    dispatch = DispatchRecord(0, "demo.org.main.t0", digest_of(call(0)), 1001.0, repeatable)
    resumed = Resumed(5000.0, past_of([START, dispatch]), {}, alive)
    state, _ = machine.step(State(MachineLimits()), resumed)
    return machine.step(state, Blocked(5001, (call(0),), None))


@pytest.mark.parametrize("repeatable", [True, False])
def test_a_replay_joins_what_is_under_way_still(repeatable: bool) -> None:
    state, commands = gone_on(frozenset({0}), repeatable)
    assert commands == (Rejoin(call(0)),)
    assert (set(state.flying), set(state.once)) == ({0}, set() if repeatable else {0})
    state, commands = machine.step(state, Asked(5002, 0, PARKED))
    assert [type(one) for one in commands] == [Write, KillWorker, Pause]


@pytest.mark.parametrize("repeatable", [True, False])
def test_another_process_settles_it_by_the_rule_of_crashes(repeatable: bool) -> None:
    _, commands = gone_on(frozenset(), repeatable)
    (judge,) = (one for one in commands if isinstance(one, Judge))
    assert (judge.calls[0].again, judge.calls[0].lost) == (repeatable, not repeatable)
