"""What an operation answers: the media types to ask for, and the JSON Schemas of results and of errors.

`data` is what the schema of the answer's media type says, whatever the type is called; every declared 2xx may arrive.
A HEAD response has no content (RFC 9110 section 9.3.2). The first type asked for is the one that is described: only
`q` says what a client prefers (section 12.5.1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from integrations.base import JsonObject
from integrations.http.media import (
    in_range,
    is_binary,
    is_form,
    is_json,
    is_ndjson,
    is_range,
    is_text,
    is_xml,
)
from integrations.openapi.binding import OperationBinding
from integrations.openapi.dialect import Dialect
from integrations.openapi.doc import BrokenReference, Doc
from integrations.openapi.pointer import mapping
from integrations.openapi.shapes import event_schema, holds_data, is_bytes

_BODYLESS = frozenset({"204", "205"})
_NULL: JsonObject = {"type": "null"}


@dataclass(frozen=True, slots=True)
class DeclaredResponse:
    """One declared response: `status` is `200`, `2XX` or `default`; `content` maps media types to their objects."""

    status: str
    content: Mapping[str, Any]

    @property
    def preferred(self) -> str | None:
        """The type that is asked for first: JSON, else what comes first."""
        return next(
            (kind for kind in self.content if is_json(essence_of(kind))), next(iter(self.content), None)
        )


def essence_of(kind: str) -> str:
    return kind.split(";")[0].strip().lower()


def successes(binding: OperationBinding) -> list[DeclaredResponse]:
    """Every declared 2xx, the exact ones first; `default` where there is none."""
    found = sorted((s for s in binding.responses if s[:1] == "2"), key=lambda s: (not s.isdecimal(), s))
    chosen = found or [status for status in ("default",) if status in binding.responses]
    return [_declared(binding, status) for status in chosen]


def failures(binding: OperationBinding) -> list[DeclaredResponse]:
    """The declared 4xx and 5xx, and `default` where it is not the success."""
    found = [status for status in binding.responses if status[:1] in ("4", "5")]
    if any(status[:1] == "2" for status in binding.responses) and "default" in binding.responses:
        found.append("default")
    return [_declared(binding, status) for status in found]


def _declared(binding: OperationBinding, status: str) -> DeclaredResponse:
    """OpenAPI 3 has a schema for each type, Swagger 2.0 one schema for everything that the operation produces."""
    response = mapping(binding.responses[status])
    if "schema" in response and "content" not in response:
        entry = {"schema": response["schema"]}
        return DeclaredResponse(status, dict.fromkeys(binding.produces or ("application/json",), entry))
    return DeclaredResponse(status, mapping(response.get("content")))


def response_types(binding: OperationBinding) -> tuple[str, ...]:
    """The media types of success, those that are described first."""
    declared = successes(binding)
    first = [one.preferred for one in declared if one.preferred is not None]
    others = [kind for one in declared for kind in one.content]
    types = dict.fromkeys((*first, *others)) or dict.fromkeys(binding.produces)
    return tuple(kind for kind in types if "\n" not in kind and "\r" not in kind)


def selectable_types(binding: OperationBinding) -> tuple[str, ...]:
    """What the argument `accept` can choose among; nothing where there is no choice."""
    types = tuple(kind for kind in response_types(binding) if not is_range(essence_of(kind)))
    taken = binding.method == "HEAD" or any(p.name == "accept" for p in binding.parameters)
    return types if len(types) > 1 and not taken else ()


def chosen_type(binding: OperationBinding, wanted: Any) -> str | None:
    """The declared type that `accept` names, None where it names none."""
    if not isinstance(wanted, str):
        return None
    types = selectable_types(binding)
    for form in (str.lower, essence_of):
        for kind in types:
            if form(kind) == form(wanted.strip()):
                return kind
    return None


def accept_header(binding: OperationBinding, chosen: str | None) -> str:
    """The chosen type alone; else all, the described one with the highest weight."""
    if chosen is not None:
        return chosen
    types = response_types(binding)
    if not types:
        return "application/json, */*;q=0.5"
    first, *others = types
    weighted = [kind if "q=" in kind else f"{kind};q=0.9" for kind in others if kind != "*/*"]
    rest = [] if first == "*/*" else ["*/*;q=0.8" if "*/*" in others else "*/*;q=0.1"]
    return ", ".join([first, *weighted, *rest])


def is_data(doc: Doc, binding: OperationBinding, status: int, content_type: str) -> bool:
    """Whether the document declares an object or a list for an answer of this status and type."""
    responses = binding.responses
    key = next(
        (k for k in (str(status), f"{status // 100}XX", f"{status // 100}xx") if k in responses), "default"
    )
    if key not in responses:
        return False
    content = _declared(binding, key).content
    essence = essence_of(content_type)
    exact = next((kind for kind in content if essence_of(kind) == essence), None)
    kind = exact or next((kind for kind in content if in_range(essence, essence_of(kind))), None)
    return kind is not None and holds_data(doc, _entry(doc, content[kind]).get("schema"))


def _entry(doc: Doc, entry: Any) -> JsonObject:
    """A media type object; 3.2 may refer to one in `components/mediaTypes`."""
    try:
        return mapping(doc.deref(entry))
    except BrokenReference:
        return {}


def output_schema(doc: Doc, binding: OperationBinding) -> JsonObject | None:
    """Schema of `data` on success; None when the document says nothing about it."""
    if binding.method == "HEAD":
        return _NULL
    declared = successes(binding)
    dialect = Dialect(doc, "response")
    shapes = [_shape(dialect, doc, one) for one in declared]
    known = list(_distinct(shape for shape in shapes if shape is not None))
    if not known:
        return None
    out = known[0] if len(known) == 1 else {"anyOf": known}
    return {**out, "$defs": dialect.defs} if dialect.defs else out


def error_schema(doc: Doc, binding: OperationBinding) -> JsonObject | None:
    """An object with the schema of `error.details.body` for each status that the document describes."""
    dialect = Dialect(doc, "response")
    shapes = {one.status: _shape(dialect, doc, one) for one in failures(binding) if one.content}
    described = {status: shape for status, shape in shapes.items() if shape is not None}
    return {"properties": described, "$defs": dialect.defs} if described else None


def _distinct(shapes: Iterator[JsonObject]) -> Iterator[JsonObject]:
    seen: list[JsonObject] = []
    for shape in shapes:
        if shape not in seen:
            seen.append(shape)
            yield shape


def _shape(dialect: Dialect, doc: Doc, declared: DeclaredResponse) -> JsonObject | None:
    kind = declared.preferred
    if kind is None or declared.status in _BODYLESS:
        return _NULL
    return media_schema(dialect, doc, essence_of(kind), _entry(doc, declared.content[kind]))


def media_schema(dialect: Dialect, doc: Doc, essence: str, entry: JsonObject) -> JsonObject | None:
    """What a body of this type is read as (`integrations.http.responses`); None where nobody can tell."""
    raw = entry.get("schema")
    if is_ndjson(essence):
        return {"type": "array", "items": _item(dialect, doc, essence, entry)}
    if is_json(essence) or (is_range(essence) and "schema" in entry and not is_text(essence)):
        return _data(dialect, doc, raw)
    if holds_data(doc, raw) and not is_xml(essence):
        data = dialect.convert(raw)
        return {"anyOf": [data, {"type": "string"}]} if is_text(essence) else data
    if is_text(essence) or is_form(essence):
        return {"type": "string"}
    if essence in ("*/*", "application/*"):
        return None
    assert is_binary(essence) or is_range(essence) or essence.startswith("multipart/")
    return dialect.use_tool_file()


def _data(dialect: Dialect, doc: Doc, raw: Any) -> JsonObject | None:
    """Bytes under a JSON type are how many documents declare a download."""
    if is_bytes(doc, raw):
        return {"anyOf": [dialect.use_tool_file(), {"type": "string"}]}
    schema = dialect.convert(raw) if raw is not None else None
    return schema if isinstance(schema, dict) and schema else None


def _item(dialect: Dialect, doc: Doc, essence: str, entry: JsonObject) -> Any:
    """One of a stream. `itemSchema` (3.2) is a whole event, `schema` what its data holds."""
    if essence == "text/event-stream":
        if "itemSchema" in entry:
            return event_schema(dialect, doc, entry["itemSchema"])
        data = dialect.convert(entry["schema"]) if holds_data(doc, entry.get("schema")) else True
        text = {"type": "string"}
        return {"type": "object", "properties": {"event": text, "id": text, "data": data}}
    if "itemSchema" in entry:
        return dialect.convert(entry["itemSchema"])
    schema = dialect.convert(entry.get("schema", True))
    listed = isinstance(schema, dict) and schema.get("type") == "array"
    return schema.get("items", True) if listed else schema
