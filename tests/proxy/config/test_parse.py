from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from proxy.config.parse import DEEPEST, Parsed, parse
from proxy.config.source import read_text


def parsed(text: str) -> Parsed:
    source, flaw = read_text("a.yaml", text.encode())
    assert flaw is None
    return parse(source)


def flaw(text: str) -> tuple[str, int, int]:
    (found,) = parsed(text).flaws
    return found.code, found.line + 1, found.column + 1


KEYS = st.text("abcxyz_é.-", min_size=1, max_size=6)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.text("abc: #'\"\n{}[]*&!%@`-é", max_size=12),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(KEYS, below, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(KEYS, VALUES, max_size=5), st.booleans())
def test_what_is_dumped_is_read_back(data: dict[str, Any], flow: bool) -> None:
    found = parsed(yaml.safe_dump(data, allow_unicode=True, default_flow_style=flow))
    assert found.flaws == []
    assert found.data == data


def test_every_value_has_its_place() -> None:
    found = parsed("a:\n  - b: {c: 1}\n")
    assert found.root is not None
    node = found.root.child("a")
    assert node is not None
    inner = node.child(0)
    assert inner is not None
    c = inner.child("b").child("c")  # type: ignore[union-attr]
    assert c is not None
    assert (c.start, c.key, c.text, c.plain) == ((1, 11), (1, 8, 1, 9), "1", True)


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        ("a: !x 1\n", "E106", 1, 4),
        ("<<: {a: 1}\n", "E106", 1, 1),
        ("a: *b\n", "E107", 1, 4),
        ("a: &b [*b]\n", "E114", 1, 8),
        ("a: 1\n---\nb: 2\n", "E104", 2, 1),
        ("1: a\n", "E112", 1, 1),
        ("{a: 1}: b\n", "E112", 1, 1),
        ("a: {{ b }}\n", "E112", 1, 5),
        ("a: " + "[" * 65 + "]" * 65, "E109", 1, 67),
    ],
)
def test_flaws(text: str, code: str, line: int, column: int) -> None:
    assert flaw(text) == (code, line, column)


def test_one_flaw_does_not_hide_the_next() -> None:
    found = parsed("a: !x 1\nb: !y 2\n3: c\n")
    assert [one.code for one in found.flaws] == ["E106", "E106", "E112"]
    assert found.broken == {("a",), ("b",), ()}


def test_a_quoted_merge_key_is_a_key() -> None:
    assert parsed('"<<": 1\n').data == {"<<": 1}


def test_duplicates_keep_the_first_value() -> None:
    found = parsed("a: 1\n'a': 2\n")
    assert found.data == {"a": 1}
    assert [(one.path, one.second) for one in found.duplicates] == [(("a",), (1, 0, 1, 3))]


def test_aliases_are_copies_that_know_their_place() -> None:
    found = parsed("a: &x {b: 1}\nc: *x\n")
    assert found.data == {"a": {"b": 1}, "c": {"b": 1}}
    assert found.root is not None
    c = found.root.child("c")
    assert c is not None
    assert c.start == (1, 3)
    assert c.child("b") is not None


def test_aliases_are_counted_as_copies() -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    (found,) = parsed("\n".join(lines)).flaws
    assert found.code == "E108"


def test_aliases_are_counted_in_depth() -> None:
    lines = ["a0: &a0 [[[[[[[[[[1]]]]]]]]]]"]
    lines += [f"a{i}: &a{i} [[[[[[[[[*a{i - 1}]]]]]]]]]" for i in range(1, 9)]
    (found,) = parsed("\n".join(lines)).flaws
    assert found.code == "E109"
    assert DEEPEST == 64


def test_documents_inside_may_have_status_codes_for_keys() -> None:
    found = parsed("integrations: {api: {spec: {inline: {responses: {200: ok}}}}}\n")
    assert found.flaws == []
    assert found.data["integrations"]["api"]["spec"]["inline"] == {"responses": {"200": "ok"}}


@given(st.text("ab:-[]{}&*!|>'\"%@`#,?\n\t ~<=", max_size=40))
def test_nothing_raises(text: str) -> None:
    source, found = read_text("a", text.encode())
    if found is None:
        parse(source)
