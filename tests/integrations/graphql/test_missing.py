"""A type that a file of SDL does not define costs that part only, with a warning."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from integrations.graphql.convert import schema_from_sdl
from integrations.graphql.pruning import pruned
from integrations.graphql.schema import GraphQlSchema, read_schema
from tests.integrations.graphql.test_source import loaded, written


def read(sdl: str) -> tuple[GraphQlSchema, list[str]]:
    whole, left_out = pruned(orjson.loads(schema_from_sdl(sdl.encode(), "s"))["__schema"], "s")
    return read_schema(whole, "s"), left_out


# SDL, the fields of Query that are left, what is warned of.
CASES = [
    ("type Query { a: Int b: No }", "a", ["`Query.b`"]),
    ("type Query { a: Int b: [No!]! }", "a", ["`Query.b`"]),
    ("type Query { a: Int b(x: No): Int c(x: No!): Int }", "a b", ["`b: x`", "`Query.c`"]),
    (
        "type Query { a: Int u: U v: V } type O { x: Int } union U = O | No union V = No",
        "a u",
        ["`U.possibleTypes: No`", "the type `V`", "`Query.v`"],
    ),
    ("type Query { a: Int o: O } type O implements No { x: Int }", "a o", ["`O.interfaces: No`"]),
    ("interface N implements No { a: Int } type Query { n: N }", "n", ["`N.interfaces: No`"]),
    ("schema { query: Query mutation: No } type Query { a: Int }", "a", ["`mutationType`"]),
    ("type Query { a: Int } extend schema { subscription: No }", "a", ["`subscriptionType`"]),
    (
        "type Query { a: Int i(i: I): Int j(j: J!): Int } input I { x: No y: Int } input J { x: No! }",
        "a i",
        ["`I.x`", "the type `J`", "`Query.j`"],
    ),
    ("directive @d(x: No) on FIELD type Query { a: Int }", "a", ["`d: x`"]),
    ("type Query { a: Int } extend type Query { b: No } extend union U = No", "a", ["`Query.b`"]),
    ("extend type Query { a: Int b: Away } extend type O implements No { x: Int }", "a", ["`Query.b`"]),
]


@pytest.mark.parametrize(("sdl", "fields", "said"), CASES)
def test_a_missing_type_costs_that_part_only(sdl: str, fields: str, said: list[str]) -> None:
    schema, left_out = read(sdl)
    assert list(schema.types[schema.query].fields) == fields.split()
    for what in said:
        assert any(f"s: {what} is left out: " in one for one in left_out), (what, left_out)
    assert "No" not in schema.types


async def test_the_tools_that_are_left_and_the_warning(tmp_path: Path) -> None:
    file = written(tmp_path, "s.graphql", "type Query { films: Int people: [Person!] }")
    toolset = await loaded(file)
    assert [tool.name for tool in toolset.tools] == ["query.films"]
    assert "s.graphql: `Query.people` is left out: the type `Person` is not defined" in toolset.warnings
