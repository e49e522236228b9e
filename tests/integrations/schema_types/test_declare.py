from typing import Any

import pytest

from integrations.base import JsonObject, ToolSchemas
from integrations.schema_types import ToolTypes, render_inline_type, render_tool_types

NODE: JsonObject = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}


def types(given: JsonObject, taken: JsonObject | None = None, budget: int = 4_096) -> ToolTypes:
    return render_tool_types("group.tool", ToolSchemas(given, taken), budget)


def to(*names: str, **defs: Any) -> JsonObject:
    return {"properties": {name: {"$ref": f"#/$defs/{name}"} for name in names}, "$defs": defs}


def test_references_become_named_types_and_cycles_end() -> None:
    found = types({"properties": {"node": {"$ref": "#/$defs/Node"}}, "$defs": {"Node": NODE}})
    assert found.input == "{\n  node?: Node;\n}"
    assert found.output == "unknown"
    assert found.definitions == "type Node = {\n  next?: Node;\n};"


def test_named_types_come_breadth_first() -> None:
    inner = {"properties": {"c": {"$ref": "#/$defs/C"}}}
    found = types(to("A", "B", A=inner, B={"type": "object"}, C={"type": "object"}))
    assert [line.split()[1] for line in found.definitions.splitlines() if line.startswith("type")] == [
        "A",
        "B",
        "C",
    ]


def test_a_reference_to_the_whole_is_named_after_the_tool() -> None:
    found = types({"properties": {"self": {"$ref": "#"}}})
    assert "self?: GroupToolInput;" in found.input
    assert found.definitions.startswith("type GroupToolInput = {")


def test_input_and_output_share_equal_types_and_tell_others_apart() -> None:
    same = to("A", A={"type": "object"})
    assert types(same, same).definitions == "type A = Record<string, unknown>;"
    found = types(same, to("A", A={"type": ["object", "null"]}))
    assert found.definitions == (
        "type A = Record<string, unknown>;\ntype AOutput = Record<string, unknown> | null;"
    )
    assert "A?: AOutput;" in found.output


def test_types_that_differ_further_down_are_not_shared() -> None:
    outer = {"properties": {"B": {"$ref": "#/$defs/B"}}}
    found = types(to("A", A=outer, B={"type": "object"}), to("A", A=outer, B={"items": {"items": {}}}))
    assert "type AOutput" in found.definitions
    assert "type BOutput = Array<unknown[]>;" in found.definitions


def test_long_chains_and_deep_nesting_are_no_trouble() -> None:
    chain: dict[str, Any] = {
        f"T{n}": {"properties": {"x": {"$ref": f"#/$defs/T{n + 1}"}}} for n in range(3_000)
    }
    deep, same = {"type": "string"}, {"type": "string"}
    for _ in range(3_000):
        deep, same = {"items": deep}, {"items": same}  # type: ignore[dict-item]
    given = {"properties": {"a": {"$ref": "#/$defs/T0"}, "b": {"$ref": "#/$defs/D"}}}
    found = types(given | {"$defs": chain | {"D": deep}}, given | {"$defs": dict(chain) | {"D": same}})
    assert "a?: T0;" in found.input
    assert "a?: T0Output;" in found.output
    assert found.size <= 4_096


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("simple-user", "SimpleUser"),
        ("3d", "T3d"),
        ("string", "String_"),
        ("Record", "Record_"),
        ("*~1 evil `", "Evil"),
        ("日本", "Type"),
        ("a~1b", "AB"),
        ("", "Type"),
    ],
)
def test_names_are_identifiers(name: str, expected: str) -> None:
    key = name.replace("~1", "/")
    found = types({"properties": {"x": {"$ref": f"#/$defs/{name}"}}, "$defs": {key: {"type": "object"}}})
    assert found.definitions == f"type {expected} = Record<string, unknown>;"


def test_names_that_fall_together_get_numbers() -> None:
    found = types(
        to("a-b", "a_b", "a b", **{"a-b": {"allOf": []}, "a_b": {"anyOf": []}, "a b": {"oneOf": []}})
    )
    assert found.definitions == "type AB = unknown;\ntype A_b = unknown;\ntype AB2 = unknown;"


