from __future__ import annotations

import pytest

from integrations.openapi.pointer import join_pointer, split_fragment, walk


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
