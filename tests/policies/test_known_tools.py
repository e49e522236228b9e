"""What patterns reach, and what is suggested for those that reach nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import KnownTools, parse_pattern
from policies.known_tools import FLOOR, NameTree
from tests.policies import reference

GITHUB = (
    "repos.get",
    "repos.delete",
    "repos.deleteFile",
    "issues.create",
    "issues.createComment",
    "issues.get",
    "meta",
)
FILES = ("read_file", "delete_file", "查询天气")
TOOLS = KnownTools(
    {
        "github.org.main": GITHUB,
        "github.user.me": GITHUB,
        "files.org.local": FILES,
        "t.org.main": ("t.hello", "t.write"),
    },
    {"linear.org.main": "not connected"},
)


@pytest.mark.parametrize(
    ("pattern", "reached"),
    [
        ("*", 19),
        ("github.*", 14),
        ("github.org.*", 7),
        ("github.*.*.repos.*", 6),
        ("github.*.*.repos.delete", 2),
        ("github.*.*.repos.delete*", 4),
        ("github.*.*.*.get", 4),
        ("github.*.*.*", 14),
        ("github.*.*.meta.*", 2),
        ("files.*.*.查询天气", 1),
        ("github.*.*.repos", 0),
        ("github.user.main.*", 0),
        ("linear.*", 0),
    ],
)
def test_reach(pattern: str, reached: int) -> None:
    found = list(TOOLS.matched(parse_pattern(pattern)))
    assert len(found) == reached
    assert TOOLS.reaches(parse_pattern(pattern)) is bool(reached)


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [
        # Misspelt, in another case, with another separator.
        ("github.*.*.repos.delet", "github.*.*.repos.delete"),
        ("github.*.*.Repos.Delete", "github.*.*.repos.delete"),
        ("github.*.*.repo.delete", "github.*.*.repos.delete"),
        ("github.*.*.repo.delet", "github.*.*.repos.delete"),
        ("github.org.main.issues.create_comment", "github.org.main.issues.createComment"),
        ("files.*.*.deleteFile", "files.*.*.delete_file"),
        ("github.*.*.isues.*", "github.*.*.issues.*"),
        ("github.*.*.issues.cretae*", "github.*.*.issues.create*"),
        ("github.*.*.ISSUES.create*", "github.*.*.issues.create*"),
        # One segment short, one too many, a prefix without its star.
        ("t.org.main.hello", "t.org.main.t.hello"),
        ("github.*.*.delete", "github.*.*.repos.delete"),
        ("github.*.*.get", "github.*.*.*.get"),
        ("github.*.*.api.repos.delete", "github.*.*.repos.delete"),
        ("github.*.*.repos", "github.*.*.repos.*"),
        # Of another owner or connection.
        ("github.user.main.repos.get", "github.*.main.repos.get"),
        ("files.user.*.delete_file", "files.*.*.delete_file"),
        ("files.user.*.delet_file", "files.*.*.delete_file"),
        # Nothing is alike.
        ("t.*.*.t.get*", None),
        ("t.*.*.t.nope", None),
        ("t.*.*.x*y", None),
        ("github.*.*.teams.list", None),
        ("linear.*.*.x", None),
        ("nowhere.*.*.x", None),
    ],
)
def test_suggestions_reach_something(pattern: str, meant: str | None) -> None:
    assert TOOLS.suggestion(parse_pattern(pattern)) == meant
    if meant is not None:
        assert TOOLS.reaches(parse_pattern(meant))


def test_what_is_not_known() -> None:
    assert TOOLS.unknown(parse_pattern("linear.*.*.x")) == {"linear.org.main": "not connected"}
    assert TOOLS.unknown(parse_pattern("linear.user.*")) == {}
    assert TOOLS.unknown(parse_pattern("*")) == {"linear.org.main": "not connected"}
    assert TOOLS.has_connection("linear")
    assert not TOOLS.has_connection("nowhere")


def test_a_workspace_sees_a_part() -> None:
    part = TOOLS.within(["t"])
    assert part.reaches(parse_pattern("t.*"))
    assert not part.reaches(parse_pattern("github.*"))
    assert not part.has_connection("linear")


def test_names_of_an_integration_stand_once() -> None:
    assert TOOLS.of("github") == list(GITHUB)


def test_a_name_may_be_the_prefix_of_another() -> None:
    tree = NameTree(["a", "a.b"])
    assert list(tree.matching(("a",), False)) == ["a"]
    assert list(tree.matching(("a",), True)) == ["a", "a.b"]


@given(st.lists(reference.ADDRESSES, min_size=1, max_size=8), reference.PATTERNS)
def test_reach_agrees_with_matching(addresses: list[str], text: str) -> None:
    names: dict[str, list[str]] = {}
    for address in dict.fromkeys(addresses):
        integration, owner, connection, tool = address.split(".", 3)
        names.setdefault(f"{integration}.{owner}.{connection}", []).append(tool)
    tools, pattern = KnownTools(names, {}), parse_pattern(text)
    found = {f"{prefix}.{name}" for prefix, name in tools.matched(pattern)}
    assert found == {one for one in addresses if pattern.matches(one)}
    meant = tools.suggestion(pattern)
    assert meant is None or tools.reaches(parse_pattern(meant))


def test_the_floor_keeps_unlike_words_apart() -> None:
    assert 0.6 <= FLOOR < 1
    assert NameTree(["hello"]).corrected(("yellow",), False) == ("hello",)
    assert NameTree(["hello"]).corrected(("world",), False) is None
