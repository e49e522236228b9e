from __future__ import annotations

from integrations.graphql.scalars import leaf_schema, or_null, reference_to, with_description
from tests.integrations.graphql.server import schema


def test_scalars_and_enums_as_json_schema() -> None:
    types = schema().types
    assert leaf_schema(types["Int"]) == {"type": "integer"}
    assert leaf_schema(types["ID"]) == {"type": "string"}
    assert leaf_schema(types["Role"]) == {"type": "string", "enum": ["ADMIN", "MEMBER", "OLD"]}
    assert leaf_schema(types["DateTime"]) == {
        "type": "string",
        "format": "date-time",
        "description": "DateTime",
    }
    assert leaf_schema(types["JSON"]) == {"description": "JSON: Any JSON at all."}


def test_null_is_added_where_it_is_not_allowed_yet() -> None:
    assert or_null({"type": "string"}) == {"type": ["string", "null"]}
    assert or_null({}) == {}
    assert or_null(reference_to("A")) == {"anyOf": [{"$ref": "#/$defs/A"}, {"type": "null"}]}
    assert or_null({"type": "string", "enum": ["A"]})["anyOf"][1] == {"type": "null"}
    assert with_description({}, "") == {}
