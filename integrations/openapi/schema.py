"""The JSON Schemas of one operation: its arguments, for people and for validation, and its result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from integrations.base import JsonObject
from integrations.http.media import in_range, is_binary, is_multipart, is_text, is_xml
from integrations.openapi.binding import LOCATIONS, Media, OperationBinding, OperationParameter
from integrations.openapi.bodies import accepts_string
from integrations.openapi.dialect import Definitions, Dialect
from integrations.openapi.doc import Doc
from integrations.openapi.responses import error_schema, output_schema, selectable_types
from integrations.openapi.shapes import form_schema
from integrations.openapi.text_schema import TextSchema
from integrations.openapi.wire_names import NamedParameter, SuppliedNames, WireNames, is_supplied

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
    texts: dict[tuple[str, str], TextSchema] = field(default_factory=dict, compare=False)
    names: dict[tuple[Any, ...], WireNames] = field(default_factory=dict, compare=False)

    def text_schema(self, location: str, name: str) -> TextSchema:
        """What the text of a parameter, or of a body of that media type (location `body`), stands for."""
        key = (location, self._declared(name) if location == "body" else name)
        if key not in self.texts:
            schema = self.body_schema(name) if location == "body" else self.parameters[key]
            self.texts[key] = TextSchema([schema], self.defs)
        return self.texts[key]

    def body_schema(self, media_type: str) -> Any:
        """The schema of a body of that type, which may be a concrete one within a declared range."""
        return self.media.get(self._declared(media_type), True)

    def _declared(self, media_type: str) -> str:
        if media_type in self.media:
            return media_type
        essence = media_type.split(";")[0].strip().lower()
        return next((one for one in self.media if in_range(essence, one.split(";")[0].strip().lower())), "")

    def wire_names(
        self, location: str, supplied: SuppliedNames = frozenset(), fixed: tuple[str, ...] = ()
    ) -> WireNames:
        """Whose the names of a location are. `fixed` are those that the path says itself."""
        key = (location, supplied, fixed)
        if key not in self.names:
            there = [p for p in self.binding.parameters if p.location == location]
            taken = {
                name: "the connection or the config sets" for place, name in supplied if place == location
            }
            taken |= dict.fromkeys(fixed, "the path says already")
            named = [NamedParameter(p, self.text_schema(location, p.name)) for p in there]
            self.names[key] = WireNames(location, named, taken)
        return self.names[key]

    def input_schema(self, supplied: SuppliedNames = frozenset()) -> JsonObject:
        """The flat argument object, as documented: containers appear only where they are needed. Nobody is asked for
        what is `supplied`.

        `$defs`, here and in the output schema, are `Definitions`: see `whole`.
        """
        properties: JsonObject = {}
        required: list[str] = []
        shared = shared_names(self.binding)
        asked = [one for one in self.binding.parameters if not is_supplied(one, supplied)]
        for parameter in asked:
            if parameter.name not in shared:
                properties[parameter.name] = self._described(parameter)
                required += [parameter.name] if parameter.required else []
        for location in LOCATIONS:
            inside = [one for one in asked if one.location == location and one.name in shared]
            self._container(location, inside, properties, required)
        self._body(properties, required)
        self._accept(properties)
        self._server(properties)
        out: JsonObject = {"type": "object", "properties": properties, "additionalProperties": False}
        if required:
            out["required"] = required
        if self.defs:
            out["$defs"] = self.defs
        return out

    def _container(
        self,
        location: str,
        inside: Sequence[OperationParameter],
        properties: JsonObject,
        required: list[str],
    ) -> None:
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
        schema = self._any_of(body.media)
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

    def _any_of(self, media: Sequence[Media]) -> Any:
        """The body of each type: `$comment` says which type a schema is for, where they differ."""
        shown = [self._shown(one) for one in media]
        if all(schema == shown[0] for schema in shown):
            return shown[0]
        grouped: list[tuple[Any, list[str]]] = []
        for one, schema in zip(media, shown, strict=True):
            known = next((types for other, types in grouped if other == schema), None)
            if known is None:
                grouped.append((schema, [one.type]))
            else:
                known.append(one.type)
        return {"anyOf": [{**_as_object(schema), "$comment": ", ".join(types)} for schema, types in grouped]}

    def _shown(self, media: Media) -> Any:
        """Text is given as text. XML can also be given as data where the schema says what is in it."""
        schema = self.media[media.type]
        if schema in (True, {}) and is_text(media.essence):
            return {"type": "string"}
        if is_xml(media.essence) and not accepts_string(self.doc, media.schema):
            return {"anyOf": [schema, {"type": "string"}]}
        return schema

    def _accept(self, properties: JsonObject) -> None:
        """Which of the declared types to answer with."""
        if types := selectable_types(self.binding):
            properties["accept"] = {
                "type": "string",
                "enum": list(types),
                "default": types[0],
                "description": "Type of the answer",
            }

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
        return output_schema(self.doc, self.binding)

    def error_schema(self) -> JsonObject | None:
        """Schemas of the bodies of errors by status; None when the document describes none."""
        return error_schema(self.doc, self.binding)


def _as_object(schema: Any) -> JsonObject:
    return schema if isinstance(schema, dict) else ({} if schema is True else {"not": {}})


def whole(schema: JsonObject) -> JsonObject:
    """The schema with every definition made, as plain JSON."""
    return {**schema, "$defs": dict(schema["$defs"])} if "$defs" in schema else schema


def close_binding(doc: Doc, binding: OperationBinding) -> Closure:
    """Convert every input schema of an operation."""
    dialect = Dialect(doc, "request")
    parameters: dict[tuple[str, str], Any] = {
        (p.location, p.name): dialect.convert(p.schema) for p in binding.parameters
    }
    media = {m.type: _media_schema(dialect, doc, m) for m in (binding.body.media if binding.body else ())}
    return Closure(doc, binding, parameters, media, dialect.defs)


def _media_schema(dialect: Dialect, doc: Doc, media: Media) -> Any:
    if is_multipart(media.essence):
        return form_schema(dialect, doc, media.schema)
    if is_binary(media.essence):
        return {"anyOf": [dialect.use_tool_file(), {"type": "string"}]}
    return dialect.convert(media.schema)
