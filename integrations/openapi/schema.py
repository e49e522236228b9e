"""The JSON Schemas of one operation: its arguments, for people and for validation, and its result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from integrations.base import JsonObject
from integrations.http.media import is_binary, is_json, is_multipart, is_ndjson, is_text, is_xml
from integrations.openapi.binding import LOCATIONS, Media, OperationBinding, OperationParameter
from integrations.openapi.bodies import accepts_string
from integrations.openapi.dialect import Definitions, Dialect
from integrations.openapi.doc import Doc

RESERVED = frozenset({"body", "bodyBase64", "contentType", "server"})


def shared_names(binding: OperationBinding) -> frozenset[str]:
    """Parameter names that can only be given inside their location's container."""
    counts = Counter(parameter.name for parameter in binding.parameters)
    repeated = {name for name, count in counts.items() if count > 1}
    return frozenset(repeated | (RESERVED & counts.keys()))


@dataclass(frozen=True, slots=True)
class Closure:
    """Converted schemas of one operation and the `defs` they share, made when looked up. Read-only."""

    doc: Doc
    binding: OperationBinding
    parameters: Mapping[tuple[str, str], Any]
    media: Mapping[str, Any]
    defs: Definitions

    def input_schema(self) -> JsonObject:
        """The flat argument object, as documented: containers appear only where they are needed.

        `$defs`, here and in the output schema, are `Definitions`: see `whole`.
        """
        properties: JsonObject = {}
        required: list[str] = []
        shared = shared_names(self.binding)
        for parameter in self.binding.parameters:
            if parameter.name not in shared:
                properties[parameter.name] = self._described(parameter)
                required += [parameter.name] if parameter.required else []
        for location in LOCATIONS:
            self._container(location, shared, properties, required)
        self._body(properties, required)
        self._server(properties)
        out: JsonObject = {"type": "object", "properties": properties, "additionalProperties": False}
        if required:
            out["required"] = required
        if self.defs:
            out["$defs"] = self.defs
        return out

    def _container(
        self, location: str, shared: frozenset[str], properties: JsonObject, required: list[str]
    ) -> None:
        inside = [p for p in self.binding.parameters if p.location == location and p.name in shared]
        if not inside:
            return
        needed = [p.name for p in inside if p.required]
        container: JsonObject = {"type": "object", "properties": {p.name: self._described(p) for p in inside}}
        if needed:
            container["required"] = needed
            required.append(location)
        properties[location] = container

    def _described(self, parameter: OperationParameter) -> Any:
        schema = self.parameters[(parameter.location, parameter.name)]
        extra: JsonObject = {}
        if parameter.description:
            extra["description"] = parameter.description
        if parameter.deprecated:
            extra["deprecated"] = True
        return {**(schema if isinstance(schema, dict) else {}), **extra} if extra else schema

    def _body(self, properties: JsonObject, required: list[str]) -> None:
        body = self.binding.body
        if body is None:
            return
        schema = self._shown(body.media[0])
        if body.description and isinstance(schema, dict):
            schema = {**schema, "description": body.description}
        properties["body"] = schema
        binary = [media.type for media in body.media if is_binary(media.essence)]
        if binary:
            properties["bodyBase64"] = {
                "type": "string",
                "description": f"Base64 body, for {', '.join(binary)}",
            }
        elif body.required:
            required.append("body")
        if len(body.media) > 1:
            types = [media.type for media in body.media]
            properties["contentType"] = {"type": "string", "enum": types, "default": types[0]}

    def _shown(self, media: Media) -> Any:
        """XML can be given as text or, where the schema says what is in it, as data."""
        schema = self.media[media.type]
        if is_xml(media.essence) and not accepts_string(self.doc, media.schema):
            return {"anyOf": [schema, {"type": "string"}]}
        return schema

    def _server(self, properties: JsonObject) -> None:
        servers = self.binding.servers
        if len(servers) < 2 and not any(server.variables for server in servers):
            return
        urls = [server.declared for server in servers]
        variables: JsonObject = {}
        for server in servers:
            for name, known in server.variables.items():
                choices = {"enum": list(known.choices)} if known.choices else {}
                variables[name] = {"type": "string", "default": known.default, **choices}
        inner: JsonObject = {"url": {"type": "string", "enum": urls}}
        if variables:
            inner["variables"] = {"type": "object", "properties": variables, "additionalProperties": False}
        properties["server"] = {"type": "object", "properties": inner, "additionalProperties": False}

    def output_schema(self) -> JsonObject | None:
        """Schema of `data` on success; None when the document says nothing about it."""
        response = preferred_response(self.binding.responses)
        if response is None:
            return None
        return _output(self.doc, response, self.binding.produces)


