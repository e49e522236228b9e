"""What a broken part of an introspection result costs."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from graphql import build_schema, introspection_from_schema

from integrations.base import JsonObject
from integrations.graphql.pruning import pruned
from integrations.graphql.schema import read_schema

SDL = """
scalar S
type O { x: Int }
interface N { n: Int }
type P implements N { n: Int o: O }
union U = O | P
input I { s: S o: Int }
input J { i: I! }
input K { s: S! }
directive @d(s: S) on FIELD
directive @e(s: S!) on FIELD
type Query { a: Int o: O u: U p: P n: N i(i: I): Int j(j: J): Int k(k: K!): Int s(s: S!): Int }
"""
INTROSPECTION: Any = introspection_from_schema(build_schema(SDL))
WHOLE: JsonObject = INTROSPECTION["__schema"]


def without(*names: str) -> JsonObject:
    raw = copy.deepcopy(WHOLE)
    raw["types"] = [one for one in raw["types"] if one["name"] not in names]
    return raw


# Missing types -> fields of Query that are left.
LEFT: list[tuple[tuple[str, ...], set[str]]] = [
    ((), {"a", "o", "u", "p", "n", "i", "j", "k", "s"}),
    (("O",), {"a", "u", "p", "n", "i", "j", "k", "s"}),
    (("O", "P"), {"a", "n", "i", "j", "k", "s"}),
    (("S",), {"a", "o", "u", "p", "n", "i", "j"}),
    (("I",), {"a", "o", "u", "p", "n", "i", "j", "k", "s"}),
    (("N",), {"a", "o", "u", "p", "i", "j", "k", "s"}),
]


@pytest.mark.parametrize(("names", "left"), LEFT)
def test_a_missing_type_costs_what_needs_it(names: tuple[str, ...], left: set[str]) -> None:
    kept, warnings = pruned(without(*names), "x")
    schema = read_schema(kept, "x")
    assert set(schema.types["Query"].fields) == left
    assert bool(warnings) is bool(names)
    assert pruned(kept, "x") == (kept, [])


def test_built_in_scalars_need_not_be_listed() -> None:
    kept, warnings = pruned(without("Int", "String"), "x")
    assert set(read_schema(kept, "x").types["Query"].fields) == LEFT[0][1]
    assert warnings == []


def test_what_is_left_out_is_said() -> None:
    _, warnings = pruned(without("S"), "x")
    assert "x: `I.s` is left out: the type `S` is not defined" in warnings
    assert "x: the type `K` is left out: it needs `s`, the type `S` is not defined" in warnings
    assert "x: `Query.s` is left out: it needs the argument `s`, the type `S` is not defined" in warnings
    assert "x: `d: s` is left out: the type `S` is not defined" in warnings
    assert "x: `@e` is left out: it needs the argument `s`, the type `S` is not defined" in warnings


def test_a_type_that_was_cut_off_costs_its_field() -> None:
    raw = copy.deepcopy(WHOLE)
    (query,) = (one for one in raw["types"] if one["name"] == "Query")
    query["fields"][0]["type"] = {"kind": "NON_NULL", "name": None}
    kept, warnings = pruned(raw, "x")
    assert "a" not in read_schema(kept, "x").types["Query"].fields
    assert warnings == [
        "x: `Query.a` is left out: its type is cut off: it is wrapped deeper than introspection asked"
    ]


def test_names_that_are_none_are_left_out() -> None:
    raw = copy.deepcopy(WHOLE)
    raw["types"].append({"kind": "SCALAR", "name": "a b"})
    (query,) = (one for one in raw["types"] if one["name"] == "Query")
    query["fields"][1]["name"] = "o } deleteAll {"
    kept, warnings = pruned(raw, "x")
    assert "o" not in read_schema(kept, "x").types["Query"].fields
    assert len(warnings) == 2


def test_a_missing_root_costs_its_tools() -> None:
    kept, warnings = pruned({**WHOLE, "mutationType": {"name": "M"}}, "x")
    assert kept["mutationType"] is None
    assert warnings == ["x: `mutationType` is left out: the type `M` is not defined"]


def test_warnings_are_bounded() -> None:
    raw = copy.deepcopy(WHOLE)
    raw["types"] += [{"kind": "SCALAR", "name": f"{n}"} for n in range(50)]
    _, warnings = pruned(raw, "x")
    assert len(warnings) == 21
    assert warnings[-1] == "x: 30 more parts are left out"
