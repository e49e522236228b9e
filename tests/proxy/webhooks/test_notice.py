from __future__ import annotations

import json

from proxy.executions import ExecutionView
from proxy.webhooks.notice import Notice, message, notice_of
from tests.proxy.webhooks.samples import LATER, NOW, question

SEEN = ExecutionView(
    "exec_1", "waiting_for_interaction", "default", "ada", None, "model", NOW * 1000, LATER * 1000, "c" * 64
)


def test_the_same_pause_has_the_same_id_and_another_one_another() -> None:
    one = notice_of("exec_1", [question("b"), question("a")], Notice(), NOW)
    same = notice_of("exec_1", [question("a"), question("b")], Notice(), NOW + 5)
    other = notice_of("exec_2", [question("a"), question("b")], Notice(), NOW)
    assert one.message_id == same.message_id != other.message_id
    assert one.message_id.startswith("msg_")
    assert "." not in one.message_id, "a full stop would let the signature's parts be shifted"


def test_what_was_told_is_no_news() -> None:
    told = notice_of("exec_1", [question("a"), question("b")], Notice(), NOW)
    assert not told.news([question("a")])
    assert not told.news([])
    assert told.news([question("a"), question("c")])
    assert notice_of("exec_1", [question("c")], told, NOW).told == ("a", "b", "c")


def test_it_survives_the_store() -> None:
    notice = notice_of("exec_1", [question("a")], Notice(), NOW)
    assert Notice.decoded(notice.encoded()) == notice


def test_a_message_says_what_waits_where_and_until_when() -> None:
    asked = [question("a", LATER), question("b", LATER - 100)]
    body = json.loads(message(SEEN, asked, NOW, "https://executor.example/resume/exec_1"))
    assert body["type"] == "approval.pending"
    assert body["timestamp"] == "2027-01-15T08:00:00Z"
    data = body["data"]
    assert (data["executionId"], data["workspaceId"], data["accountId"]) == ("exec_1", "default", "ada")
    assert data["approvalUrl"] == "https://executor.example/resume/exec_1"
    assert data["expiresAt"] == "2027-01-15T08:13:20Z"
    assert data["interactions"] == [one.as_json() for one in asked]
    assert "sessionId" not in data


def test_a_message_of_many_questions_is_bounded() -> None:
    data = json.loads(message(SEEN, [question(str(n)) for n in range(50)], NOW, None))["data"]
    assert (data["interactionCount"], len(data["interactions"])) == (50, 20)
