"""Which arguments a tool declares."""

from __future__ import annotations

from typing import Any

import pytest

from policies.declared import DeclaredArguments

TRANSFER: dict[str, Any] = {
    "type": "object",
    "properties": {
        "amount": {"type": "number"},
        "currency": {"enum": ["EUR", "USD"]},
        "filter.name": {"type": "string"},
        "body": {"$ref": "#/$defs/Transfer"},
        "either": {"oneOf": [{"$ref": "#/$defs/Account"}, {"type": "integer"}]},
        "text": {"type": ["string", "null"]},
        "free": {"type": "object"},
        "any": {},
        "map": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Account"}},
        "open": {"type": "object", "properties": {"a": {}}, "additionalProperties": True},
    },
    "additionalProperties": False,
    "$defs": {
        "Transfer": {
            "allOf": [
                {"$ref": "#/$defs/Account"},
                {
                    "type": "object",
                    "properties": {"accounts": {"type": "array", "items": {"$ref": "#/$defs/Account"}}},
                },
            ]
        },
        "Account": {
            "type": "object",
            "properties": {"id": {"type": "string"}, "parent": {"$ref": "#/$defs/Account"}},
        },
    },
}

ARGUMENTS = DeclaredArguments(TRANSFER)


def declares(schema: dict[str, Any], *path: str) -> bool:
    return DeclaredArguments(schema).has(path)


@pytest.mark.parametrize(
    ("path", "declared"),
    [
        ("amount", True),
        ("amout", False),
        ("Amount", False),
        ("amount.value", False),
        ("currency.x", False),
        ("filter.name", True),
        ("filter.nam", False),
        ("body", True),
        ("body.id", True),
        ("body.parent.parent.id", True),
        ("body.parent.parent.di", False),
        ("body.accounts.0.id", True),
        ("body.accounts.0.name", False),
        ("body.accounts.first", False),
        ("either.id", True),
        ("either.name", False),
        ("text.inside", True),
        ("free.of.all", True),
        ("any.thing", True),
        ("map.some.id", True),
        ("map.some.name", False),
        ("open.b", True),
    ],
)
def test_paths(path: str, declared: bool) -> None:
    assert ARGUMENTS.has(path.split(".")) is declared


def test_without_a_schema_everything_is_possible() -> None:
    assert declares({}, "a", "b")
    assert declares({"type": "object"}, "a")
    assert not declares({"type": "object", "properties": {}}, "a")


def test_a_schema_that_contains_itself_comes_to_an_end() -> None:
    endless: dict[str, Any] = {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}
    assert not declares(endless, "a")
    wide = {
        "anyOf": [{"$ref": "#/$defs/W"}, {"properties": {"a": {"$ref": "#/$defs/W"}}}, {"$ref": "#/$defs/W"}]
    }
    assert not declares({**wide, "$defs": {"W": wide}}, *"aaaaaaaaaaaaaaab")


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("amout", "amount"),
        ("Amount", "amount"),
        ("body.parent.ids", "body.parent.id"),
        ("bodi.id", "body.id"),
        ("bodi.nothing", None),
        ("zzz", None),
        ("amount", None),
    ],
)
def test_suggestions_are_declared(path: str, meant: str | None) -> None:
    assert ARGUMENTS.nearest(path.split(".")) == meant


def test_names() -> None:
    assert ARGUMENTS.names()[:2] == ["amount", "currency"]
