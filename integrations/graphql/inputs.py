"""Arguments of a field or operation as JSON Schema 2020-12. Input objects and enums are `$defs`, so that
recursion stays a reference.
"""

from __future__ import annotations

from collections.abc import Sequence

from integrations.base import JsonObject
from integrations.graphql.scalars import leaf_schema, or_null, reference_to, with_description
from integrations.graphql.schema import GraphQlSchema, InputValue, Type, is_list, is_name, item_type, nullable
from integrations.graphql.uploads import UPLOAD
from integrations.http.toolfile import TOOL_FILE
from integrations.json_text import read_json


def input_schema(
    schema: GraphQlSchema, arguments: Sequence[InputValue], select: JsonObject | None
) -> JsonObject:
    """The closed object of all arguments; `select` is the schema of that extra property, None for none."""
    builder = _Builder(schema)
    out = builder.members(arguments)
    if select is not None:
        out["properties"]["select"] = select
    if builder.definitions:
        out["$defs"] = builder.definitions
    return out


class _Builder:
    """Collects the definitions that one input schema needs."""

    def __init__(self, schema: GraphQlSchema) -> None:
        self._schema = schema
        self.definitions: JsonObject = {}

    def members(self, values: Sequence[InputValue]) -> JsonObject:
        out: JsonObject = {"type": "object", "properties": {v.name: self._property(v) for v in values}}
        required = [value.name for value in values if value.required]
        if required:
            out["required"] = required
        return {**out, "additionalProperties": False}

    def _property(self, value: InputValue) -> JsonObject:
        described = with_description(self._value(value.type), value.description.strip())
        if value.deprecated is not None:
            described = {**described, "deprecated": True}
        return _with_default(described, value.default)

    def _value(self, reference: str) -> JsonObject:
        bare = nullable(reference)
        if is_list(bare):
            here: JsonObject = {"type": "array", "items": self._value(item_type(bare))}
        else:
            here = self._named(self._schema.types[bare])
        return here if reference.endswith("!") else or_null(here)

    def _named(self, found: Type) -> JsonObject:
        if found.kind == "SCALAR" and found.name == UPLOAD:
            self.definitions["ToolFile"] = TOOL_FILE
            return reference_to("ToolFile")
        if found.kind == "SCALAR":
            return leaf_schema(found)
        if found.name not in self.definitions:
            # The name is reserved before the members are built, because they may refer back to it.
            self.definitions[found.name] = {}
            self.definitions[found.name] = self._definition(found)
        return reference_to(found.name)

    def _definition(self, found: Type) -> JsonObject:
        if found.kind == "ENUM":
            return with_description(leaf_schema(found), found.description.strip())
        if found.exclusive:
            out: JsonObject = {"oneOf": [self._alone(value) for value in found.inputs.values()]}
        else:
            out = self.members(list(found.inputs.values()))
        return with_description(out, found.description.strip())

    def _alone(self, value: InputValue) -> JsonObject:
        """The only field of a one-of input object, which must not be null."""
        return self.members([value._replace(type=f"{nullable(value.type)}!", default=None)])


def _with_default(described: JsonObject, default: str | None) -> JsonObject:
    """The default as JSON where that and GraphQL text agree (numbers, strings, enum names), else in the description."""
    if default is None or default == "null":
        return described
    try:
        return {**described, "default": read_json(default)}
    except ValueError:
        pass
    if is_name(default):
        return {**described, "default": default}
    text = described.get("description", "")
    return {**described, "description": f"{text}\nDefault: {default}".strip()}
