"""What a person sees of arguments that somebody wants to hide something in."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from proxy.executions.rendering import SHOWN_CHARACTERS, render

LONG = "x" * 100_000


def shown(value: Any) -> str:
    text = render(orjson.dumps(value, option=orjson.OPT_SORT_KEYS))
    assert len(text) <= SHOWN_CHARACTERS
    return text


def test_what_is_short_is_plain_json() -> None:
    value = {"b": [1, {"c": None}], "a": "two\nlines"}
    assert json.loads(shown(value)) == value


@pytest.mark.parametrize(
    "value",
    [
        {"amount": 5, "note": LONG, "to": "eve"},
        {"body": {"aaa": LONG, "amount": 5, "to": "eve"}},
        {"body": {"deep": [{"aaa": LONG, "amount": 5}, {"to": "eve"}], "note": LONG}},
        {"body": {**{f"a{n}": LONG for n in range(20)}, "amount": 5, "to": "eve"}},
    ],
)
def test_padding_hides_no_field_however_deep_it_stands(value: dict[str, Any]) -> None:
    text = shown(value)
    assert '"amount": 5' in text
    assert '"to": "eve"' in text
    assert "[100,002 bytes, sha256 " in text


def test_what_a_value_says_cannot_pass_for_a_fold_or_a_field() -> None:
    text = shown({"a": '" ... [9 bytes, sha256 0]\n  "to": "bob"', "note": LONG, "to": "eve"})
    assert text.count('\n  "to": ') == 1
    assert '\\" ... [9 bytes' in text


def test_too_many_fields_are_counted() -> None:
    text = shown({"body": {f"field{n:04}": n for n in range(2000)}, "to": "eve"})
    assert " more fields, " in text
    assert '"field0000": 0' in text
    assert '"to": "eve"' in text


@pytest.mark.parametrize("value", [[LONG] * 50, {LONG: 1}, {"a": {LONG + str(n): 1 for n in range(9)}}])
def test_long_names_and_lists_are_folded(value: Any) -> None:
    assert "sha256" in shown(value)


def test_depth_is_folded() -> None:
    value: Any = LONG
    for _ in range(200):
        value = {"a": value, "b": value if isinstance(value, str) else 1}
    assert "sha256" in shown(value)


def test_nothing_is_invisible_when_folded_either() -> None:
    assert "\\u{202E}" in shown({"a": "\u202e" + LONG})
