"""The reader and the writer: what goes in comes out, or is refused in words."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.json_text import (
    MAX_DEPTH,
    SORT_KEYS,
    JsonTooDeep,
    has_unsafe_integers,
    read_json,
    with_safe_integers,
    write_json,
    write_kept,
    write_value,
)
from proxy.sandbox import frames

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@given(JSON)
def test_what_is_written_is_read(value: Any) -> None:
    assert read_json(write_json(value)) == value
    assert write_value(value) == write_json(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ("-18446744073709551616", -(2**64)),
        ('{"a":[9007199254740993,1e2]}', {"a": [9007199254740993, 100.0]}),
        ('"\\ud83d"', "\ud83d"),
        ('{"a":1e400,"b":-1e400,"c":1e-400}', {"a": "1e400", "b": "-1e400", "c": 0.0}),
        ("9" * 5000, "9" * 5000),
        ('"1234567890123456789012345"', "1234567890123456789012345"),
    ],
)
def test_nothing_is_rounded_or_lost(text: str, value: Any) -> None:
    assert read_json(text) == read_json(text.encode()) == value


LONG = st.integers(2**62, 2**68) | st.integers(-(2**68), -(2**62)) | st.integers()
BLANKS = st.sampled_from(["", " ", "\n\t", " " * 63, " " * 64, " " * 200])


@given(LONG, LONG, BLANKS, BLANKS)
def test_integers_of_any_length_are_exact_wherever_they_stand(one: int, two: int, a: str, b: str) -> None:
    """The fast reader rounds beyond 64 bits; digits in strings and fractions do not need the slow one."""
    texts = {
        f"{a}{one}{b}": one,
        f"[{a}{one}{b},{b}{two}]": [one, two],
        f'{{"{one}":{a}{two}{b}}}': {str(one): two},
        f'["{one}, {two}",{b}0.{abs(one)},{a}{two}]': [f"{one}, {two}", float(f"0.{abs(one)}"), two],
    }
    for text, value in texts.items():
        assert read_json(text) == value


@pytest.mark.parametrize(
    ("option", "text"), [(0, b'{"b":"set()","a":1}'), (SORT_KEYS, b'{"a":1,"b":"set()"}')]
)
def test_what_has_no_json_becomes_what_the_caller_says(option: int, text: bytes) -> None:
    assert write_json({"b": set(), "a": 1}, option, str) == text
    assert read_json(write_json({"b": set(), "a": 2**70}, option, str)) == {"b": "set()", "a": 2**70}
    with pytest.raises(TypeError):
        write_json({"b": set(), "a": 2**70}, option)


@dataclass(frozen=True)
class Row:
    """A record that holds what agents and upstreams said."""

    result: Any
    _unwritten: int = 0


@pytest.mark.parametrize(
    "value",
    ["a\ud800b", {"\udc00k": 1}, {"a": {"\udc00": ["\ud800"], "": 2}}, 10**30, [{"\ud800": 10**30}]],
)
def test_half_pairs_and_long_integers_pass_in_names_and_in_records(value: Any) -> None:
    """A record with them could not be saved, so that an execution that had run answered an internal error."""
    assert read_json(write_json(value)) == value
    assert read_json(write_json(Row(value))) == {"result": value}
    assert read_json(write_json([Row({"in": Row(value)})])) == [{"result": {"in": {"result": value}}}]


def test_halves_of_surrogate_pairs_pass() -> None:
    assert write_json({"a": "\ud83d", "b": [2**70]}) == b'{"a":"\\ud83d","b":[1180591620717411303424]}'
    assert read_json(write_json(["\udc00"])) == ["\udc00"]


@pytest.mark.parametrize(
    "text", ["", "{", "[1,]", "NaN", "Infinity", "12345678901234567890,", '{"a":tru}', b"\xff"]
)
def test_what_is_no_json_is_refused(text: str | bytes) -> None:
    with pytest.raises(ValueError):
        read_json(text)


def test_one_depth_limit() -> None:
    assert frames.MAX_DEPTH == MAX_DEPTH
    for end in (1, 2**70):
        value = nested(MAX_DEPTH - 1) if end == 1 else nested(MAX_DEPTH - 2)
        assert write_value([value])
        with pytest.raises(JsonTooDeep, match="nested more than 180 levels deep"):
            write_value([[end, nested(MAX_DEPTH)]])
    with pytest.raises(JsonTooDeep):
        write_json(nested(3000))
    with pytest.raises(JsonTooDeep):
        read_json("[" * 100_000 + "]" * 100_000)


def test_unsafe_integers_become_strings_for_clients() -> None:
    value = {"a": [2**53 - 1, 2**53, -(2**60), 1.5, True, "x"], "b": {"c": 2**70}}
    assert with_safe_integers(value) == {
        "a": [2**53 - 1, "9007199254740992", "-1152921504606846976", 1.5, True, "x"],
        "b": {"c": "1180591620717411303424"},
    }
    assert has_unsafe_integers(b"[9007199254740992]")
    assert not has_unsafe_integers(b'{"a":123456789012345}')


@pytest.mark.parametrize("text", [b"[" * 5_000 + b"]" * 5_000, b'{"a":' * 5_000 + b"1" + b"}" * 5_000])
def test_what_no_reader_of_ours_could_walk_over_is_too_deep_with_every_python(text: bytes) -> None:
    with pytest.raises(JsonTooDeep):
        read_json(text)


def test_many_brackets_are_no_depth() -> None:
    many = b"[" + b",".join([b"[123456789012345678901234567890]"] * 2_000) + b"]"
    assert read_json(many)[-1] == [123456789012345678901234567890]


def test_what_is_kept_takes_no_more_memory_than_its_text() -> None:
    tracemalloc.start()
    try:
        kept = [write_kept({"number": number}) for number in range(1000)]
        traced = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert kept[7] == write_json({"number": 7})
    assert traced < 1000 * 200
