"""The names of arguments in a line of the lock: what they say again, and where nothing is claimed."""

from __future__ import annotations

from typing import Any

import pytest

from policies.declared import DeclaredArguments
from proxy.lock.arguments import MOST_NAMES, argument_names, named_arguments

TEXT = {"type": "string"}


def taking(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


MANY = {f"n{number}": TEXT for number in range(MOST_NAMES + 1)}
CASES: dict[str, tuple[Any, str, tuple[str, ...], tuple[str, ...]]] = {
    "none": ({"type": "object", "additionalProperties": False}, "", (), ("a",)),
    "flat": (taking(b=TEXT, a=TEXT), "b a", ("a", "b", "a.x"), ("c",)),
    "two levels": (
        taking(body=taking(x=TEXT), q=TEXT),
        "body body.x q",
        ("body", "body.x", "q"),
        ("body.y", "x"),
    ),
    "three levels": (taking(a=taking(b=taking(c=TEXT))), "a a.b", ("a.b.c", "a.b.other"), ("a.c",)),
    "open": ({**taking(a=TEXT), "additionalProperties": True}, "*", ("a", "b"), ()),
    "open below": (taking(a={"type": "object"}), "a", ("a.b",), ("b",)),
    "anything": (True, "*", ("a",), ()),
    "by reference": (
        {**taking(a={"$ref": "#/$defs/A"}), "$defs": {"A": taking(x=TEXT)}},
        "a a.x",
        ("a.x",),
        ("a.y",),
    ),
    "odd names": (taking(a=taking(**{"x.y": TEXT}), b=TEXT), "a b", ("a.x.y", "a.other"), ("c",)),
    "odd names at the top": (taking(**{"a b": TEXT}), "*", ("a b", "c"), ()),
    "too many": (taking(**MANY), "*", ("n1", "other"), ()),
    "too many below": (taking(body=taking(**MANY)), "body", ("body.n1", "body.other"), ("other",)),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_written_and_what_it_says(case: str) -> None:
    schema, text, has, has_not = CASES[case]
    assert argument_names(schema) == text
    declared = DeclaredArguments(named_arguments(text))
    assert [one for one in has if not declared.has(one.split("."))] == []
    assert [one for one in has_not if declared.has(one.split("."))] == []
