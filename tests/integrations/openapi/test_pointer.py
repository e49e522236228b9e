from __future__ import annotations

from typing import Any

import pytest

from integrations.openapi.pointer import join_pointer, mapping, split_fragment, strings, walk


@pytest.mark.parametrize(
    ("fragment", "tokens"),
    [("", []), ("/a/b", ["a", "b"]), ("/~1q/a~01", ["/q", "a~1"]), ("/a%20b/%C3%A9", ["a b", "é"]), ("/", [""]),
     ("anchor", ["anchor"])],
)  # fmt: skip
def test_split(fragment: str, tokens: list[str]) -> None:
    assert split_fragment(fragment) == tokens


def test_join_is_the_inverse() -> None:
    assert split_fragment(join_pointer("a/b", "c~d", 0)) == ["a/b", "c~d", "0"]


def test_walk() -> None:
    tree = {"a": [{"b": None}]}
    assert walk(tree, ["a", "0", "b"]) is None
    for missing in (["x"], ["a", "1"], ["a", "-"], ["a", "0", "b", "c"]):
        with pytest.raises(LookupError):
            walk(tree, missing)


def test_mapping() -> None:
    assert mapping({"a": 1}) == {"a": 1}


def test_strings() -> None:
    assert strings(["a", 1, None, "b"]) == ["a", "b"]


@pytest.mark.parametrize("other", [None, "a", 1])
def test_anything_else_is_empty(other: Any) -> None:
    assert (mapping(other), strings(other)) == ({}, [])
