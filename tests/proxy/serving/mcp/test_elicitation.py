from __future__ import annotations

from dataclasses import replace
from typing import Any

import mcp_types as types
import pytest
from mcp.server.request_state import InvalidRequestState

from integrations.base import Secret
from proxy.executions import InteractionDecision
from proxy.executions.questions import OUTCOME_SCHEMA
from proxy.serving.mcp.elicitation import (
    Forged,
    RequestState,
    Seals,
    SentElicitation,
    askable,
    capabilities_of,
    decision_of,
    elicitation,
)
from tests.proxy.serving.board import question

FORM, BOTH = frozenset({"form"}), frozenset({"form", "url"})
APPROVAL = question("one")
LOST = replace(APPROVAL, id="int_2", kind="outcome_unknown", requested_schema=OUTCOME_SCHEMA)
URL = replace(APPROVAL, id="int_3", kind="url", url="https://example.com/go")
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}}
FIELDS = replace(APPROVAL, id="int_4", kind="form", requested_schema=SCHEMA)
ACCEPT = {"action": "accept", "content": {"decision": "accept"}}


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        (None, set()),
        ({}, set()),
        ({"elicitation": {}}, {"form"}),
        ({"elicitation": {"form": {}}}, {"form"}),
        ({"elicitation": {"url": {}}}, {"url"}),
        ({"elicitation": {"form": {}, "url": {}}}, {"form", "url"}),
    ],
)
def test_what_a_client_declares(capabilities: Any, expected: set[str]) -> None:
    declared = types.ClientCapabilities.model_validate(capabilities) if capabilities is not None else None
    assert capabilities_of(declared) == expected


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
        ("approval", False, ACCEPT, InteractionDecision("accept")),
        (
            "approval",
            False,
            {"action": "accept", "content": {"decision": "decline"}},
            InteractionDecision("decline"),
        ),
        (
            "approval",
            False,
            {"action": "accept", "content": {"decision": True}},
            InteractionDecision("decline"),
        ),
        ("approval", False, {"action": "accept"}, InteractionDecision("decline")),
        ("approval", False, {"action": "decline"}, InteractionDecision("decline")),
        ("approval", False, {"action": "cancel", "content": None}, InteractionDecision("cancel")),
        ("url", True, {"action": "accept"}, InteractionDecision("accept")),
        ("url", False, {"action": "accept"}, InteractionDecision("decline")),
        (
            "form",
            False,
            {"action": "accept", "content": {"name": "x"}},
            InteractionDecision("accept", {"name": "x"}),
        ),
        ("approval", False, {"action": "yes"}, None),
        ("approval", False, {"action": ["accept"]}, None),
        ("approval", False, None, None),
        ("approval", False, "accept", None),
    ],
)
def test_what_an_answer_says(
    kind: str, url_mode: bool, answer: Any, decision: InteractionDecision | None
) -> None:
    assert decision_of(kind, url_mode, answer) == decision


def test_an_id_says_what_it_is_about_to_every_replica() -> None:
    seals = Seals()
    asked = SentElicitation.of("exec_1", APPROVAL, FORM, "mcp_1")
    assert SentElicitation.opened(seals, asked.sealed(seals)) == asked
    for identifier in (asked.sealed(Seals()), seals.close("elicitation-id", b"[1]"), "int_1", 1, None, True):
        assert SentElicitation.opened(seals, identifier) is None


def test_a_round_takes_answers_to_what_it_asked_and_no_others() -> None:
    put = RequestState(
        "exec_1",
        (SentElicitation.of("exec_1", APPROVAL, FORM, None), SentElicitation.of("exec_1", LOST, FORM, None)),
    )
    again = RequestState.read(put.text())
    assert again == put
    answers = {"int_1": ACCEPT, "int_2": {"action": "nonsense"}, "int_9": ACCEPT}
    assert again.decisions(answers) == {"int_1": InteractionDecision("accept")}


NEW, OLD = Secret("n" * 16), Secret("o" * 16)


def test_what_is_closed_can_be_opened_for_the_same_purpose_only() -> None:
    seals = Seals()
    token = seals.close("one", b"text")
    assert seals.open("one", token) == b"text"
    with pytest.raises(Forged):
        seals.open("two", token)


def test_every_replica_with_the_key_opens_it_also_when_the_key_was_replaced() -> None:
    token = Seals((OLD,)).seal(b"text")
    assert Seals((NEW, OLD)).unseal(token) == b"text"
    with pytest.raises(InvalidRequestState):
        Seals((NEW,)).unseal(token)


def test_without_a_key_each_process_has_its_own() -> None:
    with pytest.raises(InvalidRequestState):
        Seals().unseal(Seals().seal(b"text"))


@pytest.mark.parametrize("token", ["", "x1.", "x1.AAAA", "x1.\u00e9", "v1.AAAA", "x1.%%%%", "x" * 10_000])
def test_anything_else_is_forged(token: str) -> None:
    with pytest.raises(Forged):
        Seals().open("one", token)
    with pytest.raises(InvalidRequestState):
        Seals().unseal(token)


def test_every_changed_character_is_noticed() -> None:
    seals = Seals()
    token = seals.close("one", b"text")
    for place in range(len(token) - 1):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        with pytest.raises(Forged):
            seals.open("one", changed)
