from __future__ import annotations

from dataclasses import replace
from typing import Any

import mcp_types as types
import pytest

from proxy.executions import Decision
from proxy.executions.questions import OUTCOME_SCHEMA
from proxy.serving.asking import Asked, Round, askable, decision_of, elicitation, ways_of
from proxy.serving.sealing import Seals
from tests.proxy.serving.board import question

FORM, BOTH = frozenset({"form"}), frozenset({"form", "url"})
APPROVAL = question("one")
LOST = replace(APPROVAL, id="int_2", kind="outcome_unknown", requested_schema=OUTCOME_SCHEMA)
URL = replace(APPROVAL, id="int_3", kind="url", url="https://example.com/go")
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}}
FIELDS = replace(APPROVAL, id="int_4", kind="form", requested_schema=SCHEMA)
ACCEPT = {"action": "accept", "content": {"decision": "accept"}}


@pytest.mark.parametrize(
    ("capabilities", "ways"),
    [
        (None, set()),
        ({}, set()),
        ({"elicitation": {}}, {"form"}),
        ({"elicitation": {"form": {}}}, {"form"}),
        ({"elicitation": {"url": {}}}, {"url"}),
        ({"elicitation": {"form": {}, "url": {}}}, {"form", "url"}),
    ],
)
def test_what_a_client_declares(capabilities: Any, ways: set[str]) -> None:
    declared = types.ClientCapabilities.model_validate(capabilities) if capabilities is not None else None
    assert ways_of(declared) == ways


def test_only_what_the_client_can_show_and_its_user_may_decide_is_asked() -> None:
    human = question("two", 5, "human")
    assert askable((APPROVAL, human, URL), FORM) == (APPROVAL, URL)
    assert askable((APPROVAL, human, URL), frozenset({"url"})) == (URL,)
    assert askable((APPROVAL, URL), frozenset()) == ()


def test_a_url_is_opened_where_the_client_can_and_shown_where_it_cannot() -> None:
    opened = {"mode": "url", "message": URL.message, "url": URL.url}
    assert elicitation(URL, BOTH, legacy=False) == opened
    assert elicitation(URL, BOTH, legacy=True) == {**opened, "elicitationId": "int_3"}
    assert elicitation(URL, FORM, legacy=True)["message"].endswith("https://example.com/go")


@pytest.mark.parametrize(
    ("asked", "fields"), [(APPROVAL, ["decision"]), (LOST, ["outcome"]), (FIELDS, ["name"])]
)
def test_forms_are_flat_and_made_of_plain_fields(asked: Any, fields: list[str]) -> None:
    params = elicitation(asked, FORM, legacy=True)
    types.ElicitRequestFormParams.model_validate(params)
    assert list(params["requestedSchema"]["properties"]) == fields
    assert params["message"] == asked.message


@pytest.mark.parametrize(
    ("kind", "url_mode", "answer", "decision"),
    [
        ("approval", False, ACCEPT, Decision("accept")),
        ("approval", False, {"action": "accept", "content": {"decision": "decline"}}, Decision("decline")),
        ("approval", False, {"action": "accept", "content": {"decision": True}}, Decision("decline")),
        ("approval", False, {"action": "accept"}, Decision("decline")),
        ("approval", False, {"action": "decline"}, Decision("decline")),
        ("approval", False, {"action": "cancel", "content": None}, Decision("cancel")),
        ("url", True, {"action": "accept"}, Decision("accept")),
        ("url", False, {"action": "accept"}, Decision("decline")),
        ("form", False, {"action": "accept", "content": {"name": "x"}}, Decision("accept", {"name": "x"})),
        ("approval", False, {"action": "yes"}, None),
        ("approval", False, {"action": ["accept"]}, None),
        ("approval", False, None, None),
        ("approval", False, "accept", None),
    ],
)
def test_what_an_answer_says(kind: str, url_mode: bool, answer: Any, decision: Decision | None) -> None:
    assert decision_of(kind, url_mode, answer) == decision


def test_an_id_says_what_it_is_about_to_every_replica() -> None:
    seals = Seals()
    asked = Asked.of("exec_1", APPROVAL, FORM, "mcp_1")
    assert Asked.opened(seals, asked.sealed(seals)) == asked
    for identifier in (asked.sealed(Seals()), seals.close("elicitation-id", b"[1]"), "int_1", 1, None, True):
        assert Asked.opened(seals, identifier) is None


def test_a_round_takes_answers_to_what_it_asked_and_no_others() -> None:
    put = Round("exec_1", (Asked.of("exec_1", APPROVAL, FORM, None), Asked.of("exec_1", LOST, FORM, None)))
    again = Round.read(put.text())
    assert again == put
    answers = {"int_1": ACCEPT, "int_2": {"action": "nonsense"}, "int_9": ACCEPT}
    assert again.decisions(answers) == {"int_1": Decision("accept")}
