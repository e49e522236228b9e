"""One spelling for equal arguments."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.calls.canonical import NotCanonical, canonical, digest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(),
    lambda inner: st.lists(inner),
    max_leaves=8,
)


def test_keys_are_sorted_and_blanks_are_left_out() -> None:
    assert (
        canonical({"b": [1, {"d": 2, "c": "ü"}], "a": None}) == '{"a":null,"b":[1,{"c":"ü","d":2}]}'.encode()
    )


@given(st.dictionaries(st.text(), JSON))
def test_the_order_of_writing_does_not_matter(value: dict[str, Any]) -> None:
    turned = dict(reversed(value.items()))
    assert canonical(turned) == canonical(value)
    assert digest(canonical(turned)) == digest(canonical(value))


def test_a_string_is_not_its_number() -> None:
    assert digest(canonical({"a": "500"})) != digest(canonical({"a": 500}))


def test_what_has_no_spelling_is_refused() -> None:
    deep: Any = 1
    for _ in range(300):
        deep = [deep]
    with pytest.raises(NotCanonical, match="nested more than"):
        canonical({"a": deep})
    assert canonical({"b": "\ud83d", "a": 2**70}) == b'{"a":1180591620717411303424,"b":"\\ud83d"}'