def whole(schema: JsonObject) -> JsonObject:
    """The schema with every definition made, as plain JSON."""
    return {**schema, "$defs": dict(schema["$defs"])} if "$defs" in schema else schema


def close_binding(doc: Doc, binding: OperationBinding) -> Closure:
    """Convert every input schema of an operation."""
    dialect = Dialect(doc, "request")
    parameters: dict[tuple[str, str], Any] = {
        (p.location, p.name): dialect.convert(p.schema) for p in binding.parameters
    }
    media = {m.type: _media_schema(dialect, m) for m in (binding.body.media if binding.body else ())}
    return Closure(doc, binding, parameters, media, dialect.defs)


def _media_schema(dialect: Dialect, media: Media) -> Any:
    schema = dialect.convert(media.schema)
    if is_multipart(media.essence) and isinstance(schema, dict):
        return _with_files(dialect, schema)
    if is_binary(media.essence):
        return {"anyOf": [dialect.use_tool_file(), {"type": "string"}]}
    return schema


def _with_files(dialect: Dialect, schema: JsonObject) -> JsonObject:
    """File parts of a multipart form are `ToolFile` values."""
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return schema
    changed = {name: _file_part(dialect, part) for name, part in properties.items()}
    return {**schema, "properties": changed}


def _file_part(dialect: Dialect, part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    if part.get("type") == "array" and isinstance(part.get("items"), dict):
        return {**part, "items": _file_part(dialect, part["items"])}
    if part.get("format") == "binary" or "contentMediaType" in part:
        return {"anyOf": [dialect.use_tool_file(), {"type": "string"}]}
    return part


def preferred_response(responses: Mapping[str, Any]) -> JsonObject | None:
    """The response of success: the lowest exact 2xx, else `2XX`, else `default`."""
    exact = sorted(
        status for status in responses if len(status) == 3 and status[0] == "2" and status[1:].isdecimal()
    )
    for status in (*exact, "2XX", "2xx", "default"):
        if status in responses:
            found = responses[status]
            return found if isinstance(found, dict) else None
    return None


def _output(doc: Doc, response: JsonObject, produces: tuple[str, ...]) -> JsonObject | None:
    if doc.version == "2.0":
        schema = response.get("schema")
        content = {kind: {"schema": schema} for kind in produces or ("application/json",)} if schema else {}
    else:
        raw = response.get("content")
        content = raw if isinstance(raw, dict) else {}
    if not content:
        return {"type": "null"}
    kind = next((k for k in content if is_json(_essence(k))), next(iter(content)))
    entry = content[kind] if isinstance(content[kind], dict) else {}
    dialect = Dialect(doc, "response")
    out = _output_of(dialect, _essence(kind), entry)
    if out is None:
        return None
    return {**out, "$defs": dialect.defs} if dialect.defs else out


def _output_of(dialect: Dialect, essence: str, entry: JsonObject) -> JsonObject | None:
    if is_ndjson(essence):
        item = dialect.convert(entry.get("itemSchema", entry.get("schema", True)))
        return {"type": "array", "items": item}
    if is_json(essence):
        schema = dialect.convert(entry["schema"]) if "schema" in entry else None
        return schema if isinstance(schema, dict) else None
    if is_text(essence):
        return {"type": "string"}
    return dialect.use_tool_file()


def _essence(kind: str) -> str:
    return kind.split(";")[0].strip().lower()
