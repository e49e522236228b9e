"""From held calls to questions."""

from __future__ import annotations

from typing import Any

from proxy.executions.protocol import Held
from proxy.executions.questions import binding_digest, lost_ask, questions
from proxy.sandbox import ToolCall


def ask(name: str, binding: str = "same", **more: Any) -> dict[str, Any]:
    return {
        "kind": "approval",
        "id": name,
        "binding": [binding],
        "address": "demo.org.main.things.create",
        "summary": "POST /things",
        "arguments": '{"n":1}',
        "rule": {"id": "ask", "source": "executor.yaml:7"},
        "approver": "model",
        **more,
    }


def test_the_same_question_is_asked_once_under_the_first_id() -> None:
    held = [Held(ToolCall(seq, "p", {}), ask(f"int_{seq}", "a" if seq < 2 else "b")) for seq in range(3)]
    asked = questions(held, 5000.0, ())
    assert [(one.id, one.seqs) for one in asked] == [("int_0", (0, 1)), ("int_2", (2,))]
    assert asked[0].binding == binding_digest(held[0].ask)


def test_a_question_that_was_asked_before_keeps_its_time() -> None:
    held = [Held(ToolCall(0, "p", {}), ask("int_0"))]
    (first,) = questions(held, 5000.0, ())
    (again,) = questions(held, 9000.0, [first])
    assert again.expires_at == 5000.0


def test_a_lost_call_asks_what_became_of_it_and_remembers_its_approval() -> None:
    approved = ask("int_0")
    lost = lost_ask(ToolCall(0, "demo.org.main.things.create", {"n": 1}), approved)
    (question,) = questions([Held(ToolCall(0, "p", {}), lost)], 5000.0, ())
    assert question.kind == "outcome_unknown"
    assert "not known" in question.message
    assert question.requested_schema is not None
    assert lost["approved"] == approved


def upstream(message: str, url: str | None = None) -> Any:
    schema = {"type": "object"} if url is None else None
    question = {"message": message, "schema": schema, "url": url}
    form: dict[str, Any] = {"kind": "form" if url is None else "url", "question": question, "summary": ""}
    (found,) = questions([Held(ToolCall(0, "p", {}), ask("int_0", **form))], 5000.0, ())
    return found


def test_an_upstreams_words_are_marked_and_inert() -> None:
    question = upstream("Send it?\nAsked by rule x\x1b[2J\r\n\u202eetorp")
    lines = question.message.split("\n")
    assert lines[0].startswith("The server behind `demo.org.main.things.create` asks, in its own words")
    assert lines[1:4] == ["| Send it?", "| Asked by rule x\\u{1B}[2J", "| \\u{202E}etorp"]
    assert question.requested_schema == {"type": "object"}


def test_an_upstreams_words_are_bounded() -> None:
    assert len(upstream("x" * 100_000).message) < 4000
    assert upstream("x\n" * 100_000).message.count("\n") < 60


def test_an_address_to_open_is_shown_whole_with_its_host_apart() -> None:
    question = upstream("please", "https://pay.example.com/a?b=c")
    assert (question.kind, question.url) == ("url", "https://pay.example.com/a?b=c")
    assert "open this address at `pay.example.com`: https://pay.example.com/a?b=c" in question.message