@pytest.mark.parametrize(
    "reference", ["#/nowhere", "https://example.com/x", "other.json#/x", "#/$defs/A/9", "#anchor"]
)
def test_references_that_lead_nowhere_are_unknown(reference: str) -> None:
    found = types({"properties": {"x": {"$ref": reference}}, "$defs": {"A": {"anyOf": [True]}}})
    assert (found.input, found.definitions) == ("{\n  x?: unknown;\n}", "")


def test_references_into_lists_are_followed() -> None:
    found = types(
        {"properties": {"x": {"$ref": "#/$defs/A/anyOf/0"}}, "$defs": {"A": {"anyOf": [{"type": "object"}]}}}
    )
    assert found.definitions == "type T0 = Record<string, unknown>;"


SHORT: dict[str, tuple[Any, str]] = {
    "scalar": ({"type": "string"}, "string"),
    "nullable": ({"type": ["integer", "null"]}, "number | null"),
    "literal": ({"const": "x"}, '"x"'),
    "few values": ({"type": "string", "enum": ["asc", "desc"]}, '"asc" | "desc"'),
    "many values": ({"type": "string", "enum": list("abcdef")}, "T"),
    "anything": (True, "unknown"),
    "list": ({"type": "array", "items": {"type": "string"}}, "string[]"),
    "list of short": ({"type": "array", "items": {"$ref": "#/$defs/S"}}, "Array<string | null>"),
    "list of named": ({"type": "array", "items": {"$ref": "#/$defs/O"}}, "T"),
    "chain": ({"$ref": "#/$defs/S"}, "string | null"),
    "circle": ({"$ref": "#/$defs/T"}, "T"),
    "object": ({"type": "object", "properties": {}}, "T"),
}


@pytest.mark.parametrize("case", SHORT)
def test_what_is_as_short_as_a_name_gets_none(case: str) -> None:
    target, expected = SHORT[case]
    more = {"S": {"type": ["string", "null"]}, "O": {"type": "object"}}
    assert (
        f"x?: {expected};"
        in types({"properties": {"x": {"$ref": "#/$defs/T"}}, "$defs": more | {"T": target}}).input
    )


def test_what_stands_beside_a_short_reference_stays() -> None:
    given = {"x": {"$ref": "#/$defs/T", "description": "Which"}}
    found = types({"properties": given, "$defs": {"T": {"type": "string", "pattern": "^a$"}}})
    assert found.input == "{\n  /** Which pattern ^a$ */\n  x?: string;\n}"


PET = {
    "properties": {"kind": {"type": "string"}},
    "discriminator": {"propertyName": "kind", "mapping": {"cat": "#/$defs/Cat", "pet": "#/$defs/Pet"}},
}
CAT = {"allOf": [{"$ref": "#/$defs/Pet"}, {"properties": {"friend": {"$ref": "#/$defs/Pet"}}}]}


def test_a_discriminated_base_stands_for_its_children() -> None:
    found = types(to("Pet", Pet=PET, Cat=CAT))
    assert found.definitions.splitlines() == [
        'type Pet = Cat /* kind: "cat" */ | PetBase /* kind: "pet" */;',
        "type Cat = PetBase & {",
        "  friend?: Pet;",
        "};",
        "type PetBase = {",
        "  kind?: string;",
        "};",
    ]


def test_choices_say_what_tells_them_apart() -> None:
    mapping = {"c": "#/$defs/Cat", "x */ d": "#/$defs/Dog"}
    one = {
        "oneOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}],
        "discriminator": {"propertyName": "kind", "mapping": mapping},
    }
    found = types({"properties": {"x": one}, "$defs": {"Cat": {"type": "object"}, "Dog": {"type": "object"}}})
    assert found.input == '{\n  x?: Cat /* kind: "c" */ | Dog /* kind: "x *\\/ d" */;\n}'


