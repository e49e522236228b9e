from __future__ import annotations

from typing import Any

import pytest

from integrations.lossless import (
    boolean_from,
    integer_from,
    list_from,
    number_from,
    object_from,
    read_as,
    text_from,
    typescript,
)


@pytest.mark.parametrize(
    ("reader", "given", "meant"),
    [
        (integer_from, "5", 5),
        (integer_from, 5.0, 5),
        (integer_from, "5.0", 5),
        (integer_from, "-12345678901234567890123", -12345678901234567890123),
        (integer_from, "05", None),
        (integer_from, "5.5", None),
        (integer_from, "", None),
        (integer_from, " 5", None),
        (integer_from, "0x10", None),
        (integer_from, True, None),
        (integer_from, None, None),
        (number_from, "0.1", 0.1),
        (number_from, "-2", -2),
        (number_from, "1e3", 1000),
        (number_from, 1.5, 1.5),
        (number_from, 5.0, 5),
        (number_from, 1e30, 1e30),
        (number_from, "0.1000000000000000055", None),
        (number_from, "NaN", None),
        (number_from, False, None),
        (boolean_from, "true", True),
        (boolean_from, "false", False),
        (boolean_from, "True", None),
        (boolean_from, 1, None),
        (text_from, "a", "a"),
        (text_from, 5, "5"),
        (text_from, 5.0, "5"),
        (text_from, 5.5, "5.5"),
        (text_from, -0.03, "-0.03"),
        (text_from, 0.1 + 0.2, None),
        (text_from, 1e-7, None),
        (text_from, 1e30, None),
        (text_from, float("inf"), None),
        (text_from, 2**60, None),
        (text_from, True, None),
        (object_from, '{"a": 1}', {"a": 1}),
        (object_from, "[1]", None),
        (object_from, "{", None),
        (object_from, {"a": 1}, {"a": 1}),
        (list_from, "[1,2]", [1, 2]),
        (list_from, "1,2", None),
        (list_from, "", None),
    ],
)
def test_only_what_loses_nothing_is_read(reader: Any, given: Any, meant: Any) -> None:
    found = reader(given)
    assert found == meant
    assert type(found) is type(meant)


def test_the_first_type_that_a_value_can_be() -> None:
    assert read_as("5", ["null", "integer"]) == 5
    assert read_as("true", "boolean") is True
    assert read_as("x", ["integer", "boolean"]) is None
    assert read_as(5, "string") == "5"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (1, "1"),
        (2.0, "2"),
        ("a\nb", '"a\\nb"'),
        ("\ud800", '"\\ud800"'),
        ({"a": 1, "b-c": [None, {}]}, '{a: 1, "b-c": [null, {}]}'),
        ([[[[[1]]]]], "[[[[[...]]]]]"),
        ("x" * 100, '"' + "x" * 76 + "..."),
        (list(range(20)), "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, ...]"),
    ],
)
def test_values_are_shown_as_code_writes_them(value: Any, code: str) -> None:
    assert typescript(value) == code
