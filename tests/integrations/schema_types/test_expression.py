from typing import Any

import pytest

from integrations.schema_types.expression import Detail, Expression, OverBudget

DETAIL = Detail(depth=8, members=50, comment=60, enums=10, one_line=True)


class LastSegment:
    """References are named by their last segment."""

    def written_out(self, pointer: str) -> Any:
        return None

    def name(self, pointer: str, is_part: bool) -> str:
        return pointer.rsplit("/", 1)[-1]


def render(schema: Any, detail: Detail = DETAIL, allowance: int = 10_000) -> str:
    return Expression(detail, allowance, LastSegment()).render(schema)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (True, "unknown"),
        ({}, "unknown"),
        (False, "never"),
        ("nonsense", "unknown"),
        ({"type": "integer"}, "number"),
        ({"type": ["string", "null"]}, "string | null"),
        ({"type": "string", "nullable": True}, "string | null"),
        ({"type": "string", "format": "date-time"}, "string /* date-time */"),
        ({"type": "mystery"}, "unknown"),
        ({"const": "x"}, '"x"'),
        ({"enum": ["a", 1, None]}, '"a" | 1 | null'),
        ({"type": "array", "items": {"type": "string"}}, "string[]"),
        ({"type": "array", "items": {"type": ["string", "null"]}}, "Array<string | null>"),
        ({"type": "array"}, "unknown[]"),
        ({"items": {"type": "number"}}, "number[]"),
        ({"prefixItems": [{"type": "string"}, {"type": "number"}], "items": False}, "[string, number]"),
        ({"prefixItems": [{"type": "string"}, True], "minItems": 1}, "[string, unknown?, ...unknown[]]"),
        ({"type": "object"}, "Record<string, unknown>"),
        ({"type": "object", "additionalProperties": False}, "{}"),
        ({"additionalProperties": {"type": "number"}}, "Record<string, number>"),
        (
            {"patternProperties": {"^x": {"type": "string"}}, "additionalProperties": False},
            "Record<string, string>",
        ),
        ({"patternProperties": {"^x": {"type": "string"}}}, "Record<string, unknown>"),
        ({"properties": {"a": {"type": "string"}}, "required": ["a"]}, "{ a: string; }"),
        ({"properties": {"a": True}}, "{ a?: unknown; }"),
        ({"type": "object", "required": ["b", "a"]}, "{ a: unknown; b: unknown; }"),
        (
            {"properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "number"}},
            "{ a?: string; } & Record<string, number>",
        ),
        ({"anyOf": [{"type": "string"}, {"type": "number"}]}, "string | number"),
        ({"oneOf": [{"type": "string"}, {"type": "null"}, {"type": "string"}]}, "string | null"),
        ({"anyOf": [{"type": "string"}, {}]}, "unknown"),
        (
            {"properties": {"a": {"type": "string"}}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
            "{ a?: string; }",
        ),
        ({"allOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/B"}]}, "A & B"),
        ({"allOf": [{"enum": ["a", "b"]}, {"$ref": "#/$defs/B"}]}, '("a" | "b") & B'),
        ({"$ref": "#/$defs/A", "description": "only prose"}, "A"),
        ({"$ref": "#/$defs/A", "properties": {"x": True}}, "A & { x?: unknown; }"),
        ({"$ref": "#/$defs/A", "nullable": True}, "A | null"),
        ({"type": ["object", "null"], "properties": {"a": True}}, "{ a?: unknown; } | null"),
        ({"not": {"type": "string"}}, "unknown"),
    ],
)
def test_schemas_become_types(schema: Any, expected: str) -> None:
    assert render(schema) == expected


def test_members_carry_their_description() -> None:
    schema = {
        "properties": {
            "a": {"type": "string", "description": "What */ it\nis", "default": "x", "deprecated": True},
        }
    }
    assert render(schema) == "{ /** @deprecated What *\\/ it is Default: x */ a?: string; }"
    terse = Detail(depth=8, members=50, comment=0, enums=10, one_line=True)
    assert render(schema, terse) == "{ a?: string; }"


def test_lines_are_indented_by_depth() -> None:
    schema = {"properties": {"a": {"properties": {"b": {"type": "string"}}}}}
    wide = Detail(depth=8, members=50, comment=0, enums=10)
    assert render(schema, wide) == "{\n  a?: {\n    b?: string;\n  };\n}"


def test_depth_is_folded_not_cut() -> None:
    schema = {
        "properties": {
            "a": {"properties": {"b": {"properties": {"c": True}}}},
            "l": {"items": {"items": True}},
        }
    }
    shallow = Detail(depth=1, members=50, comment=0, enums=10, one_line=True)
    assert (
        render(schema, shallow) == "{ a?: Record<string, unknown> /* ... */; l?: Array<unknown /* ... */>; }"
    )


def test_members_past_the_limit_are_counted_and_required_ones_stay() -> None:
    schema = {"properties": {f"p{n}": True for n in range(9)}, "required": ["p7"]}
    few = Detail(depth=8, members=2, comment=0, enums=10, one_line=True)
    assert render(schema, few) == "{ p7: unknown; p0?: unknown; [name: string]: unknown; /* 7 more */ }"


def test_a_union_with_too_many_choices_is_unknown() -> None:
    few = Detail(depth=8, members=2, comment=0, enums=10)
    assert render({"anyOf": [{"const": n} for n in range(3)]}, few) == "unknown"


def test_running_out_is_an_error() -> None:
    with pytest.raises(OverBudget):
        render({"properties": {f"name{n}": True for n in range(40)}}, allowance=200)


def test_no_depth_of_nesting_breaks_it() -> None:
    schema: Any = {"type": "string"}
    for _ in range(5_000):
        schema = {"type": "array", "items": schema}
    deepest = Detail(depth=10_000, members=50, comment=0, enums=10)
    assert render(schema, deepest).count("[]") + render(schema, deepest).count("Array<") <= 30
