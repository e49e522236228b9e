"""What of questions and answers is written. `tests/e2e/test_protocol_debug.py` sees real clients."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from proxy.principal import Principal
from proxy.serving.mcp.debug import answered, asked
from tests.proxy.serving.pages.support import asked as questions
from tests.proxy.support import logged

BOB = Principal("ws", "key:bob", "key")
DEBUG = ("DEBUG", "executor.protocol")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            {"action": "accept", "content": {"pin": "0042-typed", "n": 4711}},
            'content="{\\"pin\\":\\"[string of 10]\\"',
        ),
        ({"action": "accept", "content": {"decision": "accept"}}, 'content="{\\"decision\\":\\"accept\\"}"'),
        ({"action": "decline"}, "action=decline content=-"),
        (RuntimeError("not shown"), 'action="not shown"'),
        (None, "action=None"),
    ],
)
def test_of_an_answer_the_action_and_no_value(
    answer: Any, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(*DEBUG):
        answered("exec_1", "int_1", answer, BOB, "resume")
    assert said in logged(caplog)
    assert "0042" not in logged(caplog)
    assert "4711" not in logged(caplog)


def test_of_a_question_no_arguments_and_no_query(caplog: pytest.LogCaptureFixture) -> None:
    (approval,) = questions("delete it")
    link = replace(approval, kind="url", message="Sign in", url="https://a.example/x?state=hidden-1")
    form = replace(approval, kind="form", message="Who?", requested_schema={"properties": {"name": {}}})
    with caplog.at_level(*DEBUG):
        asked("exec_1", (approval, link, form), BOB, "input_required")
    text = logged(caplog)
    assert approval.message not in text
    assert "arguments_sha256=" in text
    assert 'message="Sign in" url=https://a.example/x\n' in text
    assert "hidden-1" not in text
    assert "message=Who? fields=name" in text


def test_silent_unless_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("WARNING", "executor.protocol"):
        answered("exec_1", None, {"action": "accept"}, BOB, "resume")
        asked("exec_1", questions("x"), BOB, "resume")
    assert caplog.records == []
