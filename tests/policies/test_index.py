import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import covers, parse_pattern
from policies.index import PatternIndex
from policies.patterns import segment_matches
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


@given(
    st.lists(st.sampled_from(["a*", "ab*", "*ab", "a*b", "*ab*", "b*a*", "abab*"]), max_size=7),
    st.text("ab", max_size=6),
)
def test_many_globs_are_found_by_their_parts(segments: list[str], name: str) -> None:
    more = [f"c{number}*" for number in range(12)]
    patterns = [f"api.org.main.{segment}" for segment in (*segments, *more)]
    found = filled(patterns).matching(["api", "org", "main", name])
    assert found == [n for n, text in enumerate(patterns) if reference.matches(text, f"api.org.main.{name}")]


@pytest.mark.parametrize("segment", ["g{}*", "*g{}", "a*g{}*", "g{}"])
def test_the_segments_tried_do_not_grow_with_the_rules(segment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def tried(rules: int) -> int:
        made = filled([f"api.org.main.{segment.format(1000 + number)}" for number in range(rules)])
        count = 0

        def counting(glob: str, text: str) -> bool:
            nonlocal count
            count += 1
            return segment_matches(glob, text)

        monkeypatch.setattr("policies.index.segment_matches", counting)
        assert made.matching(["api", "org", "main", segment.format(1007).replace("*", "x")]) == [7]
        return count

    assert tried(2000) == tried(200) <= 1
