from hypothesis import given
from hypothesis import strategies as st

from policies import covers, parse_pattern
from policies.index import PatternIndex
from tests.policies import reference

MANY = st.lists(reference.PATTERNS, max_size=12)


def filled(patterns: list[str]) -> PatternIndex:
    index = PatternIndex()
    for number, pattern in enumerate(patterns):
        index.add(parse_pattern(pattern), number)
    return index


@given(MANY, reference.ADDRESSES)
def test_it_finds_what_a_scan_finds(patterns: list[str], address: str) -> None:
    found = filled(patterns).matching(address.split("."))
    assert found == [n for n, pattern in enumerate(patterns) if reference.matches(pattern, address)]


@given(MANY, reference.PATTERNS)
def test_it_finds_the_covering_patterns(patterns: list[str], pattern: str) -> None:
    inner = parse_pattern(pattern)
    found = filled(patterns).covering(inner)
    assert found == [n for n, outer in enumerate(patterns) if covers(parse_pattern(outer), inner)]


def test_an_empty_index_finds_nothing() -> None:
    assert PatternIndex().matching(["api", "org", "main", "x"]) == []
    assert PatternIndex().covering(parse_pattern("*")) == []
