"""Forms from the schemas of tools, and the code that comes of them."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.serving.console.tool_form import FIELDS, code_for, literal, read_tool_form, tool_form

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["id", "body"],
    "properties": {
        "verbose": {"type": "boolean"},
        "id": {"type": "string", "title": "Another name"},
        "body": {"$ref": "#/$defs/Body"},
        "limit": {"type": ["integer", "null"], "minimum": 1, "default": 20},
        "sort": {"anyOf": [{"enum": ["up", "down"]}, {"type": "null"}]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "filter": {"type": "object"},
    },
    "$defs": {
        "Body": {
            "type": "object",
            "required": ["name"],
            "properties": {
                "note": {"type": "string"},
                "name": {"type": "string"},
                "where": {"type": "object", "properties": {"city": {"type": "string"}}},
                "self": {"$ref": "#/$defs/Body"},
            },
        }
    },
}


def by_label() -> dict[str, Any]:
    return {one.label: (one.field.kind, one.field.required, one.json) for one in tool_form(SCHEMA).fields}


def test_objects_are_taken_apart_and_required_fields_come_first() -> None:
    found = by_label()
    assert list(found)[:2] == ["id", "body.name"]
    assert found["id"] == ("text", True, False)
    assert found["body.name"] == ("text", True, False)
    assert found["body.where.city"] == ("text", False, False)
    assert found["verbose"] == ("choice", False, False)
    assert found["limit"] == ("integer", False, False)
    assert found["sort"] == ("choice", False, False)
    assert found["tags"] == ("text", False, True)
    assert found["filter"] == ("text", False, True)


def test_a_schema_that_holds_itself_ends() -> None:
    found = by_label()
    assert found["body.self.self.self"] == ("text", False, True)


def test_a_default_of_an_optional_argument_is_not_sent_unasked() -> None:
    assert read_tool_form(tool_form({"properties": {"limit": SCHEMA["properties"]["limit"]}}), {})[0] == {}


def filled(**values: str) -> tuple[dict[str, Any], dict[str, str]]:
    form = tool_form(SCHEMA)
    names = {one.label.replace(".", "_"): str(number) for number, one in enumerate(form.fields)}
    arguments, shown = read_tool_form(form, {names[name]: (value,) for name, value in values.items()})
    return arguments, {one.label: one.field.error for one in shown.fields if one.field.error}


def test_what_was_entered_becomes_arguments_of_the_right_types() -> None:
    arguments, errors = filled(
        id="7",
        body_name="x",
        body_where_city="Rome",
        limit="5",
        verbose="1",
        tags='["a"]',
        filter=' {"a": null} ',
    )
    assert errors == {}
    assert arguments == {
        "id": "7",
        "body": {"name": "x", "where": {"city": "Rome"}},
        "limit": 5,
        "verbose": False,
        "tags": ["a"],
        "filter": {"a": None},
    }


def test_what_is_wrong_is_said_at_the_field() -> None:
    _, errors = filled(limit="0", tags="a, b", filter="[" * 300 + "]" * 300)
    assert set(errors) == {"id", "body.name", "limit", "tags", "filter"}
    assert "not JSON" in errors["tags"]


def test_very_many_arguments_are_cut_and_counted() -> None:
    form = tool_form({"properties": {f"p{n}": {"type": "string"} for n in range(FIELDS + 5)}})
    assert (len(form.fields), form.left_out) == (FIELDS, 5)
    assert tool_form({}).fields == ()
    assert tool_form({"properties": {"x": True, "y": 3}}).fields[0].json


def test_the_code() -> None:
    assert code_for("shop.org.main.items.list", {}) == "return await tools.shop.org.main.items.list();\n"
    assert code_for("a.org.main.odd-name", {"b": [1]}) == (
        'return await tools.a.org.main["odd-name"]({\n  b: [\n    1\n  ]\n});\n'
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("</script>\n\u2028", '"</script>\\n\u2028"'),
        ({"__proto__": 1}, '{\n  ["__proto__"]: 1\n}'),
        ({"a-b": {}}, '{\n  "a-b": {}\n}'),
        ([], "[]"),
        (None, "null"),
    ],
)
def test_values_as_javascript(value: Any, text: str) -> None:
    assert literal(value) == text
