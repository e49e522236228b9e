from __future__ import annotations

from integrations.conversation import ElicitationAnswer


def test_an_answer_is_spelled_as_the_protocol_spells_it() -> None:
    assert ElicitationAnswer("accept", {"a": 1}).as_json() == {"action": "accept", "content": {"a": 1}}
    assert ElicitationAnswer("decline").as_json() == {"action": "decline"}
