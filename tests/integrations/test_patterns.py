from __future__ import annotations

import pytest

from integrations.patterns import idle_patterns, name_filter, none_left


@pytest.mark.parametrize(
    ("pattern", "name", "stays"),
    [
        ("*", "a.b.c", True),
        ("query.*", "query.me", True),
        ("query.*", "query.me.more", True),
        ("query.*", "query", False),
        ("query.*", "querying.me", False),
        ("query.get*", "query.getUser", True),
        ("query.get*", "query.get.User", False),
        ("*.list", "repos.list", True),
        ("*.list", "a.b.list", False),
        ("a+b.c", "aab.c", False),
    ],
)
def test_patterns_are_dotted(pattern: str, name: str, stays: bool) -> None:
    assert name_filter([pattern], [])(name) is stays
    assert name_filter([], [pattern])(name) is not stays


def test_exclude_wins_and_nothing_means_everything() -> None:
    assert name_filter([], [])("anything")
    assert not name_filter(["a.*"], ["a.b"])("a.b")


def test_patterns_that_match_nothing() -> None:
    assert idle_patterns(["a.*", "c.*"], ["a.b"]) == ["c.*"]


def test_a_source_without_tools_is_told_from_one_that_is_filtered_empty() -> None:
    assert none_left("a", 4, 1) == []
    assert none_left("a", 4, 0) == ["a: `include` and `exclude` leave none of its 4 tools"]
    assert none_left("a", 0, 0) == ["a: it offers nothing that can become a tool"]