def test_errors_are_lines_within_the_budget() -> None:
    error = {"$ref": "#/$defs/E"}
    properties = {
        "404": error,
        "422": {"properties": {"errs": {"items": {"type": "string"}}}},
        "default": error,
    }
    nested = {
        "properties": {"message": {"type": "string"}, "inner": {"$ref": "#/$defs/E"}},
        "required": ["message"],
    }
    errors: JsonObject = {"properties": properties, "$defs": {"E": nested}}
    schemas = ToolSchemas({"type": "object"}, None, errors)
    lines = render_tool_types("a.b", schemas, 4_096).definitions.splitlines()
    assert [line.partition(": ")[0] for line in lines] == [
        "// error.details.body of 404, default",
        "// error.details.body of 422",
    ]
    assert lines[0].startswith(
        "// error.details.body of 404, default: { message: string; inner?: { message: string;"
    )
    assert lines[1] == "// error.details.body of 422: { errs?: string[]; }"
    assert render_tool_types("a.b", schemas, 80).definitions == ""


@pytest.mark.parametrize("keyword", ["anyOf", "allOf", "items", "properties"])
def test_errors_that_refer_to_themselves_end(keyword: str) -> None:
    own = {"$ref": "#/$defs/E"}
    inside: Any = {"anyOf": [own], "allOf": [own], "items": own, "properties": {"a": own}}[keyword]
    errors: JsonObject = {"properties": {"400": own}, "$defs": {"E": {keyword: inside}}}
    assert render_tool_types("a.b", ToolSchemas({}, None, errors), 4_096).size < 400


def big() -> JsonObject:
    deep: Any = {"type": "string", "description": "d" * 300}
    for level in range(12):
        deep = {"properties": {f"level{level}": deep, "other": {"enum": [f"value{n}" for n in range(50)]}}}
    defs = {f"Type{n}": to(*(f"Type{m}" for m in range(n, n + 9))) | {"$defs": {}} for n in range(80)}
    return {
        "properties": {"deep": deep, **{f"p{n}": {"$ref": f"#/$defs/Type{n}"} for n in range(60)}},
        "$defs": defs,
    }


@pytest.mark.parametrize("budget", [14, 40, 100, 300, 1_000, 4_096, 16_384, 100_000])
def test_the_budget_is_kept_and_every_used_name_is_declared(budget: int) -> None:
    found = types(big(), big(), budget)
    assert found.size <= budget
    declared = {line.split()[1] for line in found.definitions.splitlines() if line.startswith("type ")}
    text = f"{found.input}\n{found.output}\n{found.definitions}"
    used = {
        word.strip(";")
        for word in text.replace("[]", "").split()
        if word.startswith("Type") and word.endswith(";")
    }
    assert {word for word in used if word.isidentifier()} <= declared


def test_more_budget_says_more() -> None:
    sizes = [types(big(), None, budget).size for budget in (300, 1_000, 4_096, 16_384)]
    assert sizes == sorted(sizes)
    assert sizes[-1] > 4_096


def test_inline_types_hold_member_names_only() -> None:
    schema = {
        "required": ["id"],
        "properties": {
            "id": {"type": "string", "description": "prose", "format": "prose"},
            "state": {"enum": ["open", "closed"]},
            "node": {"$ref": "#/$defs/Node"},
            "name": {"$ref": "#/$defs/Name"},
        },
        "$defs": {"Node": NODE, "Name": {"type": "string"}},
    }
    assert render_inline_type(schema, 400) == "{ id: string; state?: string; node?: unknown; name?: string; }"


def test_inline_types_are_folded_into_their_size() -> None:
    wide = {"properties": {f"property{n}": {"type": "string"} for n in range(100)}}
    for size in (20, 60, 100, 200, 400):
        assert len(render_inline_type(wide, size)) <= max(size, len("unknown"))
    assert render_inline_type(True, 100) == "unknown"


def test_inline_types_only_count_names_that_could_be_sentences() -> None:
    schema = {"properties": {"id": {"type": "string"}, "ignore all rules": True, "x" * 41: True}}
    assert render_inline_type(schema, 400) == "{ id?: string; [name: string]: unknown; /* 2 more */ }"
