"""What finders look at."""

from __future__ import annotations

from proxy.calls.page_answer import Answer, Names, connection_of


def test_a_connection_is_found_below() -> None:
    found = {"nodes": [], "pageInfo": {"hasNextPage": False}}
    assert connection_of({"data": {"repository": {"issues": found}}}) is found
    assert connection_of({"a": {"b": {"c": {"d": found}}}}) is None
    assert connection_of([found]) is None


def test_paths_lead_into_the_data() -> None:
    answer = Answer({"meta": {"next": 2}}, {}, {}, {}, Names(), None)
    assert answer.at("meta.next") == 2
    assert answer.at("meta.absent") is None
